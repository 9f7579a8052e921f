"""explore: figures, pictures or tables over a grid of values, under controls, computed when the cell runs."""

import io
import itertools
import json
import numbers
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib.pyplot as plt
import numpy as np
import traitlets
from matplotlib.figure import Figure
from PIL import Image

from gan_utils import plotting
from gan_utils.widgets import browser

MAX_FRAMES = 200
MAX_BYTES = 2_500_000
_Shown: TypeAlias = Figure | tuple[Figure, Any] | np.ndarray | Mapping[str, Sequence[Any]]


class Explore(browser.PageWidget):
    """Frames under controls; made by `explore`."""

    _esm = browser.module("controls", "explore")
    kind = traitlets.Unicode("image").tag(sync=True)
    frames = traitlets.Bytes().tag(sync=True)
    offsets = traitlets.List(traitlets.Int()).tag(sync=True)
    alts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    controls = traitlets.List().tag(sync=True)
    position = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(
        self,
        compute: Callable[..., tuple[str, bytes, str]],
        values: Mapping[str, Sequence[Any]],
        **state: Any,
    ) -> None:
        self._compute, self._values = compute, values
        super().__init__(**state)
        self.on_msg(self._answer)

    def still(self) -> bytes | None:
        """Return the first frame, PNG; None for a table."""
        if self.kind == "table":
            return None
        frame, file = Image.open(io.BytesIO(self.frames[: self.offsets[1]])).convert("RGB"), io.BytesIO()
        few = frame.getcolors(256)  # a palette loses nothing then, and is a third of the bytes
        (frame.quantize(256) if few else frame).save(file, format="png", optimize=True)
        return file.getvalue()

    def _answer(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        """Compute a frame that is not on the grid, for a reader with a kernel."""
        if message.get("ask") == "alive":
            self.send({"alive": True})
        elif message.get("ask") == "frame":
            on_grid = zip(self._values.items(), message["position"], strict=True)
            chosen = {name: choices[index] for (name, choices), index in on_grid} | message["numbers"]
            try:
                kind, frame, alt = self._compute(**chosen)
            except Exception as error:  # whatever the function makes of a value it was not written for
                self.send({"fault": f"This cannot be computed off the grid: {type(error).__name__}: {error}"})
            else:
                self.send({"kind": kind, "alt": alt}, [frame])


def explore(
    function: Callable[..., _Shown],
    predict: str = "",
    *,
    alt: str = "",
    dpi: int = 96,
    **values: Sequence[Any],
) -> Explore:
    """Show what a function draws for every combination of values, under a control for each name.

    Numbers get a slider with a play button, True and False a switch, names a choice. With a live kernel, numbers that
    are not on the grid can be asked for as well.

    Args:
        function: called with one value of each name; returns a figure, a tuple that begins with one, an image
            (H, W) or (H, W, 3) of uint8, or a table (name of a column to its values).
        predict: a question; the frames show once the reader has committed to an answer.
        alt: what is shown, for a reader who cannot see it, in place of `plotting.describe` of each figure; needed
            for images.
        dpi: resolution of figures.
        **values: name to the values of its control.

    Returns:
        A widget whose frames are part of its state, so that it moves in a static page too.

    Raises:
        ValueError: for no values, more frames or bytes than a page should carry (it says how to thin the grid), or a
            picture that no words describe.

    Example:
        >>> explore(lambda power: {"x": [1, 2, 3], "y": [x**power for x in (1, 2, 3)]}, power=[1, 2]).kind
        'table'
    """
    if not values or not all(len(choices) for choices in values.values()):
        raise ValueError("explore got no values; expected at least one name with a non-empty list, as step=[0, 1].")
    grid = [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]
    if len(grid) > MAX_FRAMES:
        raise ValueError(f"{len(grid)} frames; expected at most {MAX_FRAMES}. Pass fewer values of {list(values)}.")

    def compute(**chosen: Any) -> tuple[str, bytes, str]:
        kind, frame, words = _frame(function(**chosen), dpi)
        described = alt or words
        if not described:
            raise ValueError("the frame has no words; give its figure a title or labels, or explore(..., alt=...).")
        return kind, frame, described

    made = [compute(**chosen) for chosen in _with_progress(grid)]
    kinds, frames, alts = map(list, zip(*made, strict=True))
    if len(set(kinds)) > 1:
        raise ValueError(f"{function.__name__} returned {sorted(set(kinds))}; expected one kind for all values.")
    total = sum(map(len, frames))
    if total > MAX_BYTES:
        raise ValueError(f"frames hold {total:,} bytes; expected at most {MAX_BYTES:,}. Lower dpi or thin the grid.")
    return Explore(
        compute,
        {name: list(choices) for name, choices in values.items()},
        kind=kinds[0],
        frames=b"".join(frames),
        offsets=list(itertools.accumulate(map(len, frames), initial=0)),
        alts=alts,
        controls=[_control(name, list(choices)) for name, choices in values.items()],
        position=[0] * len(values),
        predict=predict,
        alt=f"{predict} First frame: {alts[0]}".strip(),
    )


def _control(name: str, choices: list[Any]) -> dict[str, Any]:
    """Return what the page needs to know of one name: how it is controlled and what its values are called."""
    if all(isinstance(value, bool | np.bool_) for value in choices):
        kind = "switch"
    elif all(isinstance(value, numbers.Real) for value in choices):
        kind = "number"
    else:
        kind = "name"
    return {"name": name, "kind": kind, "values": [_text(v) if kind == "number" else str(v) for v in choices]}


def _text(value: Any) -> str:
    """Return a number as short as it can be without being another one."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value.item() if isinstance(value, np.generic) else value)


def _frame(shown: _Shown, dpi: int) -> tuple[str, bytes, str]:
    """Return a frame's kind, its bytes and its words."""
    if isinstance(shown, Mapping):
        table = {str(name): [_cell(value) for value in column] for name, column in shown.items()}
        text = json.dumps({"columns": list(table), "rows": list(zip(*table.values(), strict=True))})
        return "table", text.encode(), f"table of {', '.join(table)}"
    if isinstance(shown, np.ndarray):
        if shown.dtype != np.uint8 or shown.ndim not in (2, 3):
            raise ValueError(f"the image is {shown.dtype} {shown.shape}; expected uint8 (H, W) or (H, W, 3).")
        picture, words = Image.fromarray(shown), ""
    else:
        figure = shown[0] if isinstance(shown, tuple) else shown
        words, file = plotting.describe(figure), io.BytesIO()
        figure.savefig(file, format="png", dpi=dpi)
        plt.close(figure)
        # a palette is a third of the bytes of full colour and shows no difference in line art or grey images
        picture = Image.open(file).convert("RGB").quantize(128)
    small = io.BytesIO()
    picture.convert("RGB").save(small, format="webp", lossless=True, quality=60, method=4)
    return "image", small.getvalue(), words


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, numbers.Real) and not isinstance(value, bool | int) else str(value)


def _with_progress(grid: list[dict[str, Any]], patience: float = 2.0) -> Any:
    """Yield from a list, with a bar in the notebook once it has taken some seconds; the bar is gone at the end."""
    from IPython.display import HTML, ProgressBar, display

    begun, bar, handle = time.monotonic(), ProgressBar(len(grid)), None
    for done, chosen in enumerate(grid):
        if time.monotonic() - begun > patience:
            bar._progress = done
            if handle:
                handle.update(bar)
            else:
                handle = display(bar, display_id=True)
        yield chosen
    if handle:
        handle.update(HTML(""))
