"""The sliced Wasserstein distance: optimal transport along random lines, where it is only sorting."""

import numpy as np

from gan_utils import checking
from gan_utils.metrics import checks, intervals

_BLOCK, _ROWS = 4, 4096


def sliced_wasserstein(
    real: np.ndarray, fake: np.ndarray, *, projections: int = 128, order: float = 2.0, seed: int = 0
) -> float:
    r"""Return the sliced Wasserstein distance.

    .. math:: \mathrm{SW}_p = \Big(\frac1L\sum_l W_p^p(\theta_l^T r, \theta_l^T f)\Big)^{1/p},\qquad
        \theta_l \text{ uniform on the unit sphere.}

    In one dimension :math:`W_p` compares sorted samples (quantile functions where N and M differ), exactly. It needs
    no Gaussian assumption and no matrix root. Pitfalls: like all plug-in distances it is positive for two samples of
    one distribution, more so for few; thin differences in high dimension hide from random lines.

    Args:
        real: (N, D) features.
        fake: (M, D) features.
        projections: L >= 1, the number of random directions.
        order: p >= 1.
        seed: of the directions.

    Returns:
        A float >= 0, in the features' unit.

    Raises:
        ValueError: for arrays that are not (N, D) with one D, not finite, or an option out of range.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(500, 1))
        >>> round(sliced_wasserstein(points, points + 2.0), 6)
        2.0

    Reference:
        Bonneel, Rabin, Peyré and Pfister 2015, doi 10.1007/s10851-014-0506-3, definition 5.
    """
    real, fake = checks.features(real, fake)
    projections, order = checking.integer("projections", projections, 1), checking.real("order", order, 1)
    directions = checks.generator(seed).normal(size=(projections, real.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    n, m = len(real), len(fake)
    # both quantile functions are constant between these levels; integers, so that i/N = j/M is seen as equal
    levels = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    shares, total = np.diff(levels, prepend=0) / (n * m), 0.0
    at_real, at_fake = (levels - 1) // m, (levels - 1) // n
    for start in range(0, projections, _BLOCK):
        block = directions[start : start + _BLOCK].T
        left, right = (np.sort(_project(values, block), axis=0) for values in (real, fake))
        total += float(np.sum(shares @ np.abs(left[at_real] - right[at_fake]) ** order))
    return float((total / projections) ** (1 / order))


def sliced_wasserstein_interval(
    real: np.ndarray, fake: np.ndarray, *, projections: int = 128, order: float = 2.0, seed: int = 0
) -> intervals.Estimate:
    """Return `sliced_wasserstein` with an interval by half-samples, for these directions. Args, errors as there."""
    value = sliced_wasserstein(real, fake, projections=projections, order=order, seed=seed)

    def statistic(one: np.ndarray, other: np.ndarray) -> float:
        return sliced_wasserstein(one, other, projections=projections, order=order, seed=seed)

    error = float(intervals.half_samples(statistic, np.asarray(real), np.asarray(fake), seed=seed))
    return intervals.normal(value, error, method="half-samples", bounds=(0.0, np.inf), freedom=intervals.SPLITS)


def _project(values: np.ndarray, directions: np.ndarray) -> np.ndarray:
    return np.concatenate([values[start : start + _ROWS] @ directions for start in range(0, len(values), _ROWS)])
