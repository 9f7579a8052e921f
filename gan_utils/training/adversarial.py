"""Players that take turns: the training loop under every model of the book."""

import contextlib
import functools
import inspect
import math
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from gan_utils import checking, losses, runtime
from gan_utils.data import kinds
from gan_utils.data.source import Source
from gan_utils.runtime import keras, tf
from gan_utils.training import checkpoint, entries, export, settings
from gan_utils.training.callbacks import Resume

#: what `Adversarial.fit` trains on
Data: TypeAlias = np.ndarray | Mapping[str, np.ndarray] | tf.data.Dataset | Source
_LARGE_BATCH = 1024  # from here on oneDNN's products are as fast as XLA's, with AVX-512 or without
_ALIGNED = 64  # bytes, to whose multiples TensorFlow wants a buffer that it takes as it is
_PROBE = 64  # real samples kept aside for what looks at a run from outside


@dataclass
class Player:
    """One side of the game.

    Attributes:
        name: unique within the model; its loss is logged as ``<name>_loss``.
        networks: the Keras models whose trainable variables this player, and nobody else, moves.
        optimizer: set here or in ``compile(<name>_optimizer=...)``; Adam(2e-4, beta_1=0.5) otherwise.
        steps: updates of this player a training step, each on a fresh real batch.
        ema: decay in (0, 1) of an exponential moving average of the networks' weights, BatchNorm's statistics
            included; none if not given. At update t the decay is min(ema, (1 + t) / (10 + t)).
        when: from what this move reports (name to scalar) to whether it is made; every move if not given. A move that
            is not made changes nothing: no weight, no optimizer, no average.
    """

    name: str
    networks: Sequence[keras.Model]
    optimizer: keras.optimizers.Optimizer | None = None
    steps: int = 1
    ema: float | None = None
    when: Callable[[Mapping[str, tf.Tensor]], tf.Tensor] | None = None

    def __post_init__(self) -> None:
        if not self.networks or not str(self.name).isidentifier():
            raise ValueError(f"player {self.name!r} has {len(self.networks)} networks; expected a name and at least 1.")
        odd = [network for network in self.networks if not isinstance(network, keras.Model)]
        if odd:
            raise ValueError(f"the {self.name} is {checking.shown(odd[0])}; expected a Keras model.")
        self.steps = checking.integer(f"{self.name}_steps", self.steps, 1)
        if self.when is not None and not callable(self.when):
            raise ValueError(f"when is {checking.shown(self.when)}; expected a function of what the move reports.")
        if self.ema is not None:
            self.ema = checking.real(
                "ema", self.ema, above=0.0, below=1.0, mend="Pass None for no average, or say 0.999."
            )

    @property
    def variables(self) -> list[keras.Variable]:
        """The trainable variables of this player's networks, each once."""
        return _unique(v for network in self.networks for v in network.trainable_variables)

    @property
    def statistics(self) -> list[keras.Variable]:
        """The weights that move without a gradient, such as BatchNorm's averages, each once."""
        return _unique(v for network in self.networks for v in network.non_trainable_weights)


class Adversarial(keras.Model):
    """A game of several players, trained with Keras's own ``fit``.

    Subclass it and override `losses`; override `sample_noise` where the model needs noise. In a training step each
    player, in order, differentiates the sum of its losses over its own variables, ``steps`` times. A move changes no
    weight of another player, BatchNorm's averages included.

    The order of the data and the noise are functions of (seed, step): they depend on neither the number of epochs, nor
    how the steps are grouped, nor the number of devices.

    Args:
        players: the players, in the order in which they move.
        reports: names of further quantities that `losses` hands to `report`; the class's own if not given.
        frozen: networks that losses use and nobody moves or averages; they are saved and loaded with the others.
        seed: of data order and noise; `runtime.current_seed` if not given.
    """

    #: names of what `losses` hands to `report`; their means over an epoch are logged
    reports: tuple[str, ...] = ()
    #: the entry of the data that a pass goes over, and whose samples `batch_size` counts
    leading: str = "real"
    #: the entry that what `generate` returns should look like
    imitates: str = "real"
    #: entries whose samples belong to no sample of another: each has a length and an order of its own
    unpaired: tuple[str, ...] = ()
    jit_compile: Any
    train_function: Any
    steps_per_execution: int

    def __init__(
        self,
        players: Iterable[Player],
        *,
        reports: Iterable[str] | None = None,
        frozen: Iterable[keras.Model] = (),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reports = tuple(self.reports if reports is None else reports)
        self.players = tuple(players)
        names = [player.name for player in self.players]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"players are named {names}; expected at least one, each with its own name.")
        owners = [id(v) for player in self.players for v in player.variables]
        if len(set(owners)) != len(owners):
            raise ValueError(f"players {names} share trainable variables; expected each to be moved by one player.")
        self.seed = runtime.current_seed() if seed is None else checking.seed(seed)
        self.networks = _unique(network for player in self.players for network in player.networks)
        self.frozen = _unique(frozen)
        if shared := [n.name for n in self.frozen for v in n.trainable_variables if id(v) in set(owners)]:
            raise ValueError(f"the frozen network {shared[0]!r} holds weights that a player moves; expected its own.")
        self.batch_size = 0
        self._means = {n: keras.metrics.Mean(name=n) for n in [f"{name}_loss" for name in names] + list(self.reports)}
        self._turn = _Turn()
        self.probe: dict[str, np.ndarray] = {}
        self._arrays: dict[str, tf.Tensor | tf.Variable] = {}
        self._traced: object = None
        same = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=same)
        self._averages = {
            player.name: [
                (v, tf.Variable(v.numpy(), trainable=False, aggregation=same))
                for v in player.variables + player.statistics
                if "float" in v.dtype
            ]
            for player in self.players
            if player.ema
        }
        self.built = True

    # what a family overrides

    def losses(self, player: Player, batch: Mapping[str, tf.Tensor], noise: Any) -> dict[str, tf.Tensor]:
        """Return the scalar losses of one player on one batch; their sum is differentiated.

        Args:
            player: whose turn it is.
            batch: real samples, ``batch["real"]`` of shape (batch, ...), and what else was given to ``fit``.
            noise: what `sample_noise` drew for this move.

        Returns:
            A dict from a loss's name to a scalar, a mean over the batch. The regularisers of the player's weights are
            added to them; what layers give to ``add_loss`` in the forward pass is not.
        """
        raise NotImplementedError(f"{type(self).__name__} must define losses(player, batch, noise).")

    def sample_noise(self, batch_size: int, seed: tf.Tensor) -> Any:
        """Return the random numbers of one move: a tensor (batch_size, ...) or a dict of such; empty by default.

        They must be a function of `seed`, an int64 tensor (2,): draw them with ``tf.random.stateless_*``.
        """
        return tf.zeros((batch_size, 0))

    def report(self, name: str, value: tf.Tensor) -> None:
        """Record a quantity named in `reports`; its mean over the epoch is logged."""
        self._turn.reported[name] = value

    @property
    def looking(self) -> bool:
        """Whether the losses are only looked at (`gradient_norm`), so that nothing of a run may change."""
        return bool(self._turn.only_looking)

    def reads(self) -> Mapping[str, kinds.Kind]:
        """Return what each entry of the data must be, by name; entries without a kind are checked as far as can be."""
        return {}

    # the step

    @property
    def step(self) -> int:
        """Training steps taken so far."""
        return int(self._step.numpy())

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means that an epoch logs."""
        return list(self._means.values())

    def compile(self, *, jit_compile: bool | None = None, run_eagerly: bool = False, **optimizers: Any) -> None:
        """Set the optimizers and build their state.

        Under the policy ``mixed_float16`` each optimizer is wrapped in Keras's ``LossScaleOptimizer``.

        Args:
            jit_compile: XLA; if not given, on for networks without convolutions on one CPU and batches below 1,024
                (where it no longer helps), else Keras's choice.
            run_eagerly: as in Keras.
            **optimizers: ``<player>_optimizer`` for any of the players.

        Raises:
            ValueError: for an optimizer of a player that does not exist, or one that has other weights to move: each
                player of each model needs its own.
        """
        if any(player.when for player in self.players) and self._replicas > 1:
            raise ValueError("a move that may not be made needs one device; expected no Player.when under a strategy.")
        unknown = set(optimizers) - {f"{player.name}_optimizer" for player in self.players}
        if unknown:
            expected = ", ".join(f"{player.name}_optimizer" for player in self.players)
            raise ValueError(f"compile got {', '.join(sorted(unknown))}; expected some of {expected}.")
        for player in self.players:
            given = optimizers.get(f"{player.name}_optimizer") or player.optimizer
            optimizer = keras.optimizers.get(given or keras.optimizers.Adam(2e-4, beta_1=0.5))
            half = any("mixed_float16" in checkpoint.policies(network) for network in player.networks)
            if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            self._check_optimizer(player, optimizer)
            optimizer.build(player.variables)
            player.optimizer = optimizer
        self.configured, self._moved = settings.optimizers(self), [[id(v) for v in p.variables] for p in self.players]
        self._chooses_xla = jit_compile is None and not runtime.has_accelerator()
        layers = [layer for network in [*self.networks, *self.frozen] for layer in network._flatten_layers()]
        self._xla_suits = self._replicas == 1 and not run_eagerly and not any(map(_is_convolution, layers))
        if self._chooses_xla:
            jit_compile = self._xla_suits
        super().compile(
            optimizer=None,
            jit_compile="auto" if jit_compile is None else jit_compile and not run_eagerly,
            run_eagerly=run_eagerly,
        )
        self._traced = None

    @staticmethod
    def _check_optimizer(player: Player, optimizer: keras.optimizers.Optimizer) -> None:
        if not player.variables:
            warnings.warn(
                f"the {player.name} has no trainable weights, so it learns nothing. Set network.trainable = True: a "
                "player's move changes nobody else's weights, frozen or not.",
                stacklevel=3,
            )
        built = getattr(optimizer, "inner_optimizer", optimizer)  # mixed precision wraps it
        if built.built and [id(v) for v in built._trainable_variables] != [id(v) for v in player.variables]:
            raise ValueError(
                f"the {player.name}'s optimizer moves the weights of another player or model; expected one of its own "
                "for each."
            )

    @property
    def _replicas(self) -> int:
        return self.distribute_strategy.num_replicas_in_sync

    def train_step(self, data: dict[str, Any]) -> dict[str, tf.Tensor]:
        """Let every player take its steps; `fit` calls this on several devices and where Keras runs eagerly."""
        told = self._take_step(data, self._arrays)
        if self._replicas > 1:
            values = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.MEAN, tf.stack(list(told.values()))
            )
            told = dict(zip(told, tf.unstack(values), strict=True))
        for name, value in told.items():
            self._means[name].update_state(value)
        logs = {metric.name: metric.result() for metric in self.metrics}
        # between machines Keras averages logs over their first axis (Keras 3.15), which a scalar lacks
        return {n: v[None] for n, v in logs.items()} if runtime.is_multi_worker(self.distribute_strategy) else logs

    def _take_step(self, data: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Take a step; return what is logged, each the mean over a player's repeats, float32."""
        play, told = 0, dict[str, list[tf.Tensor]]()
        for player in self.players:
            for repeat in range(player.steps):
                if "index" in data:
                    index = {n: data[f"index_{n}" if n in self.unpaired else "index"][:, repeat] for n in arrays}
                    batch = {n: tf.gather(array, index[n]) for n, array in arrays.items()}
                else:
                    batch = {name: values[:, repeat] for name, values in data["batch"].items()}
                for name, value in self._move(player, batch, _at(data["noise"], play), repeat).items():
                    told.setdefault(name, []).append(tf.cast(value, tf.float32))
                play += 1
        self._step.assign_add(1)
        if unknown := set(told) - set(self._means):
            raise ValueError(f"losses report {', '.join(sorted(unknown))}; expected names in reports={self.reports}.")
        return {name: tf.add_n(values) / len(values) for name, values in told.items()}

    def make_train_function(self, force: bool = False) -> Any:
        """Make what Keras's ``fit`` calls: a group of `steps_per_execution` steps, in one call.

        On one device the plan of a group comes as one element and the loop over its steps is a part of the compiled
        function: neither weights nor batches leave it between two steps.
        """
        if (self.train_function and not force) or self._replicas > 1 or self.run_eagerly:
            return super().make_train_function(force)

        def values(data: Mapping[str, Any], arrays: Mapping[str, tf.Tensor]) -> tf.Tensor:
            told = self._take_step(data, arrays)
            return tf.stack([told.get(name, tf.constant(0.0)) for name in self._means])

        def steps(count: tf.Tensor, step: Callable[[tf.Tensor], tf.Tensor]) -> dict[str, tf.Tensor]:
            start = tf.constant(0), tf.zeros(len(self._means))
            _, sums = tf.while_loop(lambda i, _: i < count, lambda i, sums: (i + 1, sums + step(i)), start)
            weight = tf.cast(count, tf.float32)
            for metric, mean in zip(self.metrics, tf.unstack(sums / weight), strict=True):
                metric.update_state(mean, sample_weight=weight)
            return {metric.name: metric.result() for metric in self.metrics}

        def group(plan: Mapping[str, Any], arrays: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            def step(i: tf.Tensor) -> tf.Tensor:
                return values({n: tf.nest.map_structure(lambda each: each[i], plan[n]) for n in plan}, arrays)

            return steps(tf.reduce_sum(plan["counts"]), step)

        run: Any = self.distribute_strategy.run
        graph: Any = functools.partial(tf.function, autograph=False)
        # a function of its own without XLA too: inlined by hand, second derivatives end in other bits
        values = graph(values, jit_compile=self.jit_compile is True)
        if self.jit_compile is True:
            group = graph(group, jit_compile=True)

        def train(iterator: Any, arrays: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            if arrays:
                return run(group, (iterator.get_next(), arrays))
            return steps(tf.constant(self.steps_per_execution), lambda _: run(values, (iterator.get_next(), {})))

        call = graph(train)
        self.train_function = lambda iterator: call(iterator, self._arrays)
        return self.train_function

    def _move(self, player: Player, batch: Mapping[str, tf.Tensor], noise: Any, repeat: int = 0) -> dict[str, Any]:
        variables, optimizer = player.variables, player.optimizer
        values = [variable.value for variable in variables]
        turn = self._turn
        turn.reported, turn.number = {}, self._step * player.steps + repeat
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            with keras.StatelessScope() as scope:  # holds back what layers assign to themselves
                own = list(self.losses(player, batch, noise).values())
            total = total_loss(own + [loss for network in player.networks for loss in network.losses])
            scaled = optimizer.scale_loss(total) / self._replicas  # type: ignore[union-attr]
        gradients = tape.gradient(scaled, values)
        reported = {f"{player.name}_loss": total, **turn.reported}
        for variable in self._random_states:
            if (value := scope.get_current_value(variable)) is not None:
                variable.assign(value)
        statistics = [(variable, scope.get_current_value(variable)) for variable in player.statistics]

        def apply() -> tf.Tensor:
            optimizer.apply(gradients, variables)  # type: ignore[union-attr]
            for variable, value in statistics:
                if value is not None:
                    variable.assign(value)
            if player.ema:
                self._average(player, turn.number)
            return tf.constant(True)

        if player.when is None:
            apply()
        else:
            tf.cond(player.when(reported), apply, lambda: tf.constant(False))
        return reported

    def _average(self, player: Player, number: tf.Tensor) -> None:
        updates = tf.cast(number, tf.float32)
        decay = tf.minimum(player.ema, (1.0 + updates) / (10.0 + updates))
        for variable, average in self._averages[player.name]:
            change = variable.value - average
            change = tf.where(tf.math.is_finite(change), change, tf.zeros_like(change))  # NaN would stay for ever
            average.assign(average + tf.cast(1.0 - decay, average.dtype) * change)

    def gradient_norm(self, player: str) -> float:
        """Return the norm of the gradient of a player's loss on fixed data and noise; nothing changes.

        Needs a ``fit`` before, whose first samples it uses.

        Raises:
            ValueError: for a player that does not exist, or before any ``fit``.
        """
        mover = next((p for p in self.players if p.name == player), None)
        if mover is None:
            raise ValueError(f"player is {player!r}; expected one of {', '.join(p.name for p in self.players)}.")
        if not self.probe:
            raise ValueError(
                "gradient_norm looks at samples of the last fit, and there was none; expected a fit before."
            )
        count = min(map(len, self.probe.values())) // self._unit * self._unit
        batch = {name: tf.constant(values[:count]) for name, values in self.probe.items()}
        noise = self.sample_noise(count, tf.constant([self.seed, -1], tf.int64))
        values = [variable.value for variable in mover.variables]
        scale = mover.optimizer.scale_loss  # type: ignore[union-attr]
        self._turn.number, self._turn.only_looking = tf.constant(0, tf.int64), True
        try:
            with tf.GradientTape(watch_accessed_variables=False) as tape, keras.StatelessScope():
                tape.watch(values)
                total = scale(total_loss(list(self.losses(mover, batch, noise).values())))
        finally:
            self._turn.only_looking = False
        return float(tf.linalg.global_norm(tape.gradient(total, values)) / tf.cast(scale(tf.constant(1.0)), tf.float32))

    @property
    def _unit(self) -> int:
        """The number of samples that must stay together in a batch: what groups of a layer divide."""
        layers = [layer for network in self.networks for layer in network._flatten_layers()]
        return math.lcm(*(group for layer in layers if isinstance(group := getattr(layer, "group_size", None), int)))

    @property
    def _random_states(self) -> list[keras.Variable]:
        weights = {id(w) for network in self.networks for w in network.weights}
        return _unique(v for network in self.networks for v in network.variables if id(v) not in weights)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the networks of players with an average use it, as long as it lasts; elsewhere their own weights."""
        pairs = [pair for found in self._averages.values() for pair in found]
        with keras.StatelessScope([(variable, tf.convert_to_tensor(average)) for variable, average in pairs]):
            yield

    def infer(self, network: keras.Model, inputs: Any, *, batch_size: int = 500) -> np.ndarray:
        """Return a network's first output, float32, in inference mode, from its average where there is one.

        Args:
            network: one of the players'.
            inputs: what it is called with: arrays or tensors (n, ...).
            batch_size: samples a forward pass.
        """
        batch_size, n = checking.integer("batch_size", batch_size, 1), len(tf.nest.flatten(inputs)[0])
        parts = []
        with self.averaged():
            for start in range(0, n, batch_size):
                cut = lambda values, start=start: values[start : start + batch_size]  # noqa: E731
                made = network(tf.nest.map_structure(cut, inputs), training=False)
                parts.append(np.asarray(tf.nest.flatten(made)[0], np.float32))
        return np.concatenate(parts)

    _averaged_weights = averaged  # as the study ``networks`` calls it, whose record holds a digest of its code

    # fit

    def fit(
        self,
        x: Data,
        *,
        batch_size: int | None = None,
        steps_per_epoch: int | None = None,
        epochs: int = 1,
        callbacks: list[keras.callbacks.Callback] | None = None,
        verbose: int | str = "auto",
    ) -> keras.callbacks.History:
        """Train for exactly ``epochs * steps_per_epoch`` steps.

        Args:
            x: real samples (N, ...) float32; or a dict of arrays of one length with the samples under ``"real"``; or a
                `data.Source`, such as `data.Folder`; or a ``tf.data.Dataset`` of batches (of samples, of
                (samples, labels), of dicts), whose order is taken as it comes, from its `step`-th batch on.
            batch_size: real samples a player's step, over all devices; 64 if not given, or the dataset's own.
            steps_per_epoch: training steps between two lines of the history; one pass over the data if not given.
            epochs: lines of the history.
            callbacks: Keras callbacks. With `callbacks.Resume` among them, the same call goes on where it stopped.
            verbose: as in Keras.

        Returns:
            Keras's `History`: mean losses and reports, a value an epoch.

        Raises:
            ValueError: if the data do not fit the model; the message says what came and what was expected.
            RuntimeError: if the model is not compiled.
        """
        if self.players[0].optimizer is None or not self.compiled:
            raise RuntimeError("fit needs a compiled model; call compile() first.")
        given, resume = self._check_callbacks(callbacks)
        x = entries.named(x, self.leading)
        held = isinstance(x, dict) and self._holds(x)
        x, first_batch, count = self._look_at(x, checked=held)
        self.probe = {name: values[:_PROBE] for name, values in first_batch.items()}
        if batch_size is None:
            batch_size = len(first_batch[self.leading]) if isinstance(x, tf.data.Dataset) else 64
        batch_size = checking.integer("batch_size", batch_size, 1)
        self.check_batch_size(batch_size, batch_size if isinstance(x, tf.data.Dataset) or count is None else count)
        if steps_per_epoch is None and count is None:
            raise ValueError("the dataset does not know its length; give fit(steps_per_epoch=...).")
        steps = max(1, (count or 0) // (batch_size * self._draws)) if steps_per_epoch is None else steps_per_epoch
        steps, epochs = checking.integer("steps_per_epoch", steps, 1), checking.integer("epochs", epochs, 1)
        if self._chooses_xla:
            self.jit_compile = self._xla_suits and batch_size < _LARGE_BATCH
        with contextlib.ExitStack() as stack:
            first = 0
            if resume:
                if runtime.is_chief():
                    stack.enter_context(checkpoint.alone(resume.folder))
                data = checkpoint.fingerprint(x, first_batch)
                run = {"batch_size": batch_size, "steps_per_epoch": steps, "data": data}
                first = min(resume.restore(self, given, run), epochs)
                self._check_workers()
            self.batch_size = batch_size
            self._trace(x, steps, held)
            watch = entries.Watch(self.check_data)
            dataset = self._distribute(lambda: self._plan(x, count, batch_size, steps, watch))
            if resume:
                stack.enter_context(resume.interruptible())
            try:
                return super().fit(
                    dataset,
                    steps_per_epoch=steps,
                    initial_epoch=first,
                    epochs=epochs,
                    callbacks=given,
                    verbose=verbose,
                    shuffle=False,
                )
            except tf.errors.OpError:
                if watch.error is not None:
                    raise watch.error from None
                raise

    def _look_at(self, x: Any, *, checked: bool) -> tuple[Any, dict[str, np.ndarray], int | None]:
        """Return data as `fit` uses them, their first samples (all, of arrays), and their number if it is known."""
        count = None
        if isinstance(x, tf.data.Dataset):
            x, first, count = entries.batches(x, self.leading)
        elif isinstance(x, Source):
            first, count = entries.first_of(x, _PROBE), len(x)
        else:
            first, count = x, len(x[self.leading])
        if not checked:
            self.check_data(first)
            entries.doubt(first[self.leading])
        return x, first, count

    def _check_callbacks(self, callbacks: Any) -> tuple[list[keras.callbacks.Callback], Resume | None]:
        """Return the callbacks, `Resume` last, once all that they will do is known to be possible."""
        given = [] if callbacks is None else callbacks
        if not isinstance(given, list | tuple) or not all(isinstance(c, keras.callbacks.Callback) for c in given):
            raise ValueError(f"callbacks is {checking.shown(callbacks)}; expected a list of Keras callbacks.")
        if [[id(v) for v in player.variables] for player in self.players] != self._moved:
            raise ValueError("which weights are trainable has changed since compile; call compile() again.")
        one_rate = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
        saves = (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore)
        resumes = [callback for callback in given if isinstance(callback, Resume)]
        for callback in given:
            name = type(callback).__name__
            if isinstance(callback, one_rate):
                raise ValueError(
                    f"{name} sets the learning rate of one optimizer; expected none, since each player has its own. "
                    f"Give them schedules: compile({self.players[0].name}_optimizer=Adam(CosineDecay(...)))."
                )
            if isinstance(callback, saves) and not getattr(callback, "save_weights_only", False):
                self._check_can_be_saved(name)
        if len(resumes) > 1:
            raise ValueError(f"callbacks hold {len(resumes)} Resume; expected one at most.")
        # it keeps what the others have after an epoch
        return [*(c for c in given if c not in resumes), *resumes], resumes[0] if resumes else None

    def _check_can_be_saved(self, who: str) -> None:
        if reason := settings.obstacle(self):
            raise ValueError(f"{who} cannot save this model: {reason}")

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: players have no common loss on held-out data; `metrics.score` judges samples."""
        raise ValueError("a game has no loss to evaluate; expected metrics.score(real, gan.generate(n)).")

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: data order and noise are drawn by `fit`, which goes on from the last step."""
        raise ValueError("train_on_batch draws no noise; expected fit(x, steps_per_epoch=1).")

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        # Everything is built. Under a strategy Keras would call the model on a batch to make sure, which fails for a
        # game of several networks, and for a dict of batches on several machines (Keras 3.15).
        return

    def _trace(self, x: Any, steps: int, held: bool) -> None:
        # callbacks see a group of steps at its end; on several devices Keras's loop over a group fails ("You must feed
        # a value for placeholder tensor", Keras 3.15 with TensorFlow 2.21)
        most = 1 if self._replicas > 1 else 50 if self.jit_compile is True else 10
        arrays = x if isinstance(x, dict) else {}
        if arrays and self._in_groups:
            group = math.ceil(steps / math.ceil(steps / most))  # the last one of an epoch may be shorter
        else:
            group = max(d for d in range(1, min(steps, most) + 1) if steps % d == 0)
        shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        traced = group, self.jit_compile, shapes
        same = self.train_function and traced == self._traced
        if not held:
            before, self._arrays = self._arrays, {}
            for name, array in arrays.items():
                if self._in_groups:
                    before.pop(name, None)  # before there is another
                    self._arrays[name] = _resident(array)
                elif same:  # a step on several devices has captured it
                    self._arrays[name] = before[name]
                    before[name].assign(array)
                else:
                    with self.distribute_strategy.scope():
                        self._arrays[name] = tf.Variable(array, trainable=False)
        if not same:
            self._traced, self.steps_per_execution = traced, group
            self.make_train_function(force=True)

    @property
    def _in_groups(self) -> bool:
        return self._replicas == 1 and not self.run_eagerly

    def _holds(self, arrays: Mapping[str, np.ndarray]) -> bool:
        """Return whether these arrays lie beside the step already; to read them is much faster than to copy them."""
        if set(arrays) != set(self._arrays) or not self._in_groups or runtime.has_accelerator():
            return False
        return all(_equal(self._arrays[name], array) for name, array in arrays.items())

    def check_data(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raise a ValueError unless these samples can be trained on; see `entries.check`."""
        entries.check(arrays, self.reads(), leading=self.leading, unpaired=self.unpaired)

    def check_batch_size(self, batch_size: int, count: int) -> None:
        """Raise a ValueError unless batches of this size can be drawn from `count` samples and split over devices."""
        if not 1 <= batch_size <= count:
            raise ValueError(f"batch_size is {batch_size} with {count} samples; expected 1 to {count}.")
        unit = self._unit * self._replicas
        if batch_size % unit:
            together = (
                f", {self._unit} samples judged together by packing or a layer's groups" if self._unit > 1 else ""
            )
            raise ValueError(
                f"batch_size is {batch_size}; expected a multiple of {unit} (devices: {self._replicas}{together})."
            )

    # what fit trains on

    @property
    def _draws(self) -> int:
        return max(player.steps for player in self.players)

    def plan(self, count: int | Mapping[str, int], batch_size: int) -> tf.data.Dataset:
        """Return what `fit` trains on from here: an endless dataset of sample indices and noise.

        Args:
            count: number of samples; a dict with those of `unpaired` entries besides, where there are such.
            batch_size: samples a player's step.

        Returns:
            Elements ``{"index": (batch_size, draws) int64, "noise": ...}`` for the steps from `step` on: a column of
            ``index`` for each repeat of a player; ``noise`` as `sample_noise` draws it, with an axis after the first,
            an entry for each move of any player. Each pass over the data is a permutation of it. An unpaired entry has
            an ``index_<name>`` of its own.
        """
        counts = {self.leading: count} if isinstance(count, int) else dict(count)
        return self._from(_numbers(self.step).map(self._draw(counts, batch_size)))

    def _draw(self, counts: Mapping[str, int], batch_size: int) -> Callable[[tf.Tensor], dict[str, Any]]:
        draws, seed = self._draws, self.seed

        def order(step: tf.Tensor, count: int, which: int) -> tf.Tensor:
            number = step * batch_size * draws + tf.range(batch_size * draws, dtype=tf.int64)
            ones = tf.ones_like(number)
            key = tf.stack([seed * ones, number // count, which * ones], axis=1)
            # the raw operation: its Python wrapper cannot take a key for each index
            last = tf.constant(count - 1, tf.int64)
            index = tf.raw_ops.RandomIndexShuffle(index=number % count, seed=key, max_index=last)
            return tf.reshape(index, (batch_size, draws))

        def draw(step: tf.Tensor) -> dict[str, Any]:
            own = {f"index_{n}": order(step, counts[n], 2 + i) for i, n in enumerate(self.unpaired) if n in counts}
            return {"index": order(step, counts[self.leading], 1), **own, "noise": self._noise(step, batch_size)}

        return draw

    def _groups(self, counts: Mapping[str, int], batch_size: int, steps: int) -> tf.data.Dataset:
        """Return `plan` in groups of `steps_per_execution`; an epoch's last one is filled up, with a count of 0."""
        size, first, draw = self.steps_per_execution, self.step, self._draw(counts, batch_size)
        filled = math.ceil(steps / size) * size

        def planned(number: tf.Tensor) -> dict[str, Any]:
            epoch, place = number // filled, number % filled
            return {**draw(first + epoch * steps + place), "counts": tf.cast(place < steps, tf.int32)}

        return self._from(_numbers(0).map(planned).batch(size), 2)

    def _noise(self, step: tf.Tensor, batch_size: int) -> Any:
        plays = sum(player.steps for player in self.players)
        draws = [self.sample_noise(batch_size, tf.stack([self.seed + (p << 32), step])) for p in range(plays)]
        return tf.nest.map_structure(lambda *values: tf.stack(values, axis=1), *draws)

    @staticmethod
    def _from(dataset: tf.data.Dataset, ahead: int = 64) -> tf.data.Dataset:
        options = tf.data.Options()
        options.autotune.enabled = False  # its thread can keep fit waiting at the end
        return dataset.prefetch(ahead).with_options(options)

    def _plan(self, x: Any, count: int | None, batch_size: int, steps: int, watch: Any = dict) -> tf.data.Dataset:
        draws = self._draws
        if isinstance(x, dict):
            counts = {name: len(array) for name, array in x.items()}
            return self._groups(counts, batch_size, steps) if self._in_groups else self.plan(counts, batch_size)

        def split(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            batch = watch(batch)
            return {n: tf.reshape(v, (batch_size, draws, *v.shape[1:])) for n, v in batch.items()}

        if isinstance(x, Source):

            def read(element: dict[str, Any]) -> dict[str, Any]:
                flat = {n: tf.reshape(element[f"index_{n}"], [-1]) for n in x.lengths}
                found = x.read_graph(tf.reshape(element["index"], [-1]), flat)
                return {"batch": split(found), "noise": element["noise"]}

            plan = self.plan({self.leading: count, **x.lengths}, batch_size)  # type: ignore[dict-item]
            return self._from(plan.map(read, num_parallel_calls=runtime.num_cores(), deterministic=True), 8)
        batches = x.repeat().rebatch(batch_size * draws, drop_remainder=True).skip(self.step).map(split)
        noise = _numbers(self.step).map(lambda step: self._noise(step, batch_size))
        return self._from(tf.data.Dataset.zip({"batch": batches, "noise": noise}), 8)

    def _distribute(self, make: Any) -> Any:
        strategy = self.distribute_strategy
        if not runtime.is_multi_worker(strategy):
            return make()

        return strategy.distribute_datasets_from_function(lambda context: _part_of_worker(make(), context))

    def _check_workers(self) -> None:
        strategy = self.distribute_strategy
        if runtime.is_multi_worker(strategy):
            steps = strategy.reduce("SUM", strategy.run(lambda: tf.identity(self._step)), axis=None)
            if int(steps) != self.step * self._replicas:
                raise ValueError(
                    f"this worker resumes at step {self.step}, others elsewhere; they must share the folder."
                )

    def export(self, path: str | Path, **told: Any) -> Path:
        """Write a network for use without this library, with a model card; see `export.export`."""
        return export.export(self, path, **told)

    # state

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained model, from the attributes of their names.

        Raises:
            NotImplementedError: where an argument has no such attribute; define get_config then.
        """
        return self._own_arguments({})

    def _own_arguments(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the constructor takes: of these, and of attributes for the arguments that a family adds."""
        parameters = inspect.signature(type(self).__init__).parameters.values()
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)][1:]
        passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters)
        missing = [name for name in named if name not in known and not hasattr(self, name)]
        if missing or "players" in named:
            raise NotImplementedError(
                f"{type(self).__name__} has no attribute {', '.join(missing) or 'players'} that its constructor could "
                "be given again; keep each argument under its name, or define get_config."
            )
        own = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in named if name not in known}
        return {name: value for name, value in known.items() if passes_on or name in named} | own

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Adversarial":
        """Make a model from `get_config`'s arguments; networks may be given as they are."""
        return cls(**{name: _deserialized(value, custom_objects) for name, value in config.items()})

    def save(self, filepath: str | Path, overwrite: bool = True, **kwargs: Any) -> None:
        """Write everything a run depends on into one ``.keras`` file, whole or not at all.

        Networks, optimizers, averages, replay, random states and step are in it, with the flags they were made under;
        `load` or ``keras.saving.load_model`` makes the model again.

        Args:
            filepath: ends in ``.keras``.
            overwrite: whether an existing file may be replaced.

        Raises:
            ValueError: for another ending; for a loss, term or optimizer of your own that Keras could not make again;
                for weights that hold NaN where a file would be replaced.
            FileExistsError: for an existing file with overwrite=False.
        """
        path = Path(filepath)
        if path.suffix != ".keras":
            raise ValueError(f"path is {path}; expected one that ends in .keras.")
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists; give another name, or overwrite=True.")
        self._check_can_be_saved("save")
        if path.exists() and (bad := checkpoint.not_finite(self)):
            raise ValueError(f"{bad} holds NaN or infinity; expected finite weights. {path} stays as it was.")
        checkpoint.write(self, path)

    @classmethod
    def load(cls, path: str | Path, **networks: keras.Model) -> "Adversarial":
        """Make the model that `save` wrote; no code in the file is run.

        Args:
            path: the file.
            **networks: networks by their constructor names, for those that Keras cannot make again from the file
                (subclassed and not registered).

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is truncated, not of this library, of another format, or of another class.
        """
        return checkpoint.read(cls, Path(path), networks)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return what `compile` was given; Keras stores it beside the configuration."""
        if not self.compiled:
            return None
        optimizers = {f"{p.name}_optimizer": keras.optimizers.serialize(p.optimizer) for p in self.players}
        jit_compile = None if self._chooses_xla else self.jit_compile
        return {"jit_compile": jit_compile, "run_eagerly": self.run_eagerly, **optimizers}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` says."""
        config = dict(config)
        optimizers = {n: keras.optimizers.deserialize(config.pop(n)) for n in list(config) if n.endswith("_optimizer")}
        self.compile(**config, **optimizers)

    def state(self) -> dict[str, Any]:
        """Return every variable besides the networks' weights, by name, in a fixed order."""
        found: dict[str, Any] = {"step": self._step}
        for player in self.players:
            if player.optimizer is not None:
                found |= {f"{player.name}_optimizer_{i}": v for i, v in enumerate(player.optimizer.variables)}
            found |= {f"{player.name}_average_{i}": v for i, (_, v) in enumerate(self._averages.get(player.name, []))}
        found |= {f"random_{i}": v for i, v in enumerate(self._random_states)}
        return found

    def save_own_variables(self, store: Any) -> None:
        """Keep `state` in Keras's archive."""
        for name, variable in self.state().items():
            store[name] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take `state` from Keras's archive.

        Raises:
            ValueError: naming what is missing or has another shape.
        """
        state = self.state()
        if set(state) != set(store.keys()):
            odd = sorted(set(state) ^ set(store.keys()))
            raise ValueError(
                f"file and model differ in {', '.join(odd[:5])}; expected the same players and optimizers."
            )
        for name, variable in state.items():
            value = np.asarray(store[name])
            if value.shape != tuple(variable.shape):
                raise ValueError(f"{name} has shape {value.shape} in the file, {tuple(variable.shape)} in the model.")
            variable.assign(value)


class _Turn(threading.local):
    """What belongs to the move that is being computed (or traced); a strategy traces its replicas in threads."""

    def __init__(self) -> None:
        self.number: Any = 0
        self.only_looking = False
        self.reported: dict[str, Any] = {}


def _deserialized(value: Any, custom_objects: Any) -> Any:
    if isinstance(value, list):
        return [_deserialized(entry, custom_objects) for entry in value]
    if isinstance(value, dict):
        return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects, safe_mode=True)
    return value


def _numbers(first: int) -> tf.data.Dataset:
    return tf.data.Dataset.range(first, tf.int64.max)  # a counter is traced each time it is made


def _part_of_worker(plan: tf.data.Dataset, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Return what one worker's replicas take: of each global batch as many slices, in turn, as it has replicas."""
    local = context.num_replicas_in_sync // context.num_input_pipelines

    def slices(element: Any) -> tf.data.Dataset:
        def own(values: tf.Tensor) -> tf.Tensor:
            size = values.shape[0] // context.num_replicas_in_sync
            start = context.input_pipeline_id * local * size
            return tf.reshape(values[start : start + local * size], (local, size, *values.shape[1:]))

        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(own, element))

    return plan.flat_map(slices)


def total_loss(values: list[Any]) -> tf.Tensor:
    """Return the sum of losses, in float32 or wider."""
    wide = losses.wide(*values)
    return sum(wide) if isinstance(wide, tuple) else wide


def _at(noise: Any, play: int) -> Any:
    return tf.nest.map_structure(lambda values: values[:, play], noise)


def _unique(items: Iterable[Any]) -> list[Any]:
    return list({id(item): item for item in items}.values())


def _blocks(array: np.ndarray) -> Iterator[slice]:
    rows = max(1, 2**23 // max(1, array[:1].nbytes))
    return (slice(start, start + rows) for start in range(0, len(array), rows))


def _resident(array: np.ndarray) -> tf.Tensor:
    """Copy an array to the device; on the CPU once, where TensorFlow itself would copy it twice."""
    if runtime.has_accelerator() or array.dtype.kind == "b":
        return tf.constant(array)
    room = np.empty(array.nbytes + _ALIGNED, np.uint8)
    start = -room.ctypes.data % _ALIGNED
    own = room[start : start + array.nbytes].view(array.dtype.newbyteorder("=")).reshape(array.shape)
    own[...] = array
    return tf.experimental.dlpack.from_dlpack(own.__dlpack__())


def _equal(tensor: tf.Tensor, array: np.ndarray) -> bool:
    if tuple(tensor.shape) != array.shape or tensor.dtype.as_numpy_dtype != array.dtype:
        return False
    held = np.frombuffer(memoryview(tensor), array.dtype).reshape(array.shape)
    with ThreadPoolExecutor(runtime.num_cores()) as pool:
        return all(pool.map(lambda block: np.array_equal(held[block], array[block]), _blocks(array)))


def _is_convolution(layer: keras.layers.Layer) -> bool:
    # Conv1D to Conv3DTranspose, depthwise and separable ones: the layers with a spatial kernel
    return hasattr(layer, "kernel_size")
