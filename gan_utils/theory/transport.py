"""Optimal transport, exact: Wasserstein distances of weighted points, of samples on a line, and of Gaussians."""

import os
from typing import Any

import numpy as np
import scipy.spatial

from gan_utils.metrics import frechet
from gan_utils.theory import checks
from gan_utils.theory.gaussians import Gaussian

for _name in ("TENSORFLOW", "PYTORCH", "JAX", "CUPY"):  # POT would import them all; NumPy is enough
    os.environ.setdefault(f"POT_BACKEND_DISABLE_{_name}", "1")
import ot  # noqa: E402


def plan(x: Any, y: Any, p: Any = None, q: Any = None, *, order: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the cheapest way to move mass p at points x to mass q at points y, and the cost of each route.

    .. math:: \min_{\pi\ge 0}\;\sum_{ij}\pi_{ij}\lVert x_i-y_j\rVert^{\text{order}}\quad
        \text{with}\quad \sum_j\pi_{ij} = p_i,\;\; \sum_i\pi_{ij} = q_j

    Args:
        x: points (N, D), or (N,) on a line.
        y: points (M, D) or (M,).
        p: masses (N,), sum 1; equal ones if not given.
        q: masses (M,).
        order: exponent of the distance, at least 1.

    Returns:
        Plan and costs, both (N, M).

    Raises:
        ValueError: for shapes that do not fit, masses that are no distribution, NaN, or an order below 1.

    Example:
        >>> plan([0.0, 1.0], [1.0, 2.0])[0].sum(axis=0).tolist()
        [0.5, 0.5]

    Reference:
        The linear programme: Kantorovich 1942, doi 10.1007/s10958-006-0049-2; the solver: Flamary et al. 2021, POT,
        Journal of Machine Learning Research 22.
    """
    x, y, p, q = _problem(x, y, p, q, order)
    distances = scipy.spatial.distance.cdist(x, y)
    return _solve(distances, p, q, order), distances**order


def wasserstein(x: Any, y: Any, p: Any = None, q: Any = None, *, order: float = 1.0) -> float:
    r"""Return the Wasserstein distance :math:`W_\text{order}`, the order-th root of the least cost of `plan`.

    On a line it is solved by sorting, for any number of points. In more dimensions by `plan`, whose cost grows about as
    the cube of the number of points: a few thousand are seconds. Pitfall: for samples it is biased upwards, the more so
    in high dimension (as :math:`N^{-1/D}`).

    Args, errors: as `plan`. Returns a float >= 0 in the unit of the points.

    Example:
        >>> wasserstein([0.0, 1.0], [3.0, 4.0])
        3.0
    """
    x, y, p, q = _problem(x, y, p, q, order)
    if x.shape[1] > 1:
        distances = scipy.spatial.distance.cdist(x, y)
        unit = distances.max() or 1.0  # so that no power of a distance overflows or vanishes
        return float(unit * np.sum(_solve(distances, p, q, order) * (distances / unit) ** order) ** (1 / order))
    start, unit = min(x.min(), y.min()), np.ptp(np.concatenate([x, y])) or 1.0
    x, y = (x[:, 0] - start) / unit, (y[:, 0] - start) / unit
    return float(unit * ot.wasserstein_1d(x, y, p, q, p=order) ** (1 / order))


def gaussian(p: Gaussian, q: Gaussian) -> float:
    r"""Return :math:`W_2` of two Gaussians: the root of the Fréchet distance of their moments.

    .. math:: W_2^2 = \lVert\mu_p-\mu_q\rVert^2 + \mathrm{tr}\,\big(\Sigma_p+\Sigma_q-2(\Sigma_p\Sigma_q)^{1/2}\big)

    Equal to about the root of the machine's precision, 1e-8 of the spread.

    Raises:
        ValueError: for different dimensions.

    Example:
        >>> gaussian(Gaussian(0.0, 1.0), Gaussian(3.0, 25.0))
        5.0

    Reference:
        Dowson and Landau 1982, doi 10.1016/0047-259X(82)90077-X, equation 4.
    """
    one, other = (frechet.Moments(0, each.mean, each.covariance) for each in (p, q))
    return float(np.sqrt(frechet.frechet_distance(one, other)))


def _problem(x: Any, y: Any, p: Any, q: Any, order: float) -> tuple[np.ndarray, ...]:
    x, y = checks.point_pair(x, y)
    if not np.isfinite(order) or order < 1:
        raise ValueError(f"order is {order}; expected a finite number of at least 1.")
    return x, y, _masses(p, len(x), "p"), _masses(q, len(y), "q")


def _solve(distances: np.ndarray, p: np.ndarray, q: np.ndarray, order: float) -> np.ndarray:
    # the solver's tolerances are absolute
    return ot.emd(p, q, (distances / (distances.max() or 1.0)) ** order, numItermax=10_000_000)


def _masses(values: Any, count: int, name: str) -> np.ndarray:
    if values is None:
        return np.full(count, 1 / count)
    found = checks.distribution(values, name)
    if found.shape != (count,):
        raise ValueError(f"{name} has shape {found.shape} for {count} points; expected ({count},).")
    return found
