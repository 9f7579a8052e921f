import gzip
import os

import numpy as np
import pytest

from gan_utils import data
from gan_utils.data import images

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
