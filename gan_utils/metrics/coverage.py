"""Density and coverage: how many generated samples lie near real ones, and how many real ones have any near them."""

import numpy as np

from gan_utils.metrics import checks, intervals, neighbours


def density_coverage(real: np.ndarray, fake: np.ndarray, *, k: int = 5) -> tuple[float, float]:
    r"""Return density and coverage.

    .. math:: \mathrm{density} = \frac1{kM}\sum_j\sum_i 1\{\lVert f_j-r_i\rVert < \mathrm{NND}_k(r_i)\}, \qquad
        \mathrm{coverage} = \frac1N\sum_i 1\{\exists j: \lVert f_j-r_i\rVert < \mathrm{NND}_k(r_i)\}

    Only real samples have balls, so one outlier counts once, where precision lets its huge ball decide. Pitfalls:
    density above 1 says that fakes crowd where real samples are dense, which a collapsed generator does too; coverage
    depends on N, M and k, so compare at equal ones.

    Args:
        real: (N, D) features of real samples.
        fake: (M, D) features of generated samples.
        k: the neighbour that sets the radius, self not counted; 1 <= k < N.

    Returns:
        Density >= 0, with expectation 1 for equal distributions, and coverage in [0, 1], about 1 - 2**-k for equal
        distributions with N = M large.

    Raises:
        ValueError: for arrays that are not (N, D) with one D, not finite, or k >= N.

    Example:
        >>> points = np.arange(10.0)[:, None]
        >>> density_coverage(points, points + 0.1, k=1)
        (1.9, 1.0)

    Reference:
        Naeem, Oh, Uh, Choi and Yoo 2020, arXiv 2002.09797, equations 7 and 8, lemma 2.
    """
    real, fake = checks.features(real, fake)
    checks.neighbour(k, len(real), "real")
    density, coverage = _both(real, fake, k)
    return density, coverage


def density_coverage_interval(
    real: np.ndarray, fake: np.ndarray, *, k: int = 5, seed: int = 0
) -> tuple[intervals.Estimate, intervals.Estimate]:
    """Return `density_coverage` with intervals by half-samples, coverage's at least as wide as Wilson's.

    Args:
        real: (N, D) features of real samples.
        fake: (M, D) features of generated samples.
        k: the neighbour that sets the radius.
        seed: of the halves.

    Returns:
        Two estimates; for fewer than 20 samples density has none, coverage Wilson's.

    Raises:
        ValueError: as `density_coverage`, or if k is too large for a half.
    """
    real, fake = checks.features(real, fake)
    checks.neighbour(k, len(real) // 2, "real (half of them)")
    density, coverage = neighbours.with_intervals(lambda r, f: _both(r, f, k), real, fake, (False, True), seed=seed)
    return density, coverage


def _both(real: np.ndarray, fake: np.ndarray, k: int) -> list[float]:
    return neighbours.count(real, fake, k_balls=k).density_coverage(k)
