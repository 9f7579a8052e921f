"""Gradient descent, RMSprop and Adam, with Keras's defaults and order of operations."""

from collections.abc import Sequence

import numpy as np

from gan_utils.scratch.layers import Layer


class Optimizer:
    """Moves weights down their gradients; keeps what it remembers of each weight.

    Args:
        rate: the learning rate.

    Raises:
        ValueError: unless the rate is above 0.
    """

    def __init__(self, rate: float) -> None:
        if not rate > 0:
            raise ValueError(f"rate is {rate!r}; expected a number above 0.")
        self.rate, self.steps = rate, 0
        self.memory: dict[tuple[int, str], dict[str, np.ndarray]] = {}  # of each layer, by its identity

    def apply(self, layers: Sequence[Layer]) -> None:
        """Take one step with the gradients that the layers hold."""
        self.steps += 1
        for layer in layers:
            for name, gradient in layer.gradients.items():
                memory = self.memory.setdefault((id(layer), name), {})
                layer.weights[name] = layer.weights[name] - self.move(gradient, memory)

    def move(self, gradient: np.ndarray, memory: dict[str, np.ndarray]) -> np.ndarray:
        """Return what is taken off a weight."""
        raise NotImplementedError


class SGD(Optimizer):
    """Gradient descent: the rate times the gradient.

    Example:
        >>> SGD(0.5).move(np.array([2.0]), {}).tolist()
        [1.0]
    """

    def __init__(self, rate: float = 0.01) -> None:
        super().__init__(rate)

    def move(self, gradient: np.ndarray, memory: dict[str, np.ndarray]) -> np.ndarray:
        """Return rate · gradient."""
        return self.rate * gradient


class RMSprop(Optimizer):
    r"""Gradient over the root of its running mean square.

    .. math:: v \leftarrow \rho v + (1-\rho)g^2,\qquad h\,g/\sqrt{v+\epsilon}

    Args:
        rate: h.
        decay: ρ.
        epsilon: added under the root.

    Reference:
        Tieleman and Hinton 2012, lecture 6.5.
    """

    def __init__(self, rate: float = 1e-3, *, decay: float = 0.9, epsilon: float = 1e-7) -> None:
        super().__init__(rate)
        self.decay, self.epsilon = decay, epsilon

    def move(self, gradient: np.ndarray, memory: dict[str, np.ndarray]) -> np.ndarray:
        """Return the step."""
        square = memory.get("square", np.zeros_like(gradient))
        memory["square"] = square = self.decay * square + (1 - self.decay) * gradient * gradient
        return self.rate * gradient / np.sqrt(square + self.epsilon)


class Adam(Optimizer):
    r"""Running mean of the gradient over the root of that of its square, both corrected for their start at 0.

    .. math:: m \leftarrow \beta_1m + (1-\beta_1)g,\quad v \leftarrow \beta_2v + (1-\beta_2)g^2,\quad
        h\,\frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\,\frac{m}{\sqrt v + \epsilon}

    Args:
        rate: h.
        beta_1: decay of the mean; 0.5 in most GANs.
        beta_2: decay of the mean square.
        epsilon: added to the root.

    Reference:
        Kingma and Ba 2014, arXiv 1412.6980, the more efficient form at the end of section 2.
    """

    def __init__(
        self, rate: float = 1e-3, *, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
    ) -> None:
        super().__init__(rate)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def move(self, gradient: np.ndarray, memory: dict[str, np.ndarray]) -> np.ndarray:
        """Return the step."""
        mean, square = (memory.get(name, np.zeros_like(gradient)) for name in ("mean", "square"))
        memory["mean"] = mean = self.beta_1 * mean + (1 - self.beta_1) * gradient
        memory["square"] = square = self.beta_2 * square + (1 - self.beta_2) * gradient * gradient
        rate = self.rate * np.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)
        return float(rate) * mean / (np.sqrt(square) + self.epsilon)
