"""What the metrics accept: samples, two sets of feature vectors, or rows of class probabilities."""

import os
from typing import Any

import numpy as np

from gan_utils import checking

_BLOCK = 4096
_WANTED = "expected an array of numbers (N, ...), a data.Source, or features.Features"
_LARGEST = 1e40  # the kernel distance takes sixth powers


def samples(values: Any, name: str = "samples") -> Any:
    """Return samples as an array, or a `data.Source` (or what reads like one) as it is.

    Raises:
        ValueError: for anything else, saying what to pass in its place.
    """
    if hasattr(values, "read") and hasattr(values, "__len__"):
        return values
    if hasattr(values, "__array__") or isinstance(values, list | tuple):
        try:
            array = np.asarray(values)
        except Exception as error:  # lists of unequal arrays, tensors without values
            raise ValueError(f"{name} make no array ({' '.join(str(error).split())[:200]}); {_WANTED}.") from error
        if array.ndim:
            return array
    mend = ""
    if hasattr(values, "generate"):
        mend = " Pass what it generates: gan.generate(1000)."
    elif hasattr(values, "predict"):
        mend = " Pass what it makes: generator.predict(latents)."
    elif hasattr(values, "as_numpy_iterator"):
        mend = " Pass np.concatenate(list(dataset.batch(256).as_numpy_iterator())), or unbatch it before."
    elif isinstance(values, str | bytes | os.PathLike):
        mend = " Pass np.load(path), or data.Folder(path, size=(height, width))."
    raise ValueError(f"{name} are {checking.shown(values)}, of type {type(values).__name__}; {_WANTED}.{mend}")


def read(source: Any, start: int, stop: int) -> np.ndarray:
    """Return samples start..stop of an array, or of a `data.Source`.

    Raises:
        ValueError: if a source does not return what it should.
    """
    if isinstance(source, np.ndarray):
        return source[start:stop]
    found = source.read(np.arange(start, stop))
    if not isinstance(found, dict) or "real" not in found or np.shape(found["real"])[:1] != (stop - start,):
        raise ValueError(
            f"{type(source).__name__}.read of {stop - start} indices returns {checking.shown(found)}; expected a dict "
            "with as many samples under 'real'."
        )
    return np.asarray(found["real"])


def generator(seed: Any) -> np.random.Generator:
    """Return NumPy's generator for a seed; a ValueError unless that is an integer in [0, 2**31)."""
    return np.random.default_rng(checking.seed(seed))


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
    """Raise a ValueError unless k is an integer and 1 <= k < n."""
    if checking.integer("k", k, 1) >= n:
        raise ValueError(f"k is {k} with {n} {what} samples; expected 1 <= k < {n}. Lower k or pass more samples.")


def _floats(values: Any, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype in (np.float32, np.float64):
        return values
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name} are of type {values.dtype}; expected real numbers.")
    return values.astype(np.float64)
