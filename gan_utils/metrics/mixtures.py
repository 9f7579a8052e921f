"""Scores where the modes are known: which are covered, how good the samples are, how evenly they spread."""

from typing import NamedTuple

import numpy as np
import scipy.special

from gan_utils import checking
from gan_utils.metrics import checks, intervals
from gan_utils.metrics.inception_score import standard_error


class Modes(NamedTuple):
    """Scores of samples against a mixture of K modes of width sigma.

    Attributes:
        covered: modes with at least `least` high-quality samples, 0..K.
        high_quality: share of samples within `radius` sigma of their nearest mode.
        forward_kl: KL(target‖generated) over modes, nats; infinite if a mode gets no sample.
        reverse_kl: KL(generated‖target) over modes, nats, at most -log of the smallest weight.
    """

    covered: int
    high_quality: float
    forward_kl: float
    reverse_kl: float


def modes(
    samples: np.ndarray,
    means: np.ndarray,
    *,
    sigma: float,
    weights: np.ndarray | None = None,
    radius: float = 3.0,
    least: int = 1,
) -> Modes:
    r"""Score samples of a mixture with known means.

    Each sample belongs to its nearest mean; with :math:`q_k` the share of samples of mode k and :math:`w_k` its
    weight, the divergences are :math:`\sum_k w_k\log(w_k/q_k)` and :math:`\sum_k q_k\log(q_k/w_k)`. Pitfalls: "covered"
    with one sample is lenient; a generator of pure noise covers all; so read it with the other three, and the share
    of high quality against its ceiling, `ceiling`.

    Args:
        samples: (N, D).
        means: (K, D), K >= 2.
        sigma: standard deviation of a mode in each direction, > 0.
        weights: (K,) positive, sum one; equal if not given.
        radius: in units of sigma.
        least: high-quality samples that make a mode covered.

    Returns:
        `Modes`.

    Raises:
        ValueError: for arrays of other shapes, values that are not finite, or options out of range.

    Example:
        >>> means = np.array([[-1.0, 0.0], [1.0, 0.0]])
        >>> modes(means[[0, 0, 0, 1]], means, sigma=0.1).high_quality
        1.0

    Reference:
        Srivastava, Valkov, Russell, Gutmann and Sutton 2017, arXiv 1705.07761, section 4 (modes, high quality); Lin,
        Khetan, Fanti and Oh 2018, arXiv 1712.04086, section 4 (reverse KL).
    """
    return _figures(*_assign(samples, means, sigma, weights, radius, least), least)


def _figures(good: np.ndarray, nearest: np.ndarray, w: np.ndarray, least: int) -> Modes:
    counts, q = np.bincount(nearest[good], minlength=len(w)), np.bincount(nearest, minlength=len(w)) / len(nearest)
    forward, reverse = scipy.special.rel_entr(w, q).sum(), scipy.special.rel_entr(q, w).sum()
    return Modes(int(np.sum(counts >= least)), float(good.mean()), float(forward), float(reverse))


def modes_interval(
    samples: np.ndarray,
    means: np.ndarray,
    *,
    sigma: float,
    weights: np.ndarray | None = None,
    radius: float = 3.0,
    least: int = 1,
) -> dict[str, intervals.Estimate]:
    """Return the four figures of `modes` with intervals.

    Covered: from each mode's chance to be found again; high quality: Wilson's interval; the divergences: delta method
    (forward infinite where a mode is missing). Args and errors as `modes`.
    """
    good, nearest, w = _assign(samples, means, sigma, weights, radius, least)
    found = _figures(good, nearest, w, least)
    n, q = len(nearest), np.bincount(nearest, minlength=len(w)) / len(nearest)
    counts = np.bincount(nearest[good], minlength=len(w))
    again = 1 - scipy.special.bdtr(least - 1, n, np.maximum(counts, 1) / n)  # of a mode not found, as if found once
    doubt, seen = again * (1 - again), counts >= least
    below, above = (
        intervals.normal(found.covered, np.sqrt(np.sum(part)), method="", bounds=(0.0, len(w)))
        for part in (doubt[seen], doubt)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        forward = standard_error((-w / q)[nearest])
        reverse = standard_error((np.log(q) - np.log(w))[nearest])
    zero, delta = (0.0, np.inf), "delta method"
    finite = np.isfinite(found.forward_kl)
    return {
        "covered": intervals.Estimate(found.covered, below.low, above.high, "chance to be found again"),
        "high_quality": intervals.Estimate(found.high_quality, *intervals.wilson(found.high_quality, n), "Wilson"),
        "forward_kl": intervals.normal(found.forward_kl, forward, method=delta, bounds=zero)
        if finite
        else intervals.Estimate(np.inf, np.nan, np.inf, delta),
        "reverse_kl": intervals.normal(found.reverse_kl, reverse, method=delta, bounds=zero),
    }


def ceiling(dimensions: int, radius: float = 3.0) -> float:
    """Return the share of a Gaussian mode's own samples within `radius` sigma: what perfect samples get.

    Args:
        dimensions: D >= 1.
        radius: in units of sigma.

    Returns:
        A float in (0, 1), if the modes are far apart.

    Example:
        >>> round(ceiling(2), 4)
        0.9889
    """
    dimensions, radius = checking.integer("dimensions", dimensions, 1), checking.real("radius", radius, above=0)
    return float(scipy.special.gammainc(dimensions / 2, radius**2 / 2))


def _assign(
    samples: np.ndarray, means: np.ndarray, sigma: float, weights: np.ndarray | None, radius: float, least: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    samples, means = checks.pair(samples, means, name="samples and means")
    w = np.full(len(means), 1 / len(means)) if weights is None else np.asarray(weights, np.float64)
    if len(means) < 2 or w.shape != (len(means),) or not w.min() > 0 or abs(w.sum() - 1) > 1e-6:
        raise ValueError(f"{len(means)} means, weights {weights}; expected at least two, positive weights of sum 1.")
    sigma, radius = checking.real("sigma", sigma, above=0), checking.real("radius", radius, above=0)
    checking.integer("least", least, 1)
    best, nearest = np.full(len(samples), np.inf), np.zeros(len(samples), np.int64)
    for index, mean in enumerate(means):
        distance = np.linalg.norm(samples - mean, axis=1)
        closer = distance < best
        best[closer], nearest[closer] = distance[closer], index
    return best <= radius * sigma, nearest, w
