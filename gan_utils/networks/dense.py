"""Fully connected GANs for small grey images: the dummy, the Fashion and the SELU GAN of the book's sources.

Every generator maps latents (N, latent_dim) to images (N, 28, 28, 1) in [-1, 1]; every discriminator maps images to one
logit a sample, (N, 1). Called without arguments, a builder gives the published layer sizes.
"""

from collections.abc import Callable, Sequence
from math import prod

from gan_utils import runtime
from gan_utils.runtime import keras

layers = keras.layers
_IMAGE = (28, 28, 1)
_Block = Callable[[keras.KerasTensor], keras.KerasTensor]


@runtime.channels_last()
def dummy_generator(
    latent_dim: int = 100, *, widths: Sequence[int] = (500, 500), activation: str | None = "relu"
) -> keras.Model:
    """Build the dummy generator: Dense 500, Dense 500, Dense 784, reshaped; 693,784 parameters.

    Args:
        latent_dim: size of the latent, drawn from a standard normal.
        widths: units of the hidden layers.
        activation: of the hidden layers; the source gives none. With None the images span at most `latent_dim`
            dimensions.

    Returns:
        A Keras model (N, latent_dim) to (N, 28, 28, 1). The output is linear, as in the source, so unbounded.

    Example:
        >>> dummy_generator().count_params()
        693784
    """
    return _generator("dummy_generator", latent_dim, widths, lambda x: layers.Activation(activation)(x), None)


@runtime.channels_last()
def dummy_discriminator(*, widths: Sequence[int] = (500, 500), activation: str | None = "relu") -> keras.Model:
    """Build the dummy discriminator: Flatten, Dense 500, Dense 500, Dense 1; 643,501 parameters.

    Args:
        widths: units of the hidden layers.
        activation: of the hidden layers.

    Returns:
        A Keras model (N, 28, 28, 1) to logits (N, 1).

    Example:
        >>> dummy_discriminator().count_params()
        643501
    """
    return _discriminator("dummy_discriminator", widths, lambda x: layers.Activation(activation)(x))


@runtime.channels_last()
def fashion_generator(
    latent_dim: int = 100, *, widths: Sequence[int] = (256, 512, 1024), dropout: float = 0.3
) -> keras.Model:
    """Build the Fashion GAN's generator: 256, 512, 1024, each LeakyReLU 0.2 and Dropout, then 784 tanh.

    Args:
        latent_dim: size of the latent.
        widths: units of the hidden layers.
        dropout: share of units dropped in training, in [0, 1).

    Returns:
        A Keras model (N, latent_dim) to (N, 28, 28, 1) in [-1, 1].

    Example:
        >>> fashion_generator().count_params()
        1486352
    """

    def block(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Dropout(dropout)(layers.LeakyReLU(negative_slope=0.2)(x))

    return _generator("fashion_generator", latent_dim, widths, block, "tanh")


@runtime.channels_last()
def fashion_discriminator(*, widths: Sequence[int] = (512, 256)) -> keras.Model:
    """Build the Fashion GAN's discriminator: Flatten, 512, 256, each LeakyReLU 0.2, then one logit.

    Args:
        widths: units of the hidden layers.

    Returns:
        A Keras model (N, 28, 28, 1) to logits (N, 1).

    Example:
        >>> fashion_discriminator().count_params()
        533505
    """
    return _discriminator("fashion_discriminator", widths, lambda x: layers.LeakyReLU(negative_slope=0.2)(x))


@runtime.channels_last()
def selu_generator(latent_dim: int = 30, *, widths: Sequence[int] = (100, 150)) -> keras.Model:
    """Build the SELU GAN's generator: 100 selu, 150 selu, 784 sigmoid, rescaled from [0, 1] to [-1, 1].

    Args:
        latent_dim: size of the latent.
        widths: units of the hidden layers.

    Returns:
        A Keras model (N, latent_dim) to (N, 28, 28, 1) in [-1, 1].

    Example:
        >>> selu_generator().count_params()
        136634

    Reference:
        SELU: Klambauer, Unterthiner, Mayr and Hochreiter 2017, arXiv 1706.02515.
    """
    body = _generator("body", latent_dim, widths, lambda x: layers.Activation("selu")(x), "sigmoid")
    latents = keras.Input((latent_dim,), name="latents")
    images = layers.Rescaling(2.0, offset=-1.0)(body(latents))
    return keras.Model(latents, images, name="selu_generator")


@runtime.channels_last()
def selu_discriminator(*, widths: Sequence[int] = (150, 100)) -> keras.Model:
    """Build the SELU GAN's discriminator: Flatten, 150 selu, 100 selu, one logit.

    Args:
        widths: units of the hidden layers.

    Returns:
        A Keras model (N, 28, 28, 1) to logits (N, 1).

    Example:
        >>> selu_discriminator().count_params()
        132951
    """
    return _discriminator("selu_discriminator", widths, lambda x: layers.Activation("selu")(x))


def _generator(
    name: str, latent_dim: int, widths: Sequence[int], block: _Block, output_activation: str | None
) -> keras.Model:
    x = latents = keras.Input((latent_dim,), name="latents")
    for width in widths:
        x = block(layers.Dense(width)(x))
    x = layers.Dense(prod(_IMAGE), activation=output_activation)(x)
    return keras.Model(latents, layers.Reshape(_IMAGE)(x), name=name)


def _discriminator(name: str, widths: Sequence[int], block: _Block) -> keras.Model:
    images = keras.Input(_IMAGE, name="images")
    x = layers.Flatten()(images)
    for width in widths:
        x = block(layers.Dense(width)(x))
    return keras.Model(images, layers.Dense(1, name="logit")(x), name=name)
