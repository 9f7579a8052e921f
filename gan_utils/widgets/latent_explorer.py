"""LatentExplorer: a trained generator that runs in the page itself, without a kernel or a network."""

import warnings
from typing import Any

import numpy as np
import traitlets

from gan_utils import checking, plotting
from gan_utils.metrics import checks
from gan_utils.runtime import keras
from gan_utils.training import GAN
from gan_utils.widgets import browser, graph

MAX_PARAMETERS = 700_000
MAX_REAL = 1_000
COLUMNS = 40  # of the sprite of real images


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


class LatentExplorer(browser.NetworkWidget):
    """A generator whose weights travel in the page, where it makes new samples from the reader's latents.

    New samples, a wall of 36, sliders along the principal latent directions, truncation, the way between two seeds,
    and the nearest real images. Weights are rounded to half precision, and the page says what that changes.

    Args:
        generator: a built Keras model (N, latent_dim) to images (N, H, W, 1 or 3) in [-1, 1], of at most 700,000
            parameters; layers as in `graph.known`. Or a GAN: then its generator, averaged where it keeps an average.
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

    _esm = browser.module("random", "controls", "halves", "weights", "graph", "latents", "latent_explorer")
    latent_dim = traitlets.Int().tag(sync=True)
    shape = traitlets.List().tag(sync=True)
    directions = traitlets.List().tag(sync=True)
    shares = traitlets.List().tag(sync=True)
    sprite = traitlets.Bytes().tag(sync=True)
    real_count = traitlets.Int().tag(sync=True)
    columns = traitlets.Int(COLUMNS).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self, generator: keras.Model | GAN, *, real: np.ndarray | None = None, directions: int = 6, predict: str = ""
    ) -> None:
        if isinstance(generator, GAN):
            with generator.averaged():
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
        found = graph.export(generator)
        size = generator.inputs[0].shape[-1]
        latents = np.random.default_rng(0).standard_normal((64, size), np.float32)
        made = _run(generator, latents)
        checks.finite(made, f"samples of {generator.name}")
        error = np.abs(made - _run(graph.rounded(generator), latents))
        axes, shares = principal_directions(generator, min(directions, size))
        self._still = made[:36]
        super().__init__(
            graph={"inputs": found.inputs, "steps": found.steps, "outputs": found.outputs},
            weights=found.weights.astype("<f2").tobytes(),
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
