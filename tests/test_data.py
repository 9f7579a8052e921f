import contextlib
import functools
import gzip
import http.server
import os
import threading

import numpy as np
import pytest

from gan_utils import data
from gan_utils.data import images

REAL = images.resolve()  # where this machine has the data, before a test hides it
KEY = "t10k-labels-idx1-ubyte"
HEADER = bytes([0, 0, 8, 1]) + (10_000).to_bytes(4, "big")


def idx(path, payload, header=HEADER):
    path = path / f"{KEY}.gz"
    path.write_bytes(gzip.compress(header + payload))
    return path


def test_load_gives_checked_images_in_range():
    test = data.load("fashion_mnist", split="test")
    assert test.images.shape == (10_000, 28, 28, 1) and test.images.dtype == np.float32
    assert test.images.min() == -1.0 and test.images.max() == 1.0
    assert np.bincount(test.labels).tolist() == [1000] * 10 and len(test.class_names) == 10


@pytest.mark.parametrize("arguments", [{"name": "cifar"}, {"split": "valid"}])
def test_unknown_names_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        data.load(**arguments)


def test_wrong_digest_names_both(tmp_path):
    with pytest.raises(ValueError, match=rf"{KEY}.*SHA-256.*expected {images._SHA256[KEY]}"):
        images.read_idx(idx(tmp_path, bytes(10_000)))


def test_wrong_magic_shape_and_truncation(tmp_path):
    with pytest.raises(ValueError, match="magic number"):
        images.read_idx(idx(tmp_path, bytes(10), header=bytes([0, 0, 9, 1, 0, 0, 0, 10])))
    with pytest.raises(ValueError, match="shape"):
        images.read_idx(idx(tmp_path, bytes(10), header=bytes([0, 0, 8, 1, 0, 0, 0, 10])))
    path = idx(tmp_path, os.urandom(10_000))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="truncated"):
        images.read_idx(path)


def test_explicit_folder_must_exist_and_be_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_UTILS_DATA", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="not a readable folder"):
        images.resolve()
    monkeypatch.setenv("GAN_UTILS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="lacks train-images"):
        images.resolve()


def test_failed_sources_are_all_named_and_leave_nothing(tmp_path, monkeypatch):
    def no_network(folder):
        (folder / "half.gz").write_bytes(b"half")
        raise OSError("no network")

    monkeypatch.delenv("GAN_UTILS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(images, "_PACKAGE_FOLDER", tmp_path / "absent")
    monkeypatch.setattr(images, "_download", no_network)
    monkeypatch.setattr(images, "_unpack", no_network)
    with pytest.raises(FileNotFoundError, match="Keras's download: no network; Debian package: no network"):
        images.resolve()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_unreadable_file_or_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / f"{KEY}.gz").mkdir()  # root may read everything, but nobody can read a folder as a file
    with pytest.raises(ValueError, match=rf"{KEY}.gz cannot be read"):
        images.read_idx(tmp_path / f"{KEY}.gz")
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("GAN_UTILS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="not a readable folder"):
        images.resolve()


@contextlib.contextmanager
def serving(handler):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def nowhere_else(tmp_path, monkeypatch):
    """A machine without the data, whose only source is what the test sets up."""
    monkeypatch.delenv("GAN_UTILS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(images, "_PACKAGE_FOLDER", tmp_path / "absent")
    monkeypatch.setattr(images.shutil, "which", lambda _: None)  # no apt-get
    return tmp_path


def files_under(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_without_a_network_the_error_says_so(nowhere_else, monkeypatch):
    monkeypatch.setattr(images, "_ORIGIN", "http://127.0.0.1:9/")  # the discard port: nobody listens
    with pytest.raises(FileNotFoundError, match=r"download of train-images.*refused.*GAN_UTILS_DATA"):
        images.resolve()
    assert not files_under(nowhere_else)


def test_a_stalled_download_ends_after_the_limit_and_leaves_nothing(nowhere_else, monkeypatch):
    released = threading.Event()

    class Stalling(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.wfile.flush()
            released.wait()

        def log_message(self, *_):
            pass

    assert images._STALL_SECONDS == 10
    monkeypatch.setattr(images, "_STALL_SECONDS", 0.5)
    with serving(Stalling) as origin:
        monkeypatch.setattr(images, "_ORIGIN", origin)
        try:
            with pytest.raises(FileNotFoundError, match=r"stalled for 0.5 s"):
                images.resolve()
        finally:
            released.set()
    assert not files_under(nowhere_else)


def test_an_interrupted_download_leaves_nothing(nowhere_else, monkeypatch):
    def interrupted(folder):
        (folder / "half.gz").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "_download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        images.resolve()
    assert not files_under(nowhere_else)


def test_a_download_is_checked_kept_and_found_again(nowhere_else, monkeypatch):
    with serving(functools.partial(Quiet, directory=REAL)) as origin:
        monkeypatch.setattr(images, "_ORIGIN", origin)
        folder = images.resolve()
    assert folder == nowhere_else / "datasets/fashion-mnist" and len(files_under(nowhere_else)) == 4
    assert images.resolve() == folder and data.load(split="test").images.shape == (10_000, 28, 28, 1)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
