"""Replay: show the discriminator generated samples of earlier steps too."""

from collections.abc import Mapping
from typing import Any

from gan_utils import checking
from gan_utils.runtime import keras, tf


@keras.saving.register_keras_serializable("gan_utils")
class Replay:
    """A buffer of generated samples, part of each batch that the discriminator sees.

    In each of the discriminator's moves the first ``share`` of the batch is drawn uniformly from the buffer; as many of
    the new samples then take the places of a run of neighbours in it that begins at random, so ages are mixed. While
    the buffer fills, it is drawn from what is there (the new samples themselves, at the first move). Samples that hold
    NaN or infinity are not kept. A sample is kept with the conditions that it was made under.

    Args:
        capacity: samples kept.
        share: of a batch that comes from the buffer, in (0, 1).

    Raises:
        ValueError: if capacity < 1 or share is not in (0, 1).

    Reference:
        Shrivastava et al. 2016, arXiv 1612.07828, section 2.3 (half of a batch). Differs in that the samples replaced
        are neighbours.
    """

    def __init__(self, capacity: int = 4096, *, share: float = 0.5) -> None:
        self.capacity = checking.integer("capacity", capacity, 1)
        self.share = checking.real("share", share, above=0.0, below=1.0)
        self._buffer: dict[str, Any] = {}

    def build(self, **entries: tuple[tuple[int | None, ...], str]) -> None:
        """Make room for samples and what was given with them, by name: shape and dtype of one.

        Raises:
            ValueError: if it has been made: a buffer belongs to one GAN.
        """
        if self._buffer:
            raise ValueError("this Replay is another GAN's; expected one of its own for each GAN.")
        self._buffer = {
            name: tf.Variable(tf.zeros((self.capacity, *shape), dtype), trainable=False)
            for name, (shape, dtype) in entries.items()
        }
        self._count = tf.Variable(0, dtype=tf.int64, trainable=False)

    def __call__(self, samples: Any, uniform: tf.Tensor) -> Any:
        """Return the batch to show and keep part of the new samples, each with its conditions.

        Args:
            samples: new samples (N, ...); or a dict of them under ``"fake"`` and of their conditions, (N, ...) each.
            uniform: (N, 2) in [0, 1): where to draw and where to write.

        Returns:
            As `samples`: the first ``share`` from the buffer, the others new. In a batch so small that this is less
            than one sample, the first one comes from the buffer with probability ``share * N``.
        """
        if not isinstance(samples, Mapping):
            return self({"fake": samples}, uniform)["fake"]
        if not self._buffer:
            self.build(**{name: (tuple(new.shape[1:]), new.dtype.name) for name, new in samples.items()})
        size = next(iter(samples.values())).shape[0]
        whole = int(self.share * size)
        kept, rest = max(1, min(whole, self.capacity)), self.share * size - whole
        count = self._count.value()
        filled = tf.minimum(count, self.capacity)
        where, old_too = uniform[:kept, 0], tf.ones((kept,), tf.bool)
        if not whole:
            old_too, where = where < rest, tf.minimum(where / rest, 1.0 - 2.0**-24)
        draw = tf.cast(where * tf.cast(filled, tf.float32), tf.int64)
        draw = tf.minimum(draw, tf.maximum(filled - 1, 0))
        start = tf.cast(uniform[0, 1] * float(self.capacity), tf.int64)
        slots = (tf.where(count < self.capacity, count, start) + tf.range(kept, dtype=tf.int64)) % self.capacity
        finite = tf.reduce_all(tf.stack([_is_finite(new[:kept]) for new in samples.values()]), axis=0)
        shown = {}
        for name, fake in samples.items():
            buffer, new = self._buffer[name], fake[:kept]
            one_each = [kept] + [1] * (len(new.shape) - 1)
            takes_old = tf.reshape(old_too & (count > 0), one_each)
            old = tf.cast(tf.gather(buffer, draw), fake.dtype)
            shown[name] = tf.concat([tf.where(takes_old, old, new), fake[kept:]], axis=0)
            # a sample that is not finite takes nobody's place
            stays = tf.where(tf.reshape(finite, one_each), tf.cast(new, buffer.dtype), tf.gather(buffer, slots))
            buffer.scatter_update(tf.IndexedSlices(stays, slots))
        self._count.assign_add(kept)
        return shown

    def state(self) -> dict[str, Any]:
        """Return the buffer's variables by name."""
        names = {name: "replay_buffer" if name == "fake" else f"replay_{name}" for name in self._buffer}
        return {**{names[name]: buffer for name, buffer in self._buffer.items()}, "replay_count": self._count}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, empty buffer."""
        return {"capacity": self.capacity, "share": self.share}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Replay":
        """Make a buffer from `get_config`'s arguments."""
        return cls(**config)


def _is_finite(samples: tf.Tensor) -> tf.Tensor:
    if not samples.dtype.is_floating:
        return tf.ones((samples.shape[0],), tf.bool)
    return tf.reduce_all(tf.math.is_finite(samples), axis=list(range(1, len(samples.shape))))
