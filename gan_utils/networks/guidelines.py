"""The guidelines of the DCGAN paper, as a check of any Keras model."""

import itertools
from typing import NamedTuple

from gan_utils.networks import structure
from gan_utils.runtime import keras

_POOLING = (
    "MaxPooling2D",
    "AveragePooling2D",
    "UpSampling2D",
    "Resizing",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
)
_WEIGHTED = ("Dense", "Conv2D", "Conv2DTranspose", "SeparableConv2D", "DepthwiseConv2D")


class Finding(NamedTuple):
    """Whether a guideline holds, and what of the model says so."""

    holds: bool
    why: str


class _Stage(NamedTuple):
    """A layer with weights, and what follows it before the next one."""

    row: structure.Row
    normalised: bool
    activation: str | None


def check_dcgan_guidelines(model: keras.Model) -> dict[str, Finding]:
    """Check a generator (latents to images, or images to images) or a discriminator (images to one logit, or to
    a smaller map of logits).

    The guidelines: strided convolutions instead of pooling; BatchNorm everywhere but at the generator's output and the
    discriminator's input; no fully connected hidden layers (the generator's first, a projection of the latent, and the
    discriminator's last, one logit, are not hidden); ReLU in the generator and tanh at its end, or LeakyReLU in the
    discriminator. Layers are read in the order of computation, so parallel branches as if one followed the other, and a
    layer used twice counts where it first stands.

    Args:
        model: a built Keras model with one input and one output.

    Returns:
        ``"strided convolutions"``, ``"batch normalisation"``, ``"no hidden dense layers"`` and ``"activations"``, each
        with a `Finding`.

    Raises:
        ValueError: for a model that is not built, has several inputs or outputs, or maps to something else.

    Example:
        >>> from gan_utils.networks import dcgan
        >>> [name for name, found in check_dcgan_guidelines(dcgan.mnist_discriminator()).items() if not found.holds]
        ['batch normalisation']

    Reference:
        Radford, Metz and Chintala 2015, arXiv 1511.06434, section 3.
    """
    found = structure.rows(model)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(f"{model.name} has {len(model.inputs)} inputs and {len(model.outputs)} outputs; expected one.")
    shape, source = model.output_shape, model.input_shape
    shrinks = len(shape) == len(source) == 4 and shape[-1] == 1 and (shape[1] or 1) < (source[1] or 2)
    generates = len(shape) == 4 and not shrinks  # a map of logits, smaller than the image, is a discriminator's
    if not generates and (len(source) != 4 or len(shape) not in (2, 4) or shape[-1] != 1):
        raise ValueError(
            f"{model.name} maps {model.input_shape} to {model.output_shape}; expected a generator (to images) or a "
            "discriminator (images to one logit)."
        )
    stages = _stages(found)
    if not stages:
        raise ValueError(f"{model.name} has no layer with weights.")
    return {
        "strided convolutions": _strided(found, stages),
        "batch normalisation": _normalised(found, stages, generates),
        "no hidden dense layers": _convolutional(stages, generates),
        "activations": _activations(stages, generates),
    }


def _kind(row: structure.Row) -> str:
    return type(structure.inner(row.layer)).__name__


def _stages(found: list[structure.Row]) -> list[_Stage]:
    heads = [i for i, row in enumerate(found) if _kind(row) in _WEIGHTED]
    stages = []
    for start, end in itertools.pairwise([*heads, len(found)]):
        after = found[start + 1 : end]
        activations = [structure.activation(row.layer) for row in found[start:end]]
        normalised = any(isinstance(row.layer, keras.layers.BatchNormalization) for row in after)
        stages.append(_Stage(found[start], normalised, " then ".join(filter(None, activations)) or None))
    return stages


def _strided(found: list[structure.Row], stages: list[_Stage]) -> Finding:
    pooling = [row.text for row in found if _kind(row) in _POOLING]
    if pooling:
        return Finding(False, f"{pooling[0]} changes the size")
    strides = [
        stage.row.text for stage in stages if max(getattr(structure.inner(stage.row.layer), "strides", (1,))) > 1
    ]
    return Finding(bool(strides), f"{len(strides)} strided convolutions" if strides else "no strided convolution")


def _normalised(found: list[structure.Row], stages: list[_Stage], generates: bool) -> Finding:
    # one stage: it is input and output at once
    free, inner = (stages[-1], stages[:-1]) if generates else (stages[0], stages[1:-1])
    bare = [stage.row.text for stage in inner if not stage.normalised]
    first = found[: found.index(stages[0].row)]
    if not generates and any(isinstance(row.layer, keras.layers.BatchNormalization) for row in first):
        return Finding(False, f"BatchNorm before {stages[0].row.text}, at the input")
    if free.normalised:
        return Finding(False, f"BatchNorm after {free.row.text}, at the {'output' if generates else 'input'}")
    return Finding(not bare, f"none after {bare[0]}" if bare else f"after all {len(inner)} inner layers")


def _convolutional(stages: list[_Stage], generates: bool) -> Finding:
    allowed = stages[0] if generates else stages[-1]
    dense = [stage for stage in stages if _kind(stage.row) == "Dense"]
    hidden = [stage.row.text for stage in dense if stage is not allowed]
    return Finding(not hidden, f"{hidden[0]} is hidden" if hidden else "convolutions only")


def _activations(stages: list[_Stage], generates: bool) -> Finding:
    wanted, inner = "relu" if generates else "leaky_relu", stages[:-1]
    wrong = [stage for stage in inner if stage.activation != wanted]
    if wrong:
        return Finding(False, f"{wrong[0].activation or 'nothing'} after {wrong[0].row.text}")
    end = stages[-1].activation
    if generates and end != "tanh":
        return Finding(False, f"{end or 'nothing'} at the output")
    return Finding(True, f"{wanted} in {len(inner)} inner layers{', tanh at the output' if generates else ''}")
