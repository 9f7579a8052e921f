r"""Games in pay-offs: best responses, Nash equilibria, play that learns; and the GAN as such a game.

A two-player game is two matrices of pay-offs, ``rows`` for the player who chooses the row and ``columns`` for the one
who chooses the column, both (n, m); both players maximise. Costs (years in prison, a loss) enter with a minus.
"""

import warnings
from typing import Any

import numpy as np
import scipy.integrate

from gan_utils.theory import checks, divergences

PRISONERS = (  # silent, confess: minus the years
    np.array([[-1.0, -3.0], [0.0, -2.0]]),
    np.array([[-1.0, 0.0], [-3.0, -2.0]]),
)
MATCHING_PENNIES = (np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([[-1.0, 1.0], [1.0, -1.0]]))


def best_responses(rows: Any, columns: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return where each player's choice is a best response to the other's, as two masks (n, m).

    Where both are true is a Nash equilibrium in pure strategies.

    Args:
        rows: pay-offs of the row player (n, m).
        columns: pay-offs of the column player (n, m).

    Raises:
        ValueError: for matrices of different shapes, or NaN.

    Example:
        >>> mine, yours = best_responses(*PRISONERS)
        >>> (mine & yours).tolist()
        [[False, False], [False, True]]
    """
    rows, columns = _game(rows, columns)
    best_row, best_column = rows.max(axis=0), columns.max(axis=1, keepdims=True)
    return rows >= best_row - 1e-12 * np.ptp(rows), columns >= best_column - 1e-12 * np.ptp(columns)


def dominant(payoffs: Any) -> int | None:
    """Return the row that is strictly better than every other against each column, or None.

    For the column player pass the transposed pay-offs.

    Raises:
        ValueError: unless the pay-offs are a finite matrix.

    Example:
        >>> dominant(PRISONERS[0]), dominant(MATCHING_PENNIES[0])
        (1, None)
    """
    payoffs = checks.array(payoffs, "payoffs", axes=2)
    for row, values in enumerate(payoffs):
        if np.all(values > np.delete(payoffs, row, axis=0)):
            return row
    return None


def regret(rows: Any, columns: Any, x: Any, y: Any) -> tuple[float, float]:
    """Return what each player could gain by changing alone: both zero at a Nash equilibrium, and only there.

    Args:
        rows: pay-offs of the row player (n, m).
        columns: pay-offs of the column player (n, m).
        x: probabilities of the rows (n,).
        y: probabilities of the columns (m,).

    Returns:
        Two floats >= 0, in the unit of the pay-offs.

    Raises:
        ValueError: as `best_responses`, or for strategies that are no distributions of these sizes.

    Example:
        >>> regret(*MATCHING_PENNIES, [0.5, 0.5], [0.5, 0.5])
        (0.0, 0.0)
    """
    rows, columns = _game(rows, columns)
    x, y = _strategies(rows, x, y)
    mine, yours = rows @ y, x @ columns
    return max(0.0, float(mine.max() - x @ mine)), max(0.0, float(yours.max() - yours @ y))


def equilibria(rows: Any, columns: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the Nash equilibria, by two methods whose rounding errors differ; pure ones first.

    A degenerate game (ties in pay-offs) can have infinitely many; then some of them are returned. Costs grow
    exponentially with the number of strategies: meant for games on paper.

    Args, errors: as `best_responses`.

    Returns:
        Pairs of probabilities (n,) and (m,).

    Example:
        >>> [x.tolist() for x, y in equilibria(*MATCHING_PENNIES)]
        [[0.5, 0.5]]

    Reference:
        Vertex and support enumeration as in Nisan et al. 2007, Algorithmic Game Theory, algorithms 3.5 and 3.4; Knight
        and Campbell 2018, Nashpy, doi 10.21105/joss.00904.
    """
    import nashpy

    rows, columns = _game(rows, columns)
    rows, columns = _unit(rows) + 1, _unit(columns) + 1  # neither shift nor scale changes an equilibrium
    game = nashpy.Game(rows, columns)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # its remark on degenerate games is in the docstring
        # each method alone drops equilibria of ordinary games: a probability of -4e-17, two pay-offs 1e-17 apart
        candidates = list(game.support_enumeration(tol=1e-12))
        if min(rows.shape) > 1:
            candidates += list(game.vertex_enumeration())
    for pair in candidates:
        x, y = (np.where(each > 1e-9, each, 0.0) for each in pair)
        if not x.sum() or not y.sum():
            continue
        x, y = x / x.sum(), y / y.sum()
        new = not any(np.allclose(x, a, atol=1e-6) and np.allclose(y, b, atol=1e-6) for a, b in found)
        if new and max(regret(rows, columns, x, y)) < 1e-8:
            found.append((x, y))
    return sorted(found, key=lambda pair: (np.count_nonzero(pair[0]), np.count_nonzero(pair[1])))


def zero_sum(payoffs: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """Solve a game in which the column player pays what the row player gets, by linear programming.

    Args:
        payoffs: of the row player, who maximises (n, m).

    Returns:
        The game's value, and a maximin strategy (n,) and a minimax strategy (m,).

    Raises:
        ValueError: unless the pay-offs are a finite matrix.

    Example:
        >>> value, x, y = zero_sum(MATCHING_PENNIES[0])
        >>> abs(value) < 1e-9, x.round(6).tolist()
        (True, [0.5, 0.5])

    Reference:
        von Neumann 1928, doi 10.1007/BF01448847.
    """
    import nashpy

    payoffs = checks.array(payoffs, "payoffs", axes=2)
    shifted = _unit(payoffs) + 1  # the programme wants a positive value of order one; the strategies stay
    x, y = (np.maximum(s, 0) / np.maximum(s, 0).sum() for s in nashpy.Game(shifted, -shifted).linear_program())
    return float(x @ payoffs @ y), x, y


def fictitious_play(rows: Any, columns: Any, *, steps: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Let each player answer the other's past play best, step by step.

    The frequencies converge to an equilibrium in zero-sum games (Robinson 1951), not in general: in Shapley's game they
    cycle for ever. What is *played* may cycle even where the frequencies converge.

    Args:
        rows: pay-offs of the row player (n, m).
        columns: pay-offs of the column player (n, m).
        steps: plays, at least 1.
        seed: for ties.

    Returns:
        Frequencies after each step, (steps, n) and (steps, m).

    Raises:
        ValueError: as `best_responses`, or for no steps.

    Example:
        >>> x, y = fictitious_play(*PRISONERS, steps=50)
        >>> bool(x[-1, 1] > 0.9)
        True

    Reference:
        Brown 1951; Robinson 1951, doi 10.2307/1969530.
    """
    import nashpy

    rows, columns = _game(rows, columns)
    if steps < 1:
        raise ValueError(f"steps is {steps}; expected at least 1.")
    kept = np.random.get_state()
    np.random.seed(seed)  # nashpy breaks ties by NumPy's global generator
    try:
        counts = list(nashpy.Game(rows, columns).fictitious_play(iterations=steps))[1:]
    finally:
        np.random.set_state(kept)
    after = np.arange(1, steps + 1)[:, None]
    return np.array([x for x, _ in counts]) / after, np.array([y for _, y in counts]) / after


def replicator(rows: Any, columns: Any, x: Any, y: Any, *, times: Any) -> tuple[np.ndarray, np.ndarray]:
    r"""Let strategies grow as they pay: :math:`\dot x_i = x_i\,((Ay)_i - x^TAy)`, and likewise y.

    Args:
        rows: A, pay-offs of the row player (n, m).
        columns: pay-offs of the column player (n, m).
        x: shares of the rows at the start (n,).
        y: shares of the columns at the start (m,).
        times: (T,), rising.

    Returns:
        Shares at each time, (T, n) and (T, m), to about nine digits.

    Raises:
        ValueError: as `regret`, or for times that do not rise.

    Example:
        >>> x, y = replicator(*PRISONERS, [0.9, 0.1], [0.9, 0.1], times=[0.0, 20.0])
        >>> bool(x[-1, 1] > 0.99)
        True

    Reference:
        Taylor and Jonker 1978, doi 10.1016/0025-5564(78)90077-9.
    """
    rows, columns = _game(rows, columns)
    x, y = _strategies(rows, x, y)
    times = checks.array(times, "times", axes=1)
    if len(times) < 2 or np.diff(times).min() <= 0:
        raise ValueError("times do not rise; expected at least two, as np.linspace(0, 20, 200).")
    # a constant added to all pay-offs changes nothing but the integrator's error: with positive ones sums return to 1
    rows, columns, n = rows - rows.min() + 1, columns - columns.min() + 1, len(x)

    def growth(_: float, shares: np.ndarray) -> np.ndarray:
        x, y = shares[:n], shares[n:]
        gain_x, gain_y = rows @ y, x @ columns
        return np.concatenate([x * (gain_x - x @ gain_x), y * (gain_y - y @ gain_y)])

    span, start = (times[0], times[-1]), np.concatenate([x, y])
    solved = scipy.integrate.solve_ivp(growth, span, start, "DOP853", t_eval=times, rtol=1e-9, atol=1e-12)
    if not solved.success:
        raise ValueError(f"The shares could not be followed to {times[-1]}: {solved.message}")
    return solved.y[:n].T, solved.y[n:].T


def gan_value(p: Any, q: Any, d: Any) -> np.ndarray:
    r"""Return :math:`V(D,G) = \sum_k p_k\log D_k + q_k\log(1-D_k)` of data p, generator q and discriminator D.

    Args:
        p: probabilities of the data (..., K).
        q: of the generator (..., K).
        d: the discriminator's probability "real" at each outcome (..., K), in [0, 1].

    Returns:
        (...) of at most 0; -log 4 where D = 1/2 everywhere.

    Raises:
        ValueError: for what is no distribution, different K, or D outside [0, 1].

    Example:
        >>> float(gan_value([0.5, 0.5], [0.5, 0.5], [0.5, 0.5]).round(4))
        -1.3863

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, equation 1.
    """
    p, q = checks.pair(p, q)
    d = checks.array(d, "d")
    if d.min() < 0 or d.max() > 1 or not d.ndim or d.shape[-1] != p.shape[-1]:
        raise ValueError(f"d has shape {d.shape}, from {d.min():.3g} to {d.max():.3g}; expected (..., K) in [0, 1].")
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(d), 0.0) + np.where(q > 0, q * np.log1p(-d), 0.0)
    return terms.sum(axis=-1)


def optimal_discriminator(p: Any, q: Any) -> np.ndarray:
    """Return D* = p / (p + q), and 1/2 where both are zero and any answer is as good.

    Args:
        p: probabilities of the data (..., K), or densities' values on a grid divided by their sums.
        q: of the generator.

    Raises:
        ValueError: for what is no distribution, or different K.

    Example:
        >>> optimal_discriminator([0.75, 0.25], [0.25, 0.75]).tolist()
        [0.75, 0.25]

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, proposition 1.
    """
    p, q = checks.pair(p, q)
    both = p + q
    return np.where(both > 0, p / np.where(both > 0, both, 1.0), 0.5)


def gan_game(p: Any, levels: Any) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the GAN on K outcomes as a finite zero-sum game.

    The discriminator (rows) chooses one level for each outcome, the generator (columns) one outcome to make; a mixture
    of the generator's choices is a distribution q. Entry: :math:`V` of `gan_value`. It is linear in q and concave in D,
    so mixing helps the generator only. A discriminator with few levels does not see small deviations: then more than
    q = p is an equilibrium, the more so the coarser the levels around 1/2.

    Args:
        p: probabilities of the data (K,).
        levels: what D may be at an outcome (L,), inside (0, 1).

    Returns:
        Pay-offs of the discriminator (L**K, K), and its pure strategies (L**K, K).

    Raises:
        ValueError: for what is no distribution, levels outside (0, 1), or more than 200,000 strategies.

    Example:
        >>> value, _, q = zero_sum(gan_game([0.25, 0.75], [0.49, 0.5, 0.51])[0])
        >>> round(value, 4), bool(abs(q[0] - 0.25) < 0.02)
        (-1.3863, True)
    """
    p, levels = checks.distribution(p, "p"), checks.array(levels, "levels", axes=1)
    if p.ndim != 1 or levels.min() <= 0 or levels.max() >= 1:
        raise ValueError(f"p has shape {p.shape}, levels are {levels}; expected (K,), and levels inside (0, 1).")
    if len(p) * np.log(len(levels)) > np.log(200_000) or len(p) > 30:
        raise ValueError(f"{len(levels)} levels at {len(p)} outcomes are too many strategies; thin the levels.")
    strategies = np.stack(np.meshgrid(*[levels] * len(p), indexing="ij"), axis=-1).reshape(-1, len(p))
    return (np.log(strategies) @ p)[:, None] + np.log1p(-strategies), strategies


def gan_value_at_best(p: Any, q: Any) -> np.ndarray:
    r"""Return :math:`V(D^*,G) = 2\,\mathrm{JS}(p,q) - \log 4`, what the generator minimises if D is always optimal.

    Args, errors: as `optimal_discriminator`. Returns (...) in [-log 4, 0].

    Example:
        >>> float(gan_value_at_best([1.0, 0.0], [0.0, 1.0]))
        0.0

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, equation 6.
    """
    return 2 * (divergences.jensen_shannon(p, q) - divergences.LOG2)


def _unit(payoffs: np.ndarray) -> np.ndarray:
    """Return pay-offs shifted and scaled to [0, 1]."""
    return (payoffs - payoffs.min()) / (np.ptp(payoffs) or 1.0)


def _game(rows: Any, columns: Any) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = checks.array(rows, "rows", axes=2), checks.array(columns, "columns", axes=2)
    if rows.shape != columns.shape:
        raise ValueError(f"pay-offs have shapes {rows.shape} and {columns.shape}; expected two of one shape (n, m).")
    return rows, columns


def _strategies(rows: np.ndarray, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = checks.distribution(x, "x"), checks.distribution(y, "y")
    if (x.shape, y.shape) != ((rows.shape[0],), (rows.shape[1],)):
        raise ValueError(f"strategies have shapes {x.shape} and {y.shape} in a game {rows.shape}.")
    return x, y
