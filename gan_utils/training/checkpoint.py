"""One file that holds a run: Keras's ``.keras`` archive, and beside its members what an exact resume needs besides.

``gan_utils.json`` in the archive says the format's number, the step, and the flags that the numbers depend on;
``callbacks.json`` and ``callbacks/*.npy`` keep what callbacks remember. A file is written under another name, synced
and renamed, so a name never holds half a file. Nothing is unpickled.
"""

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.python.framework import config  # what tf.config can set, but not tell

import gan_utils
from gan_utils import checking, runtime
from gan_utils.data.source import Source
from gan_utils.runtime import keras, tf
from gan_utils.training import settings

#: number of the format; 1 is the first
FORMAT = 1
_HEADER, _CALLBACKS = "gan_utils.json", "callbacks.json"
_TEMPORARY = ".writing-"
_UNFINISHED = re.compile(rf"{re.escape(_TEMPORARY)}(.*)-(\d+)-([0-9a-f]{{32}})-")
_writing: set[str] = set()  # what this process is writing just now
_DAY = 86_400  # after which a file that another machine began is taken for abandoned
# what file systems that know no syncing or locking say; other errors, such as a full disk, count
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM}


def flags(model: Any) -> dict[str, Any]:
    """Return what a run's numbers depend on besides its code and data: versions, oneDNN, XLA, precision, devices."""
    return {
        "gan_utils": gan_utils.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "onednn": runtime.uses_onednn(),
        "xla": str(getattr(model, "jit_compile", None)),
        "precision": sorted({name for network in model.networks for name in policies(network)}),
        "deterministic": config.is_op_determinism_enabled(),
        "accelerator": runtime.has_accelerator(),
        "replicas": model.distribute_strategy.num_replicas_in_sync,
    }


def policies(network: keras.Model) -> set[str]:
    """Return the names of the precisions that a network's layers compute in.

    A functional model that Keras has made again from a file has lost its own policy; its layers have theirs (3.15).
    """
    inner = (keras.Model, keras.layers.InputLayer)
    layers = [layer for layer in network._flatten_layers(include_self=False) if not isinstance(layer, inner)]
    return {layer.dtype_policy.name for layer in layers} or {network.dtype_policy.name}


def write(model: Any, path: Path, *, run: Mapping[str, Any] | None = None, callbacks: Any = None) -> None:
    """Write a model and what goes with it into one file, whole or not at all.

    Args:
        model: an `Adversarial`.
        path: ends in ``.keras``.
        run: numbers of the ``fit`` it belongs to.
        callbacks: what the callbacks remember: nested dicts and lists of numbers, texts and arrays.
    """
    with whole(path) as temporary:
        _write_keras(model, temporary)
        arrays: dict[str, np.ndarray] = {}
        remembered = _pack(callbacks, arrays)
        header = {"format": FORMAT, "step": model.step, "seed": model.seed, "flags": flags(model), "run": run or {}}
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_HEADER, json.dumps(header, indent=1))
            archive.writestr(_CALLBACKS, json.dumps(remembered))
            for name, array in arrays.items():
                with archive.open(name, "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give another name to write under; at the end the file is synced and takes its own name, or is gone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    token = uuid.uuid4().hex
    temporary = path.with_name(f"{_TEMPORARY}{_host()}-{os.getpid()}-{token}-{path.name}")
    _writing.add(token)
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)
        os.replace(temporary, path)
        if hasattr(os, "O_DIRECTORY"):
            _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    finally:
        temporary.unlink(missing_ok=True)
        _writing.discard(token)


def _sync(path: Path, flags: int) -> None:
    """Let a file or a folder reach the disk, where its file system knows how to."""
    with _unless_unsupported():
        handle = os.open(path, flags)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _unless_unsupported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for this process as long as it lasts; the system lets go of it if the process is killed.

    Raises:
        ValueError: if another run holds it, or nothing can be written there.
    """
    check_writable(folder)
    handle = _locked(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def check_writable(folder: Path) -> None:
    """Raise a ValueError unless files can be written into a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix=_TEMPORARY):
            pass
    except OSError as error:
        raise ValueError(f"{folder} cannot be written to ({error.strerror}); expected a folder that can.") from error


def _locked(folder: Path) -> int | None:
    try:
        import fcntl
    except ImportError:  # not on every system
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        with _unless_unsupported():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ValueError(f"{folder} is in use by another run; expected a folder of its own for each run.") from None
    return handle


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "_", platform.node())[:64]


def _write_keras(model: Any, path: Path) -> None:
    if not _tells_how_it_is_made(model):  # its weights and state are enough to resume
        weights = path.with_suffix(".weights.h5")
        try:
            keras.saving.save_weights(model, weights)
            with zipfile.ZipFile(path, "w") as archive:
                archive.write(weights, "model.weights.h5")
        finally:
            weights.unlink(missing_ok=True)
    else:
        keras.saving.save_model(model, path)


def _tells_how_it_is_made(model: Any) -> bool:
    try:
        model.get_config()
    except NotImplementedError:
        return False
    return not settings.obstacle(model)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left in a folder."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            if not _is_being_written(path):
                path.unlink(missing_ok=True)


def _is_being_written(path: Path) -> bool:
    told = _UNFINISHED.match(path.name)
    if told is None or told[1] != _host():
        return time.time() - path.stat().st_mtime < _DAY
    if int(told[2]) == os.getpid():
        return told[3] in _writing
    try:
        os.kill(int(told[2]), 0)
    except ProcessLookupError:
        return False
    except OSError:  # it lives, and is another user's
        pass
    return True


def not_finite(model: Any) -> str:
    """Return the name of a weight, or another variable of a model's state, that holds NaN or infinity; or nothing."""
    weights = {weight.path: weight for network in model.networks for weight in network.weights}
    for name, variable in {**weights, **model.state()}.items():
        values = np.asarray(variable.numpy())
        if values.dtype.kind not in "iub" and not np.isfinite(values.astype(np.float32, copy=False)).all():
            return name
    return ""


def header(path: Path) -> dict[str, Any]:
    """Return the header of a file after checking all of it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is truncated or damaged, not of this library, or of a format that this version cannot read.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            names = archive.namelist()
            found = json.loads(archive.read(_HEADER)) if not damaged and _HEADER in names else None
    except Exception as error:  # a damaged archive makes zipfile raise many kinds
        raise ValueError(f"{path} is truncated or no saved model ({error}); use an earlier file.") from error
    if damaged:
        raise ValueError(f"{path} is damaged in {damaged} (its checksum does not hold); use an earlier file.")
    outside = [name for name in names if name.startswith("/") or ".." in name.split("/") or "\\" in name]
    if outside:
        raise ValueError(f"{path} holds {outside[0]!r}, which points outside of it; do not trust the file.")
    if not isinstance(found, dict):
        raise ValueError(f"{path} was not written by gan_utils ({_HEADER} is missing); expected a saved model.")
    if found.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {found.get('format')}, this version of gan_utils reads {FORMAT}; "
            f"it was written by gan_utils {found.get('flags', {}).get('gan_utils')}."
        )
    return found


def is_run(path: Path) -> bool:
    """Return whether a path is a file that `write` wrote, which holds more than networks."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _HEADER in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def callbacks(path: Path) -> Any:
    """Return what the callbacks remembered."""
    with zipfile.ZipFile(path) as archive:
        return _unpack(json.loads(archive.read(_CALLBACKS)), archive)


def read(cls: type, path: Path, networks: Mapping[str, keras.Model]) -> Any:
    """Make the model of a file; see `Adversarial.load`."""
    header(path)
    with zipfile.ZipFile(path) as archive:
        if "config.json" not in archive.namelist():
            raise ValueError(
                f"{path} holds weights and state only, since its class has no get_config; make the model and use "
                "load_weights, or give the class get_config and from_config."
            )
        config = json.loads(archive.read("config.json"))
    if not networks:
        with keras.saving.custom_object_scope({cls.__name__: cls}):  # a class of one's own need not be registered
            model = keras.saving.load_model(path, safe_mode=True)
        if not isinstance(model, cls):
            raise ValueError(f"{path} holds a {type(model).__name__}; expected a {cls.__name__}.")
        return model
    unknown = set(networks) - set(config["config"])
    if unknown:
        raise ValueError(f"load got {', '.join(sorted(unknown))}; the file has {', '.join(sorted(config['config']))}.")
    model = cls.from_config({**config["config"], **networks})  # type: ignore[attr-defined]
    if config.get("compile_config"):
        model.compile_from_config(config["compile_config"])
    model.load_weights(path)
    return model


def transfer(source: Any, target: Any) -> Any:
    """Let a model be where another of the same making is: weights, state and seed; `fit` does not compile it again.

    So several seeds cost one compilation: make each model anew, and train the first one in its place.

    Args:
        source: a compiled `Adversarial`.
        target: another, of the same class, networks and optimizers.

    Returns:
        The target.

    Raises:
        ValueError: if they differ in what they hold.
    """
    one, other = source.state(), target.state()
    if {name: tuple(v.shape) for name, v in one.items()} != {name: tuple(v.shape) for name, v in other.items()}:
        raise ValueError("the two models hold other states; expected the same networks, optimizers and settings.")
    target.set_weights(source.get_weights())
    for name, variable in other.items():
        variable.assign(one[name])
    target.seed = source.seed
    return target


def fingerprint(data: Any, first: Mapping[str, np.ndarray]) -> str:
    """Return a text that differs where the data of a run differ.

    Args:
        data: as `Adversarial.fit` uses them.
        first: their first batch; of a dataset, whose contents are known only by running it, this is what is looked at.
    """
    if isinstance(data, Source):
        return data.fingerprint()
    if isinstance(data, tf.data.Dataset):
        return f"{data.element_spec} {_digest(first)}"
    return _digest(data)


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(f"{name} {arrays[name].shape} {arrays[name].dtype}".encode())
        total.update(np.ascontiguousarray(arrays[name]).data)
    return total.hexdigest()


def check_state(owner: str, state: Any) -> None:
    """Raise a ValueError unless a file can hold what a callback remembers."""
    try:
        json.dumps(_pack(state, {}))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{owner}.get_state gives what no file can hold ({error}); expected nested dicts and lists of numbers, "
            "texts and arrays."
        ) from error


def plain(value: Any) -> Any:
    """Return a log as a file can hold it: a number, None, a text, an array or a list; anything else as its `repr`."""
    found = checking.number(value)
    if found is not None:
        return found
    try:
        json.dumps(_pack(value, {}))
    except (TypeError, ValueError):
        return checking.shown(value)
    return value


def _pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _pack(entry, arrays) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(entry, arrays) for entry in value]
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("an array of objects")
        name = f"callbacks/{len(arrays)}.npy"
        arrays[name] = value
        return {"__array__": name}
    return value.item() if isinstance(value, np.generic) else value


def _unpack(value: Any, archive: zipfile.ZipFile) -> Any:
    if isinstance(value, dict):
        if set(value) == {"__array__"}:
            with archive.open(value["__array__"]) as member:
                return np.lib.format.read_array(member, allow_pickle=False)
        return {name: _unpack(entry, archive) for name, entry in value.items()}
    return [_unpack(entry, archive) for entry in value] if isinstance(value, list) else value
