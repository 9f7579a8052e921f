"""What the theory accepts: finite numbers, probabilities, points with weights."""

from typing import Any

import numpy as np

_TOLERANCE = 1e-6  # of a sum of probabilities: what float32 softmax leaves


def array(values: Any, name: str, *, axes: int | None = None) -> np.ndarray:
    """Return finite real numbers as float64.

    Args:
        values: anything NumPy makes an array of.
        name: how the message calls it.
        axes: the number of axes, if there must be so many.

    Raises:
        ValueError: for another number of axes, no values, complex or non-numeric ones, NaN or infinity.
    """
    found = np.asarray(values)
    if found.dtype.kind not in "fiub":
        raise ValueError(f"{name} is of type {found.dtype}; expected real numbers.")
    if not found.size or (axes is not None and found.ndim != axes):
        wanted = "values" if axes is None else f"{axes} axes"
        raise ValueError(f"{name} has shape {found.shape}; expected {wanted}.")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds NaN or infinity; expected finite numbers.")
    return found.astype(np.float64)


def distribution(values: Any, name: str) -> np.ndarray:
    """Return probabilities (..., K) as float64, each row divided by its sum.

    Raises:
        ValueError: unless every value is >= 0 and the last axis sums to 1 (within 1e-6).
    """
    found = array(values, name)
    if not found.ndim:
        raise ValueError(f"{name} is a single number; expected probabilities (..., K).")
    sums = found.sum(axis=-1, keepdims=True)
    if found.min() < 0 or np.abs(sums - 1).max() > _TOLERANCE:
        raise ValueError(
            f"{name} has a least value of {found.min():.3g} and sums of {sums.min():.6g} to {sums.max():.6g}; expected "
            "values >= 0 whose last axis sums to 1. Divide counts or densities by their sum."
        )
    return found / sums


def pair(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return two distributions on one set of outcomes; leading axes may broadcast.

    Raises:
        ValueError: for what is no distribution, or different numbers of outcomes.
    """
    p, q = distribution(p, "p"), distribution(q, "q")
    if p.shape[-1] != q.shape[-1]:
        raise ValueError(
            f"p has {p.shape[-1]} outcomes and q {q.shape[-1]}; expected the same set. Give outcomes that one of them "
            "lacks the probability 0."
        )
    return p, q


def points(values: Any, name: str) -> np.ndarray:
    """Return samples as float64 (N, D); a vector (N,) is taken as N points of one dimension.

    Raises:
        ValueError: for another number of axes, or values that are not finite.
    """
    found = array(values, name)
    if found.ndim not in (1, 2):
        raise ValueError(f"{name} has shape {found.shape}; expected (N, D), or (N,) for one dimension.")
    return found[:, None] if found.ndim == 1 else found


def point_pair(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return two sets of samples (N, D) and (M, D).

    Raises:
        ValueError: as `points`, or for different D.
    """
    x, y = points(x, "x"), points(y, "y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x has {x.shape[1]} dimensions and y {y.shape[1]}; expected the same.")
    return x, y


def positive(value: float, name: str) -> float:
    """Return a finite number above zero.

    Raises:
        ValueError: for another.
    """
    if not np.isfinite(value) or value <= 0:
        raise ValueError(f"{name} is {value!r}; expected a finite number above 0.")
    return float(value)
