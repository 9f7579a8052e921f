"""The Mode Score: an Inception Score that knows how often each class should come."""

import numpy as np
import scipy.special

from gan_utils.metrics import checks, intervals
from gan_utils.metrics.inception_score import divergences, standard_error

VARIANTS = ("marginal", "reference")


def mode_score(
    probabilities: np.ndarray, reference: np.ndarray, *, variant: str = "marginal", smoothing: float = 1e-9
) -> float:
    r"""Return the Mode Score in one of the two variants in use.

    With the marginal :math:`\hat p` of the generated samples and the class distribution :math:`p^*` of real data,

    .. math:: \mathrm{MS}_\text{marginal} = \exp\big(\mathbb{E}\,\mathrm{KL}(p(y|x)\Vert\hat p)
        - \mathrm{KL}(\hat p\Vert p^*)\big) = \mathrm{IS}\cdot e^{-\mathrm{KL}(\hat p\Vert p^*)}

    .. math:: \mathrm{MS}_\text{reference} = \exp\big(\mathbb{E}\,\mathrm{KL}(p(y|x)\Vert p^*)
        - \mathrm{KL}(\hat p\Vert p^*)\big) = \mathrm{IS}

    The second equality is an identity for every positive p*: that variant is the Inception Score under another name
    and learns nothing from the real data. Pitfalls of the first: all but the marginal's of the Inception Score.

    Args:
        probabilities: (N, K) class probabilities of generated samples.
        reference: p* as (K,), or (M, K) class probabilities of real samples, whose mean is taken.
        variant: ``"marginal"``, or ``"reference"`` for the identity.
        smoothing: share of the uniform distribution mixed into p*, so that a class without real samples gives a very
            low score and not zero times infinity.

    Returns:
        A float in [0, K]; one split, so it can exceed an Inception Score averaged over small ones.

    Raises:
        ValueError: for rows that are no distributions, different K, or an unknown variant.

    Example:
        >>> labels = np.eye(4)[np.arange(400) % 2]  # two of four classes
        >>> round(mode_score(labels, np.full(4, 0.25)), 6)
        1.0

    Reference:
        Che, Li, Jacob, Bengio and Li 2016, arXiv 1612.02136, whose formula is read in both ways, depending on whether
        its p(y) is that of the samples or of the training labels.
    """
    p, target, _ = _checked(probabilities, reference, variant, smoothing)
    return float(np.exp(_log_score(p, target, variant)))


def mode_score_interval(
    probabilities: np.ndarray, reference: np.ndarray, *, variant: str = "marginal", smoothing: float = 1e-9
) -> intervals.Estimate:
    """Return `mode_score` with an interval by the delta method; rows of real probabilities count as a sample too.

    Args and errors as `mode_score`.
    """
    p, target, rows = _checked(probabilities, reference, variant, smoothing)
    value = float(np.exp(_log_score(p, target, variant)))
    if variant == "reference":
        error = standard_error(divergences(p))
    else:
        marginal = p.mean(axis=0)
        with np.errstate(divide="ignore"):
            # a class that no sample has pulls no sample
            pull = np.where(marginal > 0, np.log(marginal) - np.log(target), 0.0)
        error = standard_error(divergences(p) - p @ pull)
        if len(rows) > 1:
            error = float(np.hypot(error, standard_error(rows @ (marginal / target))))
    return intervals.normal(value, value * error, method="delta method", bounds=(0.0, p.shape[1]))


def _log_score(p: np.ndarray, target: np.ndarray, variant: str) -> float:
    marginal = p.mean(axis=0)
    first = divergences(p, marginal if variant == "marginal" else target).mean()
    return float(first - scipy.special.rel_entr(marginal, target).sum())


def _checked(
    probabilities: np.ndarray, reference: np.ndarray, variant: str, smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, rows = checks.probabilities(probabilities), checks.probabilities(np.atleast_2d(reference), "reference")
    if p.shape[1] != rows.shape[1] or variant not in VARIANTS or not 0 <= smoothing < 1:
        raise ValueError(
            f"{p.shape[1]} and {rows.shape[1]} classes, variant {variant!r}, smoothing {smoothing}; expected as many "
            f"classes in both, one of {', '.join(VARIANTS)}, and 0 <= smoothing < 1."
        )
    return p, (1 - smoothing) * rows.mean(axis=0) + smoothing / p.shape[1], rows
