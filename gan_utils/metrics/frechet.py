"""The Fréchet distance between two Gaussians fitted to features."""

import warnings

import numpy as np
import scipy.linalg

from gan_utils.metrics.coverage import as_features


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    r"""Return the squared Fréchet (2-Wasserstein) distance of the Gaussians fitted to two sets of features.

    .. math:: d^2 = \lVert\mu_r-\mu_f\rVert^2 + \mathrm{tr}\,\Sigma_r + \mathrm{tr}\,\Sigma_f
        - 2\,\mathrm{tr}\,(\Sigma_r\Sigma_f)^{1/2}

    The trace of the root is the nuclear norm of :math:`X_c Y_c^T/\sqrt{(n-1)(m-1)}`, computed from the triangular
    factors of the centred features, so it needs no square root of a non-symmetric matrix. Biased upwards for small N
    (Chong and Forsyth 2020, arXiv 1911.07023): compare only figures with equal N and extractor. It is called FID only
    with the Inception weights of the paper.

    Args:
        real: (N, D) features, N >= 2.
        fake: (M, D) features, M >= 2.

    Returns:
        A float >= 0; zero says equal means and covariances, not a perfect model.

    Raises:
        ValueError: for fewer than two samples, different D, or values that are not finite.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(500, 3))
        >>> round(frechet_distance(points, points + 2.0), 6)
        12.0

    Reference:
        Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter 2017, arXiv 1706.08500, equation 6.
    """
    real, fake = as_features(real, fake)
    if min(len(real), len(fake)) < 2:
        raise ValueError(f"{len(real)} real and {len(fake)} generated samples; expected at least 2 of each.")
    if min(len(real), len(fake)) <= real.shape[1]:
        warnings.warn(
            f"{min(len(real), len(fake))} samples in {real.shape[1]} dimensions: the covariance is singular and the "
            "distance strongly biased upwards. Use more samples.",
            stacklevel=2,
        )
    factors = []
    for values in (real, fake):
        centred = (values - values.mean(axis=0)) / np.sqrt(len(values) - 1)
        factors.append(scipy.linalg.qr(centred, mode="r")[0][: values.shape[1]])
    cross = scipy.linalg.svdvals(factors[0] @ factors[1].T).sum()
    spread = sum(float(np.sum(factor**2)) for factor in factors)
    shift = float(np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2))
    return max(0.0, shift + spread - 2.0 * float(cross))
