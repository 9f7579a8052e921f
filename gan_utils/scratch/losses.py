"""Binary cross-entropy from logits, with its gradient."""

import numpy as np

from gan_utils.scratch.layers import sigmoid


def binary_cross_entropy(logits: np.ndarray, label: float) -> tuple[float, np.ndarray]:
    r"""Return the mean loss and its gradient with respect to the logits.

    .. math:: L = \operatorname{mean}(\operatorname{softplus}(a) - ta),\qquad dL/da = (\sigma(a) - t)/N

    The gradient is bounded, and no logarithm of a rounded probability is taken.

    Args:
        logits: a, any shape.
        label: t in [0, 1], the same for all: 1 for real, 0 for fake.

    Returns:
        The loss, and an array of the logits' shape.

    Raises:
        ValueError: for a label outside [0, 1].

    Example:
        >>> loss, gradient = binary_cross_entropy(np.zeros((4, 1)), 1.0)
        >>> round(loss, 4), gradient[0].tolist()
        (0.6931, [-0.125])
    """
    if not 0 <= label <= 1:
        raise ValueError(f"label is {label!r}; expected a probability in [0, 1].")
    logits = np.asarray(logits, np.result_type(logits, np.float32))
    loss = np.logaddexp(0, logits) - label * logits
    return float(loss.mean()), (sigmoid(logits) - logits.dtype.type(label)) / logits.size
