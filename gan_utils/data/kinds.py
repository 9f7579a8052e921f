"""What an entry of the data is: images, class labels, masks, voxels, plain numbers; declared once and checked by it.

A model declares the kinds of what its networks read beside the samples (`training.GAN.conditions`), so that `fit`,
`generate`, callbacks, export and the page check alike, and know what a reader may choose.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gan_utils import checking
from gan_utils.runtime import keras

__all__ = ["Images", "Kind", "Labels", "Masks", "Numbers", "Voxels"]
_register = keras.saving.register_keras_serializable("gan_utils")


@dataclass(frozen=True)
class Kind:
    """One entry of the data; the classes below say which values it may have.

    Args:
        shape: of one sample, None for an extent that is open.
    """

    shape: tuple[int | None, ...]
    #: of the arrays
    dtype: ClassVar[str] = "float32"
    #: what it is, for messages and cards
    words: ClassVar[str] = "numbers"

    def __post_init__(self) -> None:
        shape = tuple(None if n is None else checking.integer("an extent of shape", n, 1) for n in self.shape)
        object.__setattr__(self, "shape", shape)

    def __str__(self) -> str:
        extents = " × ".join("any" if n is None else str(n) for n in self.shape)
        return f"{self.words} ({extents})" if extents else self.words

    def check(self, name: str, array: np.ndarray) -> np.ndarray:
        """Return an array as the networks read it.

        Args:
            name: of the entry, for the message.
            array: (N, ...).

        Raises:
            ValueError: for another shape or dtype, or values that this kind does not have.
        """
        if not array.ndim or not self.suits(array.shape[1:]):
            wanted = ", ".join(["N", *("any" if n is None else str(n) for n in self.shape)])
            raise ValueError(f"{name!r} has shape {array.shape}; expected ({wanted}), {self.words}.")
        self._check_dtype(name, array)
        if array.size:
            self._check_values(name, array)
        return array

    def suits(self, shape: tuple[int, ...]) -> bool:
        """Return whether one sample may have this shape."""
        return len(shape) == len(self.shape) and all(n in (None, m) for n, m in zip(self.shape, shape, strict=True))

    def _check_dtype(self, name: str, array: np.ndarray) -> None:
        if array.dtype != np.float32:
            raise ValueError(
                f"{name!r} has dtype {array.dtype}; expected float32, {self.words}. Convert with x.astype('float32')."
            )

    def _check_values(self, name: str, array: np.ndarray) -> None:
        if not np.isfinite([array.min(), array.max()]).all():
            raise ValueError(f"{name!r} holds NaN or infinity; expected finite values. Find them with np.isfinite(x).")

    def blank(self, n: int) -> np.ndarray:
        """Return n samples that a network may be tried on; open extents are 1."""
        return np.zeros((n, *(extent or 1 for extent in self.shape)), self.dtype)

    def code(self, name: str, dtype: str) -> str:
        """Return a line of Python that makes sixteen samples, for a model card."""
        return f"{name} = np.zeros({(16, *(n or 1 for n in self.shape))}, np.{dtype})  # {self.words}"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal kind."""
        return {"shape": list(self.shape)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Kind":
        """Make a kind from `get_config`'s arguments."""
        return cls(**config)


@_register
@dataclass(frozen=True)
class Numbers(Kind):
    """Finite real numbers without a range, such as codes and embeddings.

    Example:
        >>> str(Numbers((12,)))
        'numbers (12)'
    """


@_register
@dataclass(frozen=True)
class Images(Kind):
    """Images (H, W, C) in [-1, 1].

    Example:
        >>> Images((2, 2, 1)).check("photo", np.full((3, 2, 2, 1), 7, "float32"))
        Traceback (most recent call last):
        ValueError: 'photo': images range from 7 to 7; expected [-1, 1]. For 0..255 use x / 127.5 - 1.
    """

    words: ClassVar[str] = "images in [-1, 1]"

    def _check_values(self, name: str, array: np.ndarray) -> None:
        super()._check_values(name, array)
        if fault := checking.range_fault(float(array.min()), float(array.max())):
            raise ValueError(f"{name!r}: {fault}")


class _Two(Kind):
    values: ClassVar[tuple[float, float]]

    def _check_values(self, name: str, array: np.ndarray) -> None:
        low, high = self.values
        odd = array[(array != low) & (array != high)]
        if odd.size:
            raise ValueError(f"{name!r} holds {odd[0]:g}; expected {low:g} or {high:g}, {self.words}.")

    def blank(self, n: int) -> np.ndarray:
        """Return n samples of the lower value."""
        return np.full_like(super().blank(n), self.values[0])


@_register
@dataclass(frozen=True)
class Masks(_Two):
    """Masks (H, W, 1), 1 where something is so and 0 elsewhere."""

    words: ClassVar[str] = "masks of 0 and 1"
    values: ClassVar[tuple[float, float]] = (0.0, 1.0)


@_register
@dataclass(frozen=True)
class Voxels(_Two):
    """Voxels (D, H, W, C) and piano rolls, 1 where something is and -1 elsewhere."""

    words: ClassVar[str] = "voxels of -1 and 1"
    values: ClassVar[tuple[float, float]] = (-1.0, 1.0)


@_register
@dataclass(frozen=True, init=False)
class Labels(Kind):
    """Class labels, integers from 0 to ``classes - 1``.

    Args:
        classes: how many there are.
        shape: of one sample; one label by default.

    Example:
        >>> Labels(3).check("label", np.array([1, 3]))
        Traceback (most recent call last):
        ValueError: 'label' holds 3; expected integers from 0 to 2, class labels.
    """

    classes: int
    dtype: ClassVar[str] = "int32"
    words: ClassVar[str] = "class labels"

    def __init__(self, classes: int, shape: tuple[int | None, ...] = ()) -> None:
        object.__setattr__(self, "shape", tuple(shape))
        object.__setattr__(self, "classes", checking.integer("classes", classes, 2))
        self.__post_init__()

    def _check_dtype(self, name: str, array: np.ndarray) -> None:
        if array.dtype.kind not in "iu":
            raise ValueError(
                f"{name!r} has dtype {array.dtype}; expected integers from 0 to {self.classes - 1}, {self.words}."
            )

    def _check_values(self, name: str, array: np.ndarray) -> None:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= self.classes:
            odd = low if low < 0 else high
            raise ValueError(f"{name!r} holds {odd}; expected integers from 0 to {self.classes - 1}, {self.words}.")

    def code(self, name: str, dtype: str) -> str:
        """Return a line of Python that makes sixteen labels, for a model card."""
        shape = (16, *(n or 1 for n in self.shape))
        return f"{name} = np.random.default_rng(0).integers(0, {self.classes}, {shape}).astype(np.{dtype})"

    def __str__(self) -> str:
        return f"{self.words} from 0 to {self.classes - 1}"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal kind."""
        return {"classes": self.classes, "shape": list(self.shape)}
