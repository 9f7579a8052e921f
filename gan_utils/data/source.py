"""Source: samples that are read when they are needed, by index, so that a run over them can be resumed exactly."""

import hashlib
from abc import ABC, abstractmethod

import numpy as np

from gan_utils.runtime import tf


class Source(ABC):
    """Samples that need not fit into memory; subclass it for data of your own.

    `training.Adversarial.fit` asks for samples by index, in an order that is a function of (seed, step). `read` is
    called from several threads at once.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def read(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Return the samples of these indices.

        Args:
            index: (k,) int64 in [0, len).

        Returns:
            A dict with ``"real"``, (k, ...) float32, images in [-1, 1], and what else a family needs, (k, ...) each.
        """

    def fingerprint(self) -> str:
        """Return a text that differs where the data differ; a resumed run must find the one it began with."""
        some = self.read(np.unique(np.linspace(0, len(self) - 1, 32).astype(np.int64)))
        return hashlib.sha256(b"".join(value.tobytes() for value in some.values())).hexdigest() + f" x {len(self)}"

    def read_graph(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return what `read` returns, as tensors of known shape, inside a ``tf.data`` graph."""
        spec = self.read(np.arange(1))
        names = list(spec)

        def read(wanted: np.ndarray) -> list[np.ndarray]:
            found = self.read(wanted)
            return [np.ascontiguousarray(found[name]) for name in names]

        values = tf.numpy_function(
            read,
            [index],
            [spec[name].dtype for name in names],
            stateful=False,
        )
        for name, value in zip(names, values, strict=True):
            value.set_shape((index.shape[0], *spec[name].shape[1:]))
        return dict(zip(names, values, strict=True))
