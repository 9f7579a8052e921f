"""Source: samples that are read when they are needed, by index, so that a run over them can be resumed exactly."""

import hashlib
from abc import ABC, abstractmethod

import numpy as np

from gan_utils.runtime import tf

_LOOKED_AT = 1024


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
        """Return a text that differs where the data differ; a resumed run must find the one it began with.

        Up to 1,024 samples are read for it: all, or evenly spaced ones. Override it where that is slow, or too little.
        """
        total = hashlib.sha256(str(len(self)).encode())
        for index in np.array_split(np.unique(np.linspace(0, len(self) - 1, _LOOKED_AT).astype(np.int64)), 32):
            if len(index):
                for name, value in sorted(self.read(index).items()):
                    total.update(f"{name} {value.shape} {value.dtype}".encode() + np.ascontiguousarray(value).tobytes())
        return total.hexdigest()

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
