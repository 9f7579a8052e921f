"""Plan: what `fit` trains on, sample indices and noise as functions of seed and step, and data read by it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gan_utils import runtime
from gan_utils.data.source import Source
from gan_utils.runtime import tf

_Batch = dict[str, tf.Tensor]
_Watch = Callable[[_Batch], _Batch]


@dataclass(frozen=True)
class Plan:
    """The order of the data and the noise from a step on; they depend on nothing but what stands here.

    Attributes:
        seed: of both.
        first: the step that the plan begins with.
        batch_size: samples a player's step.
        draws: real batches a step.
        moves: of all players in a step.
        leading: the entry of the data whose samples are counted.
        unpaired: entries with an order of their own.
        sample_noise: returns the noise of one move; see `Adversarial.sample_noise`.
    """

    seed: int
    first: int
    batch_size: int
    draws: int
    moves: int
    leading: str
    unpaired: tuple[str, ...]
    sample_noise: Callable[[int, tf.Tensor], Any]

    def steps(self, counts: Mapping[str, int]) -> tf.data.Dataset:
        """Return an endless dataset of single steps; see `Adversarial.plan`."""
        return _prefetched(_numbers(self.first).map(self._draw(counts)))

    def groups(self, counts: Mapping[str, int], size: int, steps: int) -> tf.data.Dataset:
        """Return `steps` in groups of a size; an epoch's last one is filled up, with ``counts`` of 0."""
        draw, filled = self._draw(counts), math.ceil(steps / size) * size

        def planned(number: tf.Tensor) -> dict[str, Any]:
            epoch, place = number // filled, number % filled
            return {**draw(self.first + epoch * steps + place), "counts": tf.cast(place < steps, tf.int32)}

        return _prefetched(_numbers(0).map(planned).batch(size), 2)

    def of_source(self, source: Source, counts: Mapping[str, int], watch: _Watch) -> tf.data.Dataset:
        """Return single steps with their batches, read from a source.

        Args:
            source: what is read.
            counts: numbers of samples.
            watch: looks at each batch.
        """

        def read(element: dict[str, Any]) -> dict[str, Any]:
            own = {name: tf.reshape(element[f"index_{name}"], [-1]) for name in source.lengths}
            found = source.read_graph(tf.reshape(element["index"], [-1]), own)
            return {"batch": self._split(watch(found)), "noise": element["noise"]}

        steps = self.steps({**counts, **source.lengths})
        return _prefetched(steps.map(read, num_parallel_calls=runtime.num_cores(), deterministic=True), 8)

    def of_batches(self, dataset: tf.data.Dataset, watch: _Watch) -> tf.data.Dataset:
        """Return single steps with their batches, in a dataset's own order, repeated."""
        size = self.batch_size * self.draws
        batches = dataset.repeat().rebatch(size, drop_remainder=True).skip(self.first)
        batches = batches.map(lambda batch: self._split(watch(batch)))
        noise = _numbers(self.first).map(self._noise)
        return _prefetched(tf.data.Dataset.zip({"batch": batches, "noise": noise}), 8)

    def _split(self, batch: _Batch) -> _Batch:
        return {n: tf.reshape(v, (self.batch_size, self.draws, *v.shape[1:])) for n, v in batch.items()}

    def _draw(self, counts: Mapping[str, int]) -> Callable[[tf.Tensor], dict[str, Any]]:
        size, draws, seed = self.batch_size, self.draws, self.seed

        def order(step: tf.Tensor, count: int, which: int) -> tf.Tensor:
            number = step * size * draws + tf.range(size * draws, dtype=tf.int64)
            ones = tf.ones_like(number)
            key = tf.stack([seed * ones, number // count, which * ones], axis=1)
            # the raw operation: its Python wrapper cannot take a key for each index
            last = tf.constant(count - 1, tf.int64)
            index = tf.raw_ops.RandomIndexShuffle(index=number % count, seed=key, max_index=last)
            return tf.reshape(index, (size, draws))

        def draw(step: tf.Tensor) -> dict[str, Any]:
            own = {f"index_{n}": order(step, counts[n], 2 + i) for i, n in enumerate(self.unpaired) if n in counts}
            return {"index": order(step, counts[self.leading], 1), **own, "noise": self._noise(step)}

        return draw

    def _noise(self, step: tf.Tensor) -> Any:
        seeds = [tf.stack([self.seed + (move << 32), step]) for move in range(self.moves)]
        draws = [self.sample_noise(self.batch_size, seed) for seed in seeds]
        return tf.nest.map_structure(lambda *values: tf.stack(values, axis=1), *draws)


def part_of_worker(plan: tf.data.Dataset, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Return what one worker's replicas take: of each global batch as many slices, in turn, as it has replicas."""
    local = context.num_replicas_in_sync // context.num_input_pipelines

    def slices(element: Any) -> tf.data.Dataset:
        def own(values: tf.Tensor) -> tf.Tensor:
            size = values.shape[0] // context.num_replicas_in_sync
            start = context.input_pipeline_id * local * size
            return tf.reshape(values[start : start + local * size], (local, size, *values.shape[1:]))

        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(own, element))

    return plan.flat_map(slices)


def _numbers(first: int) -> tf.data.Dataset:
    return tf.data.Dataset.range(first, tf.int64.max)  # a counter is traced each time it is made


def _prefetched(dataset: tf.data.Dataset, ahead: int = 64) -> tf.data.Dataset:
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread can keep fit waiting at the end
    return dataset.prefetch(ahead).with_options(options)
