"""GAN: the two-player preset of Adversarial."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_utils import checking, losses, terms
from gan_utils.runtime import keras, tf
from gan_utils.training import export
from gan_utils.training.adversarial import Adversarial, Player
from gan_utils.training.replay import Replay

_Judge = Callable[[tf.Tensor], tf.Tensor]


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
        dense = map(tf.convert_to_tensor, gradients)  # an embedding's gradient comes as slices
        values = [value - learning_rate * gradient for value, gradient in zip(values, dense, strict=True)]
    return values


@keras.saving.register_keras_serializable("gan_utils")
class GAN(Adversarial):
    """A generator against a discriminator.

    A family of your own overrides `make` (how samples come from noise and data) or `judge` (how the discriminator is
    called), or brings a `terms.Term`.

    Args:
        generator: any Keras model (N, latent_dim) to samples (N, ...).
        discriminator: any Keras model from samples to floating logits (N, ...).
        latent_dim: size of the latents, drawn from a standard normal; the generator's input size if not given.
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

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        latent_dim: int | None = None,
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
        if latent_dim is not None:
            latent_dim = checking.integer("latent_dim", latent_dim, 1)
        size, self_shape = _check_networks(generator, discriminator, latent_dim, packing)
        of = {name: [t for t in terms if t.player == name] for name in ("discriminator", "generator")}
        networks = {"discriminator": [discriminator], "generator": [generator]}
        players = [
            Player(name, networks[name] + [n for term in of[name] for n in term.networks], steps=steps, ema=average)
            for name, steps, average in [("discriminator", discriminator_steps, None), ("generator", 1, ema)]
        ]
        self_reports = (*type(self).reports, *(term.name for term in terms if term.weight))
        super().__init__(players, seed=seed, reports=self_reports, **kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.adversarial_loss, self.latent_dim, self.terms = chosen, size, list(terms)
        self.sample_shape, self.packing, self.instance_noise, self.replay = self_shape, packing, instance_noise, replay
        self.unrolled_steps, self.unrolled_learning_rate = unrolled_steps, unrolled_learning_rate
        for term in terms:
            term.attach([network for player in players if player.name == term.player for network in player.networks])
        if replay:
            if self.distribute_strategy.num_replicas_in_sync > 1:
                raise ValueError("replay keeps its samples on one device; use it without a strategy of several.")
            replay.build(self_shape)

    # how a family differs

    def make(self, noise: Mapping[str, tf.Tensor], batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return generated samples (N, ...) of a move's noise and data."""
        return self.generator(noise["latents"], training=True)

    def judge(self, samples: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return the discriminator's logits (N, ...) of samples as it sees them."""
        return self.discriminator(samples, training=True)

    # the two losses

    def losses(self, player: Player, batch: Mapping[str, tf.Tensor], noise: Any) -> dict[str, tf.Tensor]:
        """Return the adversarial loss of one player and its terms; see `Adversarial.losses`."""
        loss, mine = self.adversarial_loss, [t for t in self.terms if t.player == player.name and t.weight]
        discriminates = player.name == "discriminator"
        generated = shown = self.make(noise, batch)
        if discriminates and self.replay and not self._turn.only_looking:
            shown = self.replay(generated, noise["replay"])
        fake, real = self._seen(shown, noise, 0), None
        judge: _Judge = lambda samples: self.judge(samples, batch)  # noqa: E731
        unrolls = self.unrolled_steps > 0 and not discriminates
        if discriminates or loss.generator_needs_real or unrolls or any(t.needs_real for t in mine):
            real = self._seen(batch["real"], noise, 1)
        if unrolls:
            judge = self._unrolled(judge, real, fake)
        needs_real_logits = discriminates or loss.generator_needs_real
        real_logits, fake_logits = judge(real) if needs_real_logits else None, judge(fake)
        outputs = terms.Outputs(
            real, fake, real_logits, fake_logits, generated, batch, noise, judge, self.discriminator
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
            lambda: self.adversarial_loss.discriminator(*losses.wide(judge(real), judge(fake))),
            variables,
            steps=self.unrolled_steps,
            learning_rate=self.unrolled_learning_rate,
        )

        def ahead(samples: tf.Tensor) -> tf.Tensor:
            with keras.StatelessScope(list(zip(variables, weights, strict=True))):
                return judge(samples)

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
        self.report(term.name, value)
        return term.weight * value

    def sample_noise(self, batch_size: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the random numbers of a move, functions of the seed.

        Returns:
            ``"latents"``, standard normal (batch_size, latent_dim), and what instance noise, replay and terms need.
        """
        seeds = iter(tf.unstack(tf.random.split(seed, 2 + len(self.terms)), axis=0))
        found = {"latents": tf.random.stateless_normal((batch_size, self.latent_dim), seed)}
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

    # what a user does with it

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return the discriminator's logits of samples (packed ones, with packing)."""
        return self.discriminator(images, training=training)

    def generate(self, n: int, *, seed: int = 0, batch_size: int = 500) -> np.ndarray:
        """Return samples for latents that depend on the seed only; from the averaged generator where there is one.

        Args:
            n: number of samples, 1 or more.
            seed: of the latents.
            batch_size: samples a forward pass.

        Returns:
            (n, ...) float32, in inference mode (no dropout).

        Raises:
            ValueError: if n < 1, seed < 0 or batch_size < 1.
        """
        n, seed = checking.integer("n", n, 1), checking.integer("seed", seed, 0)
        latents = np.random.default_rng(seed).standard_normal((n, self.latent_dim), np.float32)
        return self.decode(latents, batch_size=batch_size)

    def decode(self, latents: np.ndarray, *, batch_size: int = 500) -> np.ndarray:
        """Return the samples of given latents; from the averaged generator where there is one.

        Args:
            latents: (n, latent_dim), n >= 1.
            batch_size: samples a forward pass.

        Returns:
            (n, ...) float32, in inference mode (no dropout).

        Raises:
            ValueError: for latents of another shape, or batch_size < 1.
        """
        latents, batch_size = np.asarray(latents, np.float32), checking.integer("batch_size", batch_size, 1)
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim or not len(latents):
            raise ValueError(f"latents have shape {latents.shape}; expected (n, {self.latent_dim}) with n >= 1.")
        with self._averaged_weights():
            batches = range(0, len(latents), batch_size)
            parts = [self.generator(latents[i : i + batch_size], training=False) for i in batches]
        return np.concatenate([np.asarray(part, np.float32) for part in parts])

    def export(self, path: str | Path, **told: Any) -> Path:
        """Write the generator for use without this library, with a model card; see `export.export`."""
        return export.export(self, path, **told)

    def check_data(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raise a ValueError unless the samples have the generator's output shape; see `Adversarial.check_data`."""
        super().check_data(arrays)
        came, expected = arrays["real"].shape[1:], self.sample_shape
        if came != expected:
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
        """Return the arguments that make an equal, untrained GAN."""
        serialize, noise = keras.saving.serialize_keras_object, self.instance_noise
        loss = self.adversarial_loss
        return {
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "latent_dim": self.latent_dim,
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

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "GAN":
        """Make a GAN from `get_config`'s arguments; networks may be given as they are."""
        made = {name: _deserialized(value, custom_objects) for name, value in config.items()}
        return cls(**made)


def _deserialized(value: Any, custom_objects: Any) -> Any:
    if isinstance(value, list):
        return [_deserialized(entry, custom_objects) for entry in value]
    if isinstance(value, dict):
        return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects, safe_mode=True)
    return value


def _checked_terms(given: Sequence[terms.Term]) -> list[terms.Term]:
    odd = [given] if not isinstance(given, list | tuple) else [t for t in given if not isinstance(t, terms.Term)]
    if odd:
        raise ValueError(
            f"terms hold {checking.shown(odd[0])}; expected a list of terms, for example [terms.R1(10.0)]."
        )
    if any(term.player not in ("discriminator", "generator") for term in given):
        raise ValueError(f"terms join {[t.player for t in given]}; expected 'discriminator' or 'generator'.")
    if len({term.name for term in given}) != len(given):
        raise ValueError(f"terms are named {[t.name for t in given]}; expected each name once.")
    return list(given)


def _input_shape(network: keras.Model) -> list[int | None] | None:
    """Return a functional network's one input shape, None if it is not known, [] if there are several inputs."""
    shape = getattr(network, "input_shape", None)
    if shape is None:
        return None
    return list(shape) if isinstance(shape, tuple) and all(n is None or isinstance(n, int) for n in shape) else []


def _check_networks(
    generator: keras.Model, discriminator: keras.Model, latent_dim: int | None, packing: int
) -> tuple[int, tuple[int, ...]]:
    needs, takes = _input_shape(generator), _input_shape(discriminator)
    size = needs[-1] if needs and latent_dim is None else latent_dim
    if size is None:
        raise ValueError("the generator does not tell its input's size; give GAN(..., latent_dim=...).")
    if [] in (needs, takes):  # a family with inputs of its own, which `make` and `judge` know
        return int(size), tuple(generator.output_shape[1:])
    if needs and needs[-1] != size:
        raise ValueError(f"latent_dim is {size}, the generator's input has size {needs[-1]}; expected the same number.")
    fake = generator(tf.zeros((packing, size)), training=False)
    seen = pack(tf.cast(fake, tf.float32), packing)
    if takes and None not in takes[1:] and takes[1:] != list(seen.shape[1:]):
        raise ValueError(
            f"the generator makes {tuple(fake.shape[1:])}, which packed by {packing} is {tuple(seen.shape[1:])}; the "
            f"discriminator takes {tuple(takes[1:])}; expected one shape."
        )
    logits = discriminator(seen, training=False)
    outputs = logits if isinstance(logits, list | tuple | dict) else [logits]
    if len(outputs) != 1 or isinstance(logits, dict) or not logits.shape.rank or not logits.dtype.is_floating:
        came = [(tuple(o.shape), o.dtype) for o in tf.nest.flatten(logits)]
        raise ValueError(f"the discriminator returns {came}; expected one floating tensor of logits (batch, ...).")
    last = discriminator.layers[-1] if discriminator.layers else discriminator
    if getattr(getattr(last, "activation", None), "__name__", "") == "sigmoid":
        warnings.warn(
            f"the discriminator's last layer {last.name!r} is a sigmoid, but the losses take logits: a sigmoid of a "
            "sigmoid keeps the discriminator's loss above 1.006. Remove the activation.",
            stacklevel=3,
        )
    return int(size), tuple(fake.shape[1:])
