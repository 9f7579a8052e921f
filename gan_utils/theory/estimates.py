"""Divergences from samples alone, each with its pitfall. Wasserstein distances of samples: `transport`."""

from typing import Any

import numpy as np
import scipy.spatial

from gan_utils.theory import checks, divergences


def kl(x: Any, y: Any, *, k: int = 5) -> float:
    r"""Estimate KL(p‖q) in nats from samples x of p and y of q, by distances to the k-th nearest neighbour.

    .. math:: \frac{D}{N}\sum_i\log\frac{\nu_k(x_i)}{\rho_k(x_i)} + \log\frac{M}{N-1}

    with :math:`\rho_k` the distance within x (itself left out) and :math:`\nu_k` the distance to y. Consistent.
    Pitfalls: it can be negative, its error falls slowly in many dimensions, and it is finite even where KL is not.

    Args:
        x: samples (N, D) or (N,), N > k.
        y: samples (M, D) or (M,), M >= k.
        k: which neighbour; larger is smoother and more biased.

    Raises:
        ValueError: for shapes that do not fit, NaN, k out of range, or repeated points (their distance is zero).

    Example:
        >>> dice = np.random.default_rng(0)
        >>> abs(kl(dice.normal(0, 1, 4000), dice.normal(1, 1, 4000)) - 0.5) < 0.1
        True

    Reference:
        Wang, Kulkarni and Verdú 2009, doi 10.1109/TIT.2009.2016060, equation 5.
    """
    x, y = checks.point_pair(x, y)
    if not 1 <= k < len(x) or k > len(y):
        raise ValueError(f"k is {k} with {len(x)} and {len(y)} samples; expected 1 <= k < N and k <= M.")
    within = scipy.spatial.cKDTree(x).query(x, [k + 1])[0][:, 0]
    across = scipy.spatial.cKDTree(y).query(x, [k])[0][:, 0]
    if not within.min() or not across.min():
        raise ValueError("A point is repeated more than k times, so a distance is 0; raise k or remove repetitions.")
    return float(x.shape[1] * np.mean(np.log(across / within)) + np.log(len(y) / (len(x) - 1)))


def histogram(x: Any, y: Any, *, bins: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Count two sets of samples in one set of bins, for any function of `divergences`.

    The bins hold equal shares of both sets together. Merging outcomes never increases an f-divergence, so with many
    samples the result lies below the true one; with few, noise in the counts lifts it.

    Args:
        x: samples (N,) or (N, 1).
        y: samples (M,) or (M, 1).
        bins: their number, at least 2.

    Returns:
        Two distributions (bins,).

    Raises:
        ValueError: for more than one dimension, NaN, or fewer than 2 bins.

    Example:
        >>> p, q = histogram([0.0, 1.0, 2.0], [5.0, 6.0, 7.0], bins=2)
        >>> p.tolist(), q.tolist()
        ([1.0, 0.0], [0.0, 1.0])
    """
    x, y = checks.point_pair(x, y)
    if x.shape[1] != 1 or bins < 2:
        raise ValueError(f"x has {x.shape[1]} dimensions and bins is {bins}; expected 1 dimension and at least 2 bins.")
    inner = np.quantile(np.concatenate([x, y]), np.linspace(0, 1, bins + 1)[1:-1])
    counts = [np.bincount(np.searchsorted(inner, values[:, 0]), minlength=bins) for values in (x, y)]
    return counts[0] / len(x), counts[1] / len(y)


def jensen_shannon(log_ratio_at_x: Any, log_ratio_at_y: Any) -> float:
    r"""Estimate JS(p, q) in nats from the logits :math:`\log p/q` of a discriminator at samples of p and of q.

    .. math:: \tfrac12\big(\mathbb{E}_p\log\sigma(a) + \mathbb{E}_q\log(1-\sigma(a))\big) + \log 2

    A lower bound on average, tight for the optimal discriminator: half of the GAN's value plus log 2.

    Args:
        log_ratio_at_x: logits at samples of p, any shape.
        log_ratio_at_y: logits at samples of q.

    Returns:
        A float of at most log 2; below zero for a discriminator worse than none.

    Raises:
        ValueError: for no values, or NaN.

    Example:
        >>> jensen_shannon([0.0], [0.0])
        0.0

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, theorem 1.
    """
    x, y = checks.array(log_ratio_at_x, "log_ratio_at_x"), checks.array(log_ratio_at_y, "log_ratio_at_y")
    return float(divergences.LOG2 - (np.logaddexp(0, -x).mean() + np.logaddexp(0, y).mean()) / 2)


def mmd2(x: Any, y: Any, *, bandwidth: float = 1.0) -> float:
    r"""Estimate the squared maximum mean discrepancy under :math:`\exp(-\lVert x-y\rVert^2/2h^2)`, without bias.

    Its expectation is zero for equal distributions, so that it can be negative. Costs O((N + M)² D).

    Args:
        x: samples (N, D) or (N,), N >= 2.
        y: samples (M, D) or (M,), M >= 2.
        bandwidth: h > 0; distances far below or above it are not seen.

    Raises:
        ValueError: for shapes that do not fit, fewer than two samples, NaN, or no bandwidth.

    Example:
        >>> points = np.random.default_rng(0).normal(size=300)
        >>> mmd2(points, points + 1) > 0.1
        True

    Reference:
        Gretton et al. 2012, Journal of Machine Learning Research 13, lemma 6.
    """
    x, y = checks.point_pair(x, y)
    if min(len(x), len(y)) < 2:
        raise ValueError(f"x has {len(x)} and y {len(y)} samples; expected at least 2 of each.")
    scale, n, m = 2 * checks.positive(bandwidth, "bandwidth") ** 2, len(x), len(y)

    def total(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.exp(-scipy.spatial.distance.cdist(one, other, "sqeuclidean") / scale).sum())

    return (total(x, x) - n) / (n * (n - 1)) + (total(y, y) - m) / (m * (m - 1)) - 2 * total(x, y) / (n * m)
