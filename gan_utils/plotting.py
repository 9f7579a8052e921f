"""Figures and tables. What draws returns (figure, axes) and shows nothing; `in_a_row` and `table` end a cell."""

import html
import io
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

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
    return axes.figure, axes


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
    figure, axes = plt.subplots(figsize=(7.0, 3.4), layout="constrained")  # also for a label that is set later
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
    return figure, axes


def draw_network(model: Any, *, width: float = 3.9) -> tuple[Figure, Axes]:
    """Draw the tensors of a network from top to bottom, each with its shape and with the layers that made it.

    A feature map is a slab: its top as wide as the image (on a root scale), its side as thick as it has channels (on a
    log scale). A vector is a bar, as long as its size (on a log scale). Layers that keep the shape are named with the
    one before them. Every part is a vector, so save it as SVG or PDF.

    Args:
        model: a built Keras model, one tensor after another.
        width: of the figure, in inches; as it stands, text can be read on a telephone.

    Returns:
        The figure and its one axes.

    Raises:
        ValueError: for a model that is not built or has several inputs, or less than 3 inches.
    """
    if len(model.inputs) != 1 or width < 3:
        raise ValueError(
            f"{model.name} has {len(model.inputs)} inputs, width is {width}; expected 1 input, 3 inches or more."
        )
    stages = _tensor_flow(model)
    colour = COLOURS["discriminator" if len(model.output_shape) == 2 else "generator"]
    widest = max([shape[0] for shape, _ in stages if len(shape) == 3], default=1)
    longest = max([math.prod(shape) for shape, _ in stages if len(shape) != 3], default=2)
    line, reach, top = 0.17, 0.38 * width, 0.0
    parts: list[tuple[float, float, float, float, tuple[int, ...], list[str]]] = []
    for shape, layers in stages:
        if len(shape) == 3:
            across, thick = reach * (0.12 + 0.88 * math.sqrt(shape[0] / widest)), 0.03 + 0.03 * math.log2(shape[2] + 1)
        else:
            across = reach * (0.08 + 0.92 * math.log(math.prod(shape) + 1) / math.log(longest + 1))
            thick = 0.09
        slant = 0.16 * across if len(shape) == 3 else 0.0
        text = textwrap.wrap(" → ".join(layers), int(13.5 * (width - reach - 0.55)))
        parts.append((top, across, thick, slant, shape, text))
        top += max(slant + thick, line * (1 + len(text))) + 0.17
    figure, axes = plt.subplots(figsize=(width, top + 0.5))
    figure.subplots_adjust(0, 0, 1, 1)
    axes.set(xlim=(0, width), ylim=(top, -0.5))
    axes.set_axis_off()
    name = textwrap.shorten(model.name.replace("_", " "), int(11 * width), placeholder=" …")
    axes.text(0.06, -0.3, name, fontsize=10, weight="bold")
    axes.text(0.06, -0.12, f"{model.count_params():,} parameters", fontsize=8.5, color="0.35")
    centre, column = 0.1 + 0.62 * reach, 1.42 * reach
    for index, (y, across, thick, slant, shape, text) in enumerate(parts):
        _slab(axes, (centre - (across + slant) / 2, y), (across, thick, slant), colour)
        axes.text(column, y + line / 2, " × ".join(map(str, shape)), fontsize=9, va="center")
        for number, words in enumerate(text):
            axes.text(column, y + line * (number + 1.5), words, fontsize=7.8, va="center", color="0.35")
        if index + 1 < len(parts):
            end = parts[index + 1][0]
            style = {"arrowstyle": "-|>", "color": "0.45", "lw": 0.9, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
            axes.annotate("", (centre, end - 0.01), (centre, y + slant + thick + 0.02), arrowprops=style)
    return figure, axes


def describe(figure: Figure) -> str:
    """Return in words what a figure shows, for a reader who cannot see it: titles, axes, legends, notes.

    In a notebook this is what a figure's output says as plain text, and on the book's pages its alternative text.

    Args:
        figure: with titles and labelled axes; what has no words cannot be described.

    Returns:
        At most 500 characters; empty for a figure without any words.

    Example:
        >>> figure, axes = curves({"loss": [2.0, 1.0]})
        >>> describe(figure)
        'curves: loss; across: training step'
    """
    parts = [text.get_text() for text in figure.texts]  # a title of the whole is one of them
    shared = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        title = " ".join(filter(None, (axes.get_title(where) for where in ("left", "center", "right"))))
        legend = axes.get_legend()
        entries = [text.get_text() for text in legend.get_texts()] if legend else []
        kinds = {"pictures": axes.images, "curves": axes.lines, "areas": axes.patches, "points": axes.collections}
        kind = next((name for name, found in kinds.items() if len(found)), "")
        names = [_plain(tick.get_text()) for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_ticklabels()]
        names = [name for name in names if axes.axison and re.search("[A-Za-z]{2}", name)]
        notes = [text.get_text() for text in axes.texts if re.search("[A-Za-z]", text.get_text())][:6]
        about = ", ".join(dict.fromkeys([*entries, *names, *notes]))
        words = [title, f"{kind}: {about}" if kind and about else about or (kind if title else "")]
        if axes.axison:
            words += [f"across: {axes.get_xlabel()}"] * bool(axes.get_xlabel())
            words += [f"up: {axes.get_ylabel()}"] * bool(axes.get_ylabel())
        parts.append("; ".join(filter(None, words)))
    text = ". ".join(filter(None, [*dict.fromkeys(parts), ", ".join(shared)]))
    return textwrap.shorten(_plain(text), 500, placeholder=" …")


def _plain(text: str) -> str:
    """Return a text without TeX's marks."""
    return re.sub(r"\\(?:math\w+|hat|[,;! ])|[${}\\]", "", text)


def _pretty(figure: Figure, printer: Any, cycle: bool) -> None:
    printer.text(describe(figure) or repr(figure))


# IPython's protocol for plain text; a formatter that is registered goes when Matplotlib's inline backend is set up
Figure._repr_pretty_ = _pretty


def in_a_row(*figures: Figure) -> Any:
    """Return figures as vector drawings beside each other, and below each other where the page is narrow.

    Args:
        figures: what to show; they are closed.

    Returns:
        An IPython HTML object for the end of a cell.
    """
    from IPython.display import HTML

    parts = []
    for number, figure in enumerate(figures):
        text = io.StringIO()
        words = html.escape(describe(figure), quote=True)
        with plt.rc_context({"svg.hashsalt": f"figure {number}"}):  # the same picture, the same text
            figure.savefig(text, format="svg", metadata={"Date": None})
        plt.close(figure)
        drawing = text.getvalue()[text.getvalue().index("<svg") :]
        tag, content = drawing.removeprefix("<svg").split(">", 1)
        tag = re.sub(r' (?:width|height)="[^"]*"', "", tag)
        drawing = f'<svg role="img" aria-label="{words}" width="100%" style="background:#fff"{tag}>{content}'
        parts.append(f'<div style="flex:1 1 20rem;max-width:{figure.get_figwidth()}in">{drawing}</div>')
    return HTML(f'<div style="display:flex;flex-wrap:wrap;gap:0.8em;align-items:flex-start">{"".join(parts)}</div>')


class Table:
    """A table as `table` makes it: HTML on a page, aligned text in a terminal."""

    def __init__(self, page: str, text: str) -> None:
        self._page, self._text = page, text

    def _repr_html_(self) -> str:
        return self._page

    def __repr__(self) -> str:
        return self._text


def table(
    columns: Mapping[str, Sequence[Any]],
    *,
    caption: str,
    formats: Mapping[str, str] | None = None,
    best: Mapping[str, str] | None = None,
) -> Table:
    """Return a table for the end of a cell; on a phone its rows are stacked.

    Args:
        columns: by heading, the cells from top to bottom: text, a number, a number with its interval
            ``(value, low, high)``, or None for a dash. The first column names the rows.
        caption: what the table shows.
        formats: by heading, how its numbers are written, as in `format`; in three digits where not given.
        best: by heading, ``"highest"`` or ``"lowest"``: the number that is marked.

    Raises:
        ValueError: for columns of several lengths, no rows, or a heading or a word that is not known.

    Example:
        >>> rows = {"loop": ["ours", "theirs"], "images/s": [2000.0, 1500.0]}
        >>> table(rows, caption="Speed", best={"images/s": "highest"})
        Speed
        loop    images/s
        ours     *2,000*
        theirs     1,500
    """
    formats, best = formats or {}, best or {}
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) != 1 or not any(lengths.values()):
        raise ValueError(f"columns have lengths {lengths}; expected one length, of at least one row.")
    if unknown := [name for name in (*formats, *best) if name not in columns]:
        raise ValueError(f"{unknown[0]!r} is no heading; expected one of {', '.join(columns)}.")
    if unknown := [word for word in best.values() if word not in ("highest", "lowest")]:
        raise ValueError(f"best is {unknown[0]!r}; expected 'highest' or 'lowest'.")
    made = []
    for heading, cells in columns.items():
        written = [_cell(cell, formats.get(heading, "")) for cell in cells]
        side = "left" if any(isinstance(cell, str) for cell in cells) else "right"
        made.append(_Column(heading, written, _best(cells, best[heading]) if heading in best else set(), side))
    return Table(_html_table(caption, made), _text_table(caption, made))


class _Column(NamedTuple):
    heading: str
    cells: list[str]
    marked: set[int]  # rows
    side: str  # "left" or "right"


def _best(cells: Sequence[Any], word: str) -> set[int]:
    values = {i: cell[0] if isinstance(cell, tuple) else cell for i, cell in enumerate(cells)}
    numbers = {i: value for i, value in values.items() if value is not None and not isinstance(value, str)}
    chosen = (max if word == "highest" else min)(numbers.values(), default=None)
    return {i for i, value in numbers.items() if value == chosen}


def _cell(cell: Any, form: str) -> str:
    if cell is None or isinstance(cell, str):
        return cell or "–"
    if isinstance(cell, tuple):
        value, low, high = (_cell(number, form) for number in cell)
        return f"{value} ({low} to {high})"
    if form or isinstance(cell, int | np.integer):
        return format(cell, form or ",")
    return format(float(f"{cell:.3g}"), ",g")


def _html_table(caption: str, columns: list[_Column]) -> str:
    def cell(column: _Column, row: int, first: bool) -> str:
        text = html.escape(column.cells[row])
        text = f"<strong>{text}</strong>" if row in column.marked else text
        if first:
            return f'<th scope="row" style="text-align:left">{text}</th>'
        return f'<td data-heading="{html.escape(column.heading)}" style="text-align:{column.side}">{text}</td>'

    heads = [f'<th scope="col" style="text-align:{c.side}">{html.escape(c.heading)}</th>' for c in columns]
    rows = [
        "".join(cell(column, row, not number) for number, column in enumerate(columns))
        for row in range(len(columns[0].cells))
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    caption = f"<caption>{html.escape(caption)}</caption>"
    return f'<table class="book-table">{caption}<thead><tr>{"".join(heads)}</tr></thead><tbody>{body}</tbody></table>'


def _text_table(caption: str, columns: list[_Column]) -> str:
    lines = []
    for heading, cells, marked, side in columns:
        words = [heading, *(f"*{cell}*" if row in marked else cell for row, cell in enumerate(cells))]
        width, pad = max(map(len, words)), str.rjust if side == "right" else str.ljust
        lines.append([pad(word, width) for word in words])
    return "\n".join([caption, *("  ".join(row).rstrip() for row in zip(*lines, strict=True))])


def _tensor_flow(model: Any) -> list[tuple[tuple[int, ...], list[str]]]:
    """Return each new shape on the way through a model, with the layers that lead to it or keep it."""
    from gan_utils.networks import structure

    stages: list[tuple[tuple[int, ...], list[str]]] = [(tuple(n or 1 for n in model.input_shape[1:]), ["input"])]
    for row in structure.rows(model):
        shape = tuple(n or 1 for n in row.shape)
        if shape != stages[-1][0] or hasattr(structure.inner(row.layer), "kernel"):
            stages.append((shape, [row.text]))
        else:
            stages[-1][1].append(row.text)
    return stages


def _slab(axes: Axes, corner: tuple[float, float], size: tuple[float, float, float], colour: str) -> None:
    """Draw a block seen from above: a slanted top (none for a vector), a front and a side."""
    (x, y), (across, thick, slant) = corner, size
    left, right, low = (x, y + slant), (x + across, y + slant), y + slant + thick
    back_left, back_right = (x + slant, y), (x + across + slant, y)
    faces = [((left, right, (right[0], low), (x, low)), 0.85)]
    if slant:
        faces.append(((left, back_left, back_right, right), 0.35))
        faces.append(((right, back_right, (back_right[0], y + thick), (right[0], low)), 0.6))
    for corners, alpha in faces:
        axes.add_patch(Polygon(corners, facecolor=(*to_rgb(colour), alpha), edgecolor="0.25", linewidth=0.6))
