"""Source: samples that are read when they are needed, by index, so that a run over them can be resumed exactly."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from gan_utils import checking
from gan_utils.runtime import tf

_LOOKED_AT = 1024


class Source(ABC):
    """Samples that need not fit into memory; subclass it for data of your own.

    `training.Adversarial.fit` asks for samples by index, in an order that is a function of (seed, step). `read` is
    called from several threads at once.
    """

    @property
    def lengths(self) -> Mapping[str, int]:
        """The number of samples of each entry that belongs to no sample of another, and has an order of its own."""
        return {}

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

    def read_own(self, index: np.ndarray, own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what `read` returns, each entry of `lengths` by indices of its own."""
        return self.read(index)

    def read_graph(self, index: tf.Tensor, own: Mapping[str, tf.Tensor] = {}) -> dict[str, tf.Tensor]:
        """Return what `read_own` returns, as tensors of known shape, inside a ``tf.data`` graph."""
        spec = self.read(np.arange(1))
        names, keys = list(spec), list(own)

        def read(wanted: np.ndarray, *indices: np.ndarray) -> list[np.ndarray]:
            found = self.read_own(wanted, dict(zip(keys, indices, strict=True)))
            return [np.ascontiguousarray(found[name]) for name in names]

        values = tf.numpy_function(
            read,
            [index, *own.values()],
            [spec[name].dtype for name in names],
            stateful=False,
        )
        for name, value in zip(names, values, strict=True):
            value.set_shape((index.shape[0], *spec[name].shape[1:]))
        return dict(zip(names, values, strict=True))


class Unpaired(Source):
    """Several sources whose samples do not belong together, each with a length and an order of its own.

    Args:
        **sources: by the entry's name, the one that a pass goes over first; of each source its ``"real"`` is taken.

    Raises:
        ValueError: for fewer than two sources, or something that is no source.

    Example:
        >>> class Numbers(Source):
        ...     def __init__(self, n):
        ...         self.n = n
        ...     def __len__(self):
        ...         return self.n
        ...     def read(self, index):
        ...         return {"real": np.float32(index)[:, None]}
        >>> both = Unpaired(a=Numbers(3), b=Numbers(2))
        >>> len(both), dict(both.lengths)
        (3, {'b': 2})
        >>> {name: values.ravel().tolist() for name, values in both.read(np.arange(3)).items()}
        {'a': [0.0, 1.0, 2.0], 'b': [0.0, 1.0, 0.0]}
    """

    def __init__(self, **sources: Source) -> None:
        if len(sources) < 2 or not all(isinstance(source, Source) for source in sources.values()):
            raise ValueError(f"got {checking.shown(sources)}; expected two sources or more, as a=Folder(...).")
        self.sources = sources

    @property
    def lengths(self) -> Mapping[str, int]:
        """Those of all sources but the first."""
        return {name: len(source) for name, source in list(self.sources.items())[1:]}

    def __len__(self) -> int:
        return len(next(iter(self.sources.values())))

    def read(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Return samples of each source, from its beginning again where it is shorter; see `Source.read`."""
        return self.read_own(index, {name: index % count for name, count in self.lengths.items()})

    def read_own(self, index: np.ndarray, own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return samples of the first source by `index`, of the others by indices of their own."""
        return {name: source.read(own.get(name, index))["real"] for name, source in self.sources.items()}

    def fingerprint(self) -> str:
        """Return the fingerprints of all sources; see `Source.fingerprint`."""
        return " ".join(f"{name} {source.fingerprint()}" for name, source in self.sources.items())
