"""What a Keras model is made of: its layers in order, with settings, shapes and parameters."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from gan_utils.runtime import keras

_ENDS = (keras.layers.Flatten, keras.layers.Dense, keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)


class Row(NamedTuple):
    """A layer of a model.

    Attributes:
        layer: the Keras layer.
        text: its kind and settings, for example ``"Conv 128, 4×4, stride 2"``.
        shape: of one sample's output.
        parameters: trained or not.
    """

    layer: keras.layers.Layer
    text: str
    shape: tuple[int | None, ...]
    parameters: int


def rows(model: keras.Model) -> list[Row]:
    """Return the layers of a model in the order of computation, those of nested models among them.

    Raises:
        ValueError: for a model that is not built, so has no shapes.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="tanh")])
        >>> [(row.text, row.shape, row.parameters) for row in rows(model)]
        [('Dense 2, tanh', (2,), 8)]
    """
    if not getattr(model, "built", False) or not getattr(model, "inputs", None):
        raise ValueError(
            f"{model.name} is not built or has no graph; use keras.Sequential or keras.Model with keras.Input."
        )
    return [Row(each, describe(each), tuple(each.output.shape[1:]), each.count_params()) for each in _leaves(model)]


def table(model: keras.Model) -> str:
    """Return the layers of a model as a text table with shapes, parameters and their sum.

    Raises:
        ValueError: as `rows`.

    Example:
        >>> print(table(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="tiny")))
        tiny                           output      parameters
        input                          3
        Dense 2                        2                    8
        total                                               8
    """
    found = rows(model)
    lines = [f"{model.name:<31}{'output':<12}{'parameters':>10}"]
    lines.append(f"{'input':<31}{_times(model.input_shape[1:])}")
    for row in found:
        count = f"{row.parameters:,}" if row.parameters else ""
        lines.append(f"{row.text:<31}{_times(row.shape):<12}{count:>10}".rstrip())
    total = sum(row.parameters for row in found)
    return "\n".join([*lines, f"{'total':<43}{total:>10,}"])


def inner(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Return what a wrapper such as spectral normalisation wraps, or the layer itself.

    Example:
        >>> inner(keras.layers.SpectralNormalization(keras.layers.Dense(3))).units
        3
    """
    return layer.layer if isinstance(layer, keras.layers.Wrapper) else layer


def describe(layer: keras.layers.Layer) -> str:
    """Return a layer's kind and settings in a few words.

    Example:
        >>> describe(keras.layers.Conv2D(64, 5, strides=2))
        'Conv 64, 5×5, stride 2'
    """
    layer = inner(layer)
    kind, words = type(layer).__name__, []
    if kind in ("Conv2D", "Conv2DTranspose"):
        words = [f"{'Conv' if kind == 'Conv2D' else 'ConvT'} {layer.filters}", "×".join(map(str, layer.kernel_size))]
        words += [f"stride {layer.strides[0]}"] if max(layer.strides) > 1 else []
        words += [f"dilation {layer.dilation_rate[0]}"] if max(layer.dilation_rate) > 1 else []
    elif kind == "Dense":
        words = [f"Dense {layer.units}"]
    elif kind in ("LeakyReLU", "Dropout"):
        words = [f"{kind} {round(float(layer.negative_slope if kind == 'LeakyReLU' else layer.rate), 4):g}"]
    elif kind == "Activation":
        return activation(layer) or "linear"
    else:
        words = [{"BatchNormalization": "BatchNorm"}.get(kind, kind)]
    own = activation(layer) if kind in ("Conv2D", "Conv2DTranspose", "Dense") else None
    return ", ".join([*words, *([own] if own else [])])


def activation(layer: keras.layers.Layer) -> str | None:
    """Return the name of the non-linearity that a layer applies, or None.

    Example:
        >>> activation(keras.layers.Dense(3)), activation(keras.layers.LeakyReLU())
        (None, 'leaky_relu')
    """
    layer = inner(layer)
    if isinstance(layer, keras.layers.ReLU):
        return "leaky_relu" if layer.negative_slope else "relu"
    known = {"LeakyReLU": "leaky_relu", "PReLU": "prelu", "ELU": "elu", "Softmax": "softmax"}
    if type(layer).__name__ in known:
        return known[type(layer).__name__]
    own = getattr(layer, "activation", None)
    if isinstance(own, keras.layers.Layer):
        return activation(own)
    name = getattr(own, "__name__", "linear")
    return None if name == "linear" else name


def multiplications(layer: keras.layers.Layer) -> int:
    """Return the multiplications of a layer's kernel for one sample: its size times the places where it is applied.

    Those are the output's pixels for a convolution, the input's for a transposed one, one for Dense on a vector.

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, strides=2, padding="same")])
        >>> multiplications(model.layers[0])  # 3 · 3 · 1 · 2 weights at 4 · 4 places
        288
    """
    kernel = getattr(inner(layer), "kernel", None)
    if kernel is None:
        return 0
    places = layer.input if "Transpose" in type(inner(layer)).__name__ else layer.output
    return math.prod(kernel.shape) * math.prod(places.shape[1:-1])


def kernels_and_strides(model: keras.Model) -> list[tuple[int, int]]:
    """Return (kernel, stride) of each convolution or pooling, up to the first layer that sees the whole image.

    Raises:
        ValueError: for a layer that grows the image (what it sees is no whole number of pixels), has several inputs, or
            is not square.
    """
    found = []
    for row in rows(model):
        layer = inner(row.layer)
        if isinstance(layer, _ENDS) and len(row.shape) == 1:
            break
        if isinstance(row.layer.input, list):
            raise ValueError(f"{row.text} has several inputs; expected a chain of layers.")
        before = row.layer.input.shape[1:]
        if type(layer).__name__ == "Conv2DTranspose" or any(
            b and a and a > b for a, b in zip(row.shape[:-1], before[:-1], strict=False)
        ):
            raise ValueError(f"{row.text} grows the image; receptive fields are for networks that shrink it.")
        size = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
        if size is not None:
            if len(set(size)) > 1 or len(set(layer.strides)) > 1:
                raise ValueError(f"{row.text} is not square; expected one kernel size and one stride.")
            spread = getattr(layer, "dilation_rate", (1,))[0]  # a dilated kernel reaches over its holes
            found.append(((int(size[0]) - 1) * int(spread) + 1, int(layer.strides[0])))
    return found


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def _times(shape: tuple[int | None, ...]) -> str:
    return "×".join(str(size) for size in shape)
