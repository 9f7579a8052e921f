"""Fashion-MNIST from wherever the machine has it, checked against known digests before it is used.

Looked for in this order: the folder named by ``GAN_UTILS_DATA``; Keras's cache; Debian's package
``dataset-fashion-mnist``; Keras's own download; the Debian package fetched and unpacked without root.
"""

import gzip
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gan_utils import checking

_CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_SHA256 = {  # of the decompressed files: mirrors compress them differently
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_SHAPES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_PACKAGE = "dataset-fashion-mnist"
_PACKAGE_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_STALL_SECONDS = 10


class Images(NamedTuple):
    """A labelled set: ``images`` (N, 28, 28, 1) float32 in [-1, 1], ``labels`` (N,) int64, ``class_names``."""

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]


def load(name: str = "fashion_mnist", *, split: str = "train") -> Images:
    """Load a data set of images, real and checked.

    Args:
        name: ``"fashion_mnist"`` (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747).
        split: ``"train"`` (60,000 images) or ``"test"`` (10,000).

    Returns:
        `Images`: images (N, 28, 28, 1) float32 in [-1, 1], labels (N,) int64 in 0..9, ten class names.

    Raises:
        ValueError: for an unknown name or split, or a file that is corrupt, truncated or of the wrong shape.
        FileNotFoundError: where no source has the files; the message lists what was tried and what to do.
    """
    if name != "fashion_mnist":
        raise ValueError(f"data set is {name!r}; expected 'fashion_mnist'.")
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'.")
    prefix = "train" if split == "train" else "t10k"
    folder = resolve()
    pixels = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
    images = (pixels.astype(np.float32) / np.float32(127.5) - np.float32(1.0))[..., None]
    return Images(images, labels.astype(np.int64), _CLASS_NAMES)


def resolve() -> Path:
    """Return the folder that holds the four files, fetching them if the machine has none.

    Raises:
        ValueError: if ``GAN_UTILS_DATA`` names a folder that cannot be read or lacks a file.
        FileNotFoundError: if every source failed.
    """
    explicit = os.environ.get("GAN_UTILS_DATA")
    if explicit:
        return _explicit_folder(Path(explicit))
    for folder in (_keras_folder(), _PACKAGE_FOLDER):
        if _holds_all(folder):
            return folder
    failures = []
    sources: list[tuple[str, Callable[[Path], None]]] = [("Keras's download", _download), ("Debian package", _unpack)]
    for source, fetch in sources:
        try:
            return _fetch_into(_keras_folder(), fetch)
        except (OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
            failures.append(f"{source}: {error}")
    raise FileNotFoundError(
        f"Fashion-MNIST is not on this machine and could not be fetched ({'; '.join(failures)}). "
        f"Put the four .gz files into a folder and set GAN_UTILS_DATA to it, or install the package {_PACKAGE}."
    )


def read_idx(path: Path) -> np.ndarray:
    """Read one gzip-compressed IDX file of unsigned bytes, after checking digest, magic number and shape.

    Args:
        path: a file with one of the four names of Fashion-MNIST.

    Returns:
        A uint8 array: (N, 28, 28) of images or (N,) of labels.

    Raises:
        ValueError: naming the file, what was found, what was expected and what to do.
    """
    path = checking.path("path", path)
    key = path.name.removesuffix(".gz")
    if key not in _SHAPES:
        raise ValueError(f"{path} is no file of Fashion-MNIST by its name; expected one of {', '.join(_SHAPES)}.")
    mend = "Delete it and run again, or point GAN_UTILS_DATA at a folder with good files."
    try:
        raw = gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is truncated or no gzip file ({error}). {mend}") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}). {mend}") from error
    dimensions = len(_SHAPES[key])
    header = 4 + 4 * dimensions
    if len(raw) < header or raw[:4] != bytes([0, 0, 8, dimensions]):
        raise ValueError(f"{path}: magic number {raw[:4].hex()}, expected 0000080{dimensions}. {mend}")
    shape = tuple(np.frombuffer(raw[4:header], ">u4").tolist())
    if shape != _SHAPES[key] or len(raw) != header + int(np.prod(shape)):
        raise ValueError(f"{path}: shape {shape} in {len(raw)} bytes, expected {_SHAPES[key]}. {mend}")
    digest = hashlib.sha256(raw).hexdigest()
    if digest != _SHA256[key]:
        raise ValueError(f"{path}: SHA-256 of the contents is {digest}, expected {_SHA256[key]}. {mend}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def _explicit_folder(folder: Path) -> Path:
    mend = "Correct GAN_UTILS_DATA, or unset it to use Keras's cache."
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        raise ValueError(f"GAN_UTILS_DATA is {folder}, which is not a readable folder. {mend}")
    missing = [f"{key}.gz" for key in _SHA256 if not (folder / f"{key}.gz").exists()]
    if missing:
        raise ValueError(f"GAN_UTILS_DATA is {folder}, which lacks {', '.join(missing)}. {mend}")
    return folder


def _keras_folder() -> Path:
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets" / "fashion-mnist"


def _holds_all(folder: Path) -> bool:
    return all((folder / f"{key}.gz").exists() for key in _SHA256)


def _fetch_into(folder: Path, fetch: Callable[[Path], None]) -> Path:
    # Everything lands in a folder beside the target and moves there only when complete and checked.
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as temporary:
        fetch(Path(temporary))
        for key in _SHA256:
            read_idx(Path(temporary) / f"{key}.gz")
        for key in _SHA256:
            os.replace(Path(temporary) / f"{key}.gz", folder / f"{key}.gz")
    return folder


@contextmanager
def stall_limit() -> Iterator[None]:
    """Within it a download that receives nothing for a while fails instead of waiting for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _download(folder: Path) -> None:
    from gan_utils.runtime import keras

    with stall_limit():
        for key in _SHA256:
            try:
                found = keras.utils.get_file(f"{key}.gz", _ORIGIN + f"{key}.gz", cache_dir=folder, cache_subdir="got")
            except urllib.error.URLError as error:
                raise OSError(f"no network ({error.reason})") from error
            except Exception as error:  # get_file raises a bare Exception for HTTP and URL errors
                raise OSError(f"download of {key}.gz failed or stalled for {_STALL_SECONDS} s ({error})") from error
            os.replace(found, folder / f"{key}.gz")


def _unpack(folder: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise OSError("this machine has no apt-get")
    run = {"cwd": folder, "check": True, "capture_output": True, "timeout": 120}
    try:
        subprocess.run(["apt-get", "download", _PACKAGE], **run)  # type: ignore[call-overload]
        subprocess.run(["dpkg-deb", "-x", *map(str, folder.glob("*.deb")), "out"], **run)  # type: ignore[call-overload]
    except subprocess.CalledProcessError as error:
        raise OSError(error.stderr.decode(errors="replace").strip().splitlines()[-1]) from error
    for key in _SHA256:
        os.replace(folder / "out" / _PACKAGE_FOLDER.relative_to("/") / f"{key}.gz", folder / f"{key}.gz")
