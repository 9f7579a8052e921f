"""Players that take turns: the training loop under every model of the book."""

import contextlib
import functools
import math
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from gan_utils import checking, losses, runtime
from gan_utils.data import kinds
from gan_utils.data.source import Source
from gan_utils.runtime import keras, tf
from gan_utils.training import checkpoint, entries, export, resident, settings
from gan_utils.training.callbacks import Resume
from gan_utils.training.plan import Plan, part_of_worker
from gan_utils.training.player import Player, unique
from gan_utils.training.state import Stateful

#: what `Adversarial.fit` trains on
Data: TypeAlias = np.ndarray | Mapping[str, np.ndarray] | tf.data.Dataset | Source
_LARGE_BATCH = 1024  # from here on oneDNN's products are as fast as XLA's, with AVX-512 or without
_PROBE = 64  # real samples kept aside for what looks at a run from outside


class Adversarial(Stateful):
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
        self.networks = unique(network for player in self.players for network in player.networks)
        self.frozen = unique(frozen)
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
        gradients = dense(tape.gradient(scaled, values))
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
        return float(
            tf.linalg.global_norm(dense(tape.gradient(total, values))) / tf.cast(scale(tf.constant(1.0)), tf.float32)
        )

    @property
    def _unit(self) -> int:
        """The number of samples that must stay together in a batch: what groups of a layer divide."""
        layers = [layer for network in self.networks for layer in network._flatten_layers()]
        return math.lcm(*(group for layer in layers if isinstance(group := getattr(layer, "group_size", None), int)))

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the networks of players with an average use it, as long as it lasts; elsewhere their own weights."""
        pairs = [pair for found in self._averages.values() for pair in found]
        with keras.StatelessScope([(variable, tf.convert_to_tensor(average)) for variable, average in pairs]):
            yield

    def infer(self, network: Callable[..., Any], inputs: Any, *, batch_size: int = 500) -> np.ndarray:
        """Return a network's first output, float32, in inference mode, from its average where there is one.

        Args:
            network: one of the players', or a function of theirs, called as ``network(inputs, training=False)``.
            inputs: what it is called with: arrays or tensors (n, ...).
            batch_size: samples a forward pass.
        """
        batch_size, n = checking.integer("batch_size", batch_size, 1), len(tf.nest.flatten(inputs)[0])
        parts = []
        with self.averaged():
            for start in range(0, n, batch_size):
                rows = slice(start, start + batch_size)
                part = tf.nest.map_structure(lambda values, rows=rows: tf.convert_to_tensor(values[rows]), inputs)
                made = network(part, training=False)
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
            dataset = self._distribute(lambda: self._plan(x, batch_size, steps, watch))
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
                    self._arrays[name] = resident.resident(array)
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
        return all(resident.equal(self._arrays[name], array) for name, array in arrays.items())

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
        return self._planned(batch_size).steps({self.leading: count} if isinstance(count, int) else count)

    def _planned(self, batch_size: int) -> Plan:
        return Plan(
            seed=self.seed,
            first=self.step,
            batch_size=batch_size,
            draws=self._draws,
            moves=sum(player.steps for player in self.players),
            leading=self.leading,
            unpaired=self.unpaired,
            sample_noise=self.sample_noise,
        )

    def _plan(self, x: Any, batch_size: int, steps: int, watch: Any = dict) -> tf.data.Dataset:
        planned = self._planned(batch_size)
        if isinstance(x, Source):
            return planned.of_source(x, {self.leading: len(x)}, watch)
        if isinstance(x, tf.data.Dataset):
            return planned.of_batches(x, watch)
        counts = {name: len(array) for name, array in x.items()}
        return planned.groups(counts, self.steps_per_execution, steps) if self._in_groups else planned.steps(counts)

    def _distribute(self, make: Any) -> Any:
        strategy = self.distribute_strategy
        if not runtime.is_multi_worker(strategy):
            return make()
        return strategy.distribute_datasets_from_function(lambda context: part_of_worker(make(), context))

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


class _Turn(threading.local):
    """What belongs to the move that is being computed (or traced); a strategy traces its replicas in threads."""

    def __init__(self) -> None:
        self.number: Any = 0
        self.only_looking = False
        self.reported: dict[str, Any] = {}


def dense(gradients: list[Any]) -> list[Any]:
    """Return gradients as tensors; an embedding's comes as slices, with which little can be computed."""
    return [gradient if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]


def total_loss(values: list[Any]) -> tf.Tensor:
    """Return the sum of losses, in float32 or wider."""
    wide = losses.wide(*values)
    return sum(wide) if isinstance(wide, tuple) else wide


def _at(noise: Any, play: int) -> Any:
    return tf.nest.map_structure(lambda values: values[:, play], noise)


def _is_convolution(layer: keras.layers.Layer) -> bool:
    # Conv1D to Conv3DTranspose, depthwise and separable ones: the layers with a spatial kernel
    return hasattr(layer, "kernel_size")
