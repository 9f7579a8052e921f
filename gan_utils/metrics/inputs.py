"""What the command line can score: files of arrays, folders of images, saved generators, data sets by name."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gan_utils import checking
from gan_utils.metrics import features

if TYPE_CHECKING:
    from gan_utils.data import Folder, Source

_PREFERRED = ("images", "samples", "features", "arr_0")
_DATA_SETS = {"fashion_mnist": "train", "fashion_mnist:test": "test"}


class Input(NamedTuple):
    """Samples that an extractor takes, and a text that differs where they do.

    Attributes:
        samples: an array, perhaps memory-mapped, or something with `len` and `read` like a `data.Source`.
        fingerprint: a digest; empty where caching makes no sense.
    """

    samples: "np.ndarray | Source"
    fingerprint: str


class Generated:
    """Samples of a generator, made when they are read: a `data.Source` in all but name.

    Args:
        model: a `training.GAN`, or a Keras model from latents (k, d) to samples.
        n: number of samples.
        seed: of the latents.

    Raises:
        ValueError: if the model does not take latents (None, d), or n < 1.
    """

    def __init__(self, model: Any, n: int, *, seed: int = 0) -> None:
        n, seed = checking.integer("n", n, 1), checking.seed(seed)
        self._model, self._n = model, n
        if hasattr(model, "decode"):
            if names := list(getattr(model, "conditions", {})):
                asked = ", ".join(f"{name}=..." for name in names)
                raise ValueError(
                    f"the model makes samples for {', '.join(names)}; expected a file of them: "
                    f"np.save('fake.npy', gan.generate(n, {asked}))."
                )
            self._latents = model.latents(n, seed=seed)
            return
        shape = getattr(model, "input_shape", None)
        if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
            raise ValueError(f"the model takes {checking.shown(shape)}; expected latents (None, d).")
        self._latents = np.random.default_rng(seed).standard_normal((n, shape[1]), np.float32)

    def __len__(self) -> int:
        return self._n

    def read(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``{"real": (k, ...) float32}`` (that is the key a source has) for these indices."""
        several = isinstance(self._latents, Mapping)
        latents = {n: v[index] for n, v in self._latents.items()} if several else self._latents[index]
        decode = getattr(self._model, "decode", None)
        made = decode(latents) if decode else self._model(latents, training=False)
        return {"real": np.asarray(made, np.float32)}


def open_input(
    name: str, extractor: features.Extractor, *, n: int, seed: int = 0, skip_bad_files: bool = False
) -> Input:
    """Open what a word on the command line names.

    Args:
        name: ``x.npy`` (memory-mapped), ``x.npz`` (one array, or one of the names images, samples, features), a folder
            of images, ``x.keras`` (a `training.GAN` or a generator), or a data set: fashion_mnist, fashion_mnist:test.
        extractor: whose size images of a folder are brought to.
        n: samples drawn from a saved generator.
        seed: of its latents.
        skip_bad_files: leave out files of a folder that cannot be read, with a warning; otherwise they are refused.

    Returns:
        An `Input`.

    Raises:
        ValueError: in one line, for what cannot be scored. Nothing is unpickled and no code in a file is run.
    """
    path = Path(name)
    told = checking.printable(path)
    if name in _DATA_SETS and not path.exists():
        from gan_utils import data

        return Input(data.load("fashion_mnist", split=_DATA_SETS[name]).images, name)
    if path.is_dir():
        return _folder(path, extractor, "skip" if skip_bad_files else "raise")
    if not path.exists():
        raise ValueError(f"{told} does not exist; expected .npy, .npz, .keras, a folder, or {', '.join(_DATA_SETS)}.")
    if not path.is_file():
        raise ValueError(f"{told} is a pipe or a device; expected a regular file or a folder.")
    if path.suffix == ".keras":
        return Input(Generated(load_model(path), n, seed=seed), "")  # type: ignore[arg-type]
    if path.suffix not in (".npy", ".npz"):
        raise ValueError(f"{told} ends in {path.suffix or 'nothing'}; expected .npy, .npz, .keras or a folder.")
    try:
        array = _array(path)
    except Exception as error:  # a broken archive raises what its compression likes
        raise ValueError(f"{told} cannot be read ({str(error).splitlines()[0] if str(error) else error!r}).") from error
    if array.ndim < 2 or not array.size:
        raise ValueError(f"{told} holds an array of shape {array.shape}; expected images (N, H, W[, C]) or (N, D).")
    with path.open("rb") as file:
        return Input(array, hashlib.file_digest(file, "sha256").hexdigest())


def cached_features(
    source: Input, extractor: features.Extractor, folder: Path | None, *, progress: bool
) -> features.Features:
    """Return the features of an input, kept in a folder between calls.

    Args:
        source: an `Input`.
        extractor: a `features.Extractor`.
        folder: where they are kept, made if need be; None keeps nothing.
        progress: show a bar on standard error.

    Returns:
        `features.Features`, the same whether computed or read.

    Raises:
        ValueError: as the extractor.
    """
    if folder is None or not source.fingerprint or extractor.run is None:
        return extractor(source.samples, progress=progress)
    key = hashlib.sha256(f"{source.fingerprint} {extractor.fingerprint()}".encode()).hexdigest()[:32]
    path = folder / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            classes = stored["probabilities"]
            return features.Features(stored["values"], classes if classes.size else None)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, or a broken one, which the next lines replace
    found = extractor(source.samples, progress=progress)
    from gan_utils.training import checkpoint

    folder.mkdir(parents=True, exist_ok=True)
    with checkpoint.whole(path) as temporary, temporary.open("wb") as file:
        classes = np.empty(0) if found.probabilities is None else found.probabilities
        np.savez(file, values=found.values, probabilities=classes)
    return found


def _array(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"  # whatever its name says
    if not zipped:
        found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return found
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:  # closed even if it is damaged
        names = archive.files
        chosen = names if len(names) == 1 else [name for name in _PREFERRED if name in names]
        if not chosen:
            raise ValueError(
                f"it holds {', '.join(names) or 'nothing'}; expected one array or one named {_PREFERRED[0]}"
            )
        array = archive[chosen[0]]
        if not isinstance(array, np.ndarray):
            raise ValueError(f"its member {chosen[0]} is no array")
        return array


def _folder(path: Path, extractor: features.Extractor, on_error: str) -> Input:
    from gan_utils import data

    told = checking.printable(path)
    if extractor.run is None:
        raise ValueError(f"{told} is a folder of images, and the extractor identity takes vectors; choose another one.")
    height, width, channels = extractor.shape or _common_shape(data.Folder(path, size=(1, 1), on_error=on_error))
    source = data.Folder(path, size=(height, width), channels=channels, resize="stretch", on_error=on_error)
    times = [file.stat().st_mtime_ns for file in source.files]
    known = os.fsencode(path.resolve()) + f" {source.fingerprint()} {times}".encode()
    return Input(source, hashlib.sha256(known).hexdigest())


def _common_shape(folder: "Folder") -> tuple[int, int, int]:
    # the pictures as they are decoded: a header tells nothing of how they are turned, or of their real colours
    firsts: dict[tuple[int, int, int], Path] = {}
    for index, file in enumerate(folder.files):
        folder.read(np.array([index]))
        for shape in folder.original_shapes - firsts.keys():
            firsts[shape] = file
    if len(firsts) > 1:
        told = ", ".join(
            f"{h}x{w}x{c} ({checking.printable(file.name)})" for (h, w, c), file in list(firsts.items())[:3]
        )
        name = checking.printable(folder.path)
        raise ValueError(
            f"{name} holds images of several shapes: {told}; this extractor takes them as they are. Bring them to one "
            "size, and to grey or colour."
        )
    return next(iter(firsts))


def load_model(path: Path) -> Any:
    """Return the Keras model in a file; no code in it is run.

    Args:
        path: a .keras file, of `training.GAN` or of a network.

    Raises:
        ValueError: in one line, if it cannot be read.
    """
    from gan_utils.runtime import keras
    from gan_utils.training import checkpoint  # and with its package the classes that a file may name

    if checkpoint.is_run(path):
        checkpoint.header(path)  # all of it is checked before anything is used
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises what it likes for a file that it cannot read
        reason = str(error).strip().splitlines()
        told = checking.printable(path)
        raise ValueError(f"{told} is no generator ({reason[0] if reason else type(error).__name__}).") from error
