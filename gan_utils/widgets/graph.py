"""Any functional network of the book as data that the page runs: its layers in order, its weights in half precision.

The page's side is ``graph.js``. Both know the same layers; another one is an error that names it.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gan_utils import checking
from gan_utils.networks import layers as own
from gan_utils.runtime import keras

layers = keras.layers
LARGEST = 65_504.0  # the largest finite number in half precision
ACTIVATIONS = (
    *("linear", "relu", "leaky_relu", "tanh", "sigmoid", "elu", "selu", "softplus", "silu", "gelu", "exponential"),
    "softmax",
)


class Graph(NamedTuple):
    """A network as the page runs it.

    Attributes:
        inputs: of each input its name, its shape without the batch, and its dtype.
        steps: of each step its kind, the numbers of the values that it reads, where its weights lie, and its settings.
            Values are numbered: first the inputs, then what each step makes.
        outputs: numbers of the values that the network returns.
        weights: all weights in one row, float32 (P,).
    """

    inputs: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    outputs: list[int]
    weights: np.ndarray


def export(network: keras.Model) -> Graph:
    """Return what the page needs to run a network in inference mode, one sample at a time.

    Args:
        network: a functional or sequential Keras model, of models and layers that the page knows (`known`).

    Raises:
        ValueError: for a network without a graph, or a layer or setting that the page does not know, by name.

    Example:
        >>> from gan_utils.networks import dcgan
        >>> graph = export(dcgan.compact_generator())
        >>> [step["kind"] for step in graph.steps][:5], graph.outputs == [len(graph.steps)]
        (['dense', 'affine', 'activation', 'reshape', 'transposed'], True)
    """
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise ValueError(f"network is {checking.shown(network)}; expected a functional or sequential Keras model.")
    if not network.built:
        raise ValueError(f"{network.name} is not built; expected a network with weights.")
    writer = _Writer()
    inputs = [
        {"name": tensor.name, "shape": _sizes(network.name, tensor.shape), "dtype": tensor.dtype}
        for tensor in network.inputs
    ]
    writer.values = len(inputs)
    outputs = writer.model(network, list(range(len(inputs))))
    flat = np.concatenate([np.zeros(0), *map(np.ravel, writer.weights)]).astype(np.float32)
    if not np.abs(flat).max(initial=0.0) <= LARGEST:  # NaN fails too
        raise ValueError(f"weights reach {np.abs(flat).max():.3g}; half precision ends at 65,504.")
    return Graph(inputs, writer.steps, outputs, flat)


def rounded(network: keras.Model) -> keras.Model:
    """Return a copy of a network with the numbers that the page has: `export`'s weights in half precision.

    The copy's BatchNorm layers only scale and shift, as in the page.
    """
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    for layer in copy._flatten_layers():
        if isinstance(layer, keras.Model):
            continue
        if isinstance(layer, layers.BatchNormalization):
            _set_batch_norm(layer, *map(_half, _scale_and_shift(layer)))
        elif isinstance(layer, layers.Rescaling):
            layer.scale, layer.offset = (_half(_by_channel(layer, v)).tolist() for v in (layer.scale, layer.offset))
        else:
            layer.set_weights([_half(values) for values in layer.get_weights()])
    return copy


def _half(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    return values.astype(np.float16).astype(np.float32) if values.dtype.kind == "f" else values


def known() -> list[str]:
    """Return the names of the layers that the page can run."""
    return sorted({kind.__name__ for kind in (*_LAYERS, *_SKIPPED)})


class _Writer:
    """What has been written of a network so far."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.weights: list[np.ndarray] = []
        self.values = 0
        self._end = 0

    def step(self, kind: str, reads: list[int], weights: list[Any] | None = None, **settings: Any) -> int:
        """Add a step; return the number of what it makes."""
        start = self._end
        for values in weights or []:
            self.weights.append(np.asarray(values))
            self._end += int(np.size(values))
        self.steps.append({"kind": kind, "reads": reads, "weights": [start, self._end], **settings})
        self.values += 1
        return self.values - 1

    def model(self, network: keras.Model, given: list[int]) -> list[int]:
        """Add a network's steps, in the order in which they are needed; return the numbers of its outputs."""
        graph = network if not isinstance(network, keras.Sequential) else network._functional
        config = graph.get_config()
        calls = {entry["name"]: entry["inbound_nodes"] for entry in config["layers"]}
        made: dict[tuple[str, int, int], int] = {}
        for name, number in zip(_histories(config["input_layers"]), given, strict=True):
            made[name] = number

        def value(history: tuple[str, int, int]) -> int:
            if history not in made:
                name, node, _ = history
                layer = graph.get_layer(name)
                reads = [value(each) for each in _tensors(layer, calls[name][node])]
                for index, number in enumerate(self.layer(layer, reads, calls[name][node])):
                    made[(name, node, index)] = number
            return made[history]

        return [value(history) for history in _histories(config["output_layers"])]

    def layer(self, layer: Any, reads: list[int], call: dict[str, Any]) -> list[int]:
        """Add what a layer does with some values; return the numbers of its outputs."""
        if isinstance(layer, keras.Model):
            if not getattr(layer, "inputs", None):
                raise ValueError(f"{layer.name!r} is a network without a graph; expected a functional one.")
            return self.model(layer, reads)
        if isinstance(layer, _SKIPPED):
            return reads[:1]
        for kind, write in _LAYERS.items():
            if type(layer) is kind:
                return [write(self, layer, reads)]
        raise ValueError(f"{layer.name!r} is a {type(layer).__name__}; the page can run {', '.join(known())}.")

    def activated(self, layer: Any, number: int) -> int:
        """Add a layer's own activation, where it has one."""
        return _activation(self, layer, [number]) if getattr(layer, "activation", None) is not None else number


def _histories(entries: Any) -> list[tuple[str, int, int]]:
    """Return layer, call and output of the tensors that a configuration names: one, or a list of them."""
    if entries and isinstance(entries[0], str):
        entries = [entries]
    return [(name, int(node), int(index)) for name, node, index in entries]


def _tensors(layer: Any, call: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Return the tensors that a layer was called with, in order."""
    found: list[tuple[str, int, int]] = []

    def look(value: Any) -> None:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            name, node, index = value["config"]["keras_history"]
            found.append((name, int(node), int(index)))
        elif isinstance(value, list | tuple):
            for each in value:
                look(each)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(f"{layer.name!r} was called with the number {value}; expected tensors only.")

    look(call["args"])
    return found


def _sizes(name: str, shape: Any) -> list[int]:
    """Return a shape without the batch, whose extents the page must know."""
    if any(n is None for n in shape[1:]):
        raise ValueError(f"{name!r} has open extents, {tuple(shape)}; expected a network of one size.")
    return [int(n) for n in shape[1:]]


def _shape(layer: Any) -> list[int]:
    return _sizes(layer.name, layer.output.shape)


def _check_channels(layer: Any) -> None:
    rank = len(layer.output.shape)
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        raise ValueError(f"{layer.name!r} has its channels first; expected them on the last axis.")
    axis = getattr(layer, "axis", -1)
    if isinstance(axis, int) and axis not in (-1, rank - 1):
        raise ValueError(f"{layer.name!r} works on axis {axis}; expected the last axis.")


# each: adds a layer's steps, returns the number of its output


def _dense(writer: _Writer, layer: Any, reads: list[int]) -> int:
    number = writer.step("dense", reads, layer.get_weights(), size=layer.units, bias=bool(layer.use_bias))
    return writer.activated(layer, number)


def _convolution(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    turned = "Transpose" in type(layer).__name__
    if getattr(layer, "groups", 1) != 1 or (turned and set(layer.dilation_rate) != {1}):
        raise ValueError(f"{layer.name!r} is grouped, or dilated and transposed; expected neither.")
    if getattr(layer, "output_padding", None) is not None or layer.padding not in ("same", "valid"):
        raise ValueError(f"{layer.name!r} is padded otherwise than 'same' or 'valid'; expected one of them.")
    small, large = (layer.input, layer.output) if turned else (layer.output, layer.input)
    spatial = zip(
        _sizes(layer.name, small.shape)[:-1],
        _sizes(layer.name, large.shape)[:-1],
        layer.strides,
        layer.kernel_size,
        layer.dilation_rate,
        strict=True,
    )
    before = [  # as TensorFlow pads: an odd pixel goes behind
        max((low - 1) * stride + (kernel - 1) * dilation + 1 - high, 0) // 2 if layer.padding == "same" else 0
        for low, high, stride, kernel, dilation in spatial
    ]
    kernel, *bias = layer.get_weights()
    number = writer.step(
        "transposed" if turned else "conv",
        reads,
        [np.swapaxes(kernel, -1, -2) if turned else kernel, *bias],
        kernel=_three(layer.kernel_size, 1),
        strides=_three(layer.strides, 1),
        dilation=_three(layer.dilation_rate, 1),
        before=_three(before, 0),
        shape=_shape(layer),
        bias=bool(bias),
    )
    return writer.activated(layer, number)


def _three(sizes: Any, fill: int) -> list[int]:
    """Return sizes of depth, rows and columns; what a layer of fewer axes lacks is filled in front."""
    return [fill] * (3 - len(sizes)) + [int(n) for n in sizes]


def _activation(writer: _Writer, layer: Any, reads: list[int]) -> int:
    function = layer.activation
    if isinstance(function, layers.Layer):
        return writer.layer(function, reads, {})[0]
    name = getattr(function, "__name__", str(function))
    if name not in ACTIVATIONS:
        raise ValueError(f"{layer.name!r} has the activation {name!r}; expected one of {', '.join(ACTIVATIONS)}.")
    slope = 0.2  # what Keras gives to the name leaky_relu
    return reads[0] if name == "linear" else writer.step("activation", reads[:1], name=name, slope=slope)


def _relu(writer: _Writer, layer: Any, reads: list[int]) -> int:
    if isinstance(layer, layers.ReLU) and (layer.max_value is not None or layer.threshold):
        raise ValueError(f"{layer.name!r} has a threshold or a largest value; expected neither.")
    return writer.step("activation", reads, name="leaky_relu", slope=float(layer.negative_slope))


def _softmax(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    return writer.step("activation", reads, name="softmax", slope=0.0)


def _prelu(writer: _Writer, layer: Any, reads: list[int]) -> int:
    return writer.step("prelu", reads, layer.get_weights(), shape=_shape(layer), slopes=list(layer.alpha.shape))


def _batch_norm(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    return writer.step("affine", reads, list(_scale_and_shift(layer)))


def _scale_and_shift(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and shift, (C,) each, of a BatchNorm in inference mode."""
    mean, variance = (np.asarray(v, np.float64) for v in (layer.moving_mean, layer.moving_variance))
    scale = 1 / np.sqrt(variance + layer.epsilon)
    scale = scale * np.asarray(layer.gamma) if layer.scale else scale
    return scale, (np.asarray(layer.beta) if layer.center else 0.0) - mean * scale


def _set_batch_norm(layer: Any, scale: np.ndarray, shift: np.ndarray) -> None:
    """Make a BatchNorm, in inference mode, the map from x to scale x + shift.

    Without gamma a scale is not negative, and one that half precision rounds to zero is told apart from it by nothing;
    without beta the shift of a scale of zero is zero.
    """
    own = np.ones_like(scale) if layer.scale else np.maximum(scale, 1e-15)
    layer.moving_variance.assign(1 / own**2 - layer.epsilon)
    if layer.scale:
        layer.gamma.assign(scale)
    if layer.center:
        layer.moving_mean.assign(np.zeros_like(shift))
        layer.beta.assign(shift)
    else:
        layer.moving_mean.assign(np.divide(-shift, scale, out=np.zeros_like(shift), where=scale != 0))


def _group_norm(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    size = int(layer.output.shape[-1])
    groups = size if layer.groups == -1 else int(layer.groups)
    return _normalised(writer, layer, reads, groups, over="pixels")


def _layer_norm(writer: _Writer, layer: Any, reads: list[int]) -> int:
    rank = len(layer.output.shape)
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if [axis % rank for axis in axes] != [rank - 1] or getattr(layer, "rms_scaling", False):
        raise ValueError(f"{layer.name!r} normalises {axes}, or by the root mean square; expected the last axis.")
    return _normalised(writer, layer, reads, 1, over="channels")


def _normalised(writer: _Writer, layer: Any, reads: list[int], groups: int, *, over: str) -> int:
    size = int(layer.output.shape[-1])
    gamma = np.asarray(layer.gamma) if layer.scale else np.ones(size)
    beta = np.asarray(layer.beta) if layer.center else np.zeros(size)
    return writer.step("norm", reads, [gamma, beta], groups=groups, over=over, epsilon=float(layer.epsilon))


def _unit_norm(writer: _Writer, layer: Any, reads: list[int]) -> int:
    size = int(layer.output.shape[-1])
    if layer.axis not in (-1, len(layer.output.shape) - 1):
        raise ValueError(f"{layer.name!r} works on axis {layer.axis}; expected the last axis.")
    return writer.step("unit", reads, [], size=size)


def _rescaling(writer: _Writer, layer: Any, reads: list[int]) -> int:
    return writer.step("affine", reads, [_by_channel(layer, value) for value in (layer.scale, layer.offset)])


def _by_channel(layer: Any, value: Any) -> np.ndarray:
    given, size = np.asarray(value, np.float32), layer.output.shape[-1]
    if given.shape not in ((), (1,), (size,)):
        raise ValueError(f"{layer.name!r} scales by {given.shape} numbers; expected one, or one a channel ({size}).")
    return np.broadcast_to(given, (size,))


def _embedding(writer: _Writer, layer: Any, reads: list[int]) -> int:
    return writer.step("embedding", reads, layer.get_weights()[:1], size=int(layer.output_dim))


def _elementwise(operation: str) -> Callable[[_Writer, Any, list[int]], int]:
    def write(writer: _Writer, layer: Any, reads: list[int]) -> int:
        number = reads[0]
        for other in reads[1:]:
            number = writer.step("combine", [number, other], operation=operation)
        return number

    return write


def _average(writer: _Writer, layer: Any, reads: list[int]) -> int:
    number = _elementwise("add")(writer, layer, reads)
    return writer.step("scale", [number], factor=1 / len(reads))


def _concatenate(writer: _Writer, layer: Any, reads: list[int]) -> int:
    rank = len(layer.output.shape) - 1
    axis = layer.axis - 1 if layer.axis > 0 else layer.axis + rank
    return writer.step("concatenate", reads, axis=axis, shape=_shape(layer))


def _reshape(writer: _Writer, layer: Any, reads: list[int]) -> int:
    return writer.step("reshape", reads, shape=_shape(layer))


def _flatten(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    return _reshape(writer, layer, reads)


def _permute(writer: _Writer, layer: Any, reads: list[int]) -> int:
    return writer.step("permute", reads, order=[int(n) - 1 for n in layer.dims], shape=_shape(layer))


def _upsample(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    how = getattr(layer, "interpolation", "nearest")
    size = [layer.size] if isinstance(layer.size, int) else list(layer.size)
    if how not in ("nearest", "bilinear"):
        raise ValueError(f"{layer.name!r} interpolates {how!r}; expected 'nearest' or 'bilinear'.")
    return writer.step("upsample", reads, size=_three(size, 1), bilinear=how == "bilinear", shape=_shape(layer))


def _pad(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    sides = layer.padding if isinstance(layer.padding[0], list | tuple) else [layer.padding]
    return writer.step("pad", reads, before=_three([low for low, _ in sides], 0), shape=_shape(layer))


def _pool(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    size, strides = layer.pool_size, layer.strides or layer.pool_size
    size, strides = ([n] if isinstance(n, int) else list(n) for n in (size, strides))
    inputs, outputs = _sizes(layer.name, layer.input.shape)[:-1], _shape(layer)[:-1]
    before = [
        max((low - 1) * stride + window - high, 0) // 2 if layer.padding == "same" else 0
        for low, high, stride, window in zip(outputs, inputs, strides, size, strict=True)
    ]
    largest = "Max" in type(layer).__name__
    return writer.step(
        "pool",
        reads,
        largest=largest,
        window=_three(size, 1),
        strides=_three(strides, 1),
        before=_three(before, 0),
        shape=_shape(layer),
    )


def _pool_all(writer: _Writer, layer: Any, reads: list[int]) -> int:
    _check_channels(layer)
    inputs = _sizes(layer.name, layer.input.shape)
    largest, whole = "Max" in type(layer).__name__, _three(inputs[:-1], 1)
    shape = [*[1] * (len(inputs) - 1), inputs[-1]]
    number = writer.step("pool", reads, largest=largest, window=whole, strides=whole, before=[0, 0, 0], shape=shape)
    return writer.step("reshape", [number], shape=_shape(layer))


def _depth_to_space(writer: _Writer, layer: Any, reads: list[int]) -> int:
    return writer.step("depth_to_space", reads, block=layer.block, shape=_shape(layer))


def _repeat(writer: _Writer, layer: Any, reads: list[int]) -> int:
    return writer.step("repeat", reads, shape=_shape(layer))


_SKIPPED = (
    layers.InputLayer,
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.GaussianNoise,
    layers.Identity,
    layers.ActivityRegularization,
)
_LAYERS: dict[type, Callable[[_Writer, Any, list[int]], int]] = {
    layers.Dense: _dense,
    **dict.fromkeys((layers.Conv1D, layers.Conv2D, layers.Conv3D), _convolution),
    **dict.fromkeys((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _convolution),
    layers.Activation: _activation,
    layers.LeakyReLU: _relu,
    layers.ReLU: _relu,
    layers.Softmax: _softmax,
    layers.PReLU: _prelu,
    layers.BatchNormalization: _batch_norm,
    layers.GroupNormalization: _group_norm,
    layers.LayerNormalization: _layer_norm,
    layers.UnitNormalization: _unit_norm,
    layers.Rescaling: _rescaling,
    layers.Embedding: _embedding,
    layers.Add: _elementwise("add"),
    layers.Subtract: _elementwise("subtract"),
    layers.Multiply: _elementwise("multiply"),
    layers.Maximum: _elementwise("maximum"),
    layers.Average: _average,
    layers.Concatenate: _concatenate,
    layers.Reshape: _reshape,
    layers.Flatten: _flatten,
    layers.Permute: _permute,
    layers.RepeatVector: _repeat,
    own.DepthToSpace: _depth_to_space,
    **dict.fromkeys((layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D), _upsample),
    **dict.fromkeys((layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D), _pad),
    **dict.fromkeys((layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D), _pool),
    **dict.fromkeys((layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D), _pool),
    **dict.fromkeys(
        (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D), _pool_all
    ),
    **dict.fromkeys((layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D), _pool_all),
}


def multiplications(graph: Graph) -> int:
    """Return the multiplications of a pass through dense layers and convolutions, for one sample."""
    shapes = [each["shape"] for each in graph.inputs]
    total = 0
    for step in graph.steps:
        taken = [shapes[number] for number in step["reads"]]
        shapes.append(_made(step, taken))
        if step["kind"] in ("dense", "conv", "transposed"):
            places = taken[0] if step["kind"] == "transposed" else shapes[-1]
            size = step["weights"][1] - step["weights"][0] - (shapes[-1][-1] if step["bias"] else 0)
            total += size * math.prod(places[:-1])
    return total


def _made(step: dict[str, Any], taken: list[list[int]]) -> list[int]:
    """Return the shape of what a step makes."""
    if "shape" in step:
        return step["shape"]
    if step["kind"] == "dense":
        return [*taken[0][:-1], step["size"]]
    if step["kind"] == "embedding":
        return [*taken[0], step["size"]]
    if step["kind"] == "combine":
        return list(np.broadcast_shapes(*map(tuple, taken)))
    return taken[0]
