"""Playground: a GAN of points in the plane that trains in the page itself, without a kernel or a network."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from gan_utils import checking, plotting
from gan_utils.widgets import browser

#: what each setting may be, for Python, the page's controls and its links alike
CHOICES: dict[str, list[Any]] = {
    "data": ["ring", "grid", "moons", "line", "drawn"],
    "loss": [
        "minimax",
        "non_saturating",
        "least_squares",
        "hinge",
        "wasserstein_penalty",
        "wasserstein_clipping",
    ],
    "critic_steps": [1, 2, 3, 5, 10],
    "generator_rate": [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1],
    "discriminator_rate": [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1],
    "optimizer": ["adam", "rmsprop", "sgd"],
    "layers": [1, 2, 3],
    "units": [4, 8, 16, 32, 64],
    "activation": ["leaky_relu", "relu", "tanh"],
    "batch_size": [16, 32, 64, 128],
    "penalty": [0.1, 1, 10],
    "clip": [0.01, 0.03, 0.1, 0.3],
}
DEFAULTS: dict[str, Any] = {
    "data": "ring",
    "loss": "non_saturating",
    "critic_steps": 1,
    "generator_rate": 0.001,
    "discriminator_rate": 0.001,
    "optimizer": "adam",
    "layers": 2,
    "units": 32,
    "activation": "leaky_relu",
    "batch_size": 64,
    "penalty": 1,
    "clip": 0.1,
    "seed": 0,
    "points": [],
}
VIEWS = ("heat_map", "manifold", "arrows", "slow_motion")
#: half the side of the square that is drawn; drawn points lie in it
HALF_WIDTH = 1.6


class Playground(browser.PageWidget):
    r"""A GAN of points in the plane that trains in the page: play, pause, single steps, slow motion.

    Latents are two standard normals, both networks are dense, and everything the reader sees is a function of the
    settings and the number of steps, so a run can be shared as a link and comes back exactly. Losses, penalty,
    optimizers and initial weights are the book's and Keras's; the same random numbers give TensorFlow's trajectory.

    Args:
        predict: a question; the widget shows once the reader has committed to an answer.
        views: what is switched on at first, of ``"heat_map"`` (the discriminator's verdict), ``"manifold"`` (lines of
            equal latent coordinates), ``"arrows"`` (where the generator's loss sends samples), ``"slow_motion"``.
        name: what a link calls this playground; two on one page need two names.
        seed: whole number from 0 to 2**32 - 1.
        points: pairs of numbers in [-1.6, 1.6], at most 300, for ``data="drawn"``.
        **settings: what the run begins with: ``data``, ``loss``, ``critic_steps``, ``generator_rate``,
            ``discriminator_rate``, ``optimizer``, ``layers``, ``units``, ``activation``, ``batch_size``, ``penalty``
            (weight of the gradient penalty), ``clip`` (limit of the critic's weights); each one of `CHOICES`.

    Raises:
        ValueError: for a setting or value that is not one of those.

    Example:
        >>> Playground(data="grid", loss="hinge").settings["loss"]
        'hinge'

    Reference:
        After GAN Lab: Kahng, Thorat, Chau, Viegas and Wattenberg 2018, arXiv 1809.01587.
    """

    _esm = browser.module("random", "autodiff", "plane_gan", "controls", "plane_drawing", "playground")
    settings = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict(CHOICES).tag(sync=True)
    colours = traitlets.Dict(plotting.COLOURS).tag(sync=True)
    views = traitlets.List(traitlets.Unicode()).tag(sync=True)
    name = traitlets.Unicode("playground").tag(sync=True)

    def __init__(
        self,
        predict: str = "",
        *,
        name: str = "playground",
        views: Sequence[str] = ("heat_map", "manifold"),
        **settings: Any,
    ) -> None:
        if not isinstance(views, Sequence) or isinstance(views, str) or not all(view in VIEWS for view in views):
            raise ValueError(f"views are {checking.shown(views)}; expected some of {', '.join(VIEWS)} in a list.")
        chosen = {**DEFAULTS, **settings}
        for key, value in chosen.items():
            if key not in DEFAULTS:
                raise ValueError(f"there is no setting {key!r}; expected some of {', '.join(DEFAULTS)}.")
            if key in CHOICES:
                single = np.ndim(value) == 0 and not isinstance(value, bool | np.bool_)
                equal = [choice for choice in CHOICES[key] if single and choice == value]
                if not equal:
                    raise ValueError(f"{key} is {checking.shown(value)}; expected one of {CHOICES[key]}.")
                chosen[key] = equal[0]  # a NumPy number becomes a plain one
        chosen["seed"] = checking.integer("seed", chosen["seed"], 0, 2**32 - 1)
        try:
            chosen["points"] = [[checking.real("x", x) for x in point] for point in chosen["points"]]
        except (TypeError, ValueError):
            raise ValueError(f"points are {checking.shown(chosen['points'])}; expected pairs of numbers.") from None
        inside = [len(p) == 2 and all(math.isfinite(x) and abs(x) <= HALF_WIDTH for x in p) for p in chosen["points"]]
        if not all(inside) or len(inside) > 300 or (chosen["data"] == "drawn" and not inside):
            raise ValueError(
                f"{len(inside)} points, {inside.count(False)} of them not pairs of numbers in [-{HALF_WIDTH}, "
                f"{HALF_WIDTH}]; expected at most 300 pairs, and at least one for data='drawn'."
            )
        alt = f"An experiment that trains a GAN of points in the plane ({chosen['data']}); open the page in a browser."
        super().__init__(settings=chosen, predict=predict, name=name, views=list(views), alt=alt)
