"""The Inception Score: confident labels for each sample, many labels over all."""

import numpy as np
import scipy.special

from gan_utils import checking
from gan_utils.metrics import checks, intervals


def inception_score(probabilities: np.ndarray, *, splits: int = 10, seed: int | None = 0) -> float:
    r"""Return the Inception Score, the mean over splits.

    .. math:: \mathrm{IS} = \exp\Big(\frac1N\sum_i \mathrm{KL}\big(p(y|x_i)\,\Vert\,\hat p(y)\big)\Big), \qquad
        \hat p(y) = \frac1N\sum_i p(y|x_i)

    Pitfalls: it looks at generated samples only; one perfect image a class gets the best score; so do copies; a
    classifier asked about what it never saw (noise, blots) can be confidently wrong; a small split lowers it.

    Args:
        probabilities: (N, K) class probabilities of generated samples.
        splits: parts that are scored apart, K labels each at best; at most N.
        seed: of the shuffle before splitting; None keeps the order.

    Returns:
        A float in [1, K].

    Raises:
        ValueError: for rows that are no distributions, or splits that are not in 1..N.

    Example:
        >>> round(inception_score(np.eye(4)[np.arange(400) % 4], splits=1), 6)
        4.0

    Reference:
        Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen 2016, arXiv 1606.03498, section 4; criticised by
        Barratt and Sharma 2018, arXiv 1801.01973.
    """
    p = checks.probabilities(probabilities)
    splits = checking.integer("splits", splits, 1, len(p), mend="A split needs a sample.")
    if seed is not None:
        p = p[checks.generator(seed).permutation(len(p))]
    return float(np.mean([np.exp(divergences(part).mean()) for part in np.array_split(p, splits)]))


def inception_score_interval(
    probabilities: np.ndarray, *, splits: int = 10, seed: int | None = 0
) -> intervals.Estimate:
    """Return `inception_score` with an interval by the delta method.

    The influence of sample i on log IS is KL_i less its mean: the marginal's part cancels exactly. Args and errors as
    `inception_score`.
    """
    value = inception_score(probabilities, splits=splits, seed=seed)
    p = checks.probabilities(probabilities)
    error = value * standard_error(divergences(p))
    return intervals.normal(value, error, method="delta method", bounds=(1.0, p.shape[1]))


def divergences(p: np.ndarray, marginal: np.ndarray | None = None) -> np.ndarray:
    """Return KL(p_i‖marginal) of each row, in nats; the rows' own mean if no marginal is given.

    Args:
        p: (N, K) checked probabilities.
        marginal: (K,).

    Returns:
        (N,) float64 >= 0; infinite where the marginal is zero and a row is not.
    """
    return scipy.special.rel_entr(p, p.mean(axis=0) if marginal is None else marginal).sum(axis=1)


def standard_error(influences: np.ndarray) -> float:
    """Return the standard error of a mean; 0 for a single sample, of which nothing is known."""
    return float(np.std(influences, ddof=1) / np.sqrt(len(influences))) if len(influences) > 1 else 0.0
