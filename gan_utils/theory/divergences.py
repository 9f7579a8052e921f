r"""Divergences between discrete distributions, and the f-divergence family with conjugates.

Every function takes probabilities ``p`` and ``q`` of shape (..., K), whose last axis sums to 1, and returns float64 of
shape (...); leading axes broadcast, so that thousands of pairs are one call. Natural logarithms, so nats.
A density on a fine grid, divided by its sum, is such a distribution too; the spacing cancels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

from gan_utils.theory import checks

LOG2 = float(np.log(2.0))
_Function = Callable[[np.ndarray], np.ndarray]


def kl(p: Any, q: Any) -> np.ndarray:
    r"""Return the Kullback–Leibler divergence :math:`\mathrm{KL}(p\|q) = \sum_k p_k\log(p_k/q_k)`.

    Zero only for p = q; infinite where q is 0 and p is not; not symmetric.

    Args:
        p: probabilities (..., K).
        q: probabilities (..., K).

    Returns:
        (...) in [0, inf], in nats.

    Raises:
        ValueError: for negative or unnormalised probabilities, NaN, or different K.

    Example:
        >>> float(kl([1.0, 0.0], [0.5, 0.5]).round(4)), float(kl([0.5, 0.5], [1.0, 0.0]))
        (0.6931, inf)

    Reference:
        Kullback and Leibler 1951, doi 10.1214/aoms/1177729694, equation 2.4.
    """
    p, q = checks.pair(p, q)
    # p log(p/q) - p + q loses fewer digits than p log(p/q), and the additions cancel in the sum
    return np.maximum(scipy.special.kl_div(p, q).sum(axis=-1), 0.0)


def reverse_kl(p: Any, q: Any) -> np.ndarray:
    r"""Return :math:`\mathrm{KL}(q\|p)`: infinite where p is 0 and q is not. Args, returns, errors as `kl`.

    Example:
        >>> float(reverse_kl([1.0, 0.0], [0.5, 0.5]))
        inf
    """
    return kl(q, p)


def jensen_shannon(p: Any, q: Any) -> np.ndarray:
    r"""Return :math:`\mathrm{JS}(p,q) = \frac12\mathrm{KL}(p\|m) + \frac12\mathrm{KL}(q\|m)`, with m = (p+q)/2.

    Symmetric, at most log 2 (for disjoint supports). Its square root is a metric; it is not one itself.

    Args:
        p: probabilities (..., K).
        q: probabilities (..., K).

    Returns:
        (...) in [0, log 2], in nats.

    Raises:
        ValueError: as `kl`.

    Example:
        >>> float(jensen_shannon([1.0, 0.0], [0.0, 1.0]).round(4))
        0.6931

    Reference:
        Lin 1991, doi 10.1109/18.61115, equation 4.1; the metric: Endres and Schindelin 2003,
        doi 10.1109/TIT.2003.813506.
    """
    p, q = checks.pair(p, q)
    both = p + q  # against twice each: half of the smallest number is zero, and that would cost infinitely much
    js = (scipy.special.kl_div(2 * p, both) + scipy.special.kl_div(2 * q, both)).sum(axis=-1) / 4
    return np.clip(js, 0.0, LOG2)


def total_variation(p: Any, q: Any) -> np.ndarray:
    r"""Return :math:`\frac12\sum_k|p_k-q_k|`, the most by which two probabilities of one event differ.

    Args, errors as `kl`; returns (...) in [0, 1].

    Example:
        >>> float(total_variation([0.5, 0.5], [1.0, 0.0]))
        0.5
    """
    p, q = checks.pair(p, q)
    return np.minimum(np.abs(p - q).sum(axis=-1) / 2, 1.0)


def hellinger(p: Any, q: Any) -> np.ndarray:
    r"""Return the Hellinger distance :math:`\sqrt{\frac12\sum_k(\sqrt{p_k}-\sqrt{q_k})^2}`, a metric.

    Args, errors as `kl`; returns (...) in [0, 1].

    Example:
        >>> float(hellinger([1.0, 0.0], [0.0, 1.0]))
        1.0
    """
    p, q = checks.pair(p, q)
    return np.sqrt(np.minimum(np.square(np.sqrt(p) - np.sqrt(q)).sum(axis=-1) / 2, 1.0))


def chi_squared(p: Any, q: Any) -> np.ndarray:
    r"""Return Pearson's :math:`\chi^2(p\|q) = \sum_k (p_k-q_k)^2/q_k`; infinite where q is 0 and p is not.

    Args, errors as `kl`; returns (...) in [0, inf].

    Example:
        >>> float(chi_squared([0.5, 0.5], [0.25, 0.75]).round(4))
        0.3333
    """
    p, q = checks.pair(p, q)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        terms = np.where(q > 0, (p - q) * ((p - q) / q), np.where(p > 0, np.inf, 0.0))
    return terms.sum(axis=-1)


@dataclass(frozen=True)
class FDivergence:
    r"""A convex f with f(1) = 0, and what follows from it.

    .. math:: D_f(p\|q) = \sum_k q_k f(p_k/q_k)
        = \max_T\; \mathbb{E}_p[T] - \mathbb{E}_q[f^*(T)],\qquad f^*(t) = \sup_u\; ut - f(u)

    The maximum is at :math:`T = f'(p/q)`: training T is how an f-GAN measures the divergence from samples.

    Attributes:
        name: of the divergence.
        f: the generator, on u >= 0.
        derivative: f'.
        conjugate: f*, +inf outside its domain.
        at_zero: f(0), the price of an outcome that only q has.
        at_infinity: the limit of f(u)/u, the price of one that only p has.

    ``squared_hellinger`` is half of what the paper's table lists, so that it is the square of `hellinger`.

    Reference:
        Csiszár 1967; the bound: Nowozin, Cseke and Tomioka 2016, arXiv 1606.00709, equation 4 and table 1.
    """

    name: str
    f: _Function
    derivative: _Function
    conjugate: _Function
    at_zero: float
    at_infinity: float

    def __call__(self, p: Any, q: Any) -> np.ndarray:
        """Return the divergence, (...), of probabilities (..., K). Raises as `kl`."""
        p, q = np.broadcast_arrays(*checks.pair(p, q))
        with np.errstate(all="ignore"):
            ratio = p / q
            terms = np.where(ratio > 0, q * self.f(ratio), q * self.at_zero)
            terms = np.where((q > 0) & np.isfinite(ratio), terms, p * self.at_infinity)
        return np.maximum(np.where((p == 0) & (q == 0), 0.0, terms).sum(axis=-1), 0.0)

    def optimal(self, p: Any, q: Any) -> np.ndarray:
        """Return the T, (..., K), at which the bound is the divergence. Raises as `kl`."""
        p, q = checks.pair(p, q)
        with np.errstate(all="ignore"):
            ratio = np.where((p == 0) & (q == 0), 1.0, p / q)  # where nothing falls any T is as good
            return np.where(np.isfinite(ratio), self.derivative(ratio), self.at_infinity)

    def bound(self, p: Any, q: Any, critic: Any) -> np.ndarray:
        """Return what a critic T, (..., K), measures: at most the divergence.

        Raises:
            ValueError: as `kl`, or for NaN in the critic.
        """
        p, q = checks.pair(p, q)
        critic = np.asarray(critic, np.float64)
        if np.isnan(critic).any() or not critic.ndim or critic.shape[-1] != p.shape[-1]:
            raise ValueError(f"critic has shape {critic.shape} or holds NaN; expected one number an outcome.")
        with np.errstate(all="ignore"):
            gain = np.where(p > 0, p * critic, 0.0).sum(axis=-1)
            conjugate = np.where(critic == -np.inf, -self.at_zero, self.conjugate(critic))
            price = np.where(q > 0, q * conjugate, 0.0).sum(axis=-1)
        return gain - price


def _inside(allowed: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(allowed, values, np.inf)


F_DIVERGENCES: dict[str, FDivergence] = {
    each.name: each
    for each in (
        FDivergence("kl", lambda u: u * np.log(u), lambda u: 1 + np.log(u), lambda t: np.exp(t - 1), 0.0, np.inf),
        FDivergence(
            "reverse_kl",
            lambda u: -np.log(u),
            lambda u: -1 / u,
            lambda t: _inside(t < 0, -1 - np.log(-t)),
            np.inf,
            0.0,
        ),
        FDivergence(
            "jensen_shannon",
            lambda u: (u * np.log(u) - (u + 1) * np.log((u + 1) / 2)) / 2,
            lambda u: np.log(2 * u / (u + 1)) / 2,
            lambda t: _inside(2 * t < LOG2, -np.log(2 - np.exp(2 * t)) / 2),
            LOG2 / 2,
            LOG2 / 2,
        ),
        FDivergence(
            "total_variation",
            lambda u: np.abs(u - 1) / 2,
            lambda u: np.sign(u - 1) / 2,
            lambda t: _inside(t <= 0.5, np.maximum(t, -0.5)),
            0.5,
            0.5,
        ),
        FDivergence(
            "squared_hellinger",
            lambda u: np.square(np.sqrt(u) - 1) / 2,
            lambda u: (1 - 1 / np.sqrt(u)) / 2,
            lambda t: _inside(2 * t < 1, t / (1 - 2 * t)),
            0.5,
            0.5,
        ),
        FDivergence(
            "chi_squared",
            lambda u: np.square(u - 1),
            lambda u: 2 * (u - 1),
            lambda t: np.where(t > -2, t + np.square(t) / 4, -1.0),
            1.0,
            np.inf,
        ),
    )
}
