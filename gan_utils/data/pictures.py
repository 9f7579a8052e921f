"""The one place that opens a picture: what the file decodes to, whatever its name says.

Only regular files, only decoders of Pillow that run in this process (not EPS, which starts Ghostscript, or IPTC, which
may lead to it); whatever a decoder raises is a `BadPicture`.
"""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 50_000_000
_IN_PROCESS = {
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "PSD", "QOI", "SGI"),
    *("SUN", "TGA", "TIFF", "WEBP"),
}
_GREY = ("1", "L", "LA", "La")


class BadPicture(ValueError):
    """A file that is no picture, or one that cannot be used; the text is the reason."""


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
        image: as it is seen: turned as its EXIF block says, on white where it is transparent, of mode L (grey) or RGB.
        brightest: the largest value in [0, 65535] of a file with 16 bits a channel; None for other files.
    """

    image: Image.Image
    brightest: int | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return (self.image.height, self.image.width, len(self.image.getbands()))


@functools.cache
def formats() -> tuple[str, ...]:
    """Return the names of the formats that this installation of Pillow reads in this process.

    Example:
        >>> {"JPEG", "PNG"} <= set(formats()), "EPS" in formats()
        (True, False)
    """
    Image.init()
    return tuple(name for name in Image.ID if name in _IN_PROCESS)


@functools.cache
def endings() -> frozenset[str]:
    """Return the endings of the names of files in these `formats`, with their dots."""
    return frozenset(ending for ending, kind in Image.registered_extensions().items() if kind in formats())


@contextlib.contextmanager
def opened(file: Path, *, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Open a picture, of which so far the header was read; what is raised within becomes a `BadPicture`.

    Args:
        file: a regular file.
        max_pixels: the largest width times height.

    Raises:
        BadPicture: for anything that goes wrong.
    """
    try:
        if not file.is_file():  # a pipe would block, a device never end
            raise BadPicture("it is no regular file" if file.exists() else "it does not exist")
        # TGA has no mark by which to know it, so there the name must agree
        tga = Image.registered_extensions().get(file.suffix.lower()) == "TGA"
        with Image.open(file, formats=[name for name in formats() if tga or name != "TGA"]) as image:
            pixels = image.width * image.height
            if pixels > max_pixels:
                raise BadPicture(f"{pixels:,} pixels, more than max_pixels={max_pixels:,}")
            yield image
    except BadPicture:
        raise
    except Exception as error:  # decoders raise what they like for a broken file
        raise BadPicture(f"{type(error).__name__}: {error}") from error


def read(file: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode a picture.

    Args:
        file: a regular file in one of `formats`.
        max_pixels: the largest width times height.

    Raises:
        BadPicture: for a file that cannot be decoded, and for pixels whose range no standard fixes (32-bit integers,
            floating-point numbers).
    """
    with opened(file, max_pixels=max_pixels) as raw:
        deep = any(";16" in str(tile[3]) for tile in getattr(raw, "tile", []))
        image, brightest = ImageOps.exif_transpose(raw), None
        # Pillow brings PPM's values, whatever their declared largest, to 16 bits
        if image.mode.startswith("I;16") or (image.mode == "I" and raw.format == "PPM"):
            values = np.asarray(image, np.float32)
            brightest = int(values.max())
            image = Image.fromarray((values / 257.0).round().clip(0, 255).astype(np.uint8))
        elif image.mode in ("I", "F"):
            kind = {"I": "32-bit integers", "F": "floating-point numbers"}[image.mode]
            raise BadPicture(f"its pixels are {kind} of unknown range; save it with 8 or 16 bits")
        grey = image.mode in _GREY
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("L" if grey else "RGB")
        if deep and brightest is None:  # Pillow keeps the upper eight bits of a colour
            brightest = 256 * int(np.asarray(image).max())
        return Picture(image, brightest)
