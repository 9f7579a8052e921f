"""Figures. Every function returns (figure, axes) and none shows it."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: colours that stay apart for colour-blind readers (Okabe and Ito 2008)
COLOURS = {"discriminator": "#0072B2", "generator": "#D55E00", "real": "#009E73", "fake": "#CC79A7"}


def to_display(images: np.ndarray) -> np.ndarray:
    """Map images from [-1, 1] to what Matplotlib draws: (N, H, W) or (N, H, W, 3) in [0, 1], clipped.

    Raises:
        ValueError: unless the shape is (N, H, W, 1) or (N, H, W, 3).

    Example:
        >>> to_display(np.array([-1.0, 0.0, 3.0]).reshape(1, 1, 3, 1)).tolist()
        [[[0.0, 0.5, 1.0]]]
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images have shape {images.shape}; expected (N, H, W, 1) or (N, H, W, 3).")
    shown = np.clip((images + 1.0) / 2.0, 0.0, 1.0)
    return shown[..., 0] if shown.shape[-1] == 1 else shown


def image_grid(
    images: np.ndarray, *, columns: int | None = None, title: str = "", axes: Axes | None = None
) -> tuple[Figure, Axes]:
    """Draw all images, in order, as one picture.

    Args:
        images: (N, H, W, 1 or 3) in [-1, 1].
        columns: images a row; about the square root of N if not given.
        title: above the grid.
        axes: where to draw; a figure of its own if not given.

    Returns:
        The figure and its one axes.
    """
    shown = to_display(images)
    columns = columns or math.ceil(math.sqrt(len(shown)))
    rows = math.ceil(len(shown) / columns)
    blank = np.ones((rows * columns - len(shown), *shown.shape[1:]), shown.dtype)
    tiles = np.concatenate([shown, blank]).reshape(rows, columns, *shown.shape[1:])
    tiles = np.pad(tiles, [(0, 0), (0, 0), (1, 1), (1, 1)] + [(0, 0)] * (tiles.ndim - 4), constant_values=1.0)
    picture = np.concatenate(np.concatenate(tiles, axis=1), axis=1)
    if axes is None:
        width = min(7.0, 0.75 * columns)
        _, axes = plt.subplots(figsize=(width, width * rows / columns + 0.3), layout="tight")
    axes.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
    return axes.figure, axes  # type: ignore[return-value]


def curves(
    history: Mapping[str, Sequence[float]],
    references: Mapping[str, float] | None = None,
    *,
    steps_per_epoch: int = 1,
    labels: Mapping[str, str] | None = None,
) -> tuple[Figure, Axes]:
    """Draw curves over training steps, with dashed lines at the values they should have.

    Args:
        history: name to a value an epoch.
        references: label to a value, drawn as a broken line; where there is one for each curve, in its colour.
        steps_per_epoch: training steps between two values.
        labels: name to the text shown in the legend.

    Returns:
        The figure and its one axes.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.4))
    palette = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]
    for index, (name, values) in enumerate(history.items()):
        steps = steps_per_epoch * np.arange(1, len(values) + 1)
        axes.plot(steps, values, color=palette[index % 4], label=(labels or {}).get(name, name))
    references = references or {}
    colours = palette if len(references) == len(history) else ["0.4"] * len(references)
    for index, (label, value) in enumerate(references.items()):
        axes.axhline(value, color=colours[index % 4], linestyle=["--", ":"][index % 2], linewidth=1.2, label=label)
    axes.set_xlabel("training step")
    axes.legend(frameon=False, ncols=2, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure, axes
