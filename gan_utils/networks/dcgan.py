"""Convolutional GANs. Images (N, H, W, C) in [-1, 1]; discriminators return one logit a sample, (N, 1)."""

from gan_utils.runtime import keras

layers = keras.layers


def mnist_generator(latent_dim: int = 100, *, widths: tuple[int, int, int] = (256, 128, 64)) -> keras.Model:
    """Build the MNIST DCGAN's generator: Dense to 7 × 7, then transposed convolutions 5 × 5 to 7, 14 and 28 pixels.

    Each hidden layer is followed by BatchNorm and ReLU and has no bias, nor has the tanh layer at the end.

    Args:
        latent_dim: size of the latent.
        widths: channels of the hidden layers.

    Returns:
        A Keras model (N, latent_dim) to (N, 28, 28, 1) in [-1, 1].

    Example:
        >>> mnist_generator().count_params()
        2330944

    Reference:
        After Radford, Metz and Chintala 2015, arXiv 1511.06434.
    """
    x = latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(7 * 7 * widths[0], use_bias=False)(x)
    x = layers.Reshape((7, 7, widths[0]))(layers.ReLU()(layers.BatchNormalization()(x)))
    for width, stride in ((widths[1], 1), (widths[2], 2)):
        x = layers.Conv2DTranspose(width, 5, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh")(x)
    return keras.Model(latents, x, name="mnist_generator")


def mnist_discriminator(*, widths: tuple[int, int] = (64, 128), dropout: float = 0.3) -> keras.Model:
    """Build the MNIST DCGAN's discriminator: two convolutions 5 × 5 of stride 2, LeakyReLU 0.3, Dropout, one logit.

    Args:
        widths: channels of the convolutions.
        dropout: share of activations dropped in training, in [0, 1).

    Returns:
        A Keras model (N, 28, 28, 1) to logits (N, 1).

    Example:
        >>> mnist_discriminator().count_params()
        212865
    """
    x = images = keras.Input((28, 28, 1), name="images")
    for width in widths:
        x = layers.Conv2D(width, 5, strides=2, padding="same")(x)
        x = layers.Dropout(dropout)(layers.LeakyReLU(negative_slope=0.3)(x))
    x = layers.Dense(1, name="logit")(layers.Flatten()(x))
    return keras.Model(images, x, name="mnist_discriminator")
