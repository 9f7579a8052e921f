"""explore: figures over a grid of values, under sliders, computed when the cell runs."""

import io
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import matplotlib.pyplot as plt
import traitlets
from matplotlib.figure import Figure

MAX_FRAMES = 200
MAX_BYTES = 2_500_000


class Explore(anywidget.AnyWidget):
    """Frames under sliders; made by `explore`."""

    _esm = Path(__file__).with_name("explore.js")
    frames = traitlets.Bytes().tag(sync=True)
    offsets = traitlets.List(traitlets.Int()).tag(sync=True)
    controls = traitlets.List().tag(sync=True)
    position = traitlets.List(traitlets.Int()).tag(sync=True)
    predict = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)


def explore(
    function: Callable[..., Figure | tuple[Figure, Any]],
    predict: str = "",
    *,
    alt: str = "",
    dpi: int = 96,
    **values: Sequence[Any],
) -> Explore:
    """Draw a figure for every combination of values and put the frames under sliders.

    Args:
        function: called with one value of each name; returns a figure, or a tuple that begins with one.
        predict: a question; the frames show once the reader has committed to an answer.
        alt: what the figure shows, for a reader who cannot see it.
        dpi: resolution of the frames.
        **values: name to the values of its slider.

    Returns:
        A widget whose frames are part of its state, so that it moves in a static page too.

    Raises:
        ValueError: for no values, or more frames or bytes than a page should carry; it says how to thin the grid.
    """
    if not values or not all(len(choices) for choices in values.values()):
        raise ValueError("explore got no values; expected at least one name with a non-empty list, as step=[0, 1].")
    grid = list(itertools.product(*values.values()))
    if len(grid) > MAX_FRAMES:
        raise ValueError(f"{len(grid)} frames; expected at most {MAX_FRAMES}. Pass fewer values of {list(values)}.")
    frames = [_png(function(**dict(zip(values, combination, strict=True))), dpi) for combination in grid]
    total = sum(map(len, frames))
    if total > MAX_BYTES:
        raise ValueError(f"frames hold {total:,} bytes; expected at most {MAX_BYTES:,}. Lower dpi or thin the grid.")
    return Explore(
        frames=b"".join(frames),
        offsets=list(itertools.accumulate(map(len, frames), initial=0)),
        controls=[{"name": name, "values": [str(v) for v in choices]} for name, choices in values.items()],
        position=[0] * len(values),
        predict=predict,
        alt=alt or function.__name__.replace("_", " "),
    )


def _png(result: Figure | tuple[Figure, Any], dpi: int) -> bytes:
    figure = result[0] if isinstance(result, tuple) else result
    buffer = io.BytesIO()
    # a palette is a third of the bytes of full colour and shows no difference in line art or grey images
    figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(figure)
    from PIL import Image

    small = io.BytesIO()
    Image.open(buffer).convert("RGB").quantize(128).save(small, format="png", optimize=True)
    return small.getvalue()
