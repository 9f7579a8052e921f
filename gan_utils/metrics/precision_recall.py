"""Improved precision and recall: is what is generated real, and is what is real generated?"""

import numpy as np

from gan_utils.metrics import checks, intervals, neighbours


def precision_recall(real: np.ndarray, fake: np.ndarray, *, k: int = 3) -> tuple[float, float]:
    r"""Return improved precision and recall.

    The union of the balls around the samples of one set, each reaching to its k-th nearest neighbour, stands for the
    support of its distribution; precision is the share of generated samples in the support of the real ones, recall
    the share of real samples in that of the generated ones.

    .. math:: P = \frac1M\sum_j 1\{\exists i: \lVert f_j-r_i\rVert < \mathrm{NND}_k(r_i)\}, \qquad
        R = \frac1N\sum_i 1\{\exists j: \lVert f_j-r_i\rVert < \mathrm{NND}_k(f_j)\}

    Pitfalls: one outlier among the real samples has a huge ball that swallows bad fakes (density and coverage mend
    it); both figures rise with the number of samples, so compare at equal N; copies of training images score 1.

    Args:
        real: (N, D) features of real samples.
        fake: (M, D) features of generated samples; the paper takes M = N.
        k: the neighbour that sets a radius, self not counted; 1 <= k < min(N, M).

    Returns:
        Precision and recall in [0, 1]. Equal distributions do not score 1: see what held-out real samples get.

    Raises:
        ValueError: for arrays that are not (N, D) with one D, not finite, or k too large.

    Example:
        >>> points = np.arange(10.0)[:, None]
        >>> precision_recall(points, points[:5] + 0.1, k=1)
        (1.0, 0.6)

    Reference:
        Kynkäänniemi, Karras, Laine, Lehtinen and Aila 2019, arXiv 1904.06991, equations 1 and 2; differs in that a
        sample exactly on a ball's border is outside, as in Naeem et al. 2020 (arXiv 2002.09797).
    """
    real, fake = checks.features(real, fake)
    checks.neighbour(k, len(real), "real")
    checks.neighbour(k, len(fake), "generated")
    precision, recall = _both(real, fake, k)
    return precision, recall


def precision_recall_interval(
    real: np.ndarray, fake: np.ndarray, *, k: int = 3, seed: int = 0
) -> tuple[intervals.Estimate, intervals.Estimate]:
    """Return `precision_recall` with intervals by half-samples, at least as wide as Wilson's.

    Args:
        real: (N, D) features of real samples.
        fake: (M, D) features of generated samples.
        k: the neighbour that sets a radius.
        seed: of the halves.

    Returns:
        Two estimates; Wilson's alone for fewer than 20 samples.

    Raises:
        ValueError: as `precision_recall`, or if k is too large for a half.
    """
    real, fake = checks.features(real, fake)
    checks.neighbour(k, min(len(real), len(fake)) // 2, "real or generated (half of them)")
    precision, recall = neighbours.with_intervals(lambda r, f: _both(r, f, k), real, fake, (True, True), seed=seed)
    return precision, recall


def _both(real: np.ndarray, fake: np.ndarray, k: int) -> list[float]:
    return neighbours.count(real, fake, k_manifold=k).precision_recall()
