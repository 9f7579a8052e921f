r"""Learning dynamics of two-player games: who rotates, who converges, seen in trajectories and in eigenvalues.

A `Field` is the direction in which both players step at once, :math:`v(w) = (-\nabla_\theta L_G, -\nabla_\psi L_D)` at
:math:`w = (\theta, \psi)`: first the generator's coordinates, then the discriminator's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

from gan_utils.theory import checks

RULES = ("simultaneous", "alternating", "extragradient", "consensus")


@dataclass(frozen=True)
class Field:
    """A game's directions.

    Attributes:
        name: of the game.
        velocity: w (n,) to v (n,).
        jacobian: w (n,) to dv/dw (n, n).
        generators: how many of the n coordinates are the generator's, the first ones.
        size: n.
    """

    name: str
    velocity: Callable[[np.ndarray], np.ndarray]
    jacobian: Callable[[np.ndarray], np.ndarray]
    generators: int
    size: int


def dirac_gan(loss: str = "minimax", *, penalty: float = 0.0) -> Field:
    r"""Return the Dirac-GAN: data at 0, a generator at θ, a discriminator with the logit :math:`a(x) = \psi x`.

    The discriminator minimises :math:`\log 2 + \operatorname{softplus}(\psi\theta)`, the generator
    :math:`-\operatorname{softplus}(\psi\theta)` (minimax) or :math:`\operatorname{softplus}(-\psi\theta)`
    (non-saturating); with ``"wasserstein"`` they minimise :math:`\pm\psi\theta`. Equilibrium: θ = ψ = 0.

    Args:
        loss: ``"minimax"``, ``"non_saturating"`` or ``"wasserstein"``.
        penalty: γ >= 0 of :math:`\frac{\gamma}{2}\lVert\nabla_x a\rVert^2`, added to the discriminator's loss (R1).

    Raises:
        ValueError: for another loss or a negative penalty.

    Example:
        >>> dirac_gan().velocity(np.array([1.0, 0.0])).tolist()
        [0.0, -0.5]

    Reference:
        Mescheder, Geiger and Nowozin 2018, arXiv 1801.04406, definition 2.1 and section 4.
    """
    if loss not in ("minimax", "non_saturating", "wasserstein"):
        raise ValueError(f"loss is {loss!r}; expected 'minimax', 'non_saturating' or 'wasserstein'.")
    sigmoid = scipy.special.expit

    def slopes(a: float) -> tuple[float, float, float, float]:
        # of the generator's and the discriminator's step with respect to the logit, and their derivatives
        if loss == "wasserstein":
            return 1.0, 1.0, 0.0, 0.0
        bend = sigmoid(a) * sigmoid(-a)
        return (sigmoid(a), sigmoid(a), bend, bend) if loss == "minimax" else (sigmoid(-a), sigmoid(a), -bend, bend)

    def velocity(w: np.ndarray) -> np.ndarray:
        theta, psi = w
        g, d, _, _ = slopes(theta * psi)
        return np.array([g * psi, -d * theta])

    def jacobian(w: np.ndarray) -> np.ndarray:
        theta, psi = w
        g, d, dg, dd = slopes(theta * psi)
        return np.array([[dg * psi * psi, g + dg * theta * psi], [-d - dd * theta * psi, -dd * theta * theta]])

    return penalised(Field(f"Dirac-GAN, {loss.replace('_', '-')}", velocity, jacobian, 1, 2), penalty)


def bilinear(matrix: Any = ((1.0,),)) -> Field:
    r"""Return the game :math:`\min_\theta\max_\psi\;\theta^TA\psi`: zero-sum games near equilibrium, but for curvature.

    Args:
        matrix: A (n, m).

    Raises:
        ValueError: unless A is a finite matrix.

    Example:
        >>> bilinear([[2.0]]).velocity(np.array([1.0, 1.0])).tolist()
        [-2.0, 2.0]
    """
    a = checks.array(matrix, "matrix", axes=2)
    whole = np.block([[np.zeros((len(a), len(a))), -a], [a.T, np.zeros((a.shape[1], a.shape[1]))]])
    return Field("bilinear game", lambda w: whole @ w, lambda w: whole.copy(), len(a), len(whole))


def penalised(field: Field, penalty: float) -> Field:
    r"""Return the game with :math:`\frac{\gamma}{2}\lVert\psi\rVert^2` added to the discriminator's loss.

    For a discriminator that is linear in its input that is the gradient penalty R1 at every point.

    Args:
        field: a game.
        penalty: γ >= 0.

    Raises:
        ValueError: for a negative penalty.

    Example:
        >>> penalised(bilinear(), 0.5).jacobian(np.zeros(2)).tolist()
        [[0.0, -1.0], [1.0, -0.5]]

    Reference:
        Mescheder, Geiger and Nowozin 2018, arXiv 1801.04406, equation 9.
    """
    if not 0 <= penalty < np.inf:
        raise ValueError(f"penalty is {penalty!r}; expected a finite number of 0 or more.")

    def pull(w: np.ndarray) -> np.ndarray:
        return penalty * (np.arange(len(w)) >= field.generators)

    return replace(
        field,
        velocity=lambda w: field.velocity(w) - pull(w) * w,
        jacobian=lambda w: field.jacobian(w) - np.diag(pull(w)),
    )


def step(field: Field, w: np.ndarray, rule: str, *, rate: float, consensus: float = 1.0) -> np.ndarray:
    r"""Take one step of learning, with :math:`h` the rate and v the field.

    - simultaneous: :math:`w + h\,v(w)`;
    - alternating: the discriminator steps, then the generator against the new discriminator;
    - extragradient: :math:`w + h\,v(w + h\,v(w))`, a step from where one is with the direction from where one would be;
    - consensus: :math:`w + h\,(v - \gamma J^Tv)`: both players also reduce :math:`\frac12\lVert v\rVert^2`.

    Args:
        field: the game.
        w: (n,), the generator's coordinates first.
        rule: one of `RULES`.
        rate: h > 0, the learning rate of both.
        consensus: γ >= 0 of that rule.

    Raises:
        ValueError: for an unknown rule, a rate that is not above 0, a negative γ, or a w of another shape.

    Example:
        >>> step(bilinear(), np.array([1.0, 0.0]), "alternating", rate=0.5).tolist()
        [0.75, 0.5]

    Reference:
        Extragradient: Korpelevich 1976, as in Gidel et al. 2018, arXiv 1802.10551, section 3.2; consensus: Mescheder,
        Nowozin and Geiger 2017, arXiv 1705.10461, equation 9.
    """
    _options(rule, rate, consensus)
    w = _point(field, w, "w")
    if rule == "alternating":
        k = field.generators
        w = np.concatenate([w[:k], w[k:] + rate * field.velocity(w)[k:]])
        return np.concatenate([w[:k] + rate * field.velocity(w)[:k], w[k:]])
    v = field.velocity(w)
    if rule == "extragradient":
        v = field.velocity(w + rate * v)
    elif rule == "consensus":
        v = v - consensus * field.jacobian(w).T @ v
    return w + rate * v


def play(
    field: Field, start: Any, rule: str = "simultaneous", *, rate: float = 0.1, steps: int = 100, consensus: float = 1.0
) -> np.ndarray:
    """Return the trajectory of `steps` steps, (steps + 1, n), from `start` (n,).

    Raises:
        ValueError: as `step`, for a start that is not finite, or fewer than one step.

    Example:
        >>> orbit = play(bilinear(), [1.0, 0.0], rate=0.1, steps=100)
        >>> round(float(np.linalg.norm(orbit[-1])), 3)  # grows by sqrt(1 + h²) a step
        1.645
    """
    path = [_point(field, checks.array(start, "start"), "start")]
    if steps < 1:
        raise ValueError(f"steps is {steps}; expected at least 1.")
    for _ in range(steps):
        path.append(step(field, path[-1], rule, rate=rate, consensus=consensus))
    return np.array(path)


def averages(path: np.ndarray) -> np.ndarray:
    """Return the mean of all points so far, after each step: (T, n) to (T, n).

    Of an orbit that keeps its distance it converges to the centre as 1/T. An orbit that grows takes its mean along.

    Raises:
        ValueError: for another number of axes, or values that are not finite.

    Example:
        >>> averages(np.array([[1.0], [3.0]])).tolist()
        [[1.0], [2.0]]
    """
    path = checks.array(path, "path", axes=2)
    return np.cumsum(path, axis=0) / np.arange(1, len(path) + 1)[:, None]


def update_jacobian(field: Field, at: Any, rule: str, *, rate: float, consensus: float = 1.0) -> np.ndarray:
    r"""Return the Jacobian (n, n) of `step` at an equilibrium, where v = 0.

    With J the field's Jacobian there: :math:`I + hJ` (simultaneous); the product of the two half steps (alternating);
    :math:`I + hJ + h^2J^2` (extragradient); :math:`I + h(J - \gamma J^TJ)` (consensus). The error is multiplied by it
    in every step: it dies out if all eigenvalues lie inside the unit circle.

    Args:
        field: the game.
        at: the equilibrium (n,).
        rule: one of `RULES`.
        rate: h > 0.
        consensus: γ >= 0.

    Raises:
        ValueError: as `step`, or if v is not 0 at the point.

    Example:
        >>> update_jacobian(bilinear(), [0.0, 0.0], "simultaneous", rate=0.1).tolist()
        [[1.0, -0.1], [0.1, 1.0]]
    """
    _options(rule, rate, consensus)
    at = _point(field, checks.array(at, "at"), "at")
    j, one = field.jacobian(at), np.eye(len(at))
    if np.abs(field.velocity(at)).max() > 1e-9 * np.abs(j).max() * max(1.0, np.abs(at).max()):
        raise ValueError(f"The players still move at {at}; expected an equilibrium.")
    if rule == "alternating":
        generator = (np.arange(len(at)) < field.generators)[:, None]
        return (one + rate * generator * j) @ (one + rate * ~generator * j)
    if rule == "extragradient":
        return one + rate * j + rate**2 * j @ j
    return one + rate * (j - consensus * j.T @ j) if rule == "consensus" else one + rate * j


def spectral_radius(matrix: np.ndarray) -> float:
    """Return the largest absolute eigenvalue: below 1 errors die out, at 1 they stay, above they grow.

    Raises:
        ValueError: unless the matrix is square and finite.

    Example:
        >>> spectral_radius(np.diag([0.5, -0.9]))
        0.9
    """
    matrix = checks.array(matrix, "matrix", axes=2)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix has shape {matrix.shape}; expected (n, n).")
    return float(np.abs(scipy.linalg.eigvals(matrix)).max())


def _point(field: Field, w: Any, name: str) -> np.ndarray:
    w = np.asarray(w, np.float64)
    if w.shape != (field.size,):
        raise ValueError(f"{name} has shape {w.shape}; expected ({field.size},) for the {field.name}.")
    return w


def _options(rule: str, rate: float, consensus: float) -> None:
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}; expected one of {', '.join(RULES)}.")
    checks.positive(rate, "rate")
    if not 0 <= consensus < np.inf:
        raise ValueError(f"consensus is {consensus!r}; expected 0 or more.")
