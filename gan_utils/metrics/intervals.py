"""How far to trust a score: intervals by named methods, and standard errors over training seeds.

Resampling with replacement is avoided for whole scores: a copied sample is its own nearest neighbour at distance zero,
and a Fréchet distance of resampled sets is biased a second time, so that its percentile interval can miss the value.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special

from gan_utils import checking

LEVEL = 0.95
SPLITS = 8
MAX_HALF = 2500


class Estimate(NamedTuple):
    """A value with a 95 % interval for what other samples of the same sizes would give.

    Attributes:
        value: the score.
        low: lower end; NaN, as the upper one, where there are too few samples for an interval.
        high: upper end.
        method: how the interval was made.
    """

    value: float
    low: float
    high: float
    method: str


def bare(value: float) -> Estimate:
    """Return a value without an interval.

    Args:
        value: the score.

    Returns:
        An `Estimate` whose ends are NaN.
    """
    return Estimate(float(value), np.nan, np.nan, "no interval")


def normal(
    value: float, error: float, *, method: str, bounds: tuple[float, float] = (-np.inf, np.inf), freedom: float = np.inf
) -> Estimate:
    """Return value ± t · error, clipped to bounds.

    Args:
        value: the score.
        error: its standard error.
        method: its name.
        bounds: the score's range.
        freedom: degrees of freedom of `error`; the normal quantile 1.96 where it is known.

    Returns:
        An `Estimate`.

    Example:
        >>> normal(1.0, 0.1, method="known error").high.__round__(3)
        1.196
    """
    quantile = (1 + LEVEL) / 2
    width = (scipy.special.ndtri(quantile) if np.isinf(freedom) else scipy.special.stdtrit(freedom, quantile)) * error
    return Estimate(float(value), float(max(bounds[0], value - width)), float(min(bounds[1], value + width)), method)


def wilson(value: float, n: int) -> tuple[float, float]:
    """Return Wilson's interval for a share of n independent samples; unlike ± s.e. it has width at 0 and 1.

    Args:
        value: the share, in [0, 1].
        n: samples, at least 1.

    Returns:
        Its lower and upper end.

    Example:
        >>> low, high = wilson(0.0, 100)
        >>> low, round(high, 3)
        (0.0, 0.037)

    Reference:
        Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    z2 = float(scipy.special.ndtri((1 + LEVEL) / 2)) ** 2 / n
    middle, width = value + z2 / 2, float(np.sqrt(z2 * (value * (1 - value) + z2 / 4)))
    return max(0.0, (middle - width) / (1 + z2)), min(1.0, (middle + width) / (1 + z2))


def half_samples(
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray | list[float] | float],
    real: np.ndarray,
    fake: np.ndarray,
    *,
    seed: int = 0,
    splits: int = SPLITS,
    max_half: int = MAX_HALF,
) -> np.ndarray:
    r"""Return standard errors of statistics of two samples, from disjoint halves.

    Each split deals both sets, at random, into two halves (of at most `max_half` samples: the cost cap) and compares
    the two values. With halves of h of n samples, and a variance that goes as 1/n,

    .. math:: \widehat{\mathrm{se}}^2 = \frac{h}{n}\cdot\frac{1}{S}\sum_s \tfrac12(\theta_{s,1}-\theta_{s,2})^2 .

    A bias that both halves share cancels, so none is inherited. Where the variance falls faster than 1/n (a distance
    of equal distributions) the error is too large rather than too small.

    Args:
        statistic: from real (h, D) and fake (h', D) to a number or a vector of numbers.
        real: (N, D).
        fake: (M, D).
        seed: of the splits.
        splits: S.
        max_half: largest half.

    Returns:
        Standard errors, of the statistic's shape, with about S degrees of freedom; NaN where a half is under two.

    Reference:
        McCarthy 1969, Review of the International Statistical Institute 37, doi 10.2307/1402116 (half-samples);
        Politis and Romano 1994, doi 10.1214/aos/1176325770 (smaller samples, scaled).
    """
    random = np.random.default_rng(checking.seed(seed))
    halves = [min(max_half, len(values) // 2) for values in (real, fake)]
    if min(halves) < 2:
        return np.asarray(statistic(real, fake), np.float64) * np.nan
    total = np.zeros(())
    for _ in range(splits):
        orders = [random.permutation(len(values)) for values in (real, fake)]
        values = [
            np.asarray(
                statistic(
                    *(x[o[part * h : (part + 1) * h]] for x, o, h in zip((real, fake), orders, halves, strict=True))
                ),
                np.float64,
            )
            for part in (0, 1)
        ]
        total = total + (values[0] - values[1]) ** 2 / 2
    # each set contributes its own share; the larger ratio is the careful one where the sets differ in size
    share = max(h / len(values) for h, values in zip(halves, (real, fake), strict=True))
    return np.sqrt(share * total / splits)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard error of the mean over independent runs: what a comparison of methods needs.

    An interval from one run's samples says nothing about another training seed; this does.

    Args:
        values: a score from each run, at least two.

    Returns:
        Mean and standard error (sample standard deviation over the root of the number of runs).

    Raises:
        ValueError: for fewer than two values or values that are not finite.

    Example:
        >>> over_seeds([1.0, 2.0, 3.0])
        (2.0, 0.5773502691896258)
    """
    try:
        given = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.ndim != 1 or len(given) < 2 or not np.isfinite(given).all():
        raise ValueError(f"values are {checking.shown(values)}; expected a finite score of each of at least two runs.")
    return float(given.mean()), float(given.std(ddof=1) / np.sqrt(len(given)))
