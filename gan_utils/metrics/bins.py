"""Number of statistically different bins (NDB): in how many regions the shares of real and generated samples differ."""

import warnings

import numpy as np
import scipy.special
from scipy.cluster.vq import kmeans2, vq

from gan_utils import checking
from gan_utils.metrics import checks, intervals

_PER_BIN = 20
_MOST = 10_000
_BLOCK = 4096


def ndb(real: np.ndarray, fake: np.ndarray, *, bins: int | None = None, alpha: float = 0.05, seed: int = 0) -> float:
    r"""Return how many bins hold significantly different shares of real and generated samples.

    k-means on the real samples (at most 10,000 of them) makes the bins. With :math:`p_b, q_b` the shares of the N real
    and M generated samples in bin b and :math:`\pi_b` that of both together, the bin counts if

    .. math:: |p_b-q_b| > z_{1-\alpha/2}\sqrt{\pi_b(1-\pi_b)\,(1/N+1/M)} .

    Pitfalls: the tests gain power with N and M, so compare at equal ones; equal distributions get up to alpha · bins;
    it sees shares only, so blurred samples in the right bins pass, and copies get a perfect score.

    Args:
        real: (N, D) features of real samples.
        fake: (M, D) features of generated samples.
        bins: of k-means; if not given 100, or fewer so that a bin holds 20 real samples on average.
        alpha: level of each test, in (0, 1).
        seed: of k-means.

    Returns:
        A float, a whole number in 0..bins.

    Raises:
        ValueError: for arrays that are not (N, D) with one D, not finite, or an option out of range.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(1000, 2))
        >>> ndb(points, points[points[:, 0] > 0], bins=10) >= 8
        True

    Reference:
        Richardson and Weiss 2018, arXiv 1805.12462, section 2.
    """
    _, scores, limit = _z(real, fake, bins, alpha, seed)
    return float(np.sum(np.abs(scores) > limit))


def ndb_interval(
    real: np.ndarray, fake: np.ndarray, *, bins: int | None = None, alpha: float = 0.05, seed: int = 0
) -> intervals.Estimate:
    """Return `ndb` with an interval: each bin's chance to differ again, given its z, bins taken as independent.

    Args and errors as `ndb`.
    """
    number, scores, limit = _z(real, fake, bins, alpha, seed)
    again = scipy.special.ndtr(scores - limit) + scipy.special.ndtr(-scores - limit)
    error = float(np.sqrt(np.sum(again * (1 - again))))
    value = float(np.sum(np.abs(scores) > limit))
    return intervals.normal(value, error, method="normal approximation", bounds=(0.0, float(number)))


def _z(real: np.ndarray, fake: np.ndarray, bins: int | None, alpha: float, seed: int) -> tuple[int, np.ndarray, float]:
    real, fake = checks.features(real, fake)
    if len(real) < 2:
        raise ValueError(f"ndb has {len(real)} real sample; expected at least 2, which make two bins.")
    bins = max(2, min(100, len(real) // _PER_BIN)) if bins is None else checking.integer("bins", bins, 2, len(real))
    alpha = checking.real("alpha", alpha, above=0, below=1)
    random = checks.generator(seed)
    mean = real.mean(axis=0, dtype=np.float64)
    some = real[random.permutation(len(real))[: max(_MOST, _PER_BIN * bins)]] - mean
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", UserWarning)  # a bin that ends empty differs in nothing
        centres = kmeans2(some, bins, minit="++", rng=random)[0]
    p, q = (_shares(values, mean, centres) for values in (real, fake))
    pooled = (p * len(real) + q * len(fake)) / (len(real) + len(fake))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(real) + 1 / len(fake)))
    return bins, np.divide(p - q, error, out=np.zeros(bins), where=error > 0), float(scipy.special.ndtri(1 - alpha / 2))


def _shares(values: np.ndarray, mean: np.ndarray, centres: np.ndarray) -> np.ndarray:
    blocks = (values[start : start + _BLOCK] - mean for start in range(0, len(values), _BLOCK))
    counts = [np.bincount(vq(block, centres)[0], minlength=len(centres)) for block in blocks]
    return np.sum(counts, axis=0) / len(values)
