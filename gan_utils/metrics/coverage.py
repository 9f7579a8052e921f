"""Coverage: the share of real samples that have a generated one near them."""

import numpy as np
from scipy.spatial.distance import cdist


def coverage(real: np.ndarray, fake: np.ndarray, *, k: int = 5) -> float:
    r"""Return the share of real samples whose k-nearest-neighbour ball holds a generated sample.

    .. math:: \frac1N \sum_i 1\{\exists j: \lVert f_j - r_i\rVert < \mathrm{NND}_k(r_i)\}

    Args:
        real: (N, D) features of real samples.
        fake: (M, D) features of generated samples.
        k: the neighbour that sets the radius, self not counted; 1 <= k < N.

    Returns:
        A float in [0, 1]; two sets from one distribution with N = M = 10,000 and k = 5 get about 1 - 2**-5.

    Raises:
        ValueError: for arrays that are not (N, D) with one D, not finite, or k >= N.

    Example:
        >>> points = np.arange(10.0)[:, None]
        >>> coverage(points, points + 0.1, k=1)
        1.0

    Reference:
        Naeem, Oh, Uh, Choi and Yoo 2020, arXiv 2002.09797, equation 8.
    """
    real, fake = as_features(real, fake)
    if not 1 <= k < len(real):
        raise ValueError(f"k is {k} with {len(real)} real samples; expected 1 <= k < N. Lower k or pass more samples.")
    hits = 0
    for start in range(0, len(real), 1000):
        rows = real[start : start + 1000]
        radius = np.partition(cdist(rows, real), k, axis=1)[:, k]
        hits += int(np.sum(cdist(rows, fake).min(axis=1) < radius))
    return hits / len(real)


def as_features(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Check two sets of features and return them as float64.

    Args:
        real: (N, D), finite.
        fake: (M, D), finite.

    Returns:
        The two arrays, float64.

    Raises:
        ValueError: for another number of axes, different D, an empty set, or values that are not finite.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    check_pair(real, fake, name="features")
    return real, fake


def check_pair(real: np.ndarray, fake: np.ndarray, *, name: str) -> None:
    """Raise a ValueError that begins with `name` unless the arrays are (N, D) and (M, D), finite, none empty."""
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or not len(real) or not len(fake):
        raise ValueError(
            f"{name} have shapes {real.shape} and {fake.shape}; expected (N, D) and (M, D) with one D, none empty. "
            "Flatten images or use an extractor."
        )
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise ValueError(f"{name} hold NaN or infinity; expected finite values. Look for a diverged run.")
