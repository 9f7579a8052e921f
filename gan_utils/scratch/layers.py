"""Layers with weights, forward and backward. What a backward pass needs, its forward pass keeps."""

from collections.abc import Sequence

import numpy as np


class Layer:
    """A function of one array with weights, and the gradient of what comes after it.

    ``forward(x)`` returns y; ``backward(dy)`` takes the gradient of a scalar with respect to y, returns the one with
    respect to x, and leaves those with respect to the weights in `gradients`. One `backward` belongs to the last
    `forward`.

    Attributes:
        weights: name to array; trained ones and, in `BatchNorm`, running statistics.
        gradients: name to array, for those that are trained; filled by `backward`.
    """

    def __init__(self) -> None:
        self.weights: dict[str, np.ndarray] = {}
        self.gradients: dict[str, np.ndarray] = {}

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return the layer's value at x."""
        raise NotImplementedError

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient with respect to the last x."""
        raise NotImplementedError


def glorot(dice: np.random.Generator, shape: Sequence[int], fans: int) -> np.ndarray:
    r"""Return weights uniform in :math:`\pm\sqrt{6/(\text{fan in}+\text{fan out})}`, `fans` being that sum.

    Reference:
        Glorot and Bengio 2010, equation 16.
    """
    limit = np.sqrt(6.0 / fans)
    return dice.uniform(-limit, limit, shape).astype(np.float32)


class Dense(Layer):
    r"""Matrix product: :math:`y = xW + b`, so :math:`dW = x^Tdy,\ db = \sum_n dy_n,\ dx = dy\,W^T`.

    Args:
        inputs: number of features of x, (N, inputs).
        units: number of features of y, (N, units).
        bias: whether there is a b.
        seed: of W, Glorot-uniform; b starts at 0.

    Example:
        >>> Dense(3, 2).forward(np.ones((5, 3))).shape
        (5, 2)
    """

    def __init__(self, inputs: int, units: int, *, bias: bool = True, seed: int = 0) -> None:
        super().__init__()
        self.weights["kernel"] = glorot(np.random.default_rng(seed), (inputs, units), inputs + units)
        if bias:
            self.weights["bias"] = np.zeros(units, np.float32)

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return (N, units)."""
        self.x = x
        y = x @ self.weights["kernel"]
        return y + self.weights["bias"] if "bias" in self.weights else y

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return (N, inputs)."""
        self.gradients["kernel"] = self.x.T @ gradient
        if "bias" in self.weights:
            self.gradients["bias"] = gradient.sum(axis=0)
        return gradient @ self.weights["kernel"].T


class Reshape(Layer):
    """Give each sample another shape; the gradient gets the old one back.

    Args:
        shape: of a sample, without N.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return ``(N, *shape)``."""
        self.before = x.shape
        return x.reshape(len(x), *self.shape)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient in the shape of x."""
        return gradient.reshape(self.before)


class Flatten(Reshape):
    """Make a sample a vector."""

    def __init__(self) -> None:
        super().__init__(-1)


class LeakyReLU(Layer):
    """y = x where x > 0, slope · x elsewhere.

    Args:
        slope: of the negative side.

    Reference:
        Maas, Hannun and Ng 2013.
    """

    def __init__(self, slope: float = 0.3) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return y, of x's shape."""
        kind = np.result_type(x, np.float32).type  # of integers too
        self.factor = np.where(x > 0, kind(1), kind(self.slope))
        return x * self.factor

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return dy times 1 or the slope."""
        return gradient * self.factor


class ReLU(LeakyReLU):
    """y = max(x, 0)."""

    def __init__(self) -> None:
        super().__init__(0.0)


class Tanh(Layer):
    r"""y = tanh x, so :math:`dx = dy\,(1 - y^2)`."""

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return y in (-1, 1)."""
        self.y = np.tanh(x)
        return self.y

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return dx."""
        return gradient * (1 - self.y * self.y)


class Sigmoid(Layer):
    r"""y = 1 / (1 + exp(-x)), so :math:`dx = dy\,y(1-y)`. Computed by tanh, which does not overflow."""

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return y in [0, 1]: far out it rounds to the ends."""
        self.y = sigmoid(x)
        return self.y

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return dx."""
        return gradient * self.y * (1 - self.y)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) without overflow, in x's precision.

    Example:
        >>> sigmoid(np.array([-1000.0, 0.0])).tolist()
        [0.0, 0.5]
    """
    return (1 + np.tanh(x / 2)) / 2


class Dropout(Layer):
    """In training set each value to 0 with the given rate and divide the others by (1 - rate); else do nothing.

    Args:
        rate: in [0, 1).
        seed: of the masks.

    Raises:
        ValueError: for a rate outside [0, 1).

    Reference:
        Srivastava et al. 2014, Journal of Machine Learning Research 15.
    """

    def __init__(self, rate: float, *, seed: int = 0) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"rate is {rate!r}; expected a share in [0, 1).")
        self.rate, self.dice = rate, np.random.default_rng(seed)

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return y, of x's shape."""
        kept = self.dice.random(x.shape, np.float32) >= self.rate if training else np.ones(x.shape, bool)
        self.factor = (kept / ((1 - self.rate) if training else 1)).astype(np.result_type(x, np.float32))
        return x * self.factor

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return dy through the same mask."""
        return gradient * self.factor


class BatchNorm(Layer):
    r"""Normalise each channel over the batch (and the pixels), then scale and shift: :math:`y = \gamma\hat x + \beta`.

    In training :math:`\hat x = (x-\mu)/\sqrt{v+\epsilon}` with mean and (biased) variance of the batch, else with
    running ones. Since μ and v depend on every sample, the backward pass has three terms:

    .. math:: dx = \frac{\gamma}{\sqrt{v+\epsilon}}
        \Big(dy - \operatorname{mean}(dy) - \hat x\operatorname{mean}(dy\,\hat x)\Big)

    Args:
        channels: size of the last axis.
        momentum: of the running statistics.
        epsilon: added to the variance.

    Reference:
        Ioffe and Szegedy 2015, arXiv 1502.03167, algorithm 1.
    """

    def __init__(self, channels: int, *, momentum: float = 0.99, epsilon: float = 1e-3) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        start = {"gamma": 1.0, "beta": 0.0, "mean": 0.0, "variance": 1.0}
        self.weights = {name: np.full(channels, value, np.float32) for name, value in start.items()}

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return y, of x's shape; in training, move the running statistics towards the batch's."""
        self.axes, self.training, w = tuple(range(x.ndim - 1)), training, self.weights
        mean, variance = (x.mean(self.axes), x.var(self.axes)) if training else (w["mean"], w["variance"])
        if training:
            for name, value in (("mean", mean), ("variance", variance)):
                w[name] = self.momentum * w[name] + (1 - self.momentum) * value
        self.scale = 1 / np.sqrt(variance + self.epsilon)
        self.normal = (x - mean) * self.scale
        return w["gamma"] * self.normal + w["beta"]

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return dx."""
        self.gradients["gamma"] = (gradient * self.normal).sum(self.axes)
        self.gradients["beta"] = gradient.sum(self.axes)
        if self.training:
            through_variance = self.normal * (gradient * self.normal).mean(self.axes)
            gradient = gradient - gradient.mean(self.axes) - through_variance
        return self.weights["gamma"] * self.scale * gradient
