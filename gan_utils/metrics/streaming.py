"""The Fréchet distance as a Keras metric: batches go in, only sums are kept."""

import warnings
from typing import Any

import numpy as np

from gan_utils.metrics import checks, features, frechet
from gan_utils.runtime import keras, tf


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
        self._network, self._shape = chosen.network, chosen.shape
        self._seen, self._told = features.Seen(chosen.name, chosen.shape), False
        self.real = real if isinstance(real, frechet.Moments) else frechet.moments(chosen(real).values)
        wanted = self._network.output_shape
        wanted = wanted[0] if isinstance(wanted, list) else wanted
        if None not in wanted[1:] and len(self.real.mean) != np.prod(wanted[1:]):
            raise ValueError(
                f"real moments have {len(self.real.mean)} dimensions; expected {np.prod(wanted[1:])}, as the extractor "
                f"{chosen.name} gives."
            )
        self._factor = frechet.factor(self.real.covariance)
        size = len(self.real.mean)
        # sums are taken of features less the real mean, so that no digits are lost
        self.count = self.add_variable((), "zeros", "float64", name="count")
        self.total = self.add_variable((size,), "zeros", "float64", name="total")
        self.outer = self.add_variable((size, size), "zeros", "float64", name="outer")

    def update_state(self, samples: Any, sample_weight: None = None) -> None:
        """Add samples, prepared as the extractor prepares them (`features.prepare`).

        Args:
            samples: (k, H, W[, 1 or 3]), uint8 or float in [-1, 1]. In a ``tf.function`` (not under XLA) what cannot
                be scored stops the graph with the same words.
            sample_weight: none; every sample counts alike.

        Raises:
            ValueError: for weights, or a second argument taken for them; for samples as `features.prepare`.
        """
        if sample_weight is not None:
            raise ValueError("update_state takes generated samples only; the real ones were given at the start.")
        ops = keras.ops
        if tf.is_symbolic_tensor(samples):
            ready = tf.numpy_function(self._prepare, [samples], tf.float32)
            ready.set_shape((None, *(self._shape or self._network.input_shape[1:])))
        else:
            ready = tf.constant(self._prepare(checks.samples(samples)))
        values = keras.tree.flatten(self._network(ready, training=False))[0]
        values = ops.cast(ops.reshape(values, (ops.shape(values)[0], -1)), self.dtype) - self.real.mean
        self.count.assign_add(ops.cast(ops.shape(values)[0], self.dtype))
        self.total.assign_add(ops.sum(values, axis=0))
        self.outer.assign_add(ops.matmul(ops.transpose(values), values))

    def _prepare(self, samples: Any) -> np.ndarray:
        samples = np.asarray(samples)
        ready = features.prepare(samples, self._shape)
        if not self._told:  # of the first samples, once: later ones would only repeat it
            self._told = True
            self._seen.add(samples, ready)
            for doubt in self._seen.doubts():
                warnings.warn(doubt, stacklevel=3)
        return ready

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
