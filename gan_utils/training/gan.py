"""GAN: the two-player preset of Adversarial."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gan_utils import checking, losses, terms
from gan_utils.data import kinds
from gan_utils.runtime import keras, tf
from gan_utils.training.adversarial import Adversarial, Player, dense
from gan_utils.training.replay import Replay

_Judge = Callable[..., tuple[tf.Tensor, Any]]


def pack(samples: tf.Tensor, size: int) -> tf.Tensor:
    """Join each run of `size` samples along the last axis: (N, ..., C) to (N / size, ..., size C).

    Example:
        >>> pack(tf.constant([[1.0], [2.0], [3.0], [4.0]]), 2).numpy().tolist()
        [[1.0, 2.0], [3.0, 4.0]]

    Reference:
        Lin, Khetan, Fanti and Oh 2017, arXiv 1712.04086, section 2.
    """
    if size == 1:
        return samples
    groups = tf.reshape(samples, (-1, size, *samples.shape[1:]))
    return tf.concat([groups[:, i] for i in range(size)], axis=-1)


def unrolled_weights(
    loss: Callable[[], tf.Tensor], variables: Sequence[keras.Variable], *, steps: int, learning_rate: float
) -> list[tf.Tensor]:
    r"""Return weights after steps of gradient descent, as differentiable functions of all that the loss depends on.

    :math:`\theta^{k+1} = \theta^k - \eta\,\nabla_\theta L(\theta^k)`; no variable changes.

    Args:
        loss: what is minimised; reads the variables through Keras layers.
        variables: where descent begins.
        steps: number of steps.
        learning_rate: eta.

    Reference:
        Metz, Poole, Pfau and Sohl-Dickstein 2016, arXiv 1611.02163, section 2.2 (there f is maximised).
    """
    values = [tf.convert_to_tensor(variable.value) for variable in variables]
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(values)
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                total = loss()
        gradients = tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        values = [value - learning_rate * gradient for value, gradient in zip(values, dense(gradients), strict=True)]
    return values


@keras.saving.register_keras_serializable("gan_utils")
class GAN(Adversarial):
    """A generator against a discriminator.

    A family of your own declares `conditions`, overrides `inputs` and `seen` (what the networks read), `make` or
    `judge` (how they are called), or brings a `terms.Term`.

    Args:
        generator: any Keras model (N, latent_dim) to samples (N, ...); with conditions, of what `inputs` returns. Of
            several outputs the first are the samples.
        discriminator: any Keras model from samples to floating logits (N, ...); with conditions, of what `seen`
            returns. Of several outputs the first are the logits.
        latent_dim: size of the latents, drawn from a standard normal; the generator's input size if not given. 0 for
            a generator without latents; several latents by name with their shapes, ``{"z": 30, "noise": (8, 8, 1)}``.
        loss: a name of `losses.LOSSES` or a `losses.Loss`.
        terms: what is added to the losses, and weight clipping.
        discriminator_steps: updates of the discriminator for one of the generator.
        ema: decay of the generator's average, see `Player`; `generate` then uses the average.
        packing: samples the discriminator judges at once, joined along the last axis (PacGAN).
        instance_noise: standard deviation of Gaussian noise on all that the discriminator sees, or a Keras
            learning-rate schedule that gives it for a step (Sønderby et al. 2016, arXiv 1610.04490).
        replay: a `Replay` buffer of generated samples.
        unrolled_steps: steps of the discriminator that the generator looks ahead (`unrolled_weights`).
        unrolled_learning_rate: of those steps.
        seed: of data order and noise; `runtime.current_seed` if not given.

    Raises:
        ValueError: if the networks do not fit each other, the latents or the loss's name.

    Example:
        >>> from gan_utils.networks import dense
        >>> gan = GAN(dense.selu_generator(), dense.selu_discriminator(), latent_dim=30)
        >>> gan.compile()
        >>> images = np.linspace(-np.ones((28, 28, 1)), 1, 8, dtype="float32")
        >>> history = gan.fit(images, batch_size=4, steps_per_epoch=2, verbose=0)
        >>> gan.generate(5, seed=0).shape
        (5, 28, 28, 1)

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1. Differs in that a step ends with one generator update on
        noise of its own, and both players are in training mode throughout.
    """

    reports = ("d_real", "d_fake")
    #: what the networks read beside latents and samples: names in the data and their kinds
    conditions: Mapping[str, kinds.Kind] = {}

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        latent_dim: int | Mapping[str, int | Sequence[int]] | None = None,
        loss: str | losses.Loss = "non_saturating",
        terms: Sequence[terms.Term] = (),
        discriminator_steps: int = 1,
        ema: float | None = None,
        packing: int = 1,
        instance_noise: float | keras.optimizers.schedules.LearningRateSchedule = 0.0,
        replay: Replay | None = None,
        unrolled_steps: int = 0,
        unrolled_learning_rate: float = 0.01,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        chosen, terms = losses.get(loss), _checked_terms(terms)
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            if not isinstance(network, keras.Model):
                raise ValueError(f"the {name} is {checking.shown(network)}; expected a Keras model.")
        packing = checking.integer("packing", packing, 1)
        unrolled_steps = checking.integer("unrolled_steps", unrolled_steps, 0)
        unrolled_learning_rate = checking.real("unrolled_learning_rate", unrolled_learning_rate, above=0.0)
        if not isinstance(instance_noise, keras.optimizers.schedules.LearningRateSchedule):
            instance_noise = checking.real("instance_noise", instance_noise, 0.0)
        if replay is not None and not isinstance(replay, Replay):
            raise ValueError(f"replay is {checking.shown(replay)}; expected training.Replay(capacity) or None.")
        if packing > 1 and self.conditions:
            raise ValueError("packing joins samples but not their conditions; expected packing=1 with conditions.")
        if odd := [name for name, kind in self.conditions.items() if not isinstance(kind, kinds.Kind)]:
            raise ValueError(
                f"the condition {odd[0]!r} is {checking.shown(self.conditions[odd[0]])}; expected one of data.kinds, "
                "such as Numbers((2,))."
            )
        size = _latent_sizes(latent_dim, generator, len(self.conditions))
        of = {name: [t for t in terms if name == t.players[0]] for name in ("discriminator", "generator")}
        networks = {"discriminator": [discriminator], "generator": [generator]}
        players = [
            Player(name, networks[name] + [n for term in of[name] for n in term.networks], steps=steps, ema=average)
            for name, steps, average in [("discriminator", discriminator_steps, None), ("generator", 1, ema)]
        ]
        reported = (*type(self).reports, *(term.name for term in terms if term.weight))
        frozen = [network for term in terms for network in term.frozen]
        super().__init__(players, seed=seed, reports=reported, frozen=frozen, **kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.adversarial_loss, self.latent_dim, self.terms = chosen, size, list(terms)
        self.packing, self.instance_noise, self.replay = packing, instance_noise, replay
        self.unrolled_steps, self.unrolled_learning_rate = unrolled_steps, unrolled_learning_rate
        self._check_term_networks()
        self.sample_shape = self._check_networks()
        for term in terms:
            term.attach([network for player in players if player.name in term.players for network in player.networks])
        if None in self.sample_shape and (replay or callable(instance_noise) or instance_noise or packing > 1):
            raise ValueError(
                f"the generator makes {self.sample_shape}; expected samples of one size for replay, instance noise and "
                "packing."
            )
        if replay:
            if self.distribute_strategy.num_replicas_in_sync > 1:
                raise ValueError("replay keeps its samples on one device; use it without a strategy of several.")
            given = {name: (kind.blank(1).shape[1:], kind.dtype) for name, kind in self.conditions.items()}
            replay.build(fake=(self.sample_shape, "float32"), **given)

    # how a family differs

    def inputs(self, latents: Any, given: Mapping[str, tf.Tensor]) -> Any:
        """Return what the generator is called with, in training and afterwards: latents, then conditions in order.

        Args:
            latents: (N, latent_dim), or a dict of several.
            given: the `conditions` by name, (N, ...) each.
        """
        several = list(latents.values()) if isinstance(latents, Mapping) else [latents] if self.latent_dim else []
        return _one_or_list([*several, *(given[name] for name in self.conditions)])

    def seen(self, samples: tf.Tensor, given: Mapping[str, tf.Tensor]) -> Any:
        """Return what the discriminator is called with: samples, then conditions in order; see `inputs`."""
        return _one_or_list([samples, *(given[name] for name in self.conditions)])

    def make(self, noise: Mapping[str, tf.Tensor], batch: Mapping[str, tf.Tensor], training: bool = True) -> Any:
        """Return generated samples (N, ...) of a move's noise and data; or a pair of them and what terms read besides.

        What else comes with the samples is `terms.Outputs.made`.

        Args:
            noise: what `sample_noise` drew; for `decode` the latents alone.
            batch: the data of the move; for `decode` the conditions alone.
            training: False for `decode`.
        """
        return _with_others(self.generator(self.inputs(noise["latents"], batch), training=training))

    def judge(self, samples: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> Any:
        """Return the discriminator's logits (N, ...) of samples as it sees them; or a pair of them and what terms read.

        What comes with the logits is `terms.Outputs.told_of_real` and `told_of_fake`.
        """
        return _with_others(self.discriminator(self.seen(samples, batch), training=True))

    def reads(self) -> Mapping[str, kinds.Kind]:
        """Return `conditions`; see `Adversarial.reads`."""
        return dict(self.conditions)

    def _check_term_networks(self) -> None:
        """Raise a ValueError for a network that a term uses and has forgotten to list."""
        known = {id(v) for network in [*self.networks, *self.frozen] for v in network.variables}
        for term in self.terms:
            for name, value in vars(term).items():
                odd = isinstance(value, keras.Layer) and [v for v in value.trainable_variables if id(v) not in known]
                if odd:
                    raise ValueError(
                        f"the term {term.name} has a network in {name!r}, which nobody knows of; expected it in the "
                        "term's networks, to be trained, or in its frozen ones."
                    )

    def _check_networks(self) -> tuple[int, ...]:
        """Try the networks on blank inputs as `inputs` and `seen` give them; return the shape of a sample."""
        n, generator, discriminator = self.packing, self.generator, self.discriminator
        sizes = self.latent_dim if isinstance(self.latent_dim, Mapping) else (self.latent_dim,)
        latents = {name: tf.zeros((n, *shape)) for name, shape in sizes.items()} if isinstance(sizes, dict) else None
        given = {name: tf.constant(kind.blank(n)) for name, kind in self.conditions.items()}
        inputs = self.inputs(tf.zeros((n, *sizes)) if latents is None else latents, given)
        is_open = any(None in kind.shape for kind in self.conditions.values())
        if is_open or not self._fits("generator", generator, inputs, "make"):
            shape = generator.output_shape
            return tuple((shape[0] if isinstance(shape, list) else shape)[1:])
        needs = _input_shape(generator)
        if needs and self.latent_dim and not self.conditions and needs[-1] != self.latent_dim:
            raise ValueError(
                f"latent_dim is {self.latent_dim}, the generator's input has size {needs[-1]}; expected the same "
                "number."
            )
        _check_shapes("generator", generator, inputs)
        several = (
            list(self.latent_dim) if isinstance(self.latent_dim, Mapping) else ["latents"] if self.latent_dim else []
        )
        self._check_names("generator", generator, several, "inputs")
        fake = _pair(_with_others(generator(inputs, training=False)))[0]
        samples = pack(tf.cast(fake, tf.float32), n)
        seen, takes = self.seen(samples, given), _input_shape(discriminator)
        if self._fits("discriminator", discriminator, seen, "judge"):
            if takes and None not in takes[1:] and takes[1:] != list(samples.shape[1:]) and not self.conditions:
                raise ValueError(
                    f"the generator makes {tuple(fake.shape[1:])}, which packed by {n} is {tuple(samples.shape[1:])}; "
                    f"the discriminator takes {tuple(takes[1:])}; expected one shape."
                )
            _check_shapes("discriminator", discriminator, seen)
            self._check_names("discriminator", discriminator, ["samples"], "seen")
            _check_logits(discriminator, discriminator(seen, training=False))
        return tuple(fake.shape[1:])

    def _check_names(self, who: str, network: keras.Model, before: list[str], hook: str) -> None:
        """Raise a ValueError where an input has the name of one condition and is given another."""
        given = [*before, *self.conditions]
        if getattr(type(self), hook).__module__ != __name__:
            return
        named = [tensor.name for tensor in getattr(network, "inputs", None) or []]
        for own, name in zip(named, given, strict=False):
            if own in self.conditions and own != name:
                raise ValueError(
                    f"the {who}'s inputs are named {named}, they are given {given}; expected one order. Declare "
                    f"the conditions in the order of the inputs, or override {hook}."
                )

    def _fits(self, who: str, network: keras.Model, inputs: Any, hook: str) -> bool:
        """Return whether a network takes these inputs; raise where no hook of a family's own may know how."""
        takes, gives = len(getattr(network, "inputs", None) or [None]), len(tf.nest.flatten(inputs))
        if takes == gives:
            return True
        if not getattr(type(self), hook).__module__.startswith("gan_utils.training"):
            return False
        names = ", ".join(["latents" if who == "generator" else "samples", *self.conditions])
        raise ValueError(
            f"the {who} has {takes} inputs; expected {gives} ({names}). Declare what else it reads as `conditions`, or "
            f"override {'inputs' if who == 'generator' else 'seen'}."
        )

    # the two losses

    def losses(self, player: Player, batch: Mapping[str, tf.Tensor], noise: Any) -> dict[str, tf.Tensor]:
        """Return the adversarial loss of one player and its terms; see `Adversarial.losses`."""
        loss, mine = self.adversarial_loss, [t for t in self.terms if player.name in t.players and t.weight]
        discriminates = player.name == "discriminator"
        generated, made = _pair(self.make(noise, batch))
        shown, shown_with = generated, batch
        if discriminates and self.replay and not self._turn.only_looking:
            kept = self.replay({"fake": generated, **{n: batch[n] for n in self.conditions}}, noise["replay"])
            shown, shown_with = kept["fake"], {**batch, **{n: kept[n] for n in self.conditions}}
        fake, real = self._seen(shown, noise, 0), None
        judge: _Judge = lambda samples, given=batch: _pair(self.judge(samples, given))  # noqa: E731
        unrolls = self.unrolled_steps > 0 and not discriminates
        if discriminates or loss.generator_needs_real or unrolls or any(t.needs_real for t in mine):
            real = self._seen(batch["real"], noise, 1)
        if unrolls:
            judge = self._unrolled(judge, real, fake)
        needs_real_logits = discriminates or loss.generator_needs_real
        real_logits, told_of_real = judge(real) if needs_real_logits else (None, None)
        fake_logits, told_of_fake = judge(fake, shown_with)
        outputs = terms.Outputs(
            real=real,
            fake=fake,
            real_logits=real_logits,
            fake_logits=fake_logits,
            generated=generated,
            batch=batch,
            noise=noise,
            judge=lambda samples: judge(samples)[0],
            discriminator=self.discriminator,
            player=player.name,
            made=made,
            told_of_real=told_of_real,
            told_of_fake=told_of_fake,
            given_with_fake=shown_with,
            model=self,
        )
        found = {term.name: self._term(term, outputs) for term in mine}
        if not any(term.replaces_loss for term in mine):
            own = loss.discriminator if discriminates else loss.generator
            found["adversarial"] = own(*losses.wide(real_logits, fake_logits))
        if discriminates:
            scale = tf.sigmoid if loss.probability else tf.identity
            self.report("d_real", tf.reduce_mean(scale(losses.wide(real_logits))))
            self.report("d_fake", tf.reduce_mean(scale(losses.wide(fake_logits))))
        return found

    def _seen(self, samples: tf.Tensor, noise: Mapping[str, tf.Tensor], which: int) -> tf.Tensor:
        if "instance_noise" in noise:
            sigma = self.instance_noise
            sigma = sigma(self._step) if callable(sigma) else sigma
            samples = samples + tf.cast(sigma, samples.dtype) * tf.cast(
                noise["instance_noise"][:, which], samples.dtype
            )
        return pack(samples, self.packing)

    def _unrolled(self, judge: _Judge, real: tf.Tensor, fake: tf.Tensor) -> _Judge:
        variables = self.players[0].variables
        weights = unrolled_weights(
            lambda: self.adversarial_loss.discriminator(*losses.wide(judge(real)[0], judge(fake)[0])),
            variables,
            steps=self.unrolled_steps,
            learning_rate=self.unrolled_learning_rate,
        )

        def ahead(samples: tf.Tensor, *given: Any) -> tuple[tf.Tensor, Any]:
            with keras.StatelessScope(list(zip(variables, weights, strict=True))):
                return judge(samples, *given)

        return ahead

    def _term(self, term: terms.Term, outputs: terms.Outputs) -> tf.Tensor:
        outputs.draw = outputs.noise.get(term.name)
        if term.every == 1:
            value = losses.wide(term(outputs))
        else:
            due = tf.equal(self._turn.number % term.every, 0)

            def compute() -> tf.Tensor:
                with keras.StatelessScope():  # what layers assign to themselves cannot leave a branch
                    return term.every * tf.cast(term(outputs), tf.float32)

            value = tf.cond(due, compute, lambda: tf.constant(0.0))
        if getattr(value, "shape", None) is None or value.shape.rank != 0:
            raise ValueError(
                f"the term {term.name} returns {checking.shown(value)}; expected a scalar, such as tf.reduce_mean(...)."
            )
        self.report(term.name, value)
        return (term.weight(self._step) if callable(term.weight) else term.weight) * value

    def sample_noise(self, batch_size: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the random numbers of a move, functions of the seed.

        Returns:
            ``"latents"``, standard normal (batch_size, latent_dim) or a dict of several, and what instance noise,
            replay and terms need.
        """
        seeds = iter(tf.unstack(tf.random.split(seed, 2 + len(self.terms)), axis=0))
        found: dict[str, Any] = {"latents": self._latents(batch_size, seed)}
        noisy, replayed = next(seeds), next(seeds)
        if callable(self.instance_noise) or self.instance_noise > 0:
            found["instance_noise"] = tf.random.stateless_normal((batch_size, 2, *self.sample_shape), noisy)
        if self.replay:
            found["replay"] = tf.random.stateless_uniform((batch_size, 2), replayed)
        packed = (*self.sample_shape[:-1], self.packing * self.sample_shape[-1])
        for term, own in zip(self.terms, seeds, strict=True):
            draw = term.sample(batch_size, packed, own)
            if draw is not None:
                found[term.name] = draw
        return found

    def _latents(self, n: int, seed: tf.Tensor) -> Any:
        if not isinstance(self.latent_dim, Mapping):
            return tf.random.stateless_normal((n, self.latent_dim), seed)
        seeds = tf.unstack(tf.random.split(seed, len(self.latent_dim)), axis=0)
        return {
            name: tf.random.stateless_normal((n, *shape), own)
            for (name, shape), own in zip(self.latent_dim.items(), seeds, strict=True)
        }

    # what a user does with it

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return the discriminator's logits of samples (packed ones, with packing)."""
        return self.discriminator(images, training=training)

    def generate(self, n: int, *, seed: int = 0, batch_size: int = 500, **given: Any) -> np.ndarray:
        """Return samples for latents that depend on the seed only; from the averaged generator where there is one.

        Args:
            n: number of samples, 1 or more.
            seed: of the latents.
            batch_size: samples a forward pass.
            **given: each of `conditions`: one value for all samples, or (n, ...); those of the last fit's first
                samples, in turn, if not given.

        Returns:
            (n, ...) float32, in inference mode (no dropout).

        Raises:
            ValueError: if n < 1, seed < 0 or batch_size < 1; for a condition that is not known, of another kind, or
                not given before any fit.
        """
        return self.decode(self.latents(n, seed=seed), batch_size=batch_size, **given)

    def latents(self, n: int, *, seed: int = 0) -> Any:
        """Return standard normal latents, functions of the seed: (n, latent_dim) float32, or a dict of several.

        Raises:
            ValueError: if n < 1 or seed < 0.
        """
        random = np.random.default_rng(checking.integer("seed", seed, 0))
        n = checking.integer("n", n, 1)
        if not isinstance(self.latent_dim, Mapping):
            return random.standard_normal((n, self.latent_dim), np.float32)
        return {name: random.standard_normal((n, *shape), np.float32) for name, shape in self.latent_dim.items()}

    def decode(self, latents: Any, *, batch_size: int = 500, **given: Any) -> np.ndarray:
        """Return the samples of given latents; from the averaged generator where there is one.

        Args:
            latents: (n, latent_dim), n >= 1; a dict where there are several.
            batch_size: samples a forward pass.
            **given: as in `generate`.

        Returns:
            (n, ...) float32, in inference mode (no dropout).

        Raises:
            ValueError: for latents of another shape, batch_size < 1, or conditions as in `generate`.
        """
        latents, n = self._checked_latents(latents)
        if "training" not in inspect.signature(self.make).parameters:
            raise ValueError(
                f"{type(self).__name__}.make takes no training, so decode cannot call it; expected "
                "make(self, noise, batch, training=True), which hands it to the networks."
            )
        made = lambda inputs, training: self.make({"latents": inputs[0]}, inputs[1], training=training)  # noqa: E731
        try:
            return self.infer(made, (latents, self._conditions(n, given)), batch_size=batch_size)
        except KeyError as missing:
            raise ValueError(
                f"{type(self).__name__} reads {missing} to make samples, but only training has it; expected it in "
                "conditions."
            ) from missing

    def _checked_latents(self, latents: Any) -> tuple[Any, int]:
        if isinstance(self.latent_dim, Mapping):
            if not isinstance(latents, Mapping) or set(latents) != set(self.latent_dim):
                raise ValueError(f"latents are {checking.shown(latents)}; expected a dict of {list(self.latent_dim)}.")
            found = {name: np.asarray(latents[name], np.float32) for name in self.latent_dim}
            shapes = {name: (values.shape[1:], tuple(self.latent_dim[name])) for name, values in found.items()}
            numbers = {len(values) for values in found.values() if values.ndim}
            if any(came != expected for came, expected in shapes.values()) or len(numbers) != 1 or not min(numbers):
                came = {name: values.shape for name, values in found.items()}
                raise ValueError(f"latents have shapes {came}; expected (n, ...) of {self.latent_dim} with n >= 1.")
            return found, numbers.pop()
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim or not len(latents):
            raise ValueError(f"latents have shape {latents.shape}; expected (n, {self.latent_dim}) with n >= 1.")
        return latents, len(latents)

    def _conditions(self, n: int, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return n of each condition: as given, else those of the last fit's first samples, in turn."""
        if unknown := sorted(set(given) - set(self.conditions)):
            names = ", ".join(self.conditions) or "none"
            raise ValueError(f"{unknown[0]!r} is no condition of this model; its conditions: {names}.")
        given = {name: values for name, values in given.items() if values is not None}
        if given and (missing := [name for name in self.conditions if name not in given]):
            raise ValueError(
                f"conditions are given without {missing[0]}, {self.conditions[missing[0]]}; expected all of "
                f"{', '.join(self.conditions)}, or none for those of the last fit's first samples."
            )
        found = {}
        for name, kind in self.conditions.items():
            values = given.get(name)
            if values is None:
                if name not in self.probe:
                    raise ValueError(f"this model needs {name}, {kind}; expected {name}=... before any fit.")
                values = self.probe[name]
                found[name] = values[np.arange(n) % len(values)]
                continue
            values = np.asarray(values)
            if values.dtype == np.float64:
                values = values.astype(np.float32)
            if kind.suits(values.shape):
                values = values[None]
            kind.check(name, values)
            if len(values) == 1:
                values = np.broadcast_to(values, (n, *values.shape[1:]))
            if len(values) != n:
                raise ValueError(f"{name!r} has {len(values)} values for {n} samples; expected one for all, or {n}.")
            found[name] = values
        return found

    def check_data(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raise a ValueError unless the samples have the generator's output shape; see `Adversarial.check_data`."""
        super().check_data(arrays)
        came, expected = arrays["real"].shape[1:], self.sample_shape
        if len(came) != len(expected) or any(n not in (None, m) for n, m in zip(expected, came, strict=True)):
            raise ValueError(
                f"samples have shape {came}, the generator makes {expected}; expected the same. Resize the data, add "
                "the channel axis with x[..., None], or build the generator for this shape."
            )

    @property
    def _unit(self) -> int:
        return self.packing * super()._unit

    # state

    def state(self) -> dict[str, Any]:
        """Return `Adversarial.state` and the replay buffer."""
        return super().state() | (self.replay.state() if self.replay else {})

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained GAN.

        A family's own arguments are taken from its attributes of their names.
        """
        serialize, noise = keras.saving.serialize_keras_object, self.instance_noise
        loss = self.adversarial_loss
        found = {
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "latent_dim": dict(self.latent_dim) if isinstance(self.latent_dim, Mapping) else self.latent_dim,
            "loss": loss.name if losses.LOSSES.get(loss.name) == loss else serialize(loss),
            "terms": [serialize(term) for term in self.terms],
            "discriminator_steps": self.players[0].steps,
            "ema": self.players[1].ema,
            "packing": self.packing,
            "instance_noise": serialize(noise) if callable(noise) else noise,
            "replay": serialize(self.replay) if self.replay else None,
            "unrolled_steps": self.unrolled_steps,
            "unrolled_learning_rate": self.unrolled_learning_rate,
            "seed": self.seed,
        }
        return self._own_arguments(found)


def _checked_terms(given: Sequence[terms.Term]) -> list[terms.Term]:
    odd = [given] if not isinstance(given, list | tuple) else [t for t in given if not isinstance(t, terms.Term)]
    if odd:
        raise ValueError(
            f"terms hold {checking.shown(odd[0])}; expected a list of terms, for example [terms.R1(10.0)]."
        )
    if any(not term.players or set(term.players) - {"discriminator", "generator"} for term in given):
        raise ValueError(f"terms join {[t.player for t in given]}; expected 'discriminator' or 'generator'.")
    for term in given:
        for what in ("networks", "frozen"):
            held = getattr(term, what)
            if not isinstance(held, list | tuple) or not all(isinstance(network, keras.Model) for network in held):
                raise ValueError(
                    f"the term {term.name} has {what} {checking.shown(held)}; expected a list of Keras models."
                )
    held = [network for term in given for network in (*term.networks, *term.frozen)]
    if twice := [network.name for i, network in enumerate(held) if any(network is other for other in held[:i])]:
        raise ValueError(
            f"two terms hold the network {twice[0]!r}, which would be two networks once saved and loaded; expected one "
            "term for it, that joins both losses: player = ('discriminator', 'generator')."
        )
    if len({term.name for term in given}) != len(given):
        raise ValueError(f"terms are named {[t.name for t in given]}; expected each name once.")
    return list(given)


def _input_shape(network: keras.Model) -> list[int | None] | None:
    """Return a functional network's one input shape, None if it is not known, [] if there are several inputs."""
    shape = getattr(network, "input_shape", None)
    if shape is None:
        return None
    return list(shape) if isinstance(shape, tuple) and all(n is None or isinstance(n, int) for n in shape) else []


def _latent_sizes(latent_dim: Any, generator: keras.Model, conditions: int) -> Any:
    """Return the latents' size, or shapes by name, as `GAN` keeps them."""
    if isinstance(latent_dim, Mapping):
        if not latent_dim:
            raise ValueError("latent_dim is an empty dict; expected names with shapes, or 0 for no latents.")
        sizes = {
            str(name): shape if isinstance(shape, list | tuple) else (shape,) for name, shape in latent_dim.items()
        }
        return {name: tuple(checking.integer(f"latent_dim[{name!r}]", n, 1) for n in s) for name, s in sizes.items()}
    if latent_dim is not None:
        return checking.integer("latent_dim", latent_dim, 0)
    inputs = getattr(generator, "inputs", None) or []
    needs = inputs[0].shape if conditions and len(inputs) == 1 + conditions else _input_shape(generator)
    if not needs or needs[-1] is None:
        raise ValueError("the generator's inputs do not tell the size of the latents; give GAN(..., latent_dim=...).")
    return int(needs[-1])


def _one_or_list(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _with_others(outputs: Any) -> Any:
    """Return a network's only output, or a pair of its first and the others."""
    if isinstance(outputs, list | tuple):
        return outputs[0] if len(outputs) == 1 else (outputs[0], _one_or_list(list(outputs[1:])))
    return outputs


def _pair(value: Any) -> tuple[tf.Tensor, Any]:
    return value if isinstance(value, tuple) else (value, None)


def _check_shapes(who: str, network: keras.Model, inputs: Any) -> None:
    for expected, given in zip(getattr(network, "inputs", None) or [], tf.nest.flatten(inputs), strict=False):
        takes, came = tuple(expected.shape[1:]), tuple(given.shape[1:])
        if len(takes) != len(came) or any(n not in (None, m) for n, m in zip(takes, came, strict=True)):
            raise ValueError(
                f"the {who}'s input {expected.name!r} takes {takes}, it is given {came}; expected one shape."
            )


def _check_logits(discriminator: keras.Model, outputs: Any) -> None:
    several = isinstance(outputs, list | tuple)
    logits = outputs[0] if several and outputs else outputs
    if not isinstance(logits, tf.Tensor) or not logits.shape.rank or not logits.dtype.is_floating:
        came = [(tuple(o.shape), o.dtype) for o in tf.nest.flatten(outputs)]
        raise ValueError(f"the discriminator returns {came}; expected first a floating tensor of logits (batch, ...).")
    last = discriminator.layers[-1] if discriminator.layers else discriminator
    if not several and getattr(getattr(last, "activation", None), "__name__", "") == "sigmoid":
        warnings.warn(
            f"the discriminator's last layer {last.name!r} is a sigmoid, but the losses take logits: a sigmoid of a "
            "sigmoid keeps the discriminator's loss above 1.006. Remove the activation.",
            stacklevel=5,
        )
