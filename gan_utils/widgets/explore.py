"""explore: figures, pictures or tables over a grid of values, under controls, computed when the cell runs."""

import io
import itertools
import json
import numbers
import operator
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib.pyplot as plt
import numpy as np
import traitlets
from matplotlib.figure import Figure
from PIL import Image

from gan_utils import checking, plotting
from gan_utils.widgets import browser

MAX_FRAMES = 200
MAX_BYTES = 2_500_000
_Shown: TypeAlias = Figure | tuple[Figure, Any] | np.ndarray | Mapping[str, Sequence[Any]]


class _WrongFrame(ValueError):
    """What was returned cannot be shown; the text says why."""


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
    if not callable(function):
        raise ValueError(
            f"function is {checking.shown(function)}; expected something to call, as explore(draw, a=[1])."
        )
    resolution = checking.real("dpi", dpi, above=0)
    listed = {name: _choices(name, choices) for name, choices in values.items()}
    if not listed or not all(listed.values()):
        raise ValueError("explore got no values; expected at least one name with a non-empty list, as step=[0, 1].")
    grid = [dict(zip(listed, chosen, strict=True)) for chosen in itertools.product(*listed.values())]
    if len(grid) > MAX_FRAMES:
        raise ValueError(f"{len(grid)} frames; expected at most {MAX_FRAMES}. Pass fewer values of {list(listed)}.")

    def compute(**chosen: Any) -> tuple[str, bytes, str]:
        try:
            kind, frame, words = _frame(shown := function(**chosen), resolution)
        except _WrongFrame as error:
            raise ValueError(f"{_called(function)} returned {checking.shown(shown)}: {error}") from error
        described = alt or words
        if not described:
            raise ValueError("the frame has no words; give its figure a title or labels, or explore(..., alt=...).")
        return kind, frame, described

    made = [compute(**chosen) for chosen in _with_progress(grid)]
    kinds, frames, alts = map(list, zip(*made, strict=True))
    if len(set(kinds)) > 1:
        raise ValueError(f"{_called(function)} returned {sorted(set(kinds))}; expected one kind for all values.")
    total = sum(map(len, frames))
    if total > MAX_BYTES:
        raise ValueError(f"frames hold {total:,} bytes; expected at most {MAX_BYTES:,}. Lower dpi or thin the grid.")
    return Explore(
        compute,
        listed,
        kind=kinds[0],
        frames=b"".join(frames),
        offsets=list(itertools.accumulate(map(len, frames), initial=0)),
        alts=alts,
        controls=[_control(name, choices) for name, choices in listed.items()],
        position=[0] * len(listed),
        predict=predict,
        alt=f"{predict} First frame: {alts[0]}".strip(),
    )


def _control(name: str, choices: list[Any]) -> dict[str, Any]:
    """Return what the page needs to know of one name: how it is controlled and what its values are called."""
    if all(isinstance(value, bool | np.bool_) for value in choices):
        kind = "switch"
    elif all(_is_number(value) for value in choices):
        kind = "number"
    else:
        kind = "name"
    words = [_text(v) if kind == "number" else v if isinstance(v, str) else checking.shown(v) for v in choices]
    return {"name": name, "kind": kind, "values": words}


def _choices(name: str, choices: Any) -> list[Any]:
    if not isinstance(choices, Iterable) or isinstance(choices, str | bytes):
        raise ValueError(f"{name} is {checking.shown(choices)}; expected a list of values, as {name}=[0, 1].")
    return list(choices)


def _called(function: Any) -> str:
    """Return what a function, a partial or an object that can be called is named in a message."""
    return getattr(getattr(function, "func", function), "__name__", type(function).__name__)


def _is_number(value: Any) -> bool:
    """Return whether a slider can show a value: a finite real number that a page can hold."""
    try:
        checking.real("value", value)
    except ValueError:
        return False
    return True


def _whole(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        return None


def _text(value: Any) -> str:
    """Return a number as short as it can be without being another one."""
    whole, short = _whole(value), f"{float(value):g}"
    if float(short) == value:
        return short
    return repr(float(value)) if whole is None else str(whole)


def _frame(shown: _Shown, dpi: float) -> tuple[str, bytes, str]:
    """Return a frame's kind, its bytes and its words."""
    if isinstance(shown, Mapping):
        columns = {str(name): column for name, column in shown.items()}
        if not all(isinstance(column, Iterable) and not isinstance(column, str) for column in columns.values()):
            raise _WrongFrame("a column is no list; expected a dict from a name to a list of values.")
        table = {name: [_cell(value) for value in column] for name, column in columns.items()}
        lengths = {name: len(column) for name, column in table.items()}
        if len(set(lengths.values())) != 1:
            raise _WrongFrame(f"its columns have lengths {lengths}; expected equal ones.")
        text = json.dumps({"columns": list(table), "rows": list(zip(*table.values(), strict=True))})
        return "table", text.encode(), f"table of {', '.join(table)}"
    if isinstance(shown, np.ndarray):
        if shown.dtype != np.uint8 or shown.ndim not in (2, 3) or not shown.size or shown.shape[2:] not in ((), (3,)):
            raise _WrongFrame(f"the image is {shown.dtype} {shown.shape}; expected uint8 (H, W) or (H, W, 3).")
        picture, words = Image.fromarray(shown), ""
    else:
        figure = shown[0] if isinstance(shown, tuple) and shown else shown
        if not isinstance(figure, Figure):
            raise _WrongFrame("expected a figure, a tuple that begins with one, an image of uint8, or a table.")
        words, file = plotting.describe(figure), io.BytesIO()
        figure.savefig(file, format="png", dpi=dpi)
        plt.close(figure)
        # a palette is a third of the bytes of full colour and shows no difference in line art or grey images
        picture = Image.open(file).convert("RGB").quantize(128)
    small = io.BytesIO()
    picture.convert("RGB").save(small, format="webp", lossless=True, quality=60, method=4)
    return "image", small.getvalue(), words


def _cell(value: Any) -> str:
    whole = _whole(value)
    if whole is not None:
        return str(whole) if abs(whole) < 10**40 else checking.shown(whole)
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return f"{float(value):.4g}"
    return str(value)


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
