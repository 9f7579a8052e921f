"""Layers in a row, the check of their gradients, and two such networks in a game."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from gan_utils.scratch import losses
from gan_utils.scratch.layers import Layer
from gan_utils.scratch.optimizers import Optimizer


class Sequential:
    """Layers, one after another.

    Args:
        layers: in order.

    Example:
        >>> from gan_utils.scratch import Dense, Tanh
        >>> Sequential([Dense(2, 3), Tanh()]).forward(np.zeros((5, 2))).shape
        (5, 3)
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return the value of the last layer."""
        for layer in self.layers:
            x = layer.forward(x, training=training)
        return x

    def visit(self, x: np.ndarray) -> np.ndarray:
        """Return the value in training, as `forward`, but leave running statistics alone: another player moves."""
        before = [dict(layer.weights) for layer in self.layers]
        x = self.forward(x, training=True)
        for layer, weights in zip(self.layers, before, strict=True):
            layer.weights = weights
        return x

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Send a gradient back through all layers; return the one with respect to the input."""
        for layer in reversed(self.layers):
            gradient = layer.backward(gradient)
        return gradient

    def get_weights(self) -> list[np.ndarray]:
        """Return all weights, in the order of a Keras model with these layers."""
        return [value for layer in self.layers for value in layer.weights.values()]

    def set_weights(self, values: Sequence[np.ndarray]) -> None:
        """Set all weights, for example to those of a Keras model; their type is kept, so float64 computes in float64.

        Raises:
            ValueError: for another number of weights, or other shapes.
        """
        found, wanted = [np.shape(value) for value in values], [value.shape for value in self.get_weights()]
        if found != wanted:
            raise ValueError(f"weights have the shapes {found}; expected {wanted}. Are the layers the same?")
        rest = iter(values)
        for layer in self.layers:
            layer.weights = {name: np.array(next(rest)) for name in layer.weights}


class GAN:
    """A generator and a discriminator of NumPy layers, trained with the non-saturating loss.

    Args:
        generator: latents to samples.
        discriminator: samples to logits (N, 1).
        generator_optimizer: of the generator.
        discriminator_optimizer: of the discriminator.

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1 and section 3.
    """

    def __init__(
        self,
        generator: Sequential,
        discriminator: Sequential,
        *,
        generator_optimizer: Optimizer,
        discriminator_optimizer: Optimizer,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer

    def discriminator_step(self, real: np.ndarray, latents: np.ndarray) -> float:
        """Move the discriminator; return its loss, summed over the real and the fake half."""
        fake, loss, total = self.generator.visit(latents), 0.0, []
        for samples, label in ((real, 1.0), (fake, 0.0)):
            part, gradient = losses.binary_cross_entropy(self.discriminator.forward(samples, training=True), label)
            self.discriminator.backward(gradient)
            total.append([dict(layer.gradients) for layer in self.discriminator.layers])
            loss += part
        for layer, of_real, of_fake in zip(self.discriminator.layers, *total, strict=True):
            layer.gradients = {name: of_real[name] + of_fake[name] for name in of_real}
        self.discriminator_optimizer.apply(self.discriminator.layers)
        return loss

    def generator_step(self, latents: np.ndarray) -> float:
        """Move the generator, through the discriminator and without moving it; return its loss."""
        fake = self.generator.forward(latents, training=True)
        loss, gradient = losses.binary_cross_entropy(self.discriminator.visit(fake), 1.0)
        self.generator.backward(self.discriminator.backward(gradient))
        self.generator_optimizer.apply(self.generator.layers)
        return loss


def finite_difference(function: Callable[[np.ndarray], float], at: np.ndarray, h: float = 1e-5) -> np.ndarray:
    r"""Return :math:`(f(x + h e_i) - f(x - h e_i)) / 2h` for every element i: the gradient up to O(h²).

    Too small an h loses its digits to rounding, too large a one bends away: the error over h is a V.

    Args:
        function: of an array of at's shape, to a number.
        at: x, float64 for any accuracy.
        h: the step, above 0.

    Raises:
        ValueError: unless h is above 0.

    Example:
        >>> finite_difference(lambda x: float(x @ x), np.array([1.0, 2.0])).round(6).tolist()
        [2.0, 4.0]
    """
    if not h > 0:
        raise ValueError(f"h is {h!r}; expected a number above 0.")
    at = np.asarray(at, np.result_type(at, np.float32))
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        moved = at.copy()
        moved[index] += h
        above = function(moved)
        moved[index] = at[index] - at.dtype.type(h)
        gradient[index] = (above - function(moved)) / (2 * h)
    return gradient


def gradient_errors(layer: Layer, x: np.ndarray, *, training: bool = True, h: float = 1e-5) -> dict[str, float]:
    """Return how far a layer's backward pass is from finite differences, for its input and each weight.

    The scalar is a fixed random combination of the outputs. Errors are the largest absolute ones over the largest
    gradient. Random masks must not change between calls: test `Dropout` by its own mask.

    Args:
        layer: any layer; its weights are set to float64.
        x: an input (N, ...).
        training: the mode.
        h: step of the differences.

    Returns:
        ``"x"`` and the names of the weights to relative errors.

    Example:
        >>> from gan_utils.scratch import Dense
        >>> max(gradient_errors(Dense(3, 2), np.random.default_rng(0).normal(size=(4, 3))).values()) < 1e-8
        True
    """
    x = np.asarray(x, np.float64)
    layer.weights = {name: value.astype(np.float64) for name, value in layer.weights.items()}
    start = dict(layer.weights)
    direction = np.random.default_rng(0).normal(size=layer.forward(x, training=training).shape)

    def scalar(name: str, value: np.ndarray) -> float:
        layer.weights = {**start, name: value} if name != "x" else dict(start)
        return float(np.sum(direction * layer.forward(value if name == "x" else x, training=training)))

    scalar("x", x)
    analytic = {"x": layer.backward(direction), **layer.gradients}
    errors = {}
    for name, gradient in analytic.items():
        numeric = finite_difference(functools.partial(scalar, name), x if name == "x" else start[name], h)
        errors[name] = float(np.abs(gradient - numeric).max() / max(np.abs(numeric).max(), 1e-12))
    layer.weights = start
    return errors
