"""What the metrics accept: two sets of feature vectors, or rows of class probabilities."""

from typing import Any

import numpy as np

_BLOCK = 4096
_LARGEST = 1e40  # the kernel distance takes sixth powers


def features(real: Any, fake: Any, *, at_least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Check two sets of features; float32 and float64 stay as they are (metrics compute in float64, block by block).

    Args:
        real: (N, D), finite.
        fake: (M, D), finite.
        at_least: the smallest N and M.

    Returns:
        The two arrays, float32 or float64.

    Raises:
        ValueError: for another number of axes, different D, too few samples, no numbers, or values that are not finite.
    """
    return pair(real, fake, name="features", at_least=at_least)


def pair(real: Any, fake: Any, *, name: str, at_least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Do the work of `features` for arrays that the message calls `name`."""
    real, fake = _floats(real, name), _floats(fake, name)
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or not real.shape[1]:
        raise ValueError(
            f"{name} have shapes {real.shape} and {fake.shape}; expected (N, D) and (M, D) with one D. "
            "Flatten images or use an extractor."
        )
    if min(len(real), len(fake)) < at_least:
        raise ValueError(f"{name} have shapes {real.shape} and {fake.shape}; expected at least {at_least} of each.")
    for values in (real, fake):
        finite(values, name)
        largest = max(-float(values.min()), float(values.max()))
        if largest > _LARGEST:
            raise ValueError(f"{name} reach {largest:.3g}; expected values below {_LARGEST:.0e}. Rescale them.")
    return real, fake


def finite(values: np.ndarray, name: str) -> None:
    """Raise a ValueError that begins with `name` if the array holds NaN or infinity."""
    if not all(np.isfinite(values[start : start + _BLOCK]).all() for start in range(0, len(values), _BLOCK)):
        raise ValueError(f"{name} hold NaN or infinity; expected finite values. Look for a diverged run.")


def probabilities(values: Any, name: str = "probabilities") -> np.ndarray:
    """Check rows of class probabilities and return them as float64.

    Args:
        values: (N, K), each row non-negative with sum one (within 1e-4).
        name: how the message calls them.

    Returns:
        (N, K) float64, each row divided by its sum.

    Raises:
        ValueError: for another shape, fewer than two classes, no row, or a row that is no distribution.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or not len(values):
        raise ValueError(f"{name} have shape {values.shape}; expected (N, K) with N >= 1 rows and K >= 2 classes.")
    finite(values, name)
    sums = values.sum(axis=1)
    if values.min() < 0 or np.abs(sums - 1).max() > 1e-4:
        raise ValueError(
            f"{name} have a least value of {values.min():.3g} and row sums of {sums.min():.6g} to {sums.max():.6g}; "
            "expected values >= 0 that sum to 1. Apply softmax to logits."
        )
    return values / sums[:, None]


def neighbour(k: int, n: int, what: str) -> None:
    """Raise a ValueError unless 1 <= k < n."""
    if not 1 <= k < n:
        raise ValueError(f"k is {k} with {n} {what} samples; expected 1 <= k < {n}. Lower k or pass more samples.")


def _floats(values: Any, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype in (np.float32, np.float64):
        return values
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name} are of type {values.dtype}; expected real numbers.")
    return values.astype(np.float64)
