"""The Fréchet distance as a Keras metric: batches go in, only sums are kept."""

from typing import Any

import numpy as np

from gan_utils.metrics import features, frechet
from gan_utils.runtime import keras


class FrechetDistance(keras.metrics.Metric):
    """`frechet.frechet_distance` of all generated samples seen since the last reset, against a fixed real set.

    It keeps the count, the sum and the sum of outer products of the features in float64: (D + 1)² numbers however many
    samples pass. Works in eager code and inside ``tf.function``.

    Args:
        real: real samples that the extractor takes, or their `frechet.Moments` under it.
        extractor: see `features.get`; one with a network, whose size the samples must have.
        name: of the metric.

    Raises:
        ValueError: for an extractor without a network, or real samples that are bad.

    Example:
        >>> from gan_utils import data
        >>> images = data.load(split="test").images
        >>> metric = FrechetDistance(images[:500])
        >>> for start in (500, 750):
        ...     metric.update_state(images[start : start + 250])
        >>> 0 < float(metric.result()) < 20
        True

    Reference:
        Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter 2017, arXiv 1706.08500, equation 6.
    """

    def __init__(
        self,
        real: Any,
        extractor: "str | keras.Model | features.Extractor" = "fashion_mnist",
        *,
        name: str = "frechet",
    ) -> None:
        super().__init__(name=name, dtype="float64")
        chosen = features.get(extractor)
        if chosen.network is None:
            raise ValueError(f"the extractor {chosen.name} has no network; expected fashion_mnist or a Keras model.")
        self._network = chosen.network
        self.real = real if isinstance(real, frechet.Moments) else frechet.moments(chosen(real).values)
        self._factor = frechet.factor(self.real.covariance)
        size = len(self.real.mean)
        # sums are taken of features less the real mean, so that no digits are lost
        self.count = self.add_variable((), "zeros", "float64", name="count")
        self.total = self.add_variable((size,), "zeros", "float64", name="total")
        self.outer = self.add_variable((size, size), "zeros", "float64", name="outer")

    def update_state(self, samples: Any, sample_weight: None = None) -> None:
        """Add samples.

        Args:
            samples: (k, H, W, C) float in [-1, 1].
            sample_weight: none; every sample counts alike.

        Raises:
            ValueError: for weights, or a second argument taken for them.
        """
        if sample_weight is not None:
            raise ValueError("update_state takes generated samples only; the real ones were given at the start.")
        ops = keras.ops
        values = keras.tree.flatten(self._network(samples, training=False))[0]
        values = ops.cast(ops.reshape(values, (ops.shape(values)[0], -1)), self.dtype) - self.real.mean
        self.count.assign_add(ops.cast(ops.shape(values)[0], self.dtype))
        self.total.assign_add(ops.sum(values, axis=0))
        self.outer.assign_add(ops.matmul(ops.transpose(values), values))

    def result(self) -> Any:
        """Return the distance, a float64 scalar; NaN before two samples are seen."""
        ops = keras.ops
        mean = self.total / ops.maximum(self.count, 1.0)
        covariance = (self.outer - self.count * ops.outer(mean, mean)) / ops.maximum(self.count - 1.0, 1.0)
        inner = ops.matmul(ops.matmul(self._factor, covariance), self._factor.T)
        eigenvalues = ops.linalg.eigh((inner + ops.transpose(inner)) / 2)[0]
        root = ops.sum(ops.sqrt(ops.maximum(eigenvalues, 0.0)))
        spread = float(np.trace(self.real.covariance)) + ops.trace(covariance)
        return ops.where(self.count > 1, ops.sum(mean**2) + spread - 2.0 * root, np.nan)
