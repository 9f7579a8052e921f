"""Explorer: controls for a network's inputs, the network itself in the page, and a view of what it makes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets

from gan_utils import checking, plotting
from gan_utils.metrics import checks
from gan_utils.runtime import keras
from gan_utils.widgets import browser, graph

MAX_PARAMETERS = 1_500_000  # of a page's networks together
MAX_TRAY = 200


@dataclass(frozen=True)
class Control:
    """Gives one input of a network; the classes below say how the reader chooses it.

    Args:
        label: what the reader sees.
    """

    label: str

    def told(self, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
        """Return what the page needs, for an input of this shape (without the batch).

        Raises:
            ValueError: for an input that this control cannot give.
        """
        raise NotImplementedError

    def first(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return the input (1, ...) with which the page opens, as far as Python can tell."""
        raise NotImplementedError

    def _need(self, fits: bool, shape: tuple[int, ...], wanted: str) -> None:
        if not fits:
            raise ValueError(f"{type(self).__name__}({self.label!r}) gives {wanted}; the input has shape {shape}.")


@dataclass(frozen=True)
class Latent(Control):
    """Standard normal latents, or noise of any shape, of a seed; "new" draws another."""

    label: str = "latent"
    seed: int = 0

    def told(self, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
        """Return the seed; see `Control.told`."""
        return {"kind": "latent", "seed": checking.seed(self.seed)}

    def first(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return normal numbers; the page draws others from the same seed."""
        return np.random.default_rng(self.seed).standard_normal((1, *shape), np.float32)


@dataclass(frozen=True)
class Choice(Control):
    """One of several classes, given as a number, or one-hot where the input is a vector.

    Args:
        label: what the reader sees.
        options: names of the classes, in order.
        start: the place of the one that is shown first.
    """

    options: Sequence[str] = ()
    start: int = 0

    def told(self, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
        """Return the names; see `Control.told`."""
        self._need(shape in ((), (1,), (len(self.options),)), shape, f"a number or {len(self.options)} in one-hot form")
        checking.integer("start", self.start, 0, max(0, len(self.options) - 1))
        hot = shape == (len(self.options),) and len(self.options) > 1
        return {"kind": "choice", "options": list(self.options), "start": int(self.start), "hot": hot}

    def first(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return the first choice."""
        if shape == (len(self.options),) and len(self.options) > 1:
            return np.eye(len(self.options), dtype=np.float32)[[self.start]]
        return np.full((1, *shape), self.start, dtype)


@dataclass(frozen=True)
class Sliders(Control):
    """A slider for each number of a vector.

    Args:
        label: what the reader sees.
        names: of the numbers, in order.
        low: where the sliders begin.
        high: where they end.
        start: where they stand first.
    """

    names: Sequence[str] = ()
    low: float = -2.0
    high: float = 2.0
    start: float = 0.0

    def told(self, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
        """Return names and range; see `Control.told`."""
        self._need(shape == (len(self.names),), shape, f"{len(self.names)} numbers")
        if not self.low <= self.start <= self.high or self.low == self.high:
            raise ValueError(f"sliders from {self.low} to {self.high} start at {self.start}; expected it in between.")
        values = [round(float(v), 4) for v in np.linspace(self.low, self.high, 41)]
        at = int(np.argmin(np.abs(np.array(values) - self.start)))
        return {"kind": "sliders", "names": list(self.names), "values": values, "start": at}

    def first(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return the start."""
        return np.full((1, *shape), self.start, np.float32)


@dataclass(frozen=True, eq=False)
class Tray(Control):
    """One of some pictures.

    Args:
        label: what the reader sees.
        images: (N, H, W, 1 or 3) in [-1, 1], N at most 200.
        names: what each shows, for readers who cannot see it; numbered if not given.
    """

    images: Any = None
    names: Sequence[str] = ()

    def told(self, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
        """Return the pictures in one sheet; see `Control.told`."""
        images = checks.samples(np.asarray(self.images), "images of a Tray")
        self._need(images.shape[1:] == shape and shape[-1] in (1, 3), shape, f"pictures {images.shape[1:]}")
        checking.integer("pictures of a Tray", len(images), 1, MAX_TRAY)
        if fault := checking.range_fault(float(images.min()), float(images.max()), tolerance=0.01):
            raise ValueError(fault)
        names = [str(name) for name in self.names] or [f"picture {number + 1}" for number in range(len(images))]
        if len(names) != len(images):
            raise ValueError(f"a Tray has {len(images)} pictures and {len(names)} names; expected as many.")
        shown = np.rint(255 * plotting.to_display(images)).astype(np.uint8)
        return {"kind": "tray", "names": names, "sheet": browser.png(np.concatenate(list(shown), axis=0))}

    def first(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return the first picture."""
        return np.asarray(self.images, np.float32)[:1]


@dataclass(frozen=True)
class Drawing(Control):
    """A picture that the reader draws, with a pointer, or with arrow keys and the space bar; white on black.

    Args:
        label: what the reader sees.
        start: (H, W, C) in [-1, 1] to begin with; black if not given.
    """

    start: Any = None

    def told(self, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
        """Return the first drawing; see `Control.told`."""
        self._need(len(shape) == 3 and shape[-1] in (1, 3), shape, "a picture (H, W, 1 or 3)")
        return {"kind": "drawing", "start": np.ravel(self.first(shape, dtype)).round(3).tolist()}

    def first(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return the first drawing."""
        start = np.full(shape, -1.0) if self.start is None else np.asarray(self.start)
        self._need(start.shape == shape, shape, f"a drawing {start.shape}")
        return start[None].astype(np.float32)


@dataclass(frozen=True)
class View:
    """Shows one output of a network; the classes below say how.

    Args:
        label: what it is, for readers who cannot see it.
        output: the number of the output.
    """

    label: str
    output: int = 0

    def told(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return what the page needs, for an output of this shape; raises a ValueError for one it cannot show."""
        raise NotImplementedError

    def _need(self, fits: bool, shape: tuple[int, ...], wanted: str) -> None:
        if not fits:
            raise ValueError(f"{type(self).__name__}({self.label!r}) shows {wanted}; the output has shape {shape}.")


@dataclass(frozen=True)
class Picture(View):
    """A picture (H, W, 1 or 3) in [-1, 1]."""

    def told(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the shape; see `View.told`."""
        self._need(len(shape) == 3 and shape[-1] in (1, 3), shape, "pictures (H, W, 1 or 3)")
        return {"kind": "picture", "shape": list(shape)}


@dataclass(frozen=True)
class Voxels(View):
    """Voxels (D, H, W, 1), solid above 0, that turn under pointer, finger or arrow keys."""

    def told(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the shape; see `View.told`."""
        self._need(len(shape) == 4 and shape[-1] == 1, shape, "voxels (D, H, W, 1)")
        return {"kind": "voxels", "shape": list(shape)}


@dataclass(frozen=True)
class Bars(View):
    """A bar for each number of a vector, such as a referee's probabilities.

    Args:
        label: what it is.
        output: the number of the output.
        names: of the numbers, in order.
    """

    names: Sequence[str] = ()

    def told(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the names; see `View.told`."""
        self._need(shape == (len(self.names),), shape, f"{len(self.names)} numbers")
        return {"kind": "bars", "names": list(self.names)}


class Explorer(browser.NetworkWidget):
    """A network whose weights travel in the page, under controls, with views of what it makes.

    Args:
        network: a functional or sequential Keras model of the layers in `graph.known`, of at most 1.5 million
            parameters.
        inputs: a control for each of its inputs, in order.
        views: what is shown.
        predict: a question; the widget shows once the reader has committed to an answer.

    Attributes:
        rounding: largest and mean difference of an element of the outputs that half precision makes, on eight inputs.

    Raises:
        ValueError: for as many controls as there are no inputs, one that does not fit its input, too many parameters,
            or a layer that the page lacks.

    Example:
        >>> network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Reshape((2, 2, 1))])
        >>> Explorer(network, [Latent()], [Picture("four pixels")]).rounding["max"] < 0.01
        True
    """

    _esm = browser.module("random", "controls", "halves", "weights", "graph", "explorer")
    controls = traitlets.List().tag(sync=True)
    views = traitlets.List().tag(sync=True)

    def __init__(
        self, network: keras.Model, inputs: Sequence[Control], views: Sequence[View], *, predict: str = ""
    ) -> None:
        found = graph.export(network)
        if found.weights.size > MAX_PARAMETERS:
            raise ValueError(f"{network.name} has {found.weights.size:,} weights; expected at most {MAX_PARAMETERS:,}.")
        if len(inputs) != len(found.inputs) or not views:
            names = ", ".join(each["name"] for each in found.inputs)
            raise ValueError(
                f"got {len(inputs)} controls and {len(views)} views; expected a control for each of {names} and a view."
            )
        shapes = [(tuple(each["shape"]), each["dtype"]) for each in found.inputs]
        told = [
            {"label": control.label, "shape": list(shape), **control.told(shape, dtype)}
            for control, (shape, dtype) in zip(inputs, shapes, strict=True)
        ]
        outputs = [tuple(int(n) for n in tensor.shape[1:]) for tensor in network.outputs]
        shown = []
        for view in views:
            number = checking.integer("output", view.output, 0, len(outputs) - 1)
            shown.append({"label": view.label, "output": number, **view.told(outputs[number])})
        first = [control.first(shape, dtype) for control, (shape, dtype) in zip(inputs, shapes, strict=True)]
        made, halved = (_outputs(each, first) for each in (network, graph.rounded(network)))
        error = np.concatenate([np.ravel(np.abs(a - b)) for a, b in zip(made, halved, strict=True)])
        checks.finite(error, f"what {network.name} makes")
        self._made, self._shown = made, views
        super().__init__(
            graph={"inputs": found.inputs, "steps": found.steps, "outputs": found.outputs},
            weights=found.weights.astype("<f2").tobytes(),
            controls=told,
            views=shown,
            rounding={"max": float(error.max()), "mean": float(error.mean())},
            predict=predict,
            alt=f"{network.name.replace('_', ' ')} with {', '.join(c.label for c in inputs)}; open the page in a "
            f"browser to see {', '.join(view.label for view in views)} change.",
        )

    def still(self) -> bytes | None:
        """Return the first picture that is shown, PNG; None where no view is a picture."""
        for view in self._shown:
            if isinstance(view, Picture):
                image = np.rint(255 * plotting.to_display(np.clip(self._made[view.output], -1, 1)))[0]
                scale = math.ceil(224 / max(image.shape[:2]))
                return browser.png(np.repeat(np.repeat(image.astype(np.uint8), scale, 0), scale, 1))
        return None


def _outputs(network: keras.Model, inputs: list[np.ndarray]) -> list[np.ndarray]:
    made = network(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(each, np.float32) for each in (made if isinstance(made, list | tuple) else [made])]
