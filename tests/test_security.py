"""What SECURITY.md says is so."""

import ast
import socket
import zipfile
from pathlib import Path

import pytest

import gan_utils
from gan_utils import data, metrics, training, widgets
from gan_utils.networks import toy
from gan_utils.training import callbacks

PACKAGE = Path(gan_utils.__file__).parent
SOURCES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def called(tree):
    """Yield each call's name, as far as it is spelled out, and its keywords that are constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            constants = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
            yield ast.unparse(node.func), constants


@pytest.mark.parametrize("name", SOURCES)
def test_no_pickle_and_no_code_from_files(name):
    assert not {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "ctypes"} & set(imported(SOURCES[name]))
    for call, constants in called(SOURCES[name]):
        assert call not in ("eval", "exec", "compile", "os.system", "os.popen") and not call.endswith(".extractall")
        assert not constants.get("allow_pickle") and not constants.get("shell")
        if call.startswith("keras.") and call.endswith(("load_model", "deserialize_keras_object")):
            assert constants.get("safe_mode") is True
        if call in ("np.load", "numpy.load") or call.endswith("read_array"):
            assert constants.get("allow_pickle") is False


def test_only_two_modules_can_reach_the_network():
    reaches = {"socket", "urllib", "http", "requests", "ftplib", "subprocess"}
    assert [name for name, tree in SOURCES.items() if reaches & set(imported(tree))] == ["data/images.py"]
    words = ("get_file", "keras.applications", "urlopen", "load_data")
    downloads = {name for name, tree in SOURCES.items() for call, _ in called(tree) if any(w in call for w in words)}
    assert downloads == {"data/images.py", "metrics/features.py"}


def test_work_needs_no_network_and_writes_only_where_it_is_told_to(monkeypatch, tmp_path):
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)

    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.compile()
    kept = callbacks.Resume(tmp_path / "run", every_seconds=0)
    gan.fit(data.toy.ring().sample(32, seed=0), batch_size=8, steps_per_epoch=2, verbose=0, callbacks=[kept])
    gan.save(tmp_path / "a.keras")
    training.GAN.load(tmp_path / "a.keras").export(tmp_path / "b.keras")
    images = data.load(split="test").images[:50]
    assert metrics.score(images, images, ["sliced_wasserstein"], with_intervals=False)["sliced_wasserstein"] < 1e-6
    assert widgets.Playground().settings
    assert not list(here.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"here", "run", "a.keras", "b.keras", "b.keras.md"}


@pytest.mark.parametrize("member", ["../evil.txt", "assets/../../evil.txt", "/evil.txt", "..\\evil.txt"])
def test_an_archive_that_points_outside_is_refused(tmp_path, member):
    path = tmp_path / "inner" / "a.keras"
    path.parent.mkdir()
    training.GAN(toy.generator(), toy.discriminator()).save(path)
    before = sorted(tmp_path.rglob("*"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "outside")
    with pytest.raises(ValueError, match="points outside"):
        training.GAN.load(path)
    assert sorted(tmp_path.rglob("*")) == before
