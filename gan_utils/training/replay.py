"""Replay: show the discriminator generated samples of earlier steps too."""

from typing import Any

from gan_utils import checking
from gan_utils.runtime import keras, tf


@keras.saving.register_keras_serializable("gan_utils")
class Replay:
    """A buffer of generated samples, part of each batch that the discriminator sees.

    In each of the discriminator's moves the first ``share`` of the batch is drawn uniformly from the buffer; as many of
    the new samples then take the places of a run of neighbours in it that begins at random, so ages are mixed. While
    the buffer fills, it is drawn from what is there (the new samples themselves, at the first move). Samples that hold
    NaN or infinity are not kept.

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
        self._buffer: Any = None

    def build(self, shape: tuple[int, ...]) -> None:
        """Make room for samples of this shape.

        Raises:
            ValueError: if it has been made: a buffer belongs to one GAN.
        """
        if self._buffer is not None:
            raise ValueError("this Replay is another GAN's; expected one of its own for each GAN.")
        self._buffer = tf.Variable(tf.zeros((self.capacity, *shape)), trainable=False)
        self._count = tf.Variable(0, dtype=tf.int64, trainable=False)

    def __call__(self, fake: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """Return the batch to show and keep part of the new samples.

        Args:
            fake: new samples (N, ...).
            uniform: (N, 2) in [0, 1): where to draw and where to write.

        Returns:
            (N, ...): the first ``share`` from the buffer, the others new.
        """
        if self._buffer is None:
            self.build(tuple(fake.shape[1:]))
        kept = max(1, min(int(self.share * fake.shape[0]), self.capacity))
        new, count = fake[:kept], self._count.value()
        filled = tf.minimum(count, self.capacity)
        draw = tf.cast(uniform[:kept, 0] * tf.cast(filled, tf.float32), tf.int64)
        old = tf.gather(self._buffer, tf.minimum(draw, tf.maximum(filled - 1, 0)))
        old = tf.where(count > 0, old, tf.cast(new, old.dtype))
        start = tf.cast(uniform[0, 1] * float(self.capacity), tf.int64)
        slots = (tf.where(count < self.capacity, count, start) + tf.range(kept, dtype=tf.int64)) % self.capacity
        new = tf.cast(new, tf.float32)  # a sample that is not finite takes nobody's place
        finite = tf.reduce_all(tf.math.is_finite(new), axis=list(range(1, len(new.shape))), keepdims=True)
        self._buffer.scatter_update(tf.IndexedSlices(tf.where(finite, new, tf.gather(self._buffer, slots)), slots))
        self._count.assign_add(kept)
        return tf.concat([tf.cast(old, fake.dtype), fake[kept:]], axis=0)

    def state(self) -> dict[str, Any]:
        """Return the buffer's variables by name."""
        return {"replay_buffer": self._buffer, "replay_count": self._count}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, empty buffer."""
        return {"capacity": self.capacity, "share": self.share}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Replay":
        """Make a buffer from `get_config`'s arguments."""
        return cls(**config)
