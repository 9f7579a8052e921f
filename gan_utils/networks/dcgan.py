"""Convolutional GANs. Images (N, H, W, C) in [-1, 1]; discriminators return one logit a sample, (N, 1)."""

from gan_utils import runtime
from gan_utils.runtime import keras

layers = keras.layers


@runtime.channels_last()
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


@runtime.channels_last()
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


@runtime.channels_last()
def compact_generator(
    latent_dim: int = 64,
    *,
    shape: tuple[int, int, int] = (28, 28, 1),
    widths: tuple[int, ...] = (64, 32),
    kernel_size: int = 4,
    activation: str = "relu",
    batch_norm: str = "hidden",
    upsampling: str = "transposed",
    hidden_units: int = 0,
) -> keras.Model:
    """Build the book's small DCGAN generator, made to learn in minutes on two cores.

    Dense to 7 × 7, then two layers that double the size, to 14 and 28 pixels. The sizes are what the study
    ``benchmarks/dcgan.py`` found best there; the options break one guideline each, so that it can be measured.
    Images of 64 × 64 pixels in colour: ``shape=(64, 64, 3), widths=(256, 128, 64)``.

    Args:
        latent_dim: size of the latent.
        shape: (height, width, channels) of an image; each layer of `widths` halves height and width.
        widths: channels at 7 and at 14 pixels; in general of the first and each following size but the last.
        kernel_size: of the transposed convolutions; a multiple of their stride of 2 overlaps evenly.
        activation: of the hidden layers.
        batch_norm: ``"hidden"`` (after the hidden layers), ``"everywhere"`` (before the tanh as well) or ``"none"``.
        upsampling: ``"transposed"`` convolutions of stride 2, or ``"nearest"`` neighbours followed by a convolution.
        hidden_units: of a dense hidden layer before the first; none for 0.

    Returns:
        A Keras model (N, latent_dim) to ``(N, *shape)`` in [-1, 1].

    Raises:
        ValueError: for another `batch_norm` or `upsampling`, or a shape that cannot be halved so often.

    Example:
        >>> compact_generator().count_params()
        246657

    Reference:
        The guidelines: Radford, Metz and Chintala 2015, arXiv 1511.06434, section 3.
    """
    _one_of("batch_norm", batch_norm, ("hidden", "everywhere", "none"))
    _one_of("upsampling", upsampling, ("transposed", "nearest"))
    rows, columns = _smallest(shape, widths)
    biased, normalises = batch_norm == "none", batch_norm != "none"

    def grow(x: keras.KerasTensor, width: int, bias: bool) -> keras.KerasTensor:
        if upsampling == "nearest":
            x = layers.UpSampling2D(2)(x)
            return layers.Conv2D(width, kernel_size, padding="same", use_bias=bias)(x)
        return layers.Conv2DTranspose(width, kernel_size, strides=2, padding="same", use_bias=bias)(x)

    def hidden(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Activation(activation)(layers.BatchNormalization()(x) if normalises else x)

    x = latents = keras.Input((latent_dim,), name="latents")
    if hidden_units:
        x = hidden(layers.Dense(hidden_units, use_bias=biased)(x))
    x = layers.Dense(rows * columns * widths[0], use_bias=biased)(x)
    x = layers.Reshape((rows, columns, widths[0]))(hidden(x))
    for width in widths[1:]:
        x = hidden(grow(x, width, biased))
    x = grow(x, shape[2], batch_norm != "everywhere")
    if batch_norm == "everywhere":
        x = layers.BatchNormalization()(x)
    return keras.Model(latents, layers.Activation("tanh")(x), name="compact_generator")


@runtime.channels_last()
def compact_discriminator(
    *,
    shape: tuple[int, int, int] = (28, 28, 1),
    widths: tuple[int, ...] = (32, 64),
    kernel_size: int = 4,
    negative_slope: float = 0.2,
    batch_norm: str = "hidden",
    downsampling: str = "strided",
    hidden_units: int = 0,
) -> keras.Model:
    """Build the book's small DCGAN discriminator: two convolutions to 14 and 7 pixels, one logit.

    Args:
        shape: (height, width, channels) of an image; each layer of `widths` halves height and width.
        widths: channels at 14 and at 7 pixels; in general after each convolution.
        kernel_size: of the convolutions.
        negative_slope: of LeakyReLU; 0 is ReLU.
        batch_norm: ``"hidden"`` (after all convolutions but the first), ``"everywhere"`` (after the first, at the
            input, as well) or ``"none"``.
        downsampling: convolutions ``"strided"`` by 2, or of stride 1 and ``"pooled"`` (the mean of 2 × 2).
        hidden_units: of a dense hidden layer before the logit; none for 0.

    Returns:
        A Keras model ``(N, *shape)`` to logits (N, 1).

    Raises:
        ValueError: for another `batch_norm` or `downsampling`, or a shape that cannot be halved so often.

    Example:
        >>> compact_discriminator().count_params()
        36769

    Reference:
        The guidelines: Radford, Metz and Chintala 2015, arXiv 1511.06434, section 3.
    """
    _one_of("batch_norm", batch_norm, ("hidden", "everywhere", "none"))
    _one_of("downsampling", downsampling, ("strided", "pooled"))
    _smallest(shape, widths)
    x = images = keras.Input(shape, name="images")
    for index, width in enumerate(widths):
        x = layers.Conv2D(width, kernel_size, strides=2 if downsampling == "strided" else 1, padding="same")(x)
        if batch_norm == "everywhere" or (batch_norm == "hidden" and index):
            x = layers.BatchNormalization()(x)
        x = layers.LeakyReLU(negative_slope=negative_slope)(x)
        if downsampling == "pooled":
            x = layers.AveragePooling2D(2)(x)
    x = layers.Flatten()(x)
    if hidden_units:
        x = layers.Dense(hidden_units)(x)
        x = layers.LeakyReLU(negative_slope=negative_slope)(
            x if batch_norm == "none" else layers.BatchNormalization()(x)
        )
    return keras.Model(images, layers.Dense(1, name="logit")(x), name="compact_discriminator")


def _smallest(shape: tuple[int, int, int], widths: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width after as many halvings as there are widths."""
    factor = 2 ** len(widths)
    if len(shape) != 3 or not widths or min(shape) < 1 or shape[0] % factor or shape[1] % factor:
        raise ValueError(
            f"shape is {shape}; expected (height, width, channels) with height and width multiples of {factor}, since "
            f"each of the {len(widths)} widths halves them. Resize the images or change the widths."
        )
    return shape[0] // factor, shape[1] // factor


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(known)}.")
