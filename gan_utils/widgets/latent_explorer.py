"""LatentExplorer: a trained generator that runs in the page itself, without a kernel or a network."""

import math
import warnings
from typing import Any

import numpy as np
import traitlets

from gan_utils import checking, plotting
from gan_utils.metrics import checks
from gan_utils.runtime import keras
from gan_utils.training import GAN
from gan_utils.widgets import browser

MAX_PARAMETERS = 700_000
MAX_REAL = 1_000
COLUMNS = 40  # of the sprite of real images
ACTIVATIONS = ("linear", "relu", "leaky_relu", "tanh", "sigmoid", "elu", "selu", "softplus", "silu")
layers = keras.layers


def export(generator: keras.Model) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return what the browser needs to run a generator: its layers in words, and all weights in one row.

    BatchNorm is folded, in inference mode, into the layer before it where that is linear. Dropout vanishes.

    Args:
        generator: a built Keras model, one layer after another, from latents (N, latent_dim).

    Returns:
        A list with an entry a layer (its kind, sizes, and where its weights lie), and the weights, float32 (P,).

    Raises:
        ValueError: for several inputs, branches, a layer or activation that the browser's side does not have.

    Example:
        >>> from gan_utils.networks import dcgan
        >>> found, weights = export(dcgan.compact_generator())
        >>> [layer["kind"] for layer in found][:4], weights.size
        (['dense', 'activation', 'reshape', 'transposed'], 237153)
    """
    found: list[dict[str, Any]] = []
    flat, end = [np.zeros(0)], 0
    for layer, norm in _chain(generator):
        for kind, weights, options in _entries(layer, norm):
            flat += [np.ravel(w) for w in weights]
            start, end = end, end + sum(np.size(w) for w in weights)
            found.append({"kind": kind, **options, "weights": [start, end]})
    return found, np.concatenate(flat).astype(np.float32)


def rounded(generator: keras.Model) -> keras.Model:
    """Return a copy of a generator with the numbers that the page has: `export`'s weights in half precision.

    The copy's BatchNorm layers only shift, since their scales are in the kernels.

    Args and errors: as `export`.
    """
    copy = keras.models.clone_model(generator)
    copy.set_weights(generator.get_weights())
    row = export(generator)[1].astype(np.float16).astype(np.float32)

    def take(shape: Any) -> np.ndarray:
        nonlocal row
        taken, row = np.split(row, [math.prod(shape)])
        return taken.reshape(shape)

    for layer, norm in _chain(copy):
        if isinstance(layer, layers.BatchNormalization):
            scale, shift = take(layer.moving_mean.shape), take(layer.moving_mean.shape)
            _set_batch_norm(layer, scale, shift)
        elif isinstance(layer, layers.Rescaling):
            size = layer.output.shape[-1]
            layer.scale, layer.offset = take((size,)).tolist(), take((size,)).tolist()  # a number for each channel
        elif isinstance(layer, layers.Dense | layers.Conv2D | layers.Conv2DTranspose):
            turned = isinstance(layer, layers.Conv2DTranspose)
            shape = layer.kernel.shape
            kernel = take((*shape[:2], shape[3], shape[2]) if turned else shape)
            layer.kernel.assign(np.swapaxes(kernel, 2, 3) if turned else kernel)
            if norm is not None:
                size = norm.moving_mean.shape
                _set_batch_norm(norm, np.ones(size, np.float32), take(size))
                if layer.use_bias:
                    layer.bias.assign(np.zeros(layer.bias.shape))
            elif layer.use_bias:
                layer.bias.assign(take(layer.bias.shape))
    return copy


def _chain(generator: keras.Model) -> list[tuple[Any, Any]]:
    """Return the layers in order, each with the BatchNorm after it where that folds into it."""
    pairs: list[tuple[Any, Any]] = []
    tensor = generator.inputs[0]
    for layer in generator.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        if isinstance(layer, keras.Model) or layer.input is not tensor:
            raise ValueError(
                f"{layer.name!r} is a network in itself, or does not take the output of the layer before it; expected "
                "a plain chain of layers."
            )
        axis = layer.axis if isinstance(layer, layers.BatchNormalization) else -1
        first = getattr(layer, "data_format", "channels_last") == "channels_first"
        if first or axis not in (-1, len(layer.output.shape) - 1):
            raise ValueError(f"{layer.name!r} has its channels elsewhere; expected them on the last axis.")
        tensor = layer.output
        last = pairs[-1][0] if pairs else None
        folds = getattr(getattr(last, "activation", None), "__name__", "") == "linear" and hasattr(last, "kernel")
        if isinstance(layer, layers.BatchNormalization) and folds and pairs[-1][1] is None:
            pairs[-1] = (last, layer)
        else:
            pairs.append((layer, None))
    return pairs


def _entries(layer: Any, norm: Any) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Return what the browser is told of a layer: kind, weights, options; for none an empty list."""
    shape = [n or 1 for n in layer.output.shape[1:]]
    if isinstance(layer, layers.Dense) and len(shape) == 1:
        kind, options = "dense", {"size": layer.units}
    elif isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
        kind, options = _convolution(layer, shape)
    elif isinstance(layer, layers.UpSampling2D) and layer.interpolation in ("nearest", "bilinear"):
        return [("upsample", [], {"size": list(layer.size), "bilinear": layer.interpolation == "bilinear"})]
    elif isinstance(layer, layers.Reshape | layers.Flatten) and len(shape) in (1, 3):
        return [("reshape", [], {"shape": shape if len(shape) == 3 else [1, 1, *shape]})]
    elif isinstance(layer, layers.BatchNormalization):
        return [("affine", list(_batch_norm(layer)), {})]
    elif isinstance(layer, layers.Rescaling):
        return [("affine", [_by_channel(layer, value) for value in (layer.scale, layer.offset)], {})]
    elif isinstance(layer, layers.LeakyReLU) or _is_plain_relu(layer):
        return [("activation", [], {"name": "leaky_relu", "slope": float(layer.negative_slope)})]
    elif isinstance(layer, layers.Activation):
        return _activation(layer)
    elif isinstance(layer, layers.Dropout):
        return []
    else:
        raise ValueError(
            f"{layer.name!r} is a {type(layer).__name__}; the page can run Dense, Conv2D, Conv2DTranspose, "
            "UpSampling2D, BatchNormalization, Activation, ReLU, LeakyReLU, Reshape, Flatten, Rescaling and Dropout."
        )
    kernel, *bias = (np.asarray(w, np.float64) for w in layer.get_weights())
    if norm is not None:
        scale, shift = _batch_norm(norm)
        kernel = kernel * (scale[:, None] if kind == "transposed" else scale)
        bias = [(bias[0] if bias else 0.0) * scale + shift]
    kernel = np.swapaxes(kernel, 2, 3) if kind == "transposed" else kernel
    return [(kind, [kernel, *bias], {**options, "bias": bool(bias)}), *_activation(layer)]


def _convolution(layer: Any, shape: list[int]) -> tuple[str, dict[str, Any]]:
    turned = isinstance(layer, layers.Conv2DTranspose)
    odd = set(layer.dilation_rate) != {1} or getattr(layer, "groups", 1) != 1
    if odd or getattr(layer, "output_padding", None) is not None:
        raise ValueError(f"{layer.name!r} is dilated, grouped or output-padded; expected none of it.")
    small, large = (layer.input, layer.output) if turned else (layer.output, layer.input)
    sizes = zip(small.shape[1:3], large.shape[1:3], layer.strides, layer.kernel_size, strict=True)
    before = [  # as TensorFlow pads: an odd pixel goes behind
        max((low - 1) * stride + kernel - high, 0) // 2 if layer.padding == "same" else 0
        for low, high, stride, kernel in sizes
    ]
    options = {"kernel": list(layer.kernel_size), "strides": list(layer.strides), "before": before, "output": shape}
    return "transposed" if turned else "conv", options


def _activation(layer: Any) -> list[tuple[str, list[Any], dict[str, Any]]]:
    name = getattr(layer.activation, "__name__", str(layer.activation))
    if name not in ACTIVATIONS:
        raise ValueError(f"{layer.name!r} has the activation {name!r}; expected one of {', '.join(ACTIVATIONS)}.")
    slope = 0.2  # what Keras gives to the name leaky_relu
    return [] if name == "linear" else [("activation", [], {"name": name, "slope": slope})]


def _by_channel(layer: Any, value: Any) -> np.ndarray:
    given, size = np.asarray(value, np.float32), layer.output.shape[-1]
    if given.shape not in ((), (1,), (size,)):
        raise ValueError(f"{layer.name!r} scales by {given.shape} numbers; expected one, or one a channel ({size}).")
    return np.broadcast_to(given, (size,))


def _is_plain_relu(layer: Any) -> bool:
    return isinstance(layer, layers.ReLU) and layer.max_value is None and not layer.threshold


def _batch_norm(layer: Any) -> tuple[np.ndarray, np.ndarray]:
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


def principal_directions(
    generator: keras.Model, count: int = 6, *, samples: int = 32, step: float = 0.05, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the latent directions along which samples change most: the first eigenvectors of :math:`E[J^\top J]`.

    J is the Jacobian of the generator at a latent, by central differences.

    Args:
        generator: a Keras model from latents (N, latent_dim) to samples.
        count: directions, at most latent_dim.
        samples: latents to average over.
        step: of the differences.
        seed: of the latents.

    Returns:
        Directions (count, latent_dim) of length one, and each one's share of the whole change, (count,); no share for a
        generator that makes one sample of all latents.

    Raises:
        ValueError: for a count out of range.

    Example:
        >>> from gan_utils.networks import toy
        >>> directions, share = principal_directions(toy.generator(), 2)
        >>> directions.shape, round(float(share.sum()), 6)
        ((2, 2), 1.0)

    Reference:
        The directions are those of Ramesh, Choi and LeCun 2018, arXiv 1812.01161, here averaged over latents.
    """
    size = generator.inputs[0].shape[-1]
    if checking.integer("count", count, 1) > size:
        raise ValueError(f"count is {count}; expected 1 to {size} directions.")
    samples, step = checking.integer("samples", samples, 1), checking.real("step", step, above=0)
    z = np.random.default_rng(checking.seed(seed)).standard_normal((samples, 1, size), np.float32)
    moves = step * np.eye(size, dtype=np.float32)
    ahead, behind = (_run(generator, (z + sign * moves).reshape(-1, size)) for sign in (1, -1))
    slopes = (ahead - behind).reshape(samples, size, -1) / (2 * step)
    values, vectors = np.linalg.eigh(np.einsum("nik,njk->ij", slopes, slopes, dtype=np.float64))
    directions = vectors[:, ::-1].T[:count]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(count), largest])[:, None]  # of the two signs, always the same
    values = np.maximum(values, 0.0)  # of a sum of squares, but for rounding
    total = values.sum()
    return directions, values[::-1][:count] / (total if total > 0 else 1.0)


def _run(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    parts = [generator(latents[i : i + 500], training=False) for i in range(0, len(latents), 500)]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


class LatentExplorer(browser.PageWidget):
    """A generator whose weights travel in the page, where it makes new samples from the reader's latents.

    New samples, a wall of 36, sliders along the principal latent directions, truncation, the way between two seeds,
    and the nearest real images. Weights are rounded to half precision, and the page says what that changes.

    Args:
        generator: a built Keras model (N, latent_dim) to images (N, H, W, 1 or 3) in [-1, 1], of at most 700,000
            parameters; layers as in `export`. Or a GAN: then its generator, averaged where it keeps an average.
        real: images (N, H, W, C), floats in [-1, 1], N at most 1,000, to seek the nearest of; None for none.
        directions: principal directions that get a slider.
        predict: a question; the widget shows once the reader has committed to an answer.

    Attributes:
        seed: of the sample shown, in the page and in Python.
        rounding: largest and mean difference of a pixel that half precision makes, over 64 samples.

    Raises:
        ValueError: for too many parameters or real images, shapes that do not fit, or a layer that the page lacks.

    Example:
        >>> from gan_utils.networks import dcgan
        >>> explorer = LatentExplorer(dcgan.compact_generator())
        >>> explorer.rounding["max"] < 0.01
        True
    """

    _esm = browser.module("random", "controls", "network", "latent_explorer")
    layers = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    latent_dim = traitlets.Int().tag(sync=True)
    shape = traitlets.List().tag(sync=True)
    directions = traitlets.List().tag(sync=True)
    shares = traitlets.List().tag(sync=True)
    rounding = traitlets.Dict().tag(sync=True)
    sprite = traitlets.Bytes().tag(sync=True)
    real_count = traitlets.Int().tag(sync=True)
    columns = traitlets.Int(COLUMNS).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self, generator: keras.Model | GAN, *, real: np.ndarray | None = None, directions: int = 6, predict: str = ""
    ) -> None:
        if isinstance(generator, GAN):
            with generator._averaged_weights():
                weights = [keras.ops.convert_to_numpy(variable.value) for variable in generator.generator.weights]
            generator = keras.models.clone_model(generator.generator)
            generator.set_weights(weights)
        inputs = getattr(generator, "inputs", None)
        if not isinstance(generator, keras.Model) or not inputs or len(inputs[0].shape) != 2:
            raise ValueError(
                f"generator is {checking.shown(generator)}; expected a GAN, or a built Keras model of latents "
                "(N, latent_dim) that is Sequential or functional."
            )
        directions = checking.integer("directions", directions, 1)
        if len(generator.inputs) != 1 or generator.count_params() > MAX_PARAMETERS:
            raise ValueError(
                f"{generator.name} has {len(generator.inputs)} inputs and {generator.count_params():,} parameters; "
                f"expected 1 input and at most {MAX_PARAMETERS:,}, as dcgan.compact_generator has."
            )
        shape = generator.output_shape[1:]
        if len(shape) != 3 or shape[-1] not in (1, 3):
            raise ValueError(f"{generator.name} makes samples {shape}; expected images (H, W, 1) or (H, W, 3).")
        real = None if real is None else _checked_real(real, shape)
        found, flat = export(generator)
        if not np.abs(flat).max(initial=0.0) < 65_520:  # what rounds to the largest finite number; NaN fails too
            raise ValueError(f"weights reach {np.abs(flat).max():.3g}; half precision ends at 65,504.")
        size = generator.inputs[0].shape[-1]
        latents = np.random.default_rng(0).standard_normal((64, size), np.float32)
        made = _run(generator, latents)
        checks.finite(made, f"samples of {generator.name}")
        error = np.abs(made - _run(rounded(generator), latents))
        axes, shares = principal_directions(generator, min(directions, size))
        self._still = made[:36]
        super().__init__(
            layers=found,
            weights=flat.astype("<f2").tobytes(),
            latent_dim=size,
            shape=list(shape),
            directions=[[float(x) for x in axis.astype(np.float32)] for axis in axes],
            shares=shares.tolist(),
            rounding={"max": float(error.max()), "mean": float(error.mean())},
            sprite=b"" if real is None else browser.png(_tiled(plotting.to_display(real), COLUMNS)),
            real_count=0 if real is None else len(real),
            predict=predict,
            alt=f"36 samples of {generator.name.replace('_', ' ')}; open the page in a browser to make others.",
        )

    def still(self) -> bytes:
        """Return a wall of 36 samples, PNG."""
        return browser.png(_tiled(plotting.to_display(self._still), 6))


def _checked_real(real: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return real images as an array if they are what the generator makes: floats in [-1, 1] of its shape."""
    real = checks.samples(real, "real images")
    if not isinstance(real, np.ndarray) or real.shape[1:] != shape or not 1 <= len(real) <= MAX_REAL:
        told = getattr(real, "shape", type(real).__name__)
        raise ValueError(f"real images have shape {told}; expected 1 to {MAX_REAL:,} of {shape}.")
    if real.dtype.kind != "f":
        raise ValueError(f"real images are of type {real.dtype}; expected floats in [-1, 1]. For 0..255 x / 127.5 - 1.")
    checks.finite(real, "real images")
    low, high = float(real.min()), float(real.max())
    fault, doubt = checking.range_fault(low, high, tolerance=0.01), checking.range_doubt(low, high)
    if fault is not None:
        raise ValueError(fault)
    if doubt is not None:
        warnings.warn(f"real: {doubt}", stacklevel=4)
    return real


def _tiled(images: np.ndarray, columns: int) -> np.ndarray:
    """Return images (N, H, W) or (N, H, W, 3) in [0, 1] side by side, uint8, the last row filled with black."""
    shown = np.rint(255 * images).astype(np.uint8)
    blank = np.zeros((-len(shown) % columns, *shown.shape[1:]), np.uint8)
    rows = np.concatenate([shown, blank]).reshape(-1, columns, *shown.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
