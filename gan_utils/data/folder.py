"""Folder: the reader's own images as a source to train on."""

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gan_utils.data.source import Source

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


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

    The folder is looked through once, by the files' headers: what is no image, cannot be opened or holds too many
    pixels is found here, by name. A file that turns out broken in its pixels only is reported when it is read.

    Args:
        path: looked through with its subfolders, in the order of names; hidden files and folders are left out.
        size: (height, width) of the samples in pixels.
        channels: 1 (grey) or 3 (colour; transparency is laid on white).
        resize: ``"crop"`` keeps proportions and cuts the longer side, ``"pad"`` keeps all and fills with black,
            ``"stretch"`` ignores proportions. Filter: Lanczos.
        on_error: ``"skip"`` warns with the names of bad files and goes on; ``"raise"`` stops at the first.
        max_pixels: limit of one file's width times height; a decompression bomb is refused by its header. Pillow's own
            limit of 179 million holds besides.

    Attributes:
        files: the files used, in order.
        refused: the files left out, with the reason.

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
        max_pixels: int = 50_000_000,
    ) -> None:
        if channels not in (1, 3) or resize not in _RESIZE or on_error not in ("skip", "raise"):
            raise ValueError(
                f"channels={channels}, resize={resize!r}, on_error={on_error!r}; expected channels 1 or 3, resize one "
                f"of {', '.join(_RESIZE)}, on_error 'skip' or 'raise'."
            )
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"size is {size}; expected (height, width) in pixels, for example (64, 64).")
        self.path, self.size, self.channels, self.max_pixels = Path(path), tuple(size), channels, max_pixels
        self.resize, self.on_error = resize, on_error
        if not self.path.is_dir():
            raise ValueError(f"{self.path} is not a folder; expected one with images.")
        self.files: list[Path] = []
        self.refused: dict[Path, str] = {}
        for file in sorted(self.path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(self.path).parts)
            if file.suffix.lower() in _SUFFIXES and not hidden:
                self._look_at(file)
        if self.refused:
            warnings.warn(f"{self.path}: left out {self._listed()}.", stacklevel=2)
        if not self.files:
            raise ValueError(
                f"{self.path} holds no usable image ({len(self.refused)} refused); expected files ending in "
                f"{', '.join(sorted(_SUFFIXES))}."
            )

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``{"real": (k, height, width, channels) float32 in [-1, 1]}``; a broken file gives the next good one.

        Raises:
            ValueError: for a broken file with ``on_error="raise"``, or when no file can be read.
        """
        pixels = np.stack([self._decode(int(i)) for i in index])
        return {"real": pixels.astype(np.float32) / np.float32(127.5) - np.float32(1.0)}

    def fingerprint(self) -> str:
        """Return a digest of the files' names and sizes and of how they are read."""
        files = [(file.relative_to(self.path).as_posix(), file.stat().st_size) for file in self.files]
        told = repr((self.size, self.channels, self.resize, files))
        return hashlib.sha256(told.encode()).hexdigest()

    def _look_at(self, file: Path) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # max_pixels decides
                with Image.open(file) as image:
                    pixels = image.width * image.height
            if pixels > self.max_pixels:
                raise ValueError(f"{pixels:,} pixels, more than max_pixels={self.max_pixels:,}")
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            self._refuse(file, error)
        else:
            self.files.append(file)

    def _decode(self, index: int) -> np.ndarray:
        for step in range(len(self.files)):
            file = self.files[(index + step) % len(self.files)]
            if file in self.refused:
                continue
            try:
                return self._pixels(file)
            except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
                self._refuse(file, error)
                warnings.warn(f"skipped {file}: {self.refused[file]}", stacklevel=2)
        raise ValueError(f"{self.path}: none of {len(self.files)} files can be read; first: {self._listed()}.")

    def _pixels(self, file: Path) -> np.ndarray:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode == "F":
                raise ValueError("its pixels are floating-point numbers of unknown range")
            if image.mode.startswith("I"):  # 16 bits a pixel
                image = Image.fromarray((np.asarray(image, np.float32) / 257.0).round().clip(0, 255).astype(np.uint8))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB" if self.channels == 3 else "L")
            image = _RESIZE[self.resize](image, (self.size[1], self.size[0]))
        return np.asarray(image, np.uint8).reshape(*self.size, self.channels)

    def _refuse(self, file: Path, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}".replace(os.sep.join([str(self.path), ""]), "")
        if self.on_error == "raise":
            raise ValueError(
                f"{file} cannot be used ({reason}). Mend or remove it, or pass on_error='skip'."
            ) from error
        self.refused[file] = reason

    def _listed(self, most: int = 5) -> str:
        shown = [f"{file.name} ({reason})" for file, reason in list(self.refused.items())[:most]]
        rest = len(self.refused) - len(shown)
        return ", ".join(shown) + (f" and {rest} more (see Folder.refused)" if rest else "")
