"""Divergences between Gaussians, in closed form where there is one (Jensen–Shannon and total variation have none)."""

from typing import Any

import numpy as np

from gan_utils.theory import checks


class Gaussian:
    """A normal distribution in D dimensions.

    Args:
        mean: (D,), or a number for D = 1.
        covariance: (D, D), symmetric and positive definite, or a number, the variance in each direction.

    Raises:
        ValueError: for shapes that do not fit, NaN, or a covariance that is not symmetric and positive definite.

    Example:
        >>> Gaussian(0.0, 4.0).covariance.tolist()
        [[4.0]]
    """

    def __init__(self, mean: Any, covariance: Any = 1.0) -> None:
        self.mean = np.atleast_1d(checks.array(mean, "mean"))
        covariance, size = checks.array(covariance, "covariance"), len(self.mean)
        self.covariance = covariance * np.eye(size) if not covariance.ndim else covariance
        if self.mean.ndim != 1 or self.covariance.shape != (size, size):
            raise ValueError(f"mean {self.mean.shape}, covariance {covariance.shape}; expected (D,) and (D, D).")
        lopsided = np.abs(self.covariance - self.covariance.T).max() > 1e-8 * np.abs(self.covariance).max()
        self.covariance = (self.covariance + self.covariance.T) / 2
        if lopsided or np.linalg.eigvalsh(self.covariance).min() <= 0:
            raise ValueError("covariance is not symmetric and positive definite; pass variances above 0.")

    def __len__(self) -> int:
        return len(self.mean)


def kl(p: Gaussian, q: Gaussian) -> float:
    r"""Return KL(p‖q) in nats.

    .. math:: \tfrac12\big(\mathrm{tr}(\Sigma_q^{-1}\Sigma_p) + \delta^T\Sigma_q^{-1}\delta - D
        + \log\det\Sigma_q - \log\det\Sigma_p\big),\qquad \delta = \mu_q - \mu_p

    Raises:
        ValueError: for different dimensions.

    Example:
        >>> kl(Gaussian(0.0), Gaussian(2.0))
        2.0
    """
    shift = _shift(p, q)
    spread = np.trace(np.linalg.solve(q.covariance, p.covariance))
    distance = shift @ np.linalg.solve(q.covariance, shift)
    return max(0.0, float((spread + distance - len(p) + _log_det(q.covariance) - _log_det(p.covariance)) / 2))


def hellinger(p: Gaussian, q: Gaussian) -> float:
    r"""Return the Hellinger distance, in [0, 1].

    .. math:: H^2 = 1 - \frac{\det(\Sigma_p)^{1/4}\det(\Sigma_q)^{1/4}}{\det(\bar\Sigma)^{1/2}}
        \exp(-\tfrac18\delta^T\bar\Sigma^{-1}\delta),\qquad \bar\Sigma = \tfrac12(\Sigma_p+\Sigma_q)

    Raises:
        ValueError: for different dimensions.

    Example:
        >>> hellinger(Gaussian(0.0), Gaussian(0.0))
        0.0
    """
    shift, middle = _shift(p, q), (p.covariance + q.covariance) / 2
    exponent = (_log_det(p.covariance) + _log_det(q.covariance)) / 4 - _log_det(middle) / 2
    exponent -= float(shift @ np.linalg.solve(middle, shift)) / 8
    return float(np.sqrt(-np.expm1(exponent))) if exponent < 0 else 0.0


def chi_squared(p: Gaussian, q: Gaussian) -> float:
    r"""Return Pearson's :math:`\int p^2/q - 1`.

    Infinite unless :math:`2\Sigma_p^{-1} - \Sigma_q^{-1}` is positive definite: a wide p is infinitely far from a
    narrow q, whose tails are too thin.

    Raises:
        ValueError: for different dimensions.

    Example:
        >>> chi_squared(Gaussian(0.0, 2.0), Gaussian(0.0, 1.0))
        inf
    """
    shift = _shift(p, q)  # with the origin at p's mean, so that no digits are lost far from zero
    inverse_p, inverse_q = np.linalg.inv(p.covariance), np.linalg.inv(q.covariance)
    precision = 2 * inverse_p - inverse_q
    if np.linalg.eigvalsh(precision).min() <= 0:
        return float("inf")
    slope = inverse_q @ shift
    exponent = (slope @ np.linalg.solve(precision, slope) + shift @ slope) / 2
    exponent += _log_det(q.covariance) / 2 - _log_det(p.covariance) - _log_det(precision) / 2
    with np.errstate(over="ignore"):
        return float(np.expm1(max(0.0, exponent)))


def mmd2(p: Gaussian, q: Gaussian, *, bandwidth: float = 1.0) -> float:
    r"""Return the squared maximum mean discrepancy under :math:`k(x,y)=\exp(-\lVert x-y\rVert^2/2h^2)`.

    It follows from :math:`\mathbb{E}\,k(x,y) = \det(I+(\Sigma_x+\Sigma_y)/h^2)^{-1/2}
    \exp(-\frac12\delta^T(h^2I+\Sigma_x+\Sigma_y)^{-1}\delta)` for independent Gaussians x and y.

    Args:
        p: a Gaussian.
        q: another.
        bandwidth: h > 0.

    Raises:
        ValueError: for different dimensions, or no bandwidth.

    Example:
        >>> mmd2(Gaussian(0.0), Gaussian(0.0))
        0.0

    Reference:
        Gretton et al. 2012, Journal of Machine Learning Research 13, lemma 6.
    """
    _shift(p, q)
    scale = checks.positive(bandwidth, "bandwidth") ** 2 * np.eye(len(p))

    def expected(one: Gaussian, other: Gaussian) -> float:
        spread, shift = scale + one.covariance + other.covariance, one.mean - other.mean
        return float(np.exp((_log_det(scale) - _log_det(spread) - shift @ np.linalg.solve(spread, shift)) / 2))

    return max(0.0, expected(p, p) + expected(q, q) - 2 * expected(p, q))


def _shift(p: Gaussian, q: Gaussian) -> np.ndarray:
    if len(p) != len(q):
        raise ValueError(f"p has {len(p)} dimensions and q {len(q)}; expected the same.")
    return q.mean - p.mean


def _log_det(matrix: np.ndarray) -> float:
    return float(np.linalg.slogdet(matrix)[1])
