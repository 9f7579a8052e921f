"""A pair for 128 × 128 colour pictures: a generator that first shrinks, then grows, and its discriminator."""

from gan_utils import runtime
from gan_utils.runtime import keras

layers = keras.layers
_SLOPE = 0.3  # Keras's default: the source gives none


@runtime.channels_last()
def generator(
    latent_dim: int = 100, *, size: int = 128, widths: tuple[int, int, int] = (128, 256, 512), channels: int = 3
) -> keras.Model:
    """Build the generator: Dense to a picture of noise, an encoder down to an eighth of its size, a decoder back.

    All kernels are 4 × 4 with "same" padding; no layer has a bias but the last. He-normal weights, except in the Dense
    and the last layer. BatchNorm and LeakyReLU stand where the source has them, not after every convolution.

    Args:
        latent_dim: size of the latent; the source gives none.
        size: height and width of the images, a multiple of 8.
        widths: channels at a half, a quarter and an eighth of the size.
        channels: of the images.

    Returns:
        A Keras model (N, latent_dim) to (N, size, size, channels) in [-1, 1].

    Raises:
        ValueError: for a size that is no multiple of 8.

    Example:
        >>> generator(2, size=8, widths=(4, 4, 4)).output_shape
        (None, 8, 8, 3)
    """
    if size < 8 or size % 8:
        raise ValueError(f"size is {size}; expected a multiple of 8, for the encoder halves it three times.")
    narrow, middle, wide = widths
    x = latents = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((size, size, channels))(layers.Dense(size * size * channels, use_bias=False)(x))
    for width in (narrow, middle):
        x = _convolution(layers.Conv2D, width, 1)(x)
        x = _convolution(layers.Conv2D, width, 2)(x)
        x = _leaky(layers.BatchNormalization()(x))
    x = _convolution(layers.Conv2DTranspose, wide, 1)(x)
    x = _leaky(_convolution(layers.Conv2D, wide, 2)(x))
    x = _convolution(layers.Conv2DTranspose, wide, 1)(x)
    x = _convolution(layers.Conv2DTranspose, wide, 2)(x)
    x = _leaky(layers.BatchNormalization()(x))
    x = _convolution(layers.Conv2DTranspose, middle, 1)(x)
    x = layers.BatchNormalization()(_convolution(layers.Conv2DTranspose, middle, 2)(x))
    x = _convolution(layers.Conv2DTranspose, narrow, 2)(x)
    x = layers.BatchNormalization()(_convolution(layers.Conv2DTranspose, narrow, 1)(x))
    x = layers.Conv2DTranspose(channels, 4, padding="same", activation="tanh")(x)
    return keras.Model(latents, x, name="encoder_decoder_generator")


@runtime.channels_last()
def discriminator(*, size: int = 128, widths: tuple[int, int, int] = (128, 256, 512), channels: int = 3) -> keras.Model:
    """Build its discriminator: five convolutions 4 × 4 of stride 2 without bias, then one logit.

    The first four, with `widths[0]` twice and `widths[1]` twice, are followed by BatchNorm and LeakyReLU, the fifth by
    LeakyReLU alone.

    Args:
        size: height and width of the images.
        widths: channels.
        channels: of the images.

    Returns:
        A Keras model (N, size, size, channels) to logits (N, 1).

    Example:
        >>> discriminator().count_params()
        3949569
    """
    narrow, middle, wide = widths
    x = images = keras.Input((size, size, channels), name="images")
    for width in (narrow, narrow, middle, middle):
        x = _leaky(layers.BatchNormalization()(_convolution(layers.Conv2D, width, 2)(x)))
    x = _leaky(_convolution(layers.Conv2D, wide, 2)(x))
    x = layers.Dense(1, name="logit")(layers.Flatten()(x))
    return keras.Model(images, x, name="encoder_decoder_discriminator")


def _convolution(kind: type[keras.layers.Layer], width: int, stride: int) -> keras.layers.Layer:
    return kind(width, 4, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal")


def _leaky(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.LeakyReLU(negative_slope=_SLOPE)(x)
