"""Players that take turns: the training loop under every model of the book."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_utils import runtime
from gan_utils.runtime import keras, tf


@dataclass
class Player:
    """One side of the game.

    Attributes:
        name: unique within the model; its loss is logged as ``<name>_loss``.
        networks: the Keras models whose trainable variables this player, and nobody else, moves.
        optimizer: set here or in ``compile(<name>_optimizer=...)``; Adam(2e-4, beta_1=0.5) otherwise.
        steps: updates of this player a training step, each on a fresh real batch.
    """

    name: str
    networks: Sequence[keras.Model]
    optimizer: keras.optimizers.Optimizer | None = None
    steps: int = 1

    def __post_init__(self) -> None:
        if not self.networks or not self.name.isidentifier():
            raise ValueError(f"player {self.name!r} has {len(self.networks)} networks; expected a name and at least 1.")
        if self.steps < 1:
            raise ValueError(f"player {self.name!r} takes {self.steps} steps; expected 1 or more.")

    @property
    def variables(self) -> list[keras.Variable]:
        """The trainable variables of this player's networks, each once."""
        return list({id(v): v for network in self.networks for v in network.trainable_variables}.values())


class Adversarial(keras.Model):
    """A game of several players, trained with Keras's own ``fit``.

    Subclass it and override `losses`; override `sample_noise` where the model needs noise. In a training step each
    player, in order, differentiates the sum of its losses over its own variables, ``steps`` times.

    The order of the data and the noise are functions of (seed, step): they depend on neither the number of epochs nor
    how the steps are grouped.

    Args:
        players: the players, in the order in which they move.
        seed: of data order and noise; `runtime.current_seed` if not given.
    """

    #: names of further quantities that `losses` hands to `report`; their means over an epoch are logged
    reports: tuple[str, ...] = ()

    def __init__(self, players: Iterable[Player], *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.players = tuple(players)
        names = [player.name for player in self.players]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"players are named {names}; expected at least one, each with its own name.")
        self.seed = runtime.current_seed() if seed is None else seed
        self.networks = [network for player in self.players for network in player.networks]
        self._means = {n: keras.metrics.Mean(name=n) for n in [f"{name}_loss" for name in names] + list(self.reports)}
        self._arrays: dict[str, tf.Variable] = {}
        self._traced_group = 0
        self._traced_shapes: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        self.built = True

    def losses(self, player: Player, batch: Mapping[str, tf.Tensor], noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the scalar losses of one player on one batch; their sum is differentiated.

        Args:
            player: whose turn it is.
            batch: real samples, ``batch["real"]`` of shape (batch, ...), and what else was given to ``fit``.
            noise: what `sample_noise` drew for this step.

        Returns:
            A dict from a term's name to a scalar.
        """
        raise NotImplementedError(f"{type(self).__name__} must define losses(player, batch, noise).")

    def sample_noise(self, batch_size: int, seed: tf.Tensor) -> tf.Tensor:
        """Return noise (batch_size, ...) as a function of `seed`, an int64 tensor (2,); empty by default."""
        return tf.zeros((batch_size, 0))

    def report(self, name: str, value: tf.Tensor) -> None:
        """Record a quantity named in `reports`; its mean over the epoch is logged."""
        self._means[name].update_state(value)

    def compile(self, *, jit_compile: bool | None = None, run_eagerly: bool = False, **optimizers: Any) -> None:
        """Set the optimizers and build their state.

        Args:
            jit_compile: XLA; if not given, on for networks without convolutions on a CPU, else Keras's choice.
            run_eagerly: as in Keras.
            **optimizers: ``<player>_optimizer`` for any of the players.

        Raises:
            ValueError: for an optimizer of a player that does not exist.
        """
        unknown = set(optimizers) - {f"{player.name}_optimizer" for player in self.players}
        if unknown:
            expected = ", ".join(f"{player.name}_optimizer" for player in self.players)
            raise ValueError(f"compile got {', '.join(sorted(unknown))}; expected some of {expected}.")
        for player in self.players:
            given = optimizers.get(f"{player.name}_optimizer") or player.optimizer
            player.optimizer = keras.optimizers.get(given or keras.optimizers.Adam(2e-4, beta_1=0.5))
            player.optimizer.build(player.variables)
        if jit_compile is None and not runtime.has_accelerator():
            jit_compile = not any(_is_convolution(layer) for n in self.networks for layer in n._flatten_layers())
        super().compile(
            optimizer=None,
            jit_compile="auto" if jit_compile is None else jit_compile and not run_eagerly,
            run_eagerly=run_eagerly,
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means that an epoch logs."""
        return list(self._means.values())

    @property
    def step(self) -> int:
        """Training steps taken so far."""
        first = self.players[0]
        return 0 if first.optimizer is None else int(first.optimizer.iterations) // first.steps

    def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Let every player take its steps; Keras calls this from ``fit``."""
        play = 0
        for player in self.players:
            for repeat in range(player.steps):
                index = data["index"][:, repeat]
                batch = {name: tf.gather(array, index) for name, array in self._arrays.items()}
                self._move(player, batch, data["noise"][:, play])
                play += 1
        return {metric.name: metric.result() for metric in self.metrics}

    def _move(self, player: Player, batch: Mapping[str, tf.Tensor], noise: tf.Tensor) -> None:
        variables = player.variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            total = sum(self.losses(player, batch, noise).values())
        gradients = tape.gradient(total, [variable.value for variable in variables])
        player.optimizer.apply(gradients, variables)  # type: ignore[union-attr]
        self.report(f"{player.name}_loss", total)

    def fit(  # type: ignore[override]
        self,
        x: np.ndarray | Mapping[str, np.ndarray],
        *,
        batch_size: int = 64,
        steps_per_epoch: int | None = None,
        epochs: int = 1,
        callbacks: list[keras.callbacks.Callback] | None = None,
        verbose: int | str = "auto",
    ) -> keras.callbacks.History:
        """Train for exactly ``epochs * steps_per_epoch`` steps.

        Args:
            x: real samples (N, ...) float32, or a dict of arrays of one length with the samples under ``"real"``.
            batch_size: real samples a player's step.
            steps_per_epoch: training steps between two lines of the history; one pass over the data if not given.
            epochs: lines of the history.
            callbacks: Keras callbacks.
            verbose: as in Keras.

        Returns:
            Keras's `History`: mean losses and reports, a value an epoch.

        Raises:
            ValueError: if the data do not fit the model; the message says what came and what was expected.
            RuntimeError: if the model is not compiled.
        """
        if self.players[0].optimizer is None or not self.compiled:
            raise RuntimeError("fit needs a compiled model; call compile() first.")
        arrays = {name: np.asarray(a) for name, a in (x.items() if isinstance(x, Mapping) else [("real", x)])}
        self.check_data(arrays, batch_size)
        count = len(arrays["real"])
        steps = steps_per_epoch or max(1, count // (batch_size * self._draws))
        if min(steps, epochs) < 1:
            raise ValueError(f"steps_per_epoch is {steps} and epochs {epochs}; expected 1 or more of each.")
        # callbacks see a group of steps at its end, so a group divides an epoch
        group = max(d for d in range(1, min(steps, 50) + 1) if steps % d == 0)
        shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        if self.train_function and group == self._traced_group and shapes == self._traced_shapes:
            for name, array in arrays.items():
                self._arrays[name].assign(array)
        else:
            self._arrays = {name: tf.Variable(array, trainable=False) for name, array in arrays.items()}
            self._traced_shapes, self._traced_group, self.steps_per_execution = shapes, group, group
            self.make_train_function(force=True)  # the arrays are captured when the step is traced
        dataset = self.plan(count, batch_size)
        return super().fit(
            dataset, steps_per_epoch=steps, epochs=epochs, callbacks=callbacks, verbose=verbose, shuffle=False
        )

    def check_data(self, arrays: Mapping[str, np.ndarray], batch_size: int) -> None:
        """Raise a ValueError unless the arrays can be trained on with this batch size."""
        if "real" not in arrays:
            raise ValueError(f"data have the keys {sorted(arrays)}; expected the real samples under 'real'.")
        real = arrays["real"]
        if any(len(array) != len(real) for array in arrays.values()):
            raise ValueError(f"arrays have lengths { {n: len(a) for n, a in arrays.items()} }; expected one length.")
        if real.dtype != np.float32:
            raise ValueError(f"samples have dtype {real.dtype}; expected float32. Convert with x.astype('float32').")
        if not 1 <= batch_size <= len(real):
            raise ValueError(f"batch_size is {batch_size} with {len(real)} samples; expected 1 to {len(real)}.")
        low, high = float(real.min()), float(real.max())
        if not np.isfinite([low, high]).all():
            raise ValueError("samples hold NaN or infinity; expected finite values. Find them with np.isfinite(x).")
        if real.ndim == 4 and (low < -1.0 or high > 1.0):
            raise ValueError(f"images lie in [{low:g}, {high:g}]; expected [-1, 1]. For 0..255 use x / 127.5 - 1.")

    @property
    def _draws(self) -> int:
        return max(player.steps for player in self.players)

    def plan(self, count: int, batch_size: int) -> tf.data.Dataset:
        """Return what `fit` trains on from here: an endless dataset of sample indices and noise.

        Args:
            count: number of real samples.
            batch_size: real samples a player's step.

        Returns:
            Elements ``{"index": (batch_size, draws) int64, "noise": (batch_size, plays, ...)}`` for the steps from
            `step` on: a column of ``index`` for each repeat of a player, one of ``noise`` for each move of any.
            Each pass over the data is a permutation of it.
        """
        draws, plays, seed = self._draws, sum(player.steps for player in self.players), self.seed

        def draw(step: tf.Tensor) -> dict[str, tf.Tensor]:
            number = step * batch_size * draws + tf.range(batch_size * draws, dtype=tf.int64)
            ones = tf.ones_like(number)
            key = tf.stack([seed * ones, number // count, ones], axis=1)
            # the raw operation: its Python wrapper cannot take a key for each index
            last = tf.constant(count - 1, tf.int64)
            index = tf.raw_ops.RandomIndexShuffle(index=number % count, seed=key, max_index=last)
            noise = [self.sample_noise(batch_size, tf.stack([seed + (p << 32), step])) for p in range(plays)]
            return {"index": tf.reshape(index, (batch_size, draws)), "noise": tf.stack(noise, axis=1)}

        options = tf.data.Options()
        options.autotune.enabled = False  # its thread can keep fit waiting at the end
        return tf.data.Dataset.counter(start=self.step).map(draw).prefetch(64).with_options(options)


def _is_convolution(layer: keras.layers.Layer) -> bool:
    # Conv1D to Conv3DTranspose, depthwise and separable ones: the layers with a spatial kernel
    return hasattr(layer, "kernel_size")
