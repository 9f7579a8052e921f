"""The kernel distance (KID): maximum mean discrepancy with a polynomial kernel, unbiased."""

import numpy as np

from gan_utils import checking
from gan_utils.metrics import checks, intervals

_BLOCK = 1024


def mmd2(real: np.ndarray, fake: np.ndarray) -> float:
    r"""Return the unbiased squared maximum mean discrepancy under the kernel (x·y/D + 1)³.

    .. math:: \mathrm{MMD}^2 = \frac{\sum_{i\ne j}k(r_i,r_j)}{N(N-1)} + \frac{\sum_{i\ne j}k(f_i,f_j)}{M(M-1)}
        - \frac{2}{NM}\sum_{i,j}k(r_i,f_j)

    Args:
        real: (N, D) features, N >= 2.
        fake: (M, D) features, M >= 2.

    Returns:
        A float with expectation zero for equal distributions, so that it can be negative.

    Raises:
        ValueError: for fewer than two samples, different D, or values that are not finite.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(300, 4))
        >>> mmd2(points, points + 1.0) > 0.5
        True

    Reference:
        Gretton et al. 2012, Journal of Machine Learning Research 13, lemma 6; the kernel: Bińkowski, Sutherland, Arbel
        and Gretton 2018, arXiv 1801.01401, section 4.
    """
    real, fake = checks.features(real, fake, at_least=2)
    n, m = len(real), len(fake)
    within = sum(_total(x, x, diagonal=False) / (len(x) * (len(x) - 1)) for x in (real, fake))
    return float(within - 2.0 * _total(real, fake) / (n * m))


def kid(real: np.ndarray, fake: np.ndarray, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0) -> float:
    """Return the kernel inception distance: the mean of `mmd2` over random subsets.

    Unbiased at any N, unlike the Fréchet distance, and so the better figure for few samples. Pitfalls: its scale
    depends on the extractor, so compare only under one; its noise does not vanish at equality, so give the interval.

    Args:
        real: (N, D) features.
        fake: (M, D) features.
        subsets: random subsets (without replacement in each set).
        subset_size: samples of each set in a subset; at most N and M are taken, and where that is all, once.
        seed: of the subsets.

    Returns:
        A float around zero for equal distributions; it can be negative.

    Raises:
        ValueError: as `mmd2`, or for subsets < 1 or subset_size < 2.

    Reference:
        Bińkowski, Sutherland, Arbel and Gretton 2018, arXiv 1801.01401, section 4 and appendix D.
    """
    return float(np.mean(_subset_values(real, fake, subsets, subset_size, seed)))


def kid_interval(
    real: np.ndarray, fake: np.ndarray, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> intervals.Estimate:
    """Return `kid` with an interval: half-samples for the data's part, the subsets' spread for theirs.

    Args, errors and source as `kid`.
    """
    values = _subset_values(real, fake, subsets, subset_size, seed)
    of_data = float(intervals.half_samples(mmd2, np.asarray(real), np.asarray(fake), seed=seed))
    of_subsets = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    error = float(np.hypot(of_data, of_subsets))
    return intervals.normal(float(np.mean(values)), error, method="half-samples", freedom=intervals.SPLITS)


def _subset_values(real: np.ndarray, fake: np.ndarray, subsets: int, subset_size: int, seed: int) -> np.ndarray:
    real, fake = checks.features(real, fake, at_least=2)
    subsets, subset_size = checking.integer("subsets", subsets, 1), checking.integer("subset_size", subset_size, 2)
    random = checks.generator(seed)
    sizes = [min(subset_size, len(values)) for values in (real, fake)]
    if sizes == [len(real), len(fake)]:
        return np.array([mmd2(real, fake)])  # every subset is everything
    return np.array(
        [
            mmd2(*(x[random.choice(len(x), size, replace=False)] for x, size in zip((real, fake), sizes, strict=True)))
            for _ in range(subsets)
        ]
    )


def _total(left: np.ndarray, right: np.ndarray, *, diagonal: bool = True) -> float:
    total = 0.0
    for start in range(0, len(left), _BLOCK):
        rows = np.asarray(left[start : start + _BLOCK], np.float64)
        for begin in range(0, len(right), _BLOCK):
            columns = np.asarray(right[begin : begin + _BLOCK], np.float64)
            inner = rows @ columns.T / rows.shape[1] + 1.0
            kernel = inner * inner * inner
            total += float(kernel.sum())
            if not diagonal and start == begin:
                total -= float(np.trace(kernel))
    return total
