"""The Fréchet distance between Gaussians fitted to features: value, interval, and limit for many samples."""

import warnings
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.special

from gan_utils import checking
from gan_utils.metrics import checks, intervals

_BLOCK = 4096
_ACCURATE = 1e-10


class Moments(NamedTuple):
    """What the distance knows of a set: enough to store instead of the features.

    Attributes:
        n: number of samples.
        mean: (D,) float64.
        covariance: (D, D) float64, with n - 1.
    """

    n: int
    mean: np.ndarray
    covariance: np.ndarray


def moments(features: np.ndarray) -> Moments:
    """Return mean and covariance in float64, block by block.

    Args:
        features: (N, D), N >= 2, finite.

    Returns:
        `Moments`.

    Raises:
        ValueError: for another shape, fewer than two samples, or values that are not finite.

    Example:
        >>> moments(np.array([[0.0], [2.0]])).covariance.tolist()
        [[2.0]]
    """
    features, _ = checks.features(features, features, at_least=2)
    mean = features.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((features.shape[1], features.shape[1]))
    for start in range(0, len(features), _BLOCK):
        centred = features[start : start + _BLOCK] - mean
        scatter += centred.T @ centred
    return Moments(len(features), mean, scatter / (len(features) - 1))


def frechet_distance(real: np.ndarray | Moments, fake: np.ndarray | Moments) -> float:
    r"""Return the squared Fréchet (2-Wasserstein) distance of the Gaussians fitted to two sets of features.

    .. math:: d^2 = \lVert\mu_r-\mu_f\rVert^2 + \mathrm{tr}\,\Sigma_r + \mathrm{tr}\,\Sigma_f
        - 2\,\mathrm{tr}\,(\Sigma_r\Sigma_f)^{1/2}

    The trace of the root is the sum of the roots of the eigenvalues of :math:`\Sigma_r\Sigma_f`, computed in its
    symmetric form by Cholesky; where those are too small to keep their digits, and for N <= D, it is the equal nuclear
    norm of the product of two factors of the covariances.

    Pitfalls: biased upwards for small N (Chong and Forsyth 2020, arXiv 1911.07023), so compare only at equal N and
    extractor, or use `frechet_infinity`; it sees means and covariances only; copies of training images get the best
    value. It is called FID only with the Inception weights of the paper.

    Args:
        real: (N, D) features, N >= 2, or their `moments`.
        fake: (M, D) features, M >= 2, or their `moments`.

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
    if not isinstance(real, Moments) and not isinstance(fake, Moments):
        real, fake = checks.features(real, fake, at_least=2)
        if min(len(real), len(fake)) <= real.shape[1]:
            _warn(min(len(real), len(fake)), real.shape[1])
            shift = real.mean(axis=0, dtype=np.float64) - fake.mean(axis=0, dtype=np.float64)
            factors = [_short_factor(x) for x in (real, fake)]
            spread = sum(float(np.sum(factor**2)) for factor in factors)
            return _distance(shift, spread, scipy.linalg.svdvals(factors[0] @ factors[1].T).sum())
    one, other = (x if isinstance(x, Moments) else moments(x) for x in (real, fake))
    if one.mean.shape != other.mean.shape:
        raise ValueError(f"features have {len(one.mean)} and {len(other.mean)} dimensions; expected the same.")
    spread = float(np.trace(one.covariance) + np.trace(other.covariance))
    return _distance(one.mean - other.mean, spread, _trace_of_root(one.covariance, other.covariance))


def frechet_interval(real: np.ndarray, fake: np.ndarray) -> intervals.Estimate:
    r"""Return `frechet_distance` with an interval by the delta method.

    The influence of a real sample x is :math:`2(\mu_r-\mu_f)^T(x-\mu_r) + (x-\mu_r)^T(I-T)(x-\mu_r)`, up to a constant,
    with T the optimal transport map between the Gaussians, :math:`T\Sigma_rT=\Sigma_f`; of a generated one likewise.
    The interval is for the value *at these numbers of samples*: unlike the bootstrap's it adds no second bias, and it
    does not remove the first. For equal distributions it is too wide rather than too narrow.

    Args:
        real: (N, D) features, N >= 2.
        fake: (M, D) features, M >= 2.

    Returns:
        An `Estimate`. Costs two further eigendecompositions of size min(N, D).

    Raises:
        ValueError: as `frechet_distance`.
    """
    real, fake = checks.features(real, fake, at_least=2)
    if min(len(real), len(fake)) > real.shape[1]:
        fitted = moments(real), moments(fake)
        value, factors = frechet_distance(*fitted), [factor(each.covariance) for each in fitted]
    else:
        value, factors = frechet_distance(real, fake), [_short_factor(x) for x in (real, fake)]
    shift = 2.0 * (real.mean(axis=0, dtype=np.float64) - fake.mean(axis=0, dtype=np.float64))
    variance = _influence_variance(real, factors[1], shift) + _influence_variance(fake, factors[0], -shift)
    return intervals.normal(value, float(np.sqrt(variance)), method="delta method", bounds=(0.0, np.inf))


def frechet_infinity(
    real: np.ndarray, fake: np.ndarray, *, points: int = 10, repeats: int = 4, seed: int = 0
) -> intervals.Estimate:
    """Return the Fréchet distance extrapolated to infinitely many samples.

    The bias falls as 1/N, so the distance of random subsets is a line in 1/N; its intercept is the estimate. Its
    interval joins the delta method's error of the distance (shared by all points) and the fit's own.

    Args:
        real: (N, D) features.
        fake: (M, D) features.
        points: sizes of subsets, evenly spaced in 1/N from a fifth of min(N, M) to all of it.
        repeats: random subsets a size.
        seed: of the subsets.

    Returns:
        An `Estimate`; below zero where noise is larger than the distance.

    Raises:
        ValueError: as `frechet_distance`, for fewer than 50 samples, points < 3 or repeats < 1.

    Reference:
        Chong and Forsyth 2020, arXiv 1911.07023, section 4; differs in that both sets are thinned, so that the bias of
        the real statistics goes too, and in plain random latents instead of quasi-random ones.
    """
    real, fake = checks.features(real, fake, at_least=50)
    points, repeats = checking.integer("points", points, 3), checking.integer("repeats", repeats, 1)
    largest = min(len(real), len(fake))
    sizes = np.unique((1 / np.linspace(5 / largest, 1 / largest, points)).round().astype(int))
    random = checks.generator(seed)
    inverse, values = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # subsets under full rank still lie on a curve; said below
        for size in sizes:
            for _ in range(repeats if size < largest or len(real) != len(fake) else 1):
                parts = [x[random.choice(len(x), size, replace=False)] for x in (real, fake)]
                inverse.append(1 / size)
                values.append(frechet_distance(*parts))
        whole = frechet_interval(real, fake)
    if sizes[0] <= real.shape[1]:
        _warn(int(sizes[0]), real.shape[1])
    fit, covariance = np.polyfit(inverse, values, 1, cov="unscaled")
    residual = np.sum((np.polyval(fit, inverse) - values) ** 2) / (len(values) - 2)
    error = np.hypot((whole.high - whole.value) / _Z, np.sqrt(residual * covariance[1, 1]))
    return intervals.normal(float(fit[1]), float(error), method="delta method and fit")


def factor(covariance: np.ndarray) -> np.ndarray:
    """Return F with FᵀF = covariance, directions without variance left out.

    Args:
        covariance: (D, D), symmetric, positive semi-definite.

    Returns:
        (rank, D) float64.
    """
    values, vectors = scipy.linalg.eigh(covariance)
    kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    return (vectors[:, kept] * np.sqrt(values[kept])).T


_Z = float(scipy.special.ndtri((1 + intervals.LEVEL) / 2))


def _distance(shift: np.ndarray, spread: float, root: float) -> float:
    return max(0.0, float(shift @ shift) + spread - 2.0 * float(root))


def _warn(n: int, dimensions: int) -> None:
    warnings.warn(
        f"{n} samples in {dimensions} dimensions: the covariance is singular and the distance strongly biased upwards. "
        "Use more samples.",
        stacklevel=3,
    )


def _rows(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0, dtype=np.float64)) / np.sqrt(len(values) - 1)


def _short_factor(values: np.ndarray) -> np.ndarray:
    return _rows(values) if len(values) <= values.shape[1] else factor(moments(values).covariance)


def _trace_of_root(one: np.ndarray, other: np.ndarray) -> float:
    try:
        values = np.maximum(scipy.linalg.eigvalsh(one, other, type=2), 0.0)  # of one @ other, by Cholesky
    except np.linalg.LinAlgError:  # a direction without variance
        values = np.zeros(1)
    # each eigenvalue is known to eps times the largest; is that enough for the sum of their roots?
    noise = np.finfo(np.float64).eps * values[-1]
    error = np.sum(noise / np.sqrt(np.maximum(values, noise))) if noise > 0 else np.inf
    if error > _ACCURATE * (np.trace(one) + np.trace(other)):
        return float(scipy.linalg.svdvals(factor(one) @ factor(other).T).sum())
    return float(np.sqrt(values).sum())


def _influence_variance(values: np.ndarray, other: np.ndarray, shift: np.ndarray) -> float:
    # x^T T x = |Λ^{-1/4} Q^T W x|², W = `other`, W Σ W^T = Q Λ Q^T: needs no inverse of Σ
    n, mean = len(values), values.mean(axis=0, dtype=np.float64)
    inner = np.zeros((len(other), len(other)))
    blocks = [values[start : start + _BLOCK] for start in range(0, n, _BLOCK)]
    for block in blocks:
        projected = (block - mean) @ other.T
        inner += projected.T @ projected / (n - 1)
    eigenvalues, vectors = scipy.linalg.eigh(inner)
    kept = eigenvalues > 1e-12 * eigenvalues.max(initial=0.0)
    scaled = other.T @ (vectors[:, kept] / eigenvalues[kept] ** 0.25)
    influences = []
    for block in blocks:
        centred = block - mean
        quadratic = np.sum(centred**2, axis=1) - np.sum((centred @ scaled) ** 2, axis=1)
        influences.append(centred @ shift + quadratic)
    return float(np.var(np.concatenate(influences), ddof=1) / n)
