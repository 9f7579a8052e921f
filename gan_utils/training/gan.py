"""GAN: the two-player preset of Adversarial."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_utils import losses
from gan_utils.runtime import keras, tf
from gan_utils.training.adversarial import Adversarial, Player


class GAN(Adversarial):
    """A generator against a discriminator.

    Args:
        generator: any Keras model (N, latent_dim) to samples (N, ...).
        discriminator: any Keras model from samples to floating logits (N, ...).
        latent_dim: size of the latents, drawn from a standard normal; the generator's input size if not given.
        loss: a name of `losses.LOSSES` or a `losses.Loss`.
        discriminator_steps: updates of the discriminator for one of the generator.
        seed: of data order and noise; `runtime.current_seed` if not given.

    Raises:
        ValueError: if the networks do not fit each other, the latents or the loss's name.

    Example:
        >>> from gan_utils.networks import dense
        >>> gan = GAN(dense.selu_generator(), dense.selu_discriminator(), latent_dim=30)
        >>> gan.compile()
        >>> history = gan.fit(np.zeros((8, 28, 28, 1), "float32"), batch_size=4, steps_per_epoch=2, verbose=0)
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
        discriminator_steps: int = 1,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self_loss, size = losses.get(loss), _check_networks(generator, discriminator, latent_dim)
        players = [
            Player("discriminator", [discriminator], steps=discriminator_steps),
            Player("generator", [generator]),
        ]
        super().__init__(players, seed=seed, **kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.adversarial_loss, self.latent_dim = self_loss, size

    def losses(self, player: Player, batch: Mapping[str, tf.Tensor], noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the adversarial loss of one player; see `Adversarial.losses`."""
        loss, real_logits = self.adversarial_loss, None
        fake_logits = self.discriminator(self.generator(noise, training=True), training=True)
        if player.name == "discriminator" or loss.generator_needs_real:
            real_logits = self.discriminator(batch["real"], training=True)
        if player.name == "generator":
            return {"adversarial": loss.generator(real_logits, fake_logits)}
        scale = tf.sigmoid if loss.probability else tf.identity
        self.report("d_real", tf.reduce_mean(scale(real_logits)))
        self.report("d_fake", tf.reduce_mean(scale(fake_logits)))
        return {"adversarial": loss.discriminator(real_logits, fake_logits)}

    def sample_noise(self, batch_size: int, seed: tf.Tensor) -> tf.Tensor:
        """Return standard normal latents (batch_size, latent_dim), a function of the seed."""
        return tf.random.stateless_normal((batch_size, self.latent_dim), seed)

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return the discriminator's logits of images."""
        return self.discriminator(images, training=training)

    def generate(self, n: int, *, seed: int = 0, batch_size: int = 500) -> np.ndarray:
        """Return samples for latents that depend on the seed only.

        Args:
            n: number of samples, 1 or more.
            seed: of the latents.
            batch_size: samples a forward pass.

        Returns:
            (n, ...) float32, in inference mode (no dropout).

        Raises:
            ValueError: if n < 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}; expected 1 or more samples.")
        latents = np.random.default_rng(seed).standard_normal((n, self.latent_dim), np.float32)
        parts = [self.generator(latents[i : i + batch_size], training=False) for i in range(0, n, batch_size)]
        return np.concatenate([np.asarray(part, np.float32) for part in parts])

    def check_data(self, arrays: Mapping[str, np.ndarray], batch_size: int) -> None:
        """Raise a ValueError unless the samples have the generator's output shape; see `Adversarial.check_data`."""
        super().check_data(arrays, batch_size)
        came, expected = arrays["real"].shape[1:], tuple(self.generator.output_shape[1:])
        if came != expected:
            raise ValueError(
                f"samples have shape {came}, the generator makes {expected}; expected the same. Resize the data, add "
                "the channel axis with x[..., None], or build the generator for this shape."
            )


def _check_networks(generator: keras.Model, discriminator: keras.Model, latent_dim: int | None) -> int:
    needs = generator.input_shape[-1]
    size = needs if latent_dim is None else latent_dim
    if needs != size:
        raise ValueError(f"latent_dim is {size}, the generator's input has size {needs}; expected the same number.")
    if tuple(generator.output_shape[1:]) != tuple(discriminator.input_shape[1:]):
        raise ValueError(
            f"the generator makes {generator.output_shape[1:]}, the discriminator takes "
            f"{discriminator.input_shape[1:]}; expected one shape."
        )
    output = discriminator.outputs[0] if len(discriminator.outputs) == 1 else None
    if output is None or len(output.shape) < 1 or "float" not in output.dtype:
        came = [(tuple(o.shape), o.dtype) for o in discriminator.outputs]
        raise ValueError(f"the discriminator returns {came}; expected one floating tensor of logits (batch, ...).")
    last = discriminator.layers[-1]
    if getattr(getattr(last, "activation", None), "__name__", "") == "sigmoid":
        warnings.warn(
            f"the discriminator's last layer {last.name!r} is a sigmoid, but the losses take logits: a sigmoid of a "
            "sigmoid keeps the discriminator's loss above 1.006. Remove the activation.",
            stacklevel=3,
        )
    return int(size)
