"""Folder: the reader's own images as a source to train on."""

import hashlib
import mimetypes
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from gan_utils import checking
from gan_utils.data import pictures
from gan_utils.data.source import Source

_TWELVE_BITS = 4095

_EDGE = 4096  # bytes at either end of a file, in which another picture of the same size differs


def _crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _pad(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.pad(image, size, Image.Resampling.LANCZOS)


def _stretch(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS)


_RESIZE: dict[str, Callable[[Image.Image, tuple[int, int]], Image.Image]] = {
    "crop": _crop,
    "pad": _pad,
    "stretch": _stretch,
}


class Folder(Source):
    """All images under a folder, decoded when they are needed.

    The folder is looked through once, by the files' headers: a picture is what Pillow can read, whatever its name ends
    in. What ends like a picture and is none, cannot be opened or holds too many pixels is found here, by name, and so
    are other files that are no text. A file that turns out broken in its pixels only is reported when it is read.

    Args:
        path: looked through with its subfolders, in the order of names; hidden files and folders and text files are
            left out.
        size: (height, width) of the samples in pixels.
        channels: 1 (grey) or 3 (colour; transparency is laid on white).
        resize: ``"crop"`` keeps proportions and cuts the longer side, ``"pad"`` keeps all and fills with black,
            ``"stretch"`` ignores proportions. Filter: Lanczos.
        on_error: ``"skip"`` warns with the names of bad files and goes on; ``"raise"`` stops at the first.
        max_pixels: limit of one file's width times height; a decompression bomb is refused by its header. Pillow's own
            limit of 179 million holds besides.
        labels: ``"subfolders"`` to read ``"label"`` besides, the place of the file's subfolder among `classes`; None
            for none.

    Attributes:
        files: the files used, in order.
        classes: names of the subfolders that hold pictures, in order, where they are the labels.
        refused: the files left out, with the reason.
        original_shapes: (height, width, channels) of the files read so far, before they were brought to `size`.

    Raises:
        ValueError: for an unknown option, a folder without images, or, with ``on_error="raise"``, a bad file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (40, 30), "white").save(Path(folder) / "a.png")
        ...     Folder(folder, size=(8, 8)).read(np.array([0]))["real"].shape
        (1, 8, 8, 3)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        size: tuple[int, int],
        channels: int = 3,
        resize: str = "crop",
        on_error: str = "skip",
        max_pixels: int = pictures.MAX_PIXELS,
        labels: str | None = None,
    ) -> None:
        if labels not in (None, "subfolders"):
            raise ValueError(f"labels is {checking.shown(labels)}; expected 'subfolders' or None.")
        self.labels = labels
        self.path, self.size = checking.path("path", path), _size(size)
        known = isinstance(resize, str) and resize in _RESIZE and on_error in ("skip", "raise")
        if isinstance(channels, bool) or channels not in (1, 3) or not known:
            raise ValueError(
                f"channels={checking.shown(channels)}, resize={checking.shown(resize)}, "
                f"on_error={checking.shown(on_error)}; expected channels 1 or 3, resize one of {', '.join(_RESIZE)}, "
                "on_error 'skip' or 'raise'."
            )
        self.channels, self.max_pixels = int(channels), checking.integer("max_pixels", max_pixels, 1)
        self.resize, self.on_error = resize, on_error
        self._name = checking.printable(self.path)
        if not self.path.is_dir():
            raise ValueError(f"{self._name} is not a folder; expected one with images.")
        self.files: list[Path] = []
        self.refused: dict[Path, str] = {}
        self.original_shapes: set[tuple[int, int, int]] = set()
        self._dark_told = False
        for file in sorted(self._within()):
            if labels and file.parent == self.path:
                self.refused[file] = "in no subfolder, so without a label"
            else:
                self._look_at(file)
        self.classes = sorted({self._class(file) for file in self.files}) if labels else []
        if self.refused:
            warnings.warn(f"{self._name}: left out {self._listed()}.", stacklevel=2)
        if not self.files:
            raise ValueError(
                f"{self._name} holds no usable image ({len(self.refused)} refused); expected pictures that Pillow "
                "reads here, such as .png or .jpg."
            )

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``{"real": (k, height, width, channels) float32 in [-1, 1]}``; a broken file gives the next good one.

        With labels there is ``"label"`` besides, (k,) int32, of the file that was read.

        Raises:
            ValueError: for a broken file with ``on_error="raise"``, or when no file can be read.
        """
        files, found = zip(*(self._decode(int(i)) for i in index), strict=True)
        self._tell_dark([picture.brightest for picture in found if picture.brightest is not None])
        self.original_shapes.update(picture.shape for picture in found)
        pixels = np.stack([self._pixels(picture.image) for picture in found])
        read = {"real": _scaled(pixels)}
        if self.labels:
            read["label"] = np.array([self.classes.index(self._class(file)) for file in files], np.int32)
        return read

    def _class(self, file: Path) -> str:
        return file.relative_to(self.path).parts[0]

    def fingerprint(self) -> str:
        """Return a digest of the files' names, sizes, beginnings and ends, and of how they are read."""
        how = (self.size, self.channels, self.resize, *([self.labels] if self.labels else []))
        total = hashlib.sha256(repr(how).encode())
        for path in self.files:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _EDGE))
                end = file.read(_EDGE)
                file.seek(0)
                total.update(repr((path.relative_to(self.path).as_posix(), size)).encode() + file.read(_EDGE) + end)
        return total.hexdigest()

    def _within(self) -> Iterator[Path]:
        """Yield every file below the folder that is not hidden; refuse folders that cannot be listed or are links."""

        def unreadable(error: OSError) -> None:
            self._refuse(Path(os.fsdecode(error.filename)), f"{type(error).__name__}: {error.strerror}")

        for folder, folders, files in os.walk(self.path, onerror=unreadable):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in folders:
                if os.path.islink(os.path.join(folder, name)):
                    self.refused[Path(folder, name)] = "a link to a folder, which is not followed"
            yield from (Path(folder, name) for name in files if not name.startswith("."))

    def _look_at(self, file: Path) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # max_pixels decides what is too large; the rest comes when it is read
                with pictures.opened(file, max_pixels=self.max_pixels):
                    pass
        except pictures.BadPicture as error:
            if file.suffix.lower() in pictures.endings():
                self._refuse(file, str(error))
            elif not _is_text(file):
                self.refused[file] = "no picture that Pillow reads here"
        else:
            self.files.append(file)

    def _decode(self, index: int) -> tuple[Path, pictures.Picture]:
        for step in range(len(self.files)):
            file = self.files[(index + step) % len(self.files)]
            if file in self.refused:
                continue
            try:
                return file, pictures.read(file, max_pixels=self.max_pixels)
            except pictures.BadPicture as error:
                self._refuse(file, str(error))
                warnings.warn(f"skipped {checking.printable(file)}: {self.refused[file]}", stacklevel=2)
        raise ValueError(f"{self._name}: none of {len(self.files)} files can be read; first: {self._listed()}.")

    def _pixels(self, image: Image.Image) -> np.ndarray:
        image = image.convert("RGB" if self.channels == 3 else "L")
        image = _RESIZE[self.resize](image, (self.size[1], self.size[0]))
        return np.asarray(image, np.uint8).reshape(*self.size, self.channels)

    def _partner(self, file: Path) -> str:
        """Return what a file and its partner in another folder have in common: the path without the ending."""
        return file.relative_to(self.path).with_suffix("").as_posix()

    def _tell_dark(self, brightest: list[int]) -> None:
        most = max(brightest, default=0)
        if 0 < most <= _TWELVE_BITS and not self._dark_told:
            self._dark_told = True
            warnings.warn(
                f"{self._name}: files of 16 bits a channel hold no value above {most:,}. Were they made with fewer "
                "bits? They are taken as parts of 65,535, so they are nearly black. Scale them and save them anew.",
                stacklevel=3,
            )

    def _refuse(self, file: Path, reason: str) -> None:
        reason = checking.printable(reason.replace(os.sep.join([str(self.path), ""]), ""))
        if self.on_error == "raise":
            raise ValueError(
                f"{checking.printable(file)} cannot be used ({reason}). Mend or remove it, or pass on_error='skip'."
            )
        self.refused[file] = reason

    def _listed(self, most: int = 5) -> str:
        shown = [f"{checking.printable(file.name)} ({reason})" for file, reason in list(self.refused.items())[:most]]
        rest = len(self.refused) - len(shown)
        return ", ".join(shown) + (f" and {rest} more (see Folder.refused)" if rest else "")


class Pairs(Source):
    """Pictures in pairs: a condition and the real picture that belongs to it.

    Args:
        condition: a folder; or, without `real`, a folder of pictures that hold both side by side, the condition left.
        real: a folder whose files have the names of the conditions, but for their endings.
        swapped: whether the condition is the right one of two side by side.
        **options: of each `Folder`: ``size``, ``channels`` (those of the real pictures) and so on.
        condition_channels: of the conditions; as the real pictures if not given.

    Attributes:
        pairs: the files of each pair, condition first.
        refused: the files left out, with the reason.

    Raises:
        ValueError: as `Folder`; and where no two files belong together.
    """

    def __init__(
        self,
        condition: str | Path,
        real: str | Path | None = None,
        *,
        swapped: bool = False,
        condition_channels: int | None = None,
        **options: Any,
    ) -> None:
        self._folder = Folder(condition if real is None else real, **options)
        channels = options.get("channels", 3) if condition_channels is None else condition_channels
        self._conditions = Folder(condition, **{**options, "channels": channels})
        self.swapped, self.refused = bool(swapped), {**self._conditions.refused, **self._folder.refused}
        self._joined = real is None
        if swapped and not self._joined:
            raise ValueError("swapped is for pictures side by side; expected it without a second folder.")
        by_name = {self._folder._partner(file): file for file in self._folder.files}
        self.pairs: list[tuple[Path, Path]] = []
        for file in self._conditions.files:
            partner = file if self._joined else by_name.pop(self._conditions._partner(file), None)
            if partner is None:
                self._leave_out(file, "no picture of this name in the other folder")
            else:
                self.pairs.append((file, partner))
        for file in [] if self._joined else by_name.values():
            self._leave_out(file, "no condition of this name in the other folder")
        left = len(self.refused) - len(self._conditions.refused | self._folder.refused)
        if left:
            warnings.warn(f"{left} files have no partner and are left out; see Pairs.refused.", stacklevel=2)
        if not self.pairs:
            raise ValueError(
                f"{self._conditions._name} and {self._folder._name} have no two files of one name; expected a.png here "
                "and a.png or a.jpg there."
            )

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``"condition"`` and ``"real"``, (k, height, width, channels) float32 in [-1, 1]; see `Folder.read`."""
        found = [self._decode(int(i)) for i in index]
        conditions = np.stack([self._conditions._pixels(first) for first, _ in found])
        reals = np.stack([self._folder._pixels(second) for _, second in found])
        return {"condition": _scaled(conditions), "real": _scaled(reals)}

    def fingerprint(self) -> str:
        """Return a digest of both folders' files and of how they are read; see `Folder.fingerprint`."""
        return f"{self._conditions.fingerprint()} {self._folder.fingerprint()} {self.swapped} {len(self.pairs)}"

    def _decode(self, index: int) -> tuple[Image.Image, Image.Image]:
        for step in range(len(self.pairs)):
            files = self.pairs[(index + step) % len(self.pairs)]
            if any(file in self.refused for file in files):
                continue
            try:
                images = [
                    pictures.read(file, max_pixels=self._folder.max_pixels).image for file in dict.fromkeys(files)
                ]
                return self._halves(images[0]) if self._joined else _alike(*images)
            except pictures.BadPicture as error:
                reason = f"{error} (pair {checking.printable(files[0].name)}, {checking.printable(files[1].name)})"
                self._leave_out(files[0], reason)
                warnings.warn(f"skipped {checking.printable(files[0])}: {reason}", stacklevel=2)
        raise ValueError(f"none of {len(self.pairs)} pairs can be read; see Pairs.refused.")

    def _halves(self, image: Image.Image) -> tuple[Image.Image, Image.Image]:
        if image.width % 2:
            raise pictures.BadPicture(f"{image.width} columns are no two pictures side by side")
        middle = image.width // 2
        left = image.crop((0, 0, middle, image.height))
        right = image.crop((middle, 0, image.width, image.height))
        return (right, left) if self.swapped else (left, right)

    def _leave_out(self, file: Path, reason: str) -> None:
        if self._folder.on_error == "raise":
            raise ValueError(f"{checking.printable(file)} cannot be used ({reason}); pass on_error='skip'.")
        self.refused[file] = reason


def _alike(first: Image.Image, second: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return two pictures if they have one shape, up to a pixel of rounding in a scaled copy."""
    if abs(first.width * second.height - second.width * first.height) > max(*first.size, *second.size):
        raise pictures.BadPicture(f"{first.size} and {second.size} pixels are of two proportions")
    return first, second


def _scaled(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def _size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (checking.integer("size", number, 1) for number in size)
    except (TypeError, ValueError):
        raise ValueError(
            f"size is {checking.shown(size)}; expected (height, width) in pixels, for example (64, 64)."
        ) from None
    return height, width


def _is_text(file: Path) -> bool:
    """Return whether a file is a note, table or script beside the pictures (a drawing in SVG is none)."""
    if (mimetypes.guess_type(file.name)[0] or "").startswith(("image", "video")) or not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            return b"\0" not in opened.read(1024)
    except OSError:
        return False
