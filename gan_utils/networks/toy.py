"""Small dense networks for samples that are points, (N, dimensions)."""

from collections.abc import Sequence

from gan_utils.runtime import keras

layers = keras.layers


def generator(
    latent_dim: int = 2, dimensions: int = 2, *, widths: Sequence[int] = (128, 128), activation: str = "relu"
) -> keras.Model:
    """Build a generator (N, latent_dim) to unbounded points (N, dimensions).

    Example:
        >>> generator().count_params()
        17154
    """
    return _dense("toy_generator", latent_dim, widths, activation, dimensions)


def discriminator(dimensions: int = 2, *, widths: Sequence[int] = (128, 128), activation: str = "relu") -> keras.Model:
    """Build a discriminator (N, dimensions) to logits (N, 1).

    Example:
        >>> discriminator().count_params()
        17025
    """
    return _dense("toy_discriminator", dimensions, widths, activation, 1)


def _dense(name: str, size: int, widths: Sequence[int], activation: str, outputs: int) -> keras.Model:
    x = inputs = keras.Input((size,))
    for width in widths:
        x = layers.Dense(width, activation=activation)(x)
    return keras.Model(inputs, layers.Dense(outputs)(x), name=name)
