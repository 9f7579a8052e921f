"""Pictures into pictures: Pix2Pix learns from pairs, CycleGAN from two collections without pairs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_utils import checking, losses, terms
from gan_utils.data import kinds
from gan_utils.runtime import keras, tf
from gan_utils.training.adversarial import Adversarial, Player
from gan_utils.training.gan import GAN
from gan_utils.training.replay import Replay


@keras.saving.register_keras_serializable("gan_utils")
class Pix2Pix(GAN):
    """A generator from a picture to a picture, judged together with the picture that it was made from.

    Args:
        generator: Keras model from a condition (N, H, W, C) in [-1, 1] to a sample.
        discriminator: Keras model from ``[condition, sample]`` to logits, one for each patch or one in all.
        l1: weight of the mean absolute difference between sample and real picture.
        **kwargs: as in `GAN`, without ``latent_dim``: there are no latents.

    Reference:
        Isola et al. 2017, arXiv 1611.07004, equation 4 (lambda = 100). Differs in that `translate` takes no dropout.
    """

    def __init__(self, generator: keras.Model, discriminator: keras.Model, *, l1: float = 100.0, **kwargs: Any) -> None:
        self.l1 = checking.real("l1", l1, 0.0)
        self.conditions = {"condition": kinds.Images(_shape(generator, "generator"))}
        more = [*kwargs.pop("terms", ()), terms.L1(self.l1, target="real")]
        super().__init__(generator, discriminator, latent_dim=0, terms=more, **kwargs)

    def seen(self, samples: tf.Tensor, given: Mapping[str, tf.Tensor]) -> Any:
        """Return the condition and the sample, which the discriminator judges together."""
        return [given["condition"], samples]

    def translate(self, images: np.ndarray, *, batch_size: int = 100) -> np.ndarray:
        """Return what the generator makes of pictures, (n, H, W, C) float32, in inference mode, from its average.

        Args:
            images: conditions (n, H, W, C) in [-1, 1].
            batch_size: pictures a forward pass.

        Raises:
            ValueError: for pictures of another shape or range.
        """
        images = np.asarray(images)
        return self.decode(np.zeros((len(images), 0), np.float32), batch_size=batch_size, condition=images)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained model."""
        config = super().get_config()
        return {**{n: v for n, v in config.items() if n != "latent_dim"}, "terms": config["terms"][:-1]}


@keras.saving.register_keras_serializable("gan_utils")
class CycleGAN(Adversarial):
    r"""Two generators between two collections of pictures, `a` and `b`, that have no pairs.

    :math:`L_G = L(D_b(F(a))) + L(D_a(B(b))) + \lambda\,(E|B(F(a)) - a| + E|F(B(b)) - b|) + \mu\,(E|F(b) - b| +
    E|B(a) - a|)`. Each discriminator sees half new pictures and half of those in a pool of earlier ones.

    Args:
        forward: Keras model from pictures of `a` to pictures of `b`.
        backward: from `b` to `a`.
        discriminator_a: from pictures of `a` to logits.
        discriminator_b: from pictures of `b` to logits.
        cycle: lambda, weight of the way there and back.
        identity: mu, weight of what a generator changes in pictures that are already as it should make them; both
            collections must then have one shape.
        pool: pictures kept for each discriminator; 0 for none.
        loss: a name of `losses.LOSSES` or a `losses.Loss`.
        ema: decay of the generators' averages, see `Player`; `translate` then uses them.
        seed: of data order and noise; `runtime.current_seed` if not given.

    Raises:
        ValueError: for networks that do not fit each other, or a loss whose generator looks at real pictures.

    Reference:
        Zhu et al. 2017, arXiv 1703.10593, equation 3 and section 4 (lambda = 10, least squares, a pool of 50; identity
        in section 5.2). Differs in that both discriminators move before the generators.
    """

    leading, unpaired, imitates = "a", ("b",), "b"
    reports = ("d_real", "d_fake", "cycle", "identity")

    def __init__(
        self,
        forward: keras.Model,
        backward: keras.Model,
        discriminator_a: keras.Model,
        discriminator_b: keras.Model,
        *,
        cycle: float = 10.0,
        identity: float = 0.0,
        pool: int = 50,
        loss: str | losses.Loss = "least_squares",
        ema: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        chosen = losses.get(loss)
        if chosen.generator_needs_real:
            raise ValueError(f"the generators of a {chosen.name} loss look at real pictures; expected another loss.")
        players = [
            Player("discriminator", [discriminator_a, discriminator_b]),
            Player("generator", [forward, backward], ema=ema),
        ]
        super().__init__(players, seed=seed, **kwargs)
        self.forward, self.backward = forward, backward
        self.discriminator_a, self.discriminator_b = discriminator_a, discriminator_b
        self.cycle, self.identity = checking.real("cycle", cycle, 0.0), checking.real("identity", identity, 0.0)
        self.pool, self.adversarial_loss, self.ema = checking.integer("pool", pool, 0), chosen, ema
        self.shapes = self._check_networks()
        self._pools = {name: Replay(self.pool) for name in ("a", "b")} if self.pool else {}
        if self._pools and self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError("a pool keeps its pictures on one device; expected pool=0 under a strategy of several.")
        for name, replay in self._pools.items():
            if None in self.shapes[name]:
                raise ValueError(f"a pool keeps pictures of one size, not {self.shapes[name]}; expected pool=0.")
            replay.build(fake=(self.shapes[name], "float32"))

    def _check_networks(self) -> dict[str, tuple[int | None, ...]]:
        shapes = {"a": _shape(self.forward, "forward"), "b": _shape(self.backward, "backward")}
        ways = [("forward", self.forward, "a", "b"), ("backward", self.backward, "b", "a")]
        for name, network, start, end in ways:
            made = tuple(network.output_shape[1:])
            if made != shapes[end]:
                raise ValueError(
                    f"{name} makes {made} of {shapes[start]}; expected {shapes[end]}, what the other takes."
                )
        for end, network in (("a", self.discriminator_a), ("b", self.discriminator_b)):
            if _shape(network, f"discriminator_{end}") != shapes[end]:
                raise ValueError(f"discriminator_{end} takes {tuple(network.input_shape[1:])}; expected {shapes[end]}.")
        if self.identity and shapes["a"] != shapes["b"]:
            raise ValueError(f"identity compares {shapes['a']} with {shapes['b']}; expected one shape, or identity=0.")
        return shapes

    def reads(self) -> Mapping[str, kinds.Kind]:
        """Return the kinds of both collections."""
        return {name: kinds.Images(shape) for name, shape in self.shapes.items()}

    def sample_noise(self, batch_size: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return what the pools draw from, functions of the seed."""
        seeds = tf.unstack(tf.random.split(seed, 2), axis=0)
        return {name: tf.random.stateless_uniform((batch_size, 2), own) for name, own in zip("ab", seeds, strict=True)}

    def losses(self, player: Player, batch: Mapping[str, tf.Tensor], noise: Any) -> dict[str, tf.Tensor]:
        """Return the losses of the discriminators or the generators; see `Adversarial.losses`."""
        made = {"b": self.forward(batch["a"], training=True), "a": self.backward(batch["b"], training=True)}
        if player.name == "discriminator":
            return self._discriminators(batch, made, noise)
        found = {}
        for name, judge in (("a", self.discriminator_a), ("b", self.discriminator_b)):
            logits = losses.wide(judge(made[name], training=True))
            found[f"adversarial_{name}"] = self.adversarial_loss.generator(logits, logits)
        again = {"a": self.backward(made["b"], training=True), "b": self.forward(made["a"], training=True)}
        cycle = tf.add_n([terms.l1(batch[name], again[name]) for name in "ab"])
        self.report("cycle", cycle)
        found["cycle"] = self.cycle * cycle
        if self.identity:
            kept = {"b": self.forward(batch["b"], training=True), "a": self.backward(batch["a"], training=True)}
            changed = tf.add_n([terms.l1(batch[name], kept[name]) for name in "ab"])
            self.report("identity", changed)
            found["identity"] = self.identity * changed
        return found

    def _discriminators(self, batch: Any, made: Any, noise: Any) -> dict[str, tf.Tensor]:
        found, told = {}, []
        scale = tf.sigmoid if self.adversarial_loss.probability else tf.identity
        for name, judge in (("a", self.discriminator_a), ("b", self.discriminator_b)):
            shown = made[name]
            if self._pools and not self.looking:
                shown = self._pools[name](shown, noise[name])
            real, fake = losses.wide(judge(batch[name], training=True), judge(shown, training=True))
            found[f"adversarial_{name}"] = self.adversarial_loss.discriminator(real, fake)
            told.append([tf.reduce_mean(scale(logits)) for logits in (real, fake)])
        for report, values in zip(("d_real", "d_fake"), zip(*told, strict=True), strict=True):
            self.report(report, tf.add_n(list(values)) / 2.0)
        return found

    def translate(self, images: np.ndarray, *, backward: bool = False, batch_size: int = 100) -> np.ndarray:
        """Return what a generator makes of pictures, float32, in inference mode, from its average.

        Args:
            images: pictures of `a`, or of `b` for ``backward=True``, (n, H, W, C) in [-1, 1].
            backward: from `b` to `a` instead.
            batch_size: pictures a forward pass.

        Raises:
            ValueError: for pictures of another shape or range.
        """
        name = "b" if backward else "a"
        images = self.reads()[name].check("images", np.asarray(images))
        return self.infer(self.backward if backward else self.forward, images, batch_size=batch_size)

    def generate(self, n: int, *, seed: int = 0, batch_size: int = 100) -> np.ndarray:
        """Return what `translate` makes of the last fit's first pictures of `a`, in turn; what callbacks look at."""
        n = checking.integer("n", n, 1)
        if not self.probe:
            raise ValueError(
                "generate shows the pictures of the last fit, and there was none; expected translate(images)."
            )
        pictures = self.probe["a"]
        return self.translate(pictures[(np.arange(n) + checking.seed(seed)) % len(pictures)], batch_size=batch_size)

    def state(self) -> dict[str, Any]:
        """Return `Adversarial.state` and both pools."""
        pools = {f"{name}_{n}": v for name, replay in self._pools.items() for n, v in replay.state().items()}
        return super().state() | pools

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained model."""
        loss = self.adversarial_loss
        written = loss.name if losses.LOSSES.get(loss.name) == loss else keras.saving.serialize_keras_object(loss)
        return self._own_arguments({"loss": written})


def _shape(network: Any, name: str) -> tuple[int | None, ...]:
    shape = getattr(network, "input_shape", None)
    if not isinstance(network, keras.Model) or not isinstance(shape, tuple) or len(shape) != 4:
        raise ValueError(f"{name} is {checking.shown(network)}; expected a Keras model of one picture (N, H, W, C).")
    return tuple(shape[1:])
