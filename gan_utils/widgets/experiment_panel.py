"""ExperimentPanel: controls for a GAN of points in the plane, in a live notebook."""

import base64
import html
import inspect
import io
import threading
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from gan_utils import checking, losses, plotting, runtime, terms
from gan_utils.data import toy
from gan_utils.metrics import mixtures
from gan_utils.networks import toy as networks
from gan_utils.runtime import keras
from gan_utils.training import GAN
from gan_utils.widgets import playground

BATCH, POINTS, LOOK = 64, 50_000, 50  # samples a step, data, steps between two pictures
MOST = 100_000  # steps
PENALTIES: dict[str, Any] = {
    "none": None,
    "gradient_penalty": lambda: terms.GradientPenalty(1.0),
    "r1": lambda: terms.R1(0.1),
    "weight_clipping": lambda: terms.WeightClipping(0.1),
}
DATA = {"ring": lambda: toy.ring(sigma=0.05), "grid": lambda: toy.grid(spacing=0.5, sigma=0.03)}
CHOICES: dict[str, list[Any]] = {
    "data": list(DATA),
    "loss": list(losses.LOSSES),
    "penalty": list(PENALTIES),
    "generator_rate": playground.CHOICES["generator_rate"],
    "discriminator_rate": playground.CHOICES["discriminator_rate"],
    "critic_steps": playground.CHOICES["critic_steps"],
}


def plane_gan(
    data: str = "ring",
    loss: str = "non_saturating",
    penalty: str = "none",
    *,
    generator_rate: float = 0.001,
    discriminator_rate: float = 0.001,
    critic_steps: int = 1,
    seed: int = 0,
) -> tuple[GAN, toy.Mixture]:
    """Return a compiled GAN of points in the plane and the mixture it is to learn; what an `ExperimentPanel` trains.

    Args:
        data: ``"ring"`` of 8 modes or ``"grid"`` of 25, both within [-1.2, 1.2]².
        loss: a name of `losses.LOSSES`.
        penalty: ``"none"``, ``"gradient_penalty"`` (weight 1), ``"r1"`` (0.1) or ``"weight_clipping"`` (0.1).
        generator_rate: of Adam with beta_1 = 0.5; a number above 0.
        discriminator_rate: the same.
        critic_steps: updates of the discriminator for one of the generator.
        seed: of weights, data order and noise; Python's, NumPy's and Keras's global generators are seeded with it too.

    Raises:
        ValueError: for an unknown name or a number out of range.

    Example:
        >>> gan, mixture = plane_gan("grid", "hinge")
        >>> gan.adversarial_loss.name, len(mixture.means)
        ('hinge', 25)
    """
    for name, value in (("data", data), ("penalty", penalty)):
        if value not in CHOICES[name]:
            raise ValueError(f"{name} is {value!r}; expected one of {', '.join(CHOICES[name])}.")
    generator_rate = checking.real("generator_rate", generator_rate, above=0)
    discriminator_rate = checking.real("discriminator_rate", discriminator_rate, above=0)
    seed = checking.seed(seed)
    runtime.set_seed(seed)
    chosen = PENALTIES[penalty]
    gan = GAN(
        networks.generator(),
        networks.discriminator(),
        loss=loss,
        terms=[chosen()] if chosen else [],
        discriminator_steps=critic_steps,
        seed=seed,
    )
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(generator_rate, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(discriminator_rate, beta_1=0.5),
    )
    return gan, DATA[data]()


class ExperimentPanel(ipywidgets.VBox):
    """Choose, start, pause, go on, stop: a GAN in the plane, trained beside the notebook, which stays free.

    Args:
        steps: that a run takes; a multiple of 50, after which there is a new picture each time, at most 100,000.
        **settings: what the controls begin with, arguments of `plane_gan`.

    Attributes:
        gan: of the run that was begun last; None before.
        line: the run as a line of Python.
        fault: the exception that ended the last run, or None.

    Raises:
        ValueError: for other steps, or as `plane_gan`.

    Example:
        >>> panel = ExperimentPanel(loss="hinge", steps=100)
        >>> panel.line
        "from gan_utils import widgets; gan, mixture = widgets.plane_gan(loss='hinge'); \
gan.fit(mixture.sample(50_000), batch_size=64, steps_per_epoch=50, epochs=2)"
    """

    _run: "_Run | None" = None

    def __init__(self, *, steps: int = 2000, **settings: Any) -> None:
        steps = checking.integer("steps", steps, 1, MOST, mend=f"It is a multiple of {LOOK}.")
        if steps % LOOK:
            raise ValueError(f"steps is {steps}; expected a multiple of {LOOK}, at most {MOST:,}.")
        defaults = {name: argument.default for name, argument in inspect.signature(plane_gan).parameters.items()}
        unknown = [f"{k}={v!r}" for k, v in settings.items() if k not in defaults or v not in CHOICES.get(k, [v])]
        if unknown:
            raise ValueError(f"got {', '.join(unknown)}; expected {CHOICES}, and a seed.")
        self._defaults, chosen = defaults, defaults | settings | {"seed": checking.seed(settings.get("seed", 0))}
        look: dict[str, Any] = {
            "layout": ipywidgets.Layout(width="20rem"),
            "style": {"description_width": "9rem"},
        }
        self.controls: dict[str, Any] = {
            name: ipywidgets.Dropdown(
                options=[(str(v).replace("_", " "), v) for v in values],
                value=chosen[name],
                description=name.replace("_", " "),
                **look,
            )
            for name, values in CHOICES.items()
        }
        for name, value, low, high, step in (
            ("seed", chosen["seed"], 0, 2**31 - 1, 1),
            ("steps", steps, LOOK, MOST, LOOK),
        ):
            self.controls[name] = ipywidgets.BoundedIntText(
                value=value, min=low, max=high, step=step, description=name, **look
            )
        self.buttons = {
            name: ipywidgets.Button(description=name.capitalize()) for name in ("start", "pause", "resume", "stop")
        }
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: getattr(self, name)())
        self.status, self.code, self.picture = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.gan: GAN | None = None
        self.fault: Exception | None = None
        wrap, narrow = ipywidgets.Layout(flex_flow="row wrap"), ipywidgets.Layout(max_width="100%")
        left = ipywidgets.VBox(list(self.controls.values()))
        right = ipywidgets.VBox([self.picture, self.status], layout=narrow)
        buttons = ipywidgets.HBox(list(self.buttons.values()), layout=wrap)
        note = ipywidgets.HTML("<p>The buttons work in a running notebook; a page without one shows the last run.</p>")
        super().__init__([note, buttons, ipywidgets.HBox([left, right], layout=wrap), self.code])
        self.add_class("gan-experiment")
        for control in self.controls.values():
            control.observe(self._write_line, "value")
        self._write_line()
        self._tell("ready", "ready")

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `plane_gan` that the controls show."""
        return {name: control.value for name, control in self.controls.items() if name != "steps"}

    @property
    def line(self) -> str:
        """The controls' state as a line of Python that makes and trains the same GAN."""
        told = ", ".join(f"{k}={v!r}" for k, v in self.settings.items() if v != self._defaults[k])
        fit = f"mixture.sample({POINTS:_}), batch_size={BATCH}, steps_per_epoch={LOOK}, epochs={self._looks}"
        return f"from gan_utils import widgets; gan, mixture = widgets.plane_gan({told}); gan.fit({fit})"

    @property
    def _looks(self) -> int:
        return max(1, self.controls["steps"].value // LOOK)

    def start(self) -> "ExperimentPanel":
        """Begin a new run, after one that is under way has ended; return the panel. Seeds anew, as `plane_gan` does."""
        before = self._run
        self.stop()
        self.fault = None
        self.gan, mixture = plane_gan(**self.settings)
        self._run = _Run(self, self.gan, mixture, self._looks, before)
        self._tell("preparing", "runs")
        self._run.start()
        return self

    def pause(self) -> None:
        """Hold the run after the steps under way, 50 at most."""
        if self._run and self._run.is_alive():
            self._run.go.clear()

    def resume(self) -> None:
        """Let a paused run go on; it takes the steps it would have taken."""
        if self._run:
            self._run.go.set()

    def stop(self) -> None:
        """End the run after the steps under way; `gan` stays as it is. Does not wait for it."""
        if self._run:
            self._run.ended = True
            self._run.go.set()

    def wait(self) -> None:
        """Return once the run is over: for a cell that needs its result.

        Raises:
            RuntimeError: if the run is paused, since its buttons could not be pressed meanwhile.
        """
        if self._run:
            if not self._run.go.is_set():
                raise RuntimeError("the run is paused; press Resume, or call resume(), before wait().")
            self._run.join()

    def close(self) -> None:
        """End the run, and take the panel from the page."""
        self.stop()
        super().close()

    def _tell(self, text: str, state: str) -> None:
        self.status.value = f'<p role="status">{html.escape(text)}</p>'
        for name, states in {"pause": ["runs"], "resume": ["paused"], "stop": ["runs", "paused"]}.items():
            self.buttons[name].disabled = state not in states

    def _write_line(self, _: Any = None) -> None:
        words = "The settings above as a line of Python, what Start would run:"
        self.code.value = f'<p>{words}</p><pre style="white-space:pre-wrap">{html.escape(self.line)}</pre>'


class _Run(threading.Thread):
    """One run of a panel's GAN. `go` is cleared while it is paused, `ended` set when it is to stop."""

    def __init__(
        self, panel: ExperimentPanel, gan: GAN, mixture: toy.Mixture, looks: int, before: "_Run | None"
    ) -> None:
        super().__init__(daemon=True)
        self.panel, self.gan, self.mixture, self.looks, self.before = panel, gan, mixture, looks, before
        self.go, self.ended = threading.Event(), False
        self.go.set()
        self.losses: list[list[float]] = []  # means over the steps from look to look

    def tell(self, text: str, state: str) -> None:
        """Show a text, unless another run has taken over the panel."""
        if self.panel._run is self:
            self.panel._tell(text, state)

    def run(self) -> None:
        """Train; called by the thread."""
        if self.before:
            self.before.join()
        gan, points = self.gan, self.mixture.sample(POINTS)
        how: dict[str, Any] = {"steps_per_epoch": LOOK, "epochs": self.looks, "callbacks": [_Watch(self)]}
        try:
            if not self.ended:
                gan.fit(points, batch_size=BATCH, verbose=0, **how)
            done = "stopped" if self.ended else "done"
            self.tell(f"{done} after {gan.step:,} steps{self.quality()}", done)
        except Exception as error:  # shown where the reader looks, and kept
            self.panel.fault = error
            self.tell(f"{type(error).__name__}: {error}", "done")

    def quality(self) -> str:
        """Return in words how many modes are covered."""
        gan, mixture = self.gan, self.mixture
        found = mixtures.modes(gan.generate(500), mixture.means, sigma=mixture.sigma)
        return f": {found.covered} of {len(mixture.means)} modes covered, {found.high_quality:.0%} within 3 σ of one"


class _Watch(keras.callbacks.Callback):
    """Draws a run, and holds or ends it where its panel says so."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self.run = run

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Wait while paused; end if told to."""
        if not self.run.go.is_set():
            self.run.tell(f"paused at step {self.model.step:,}", "paused")
            self.run.go.wait()
        if self.run.ended:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw, and tell how far the run is."""
        run, logs = self.run, logs or {}
        run.losses.append([float(logs[f"{player}_loss"]) for player in ("discriminator", "generator")])
        figure = _picture(self.model, run.mixture, np.array(run.losses))
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=96)
        words = html.escape(plotting.describe(figure), quote=True)
        held = base64.b64encode(file.getvalue()).decode()  # ipywidgets.Image has no text for those who cannot see it
        if run.panel._run is run:
            run.panel.picture.value = f'<img alt="{words}" src="data:image/png;base64,{held}" style="max-width:100%">'
        run.tell(f"step {self.model.step:,} of {LOOK * run.looks:,}{run.quality()}", "runs")


def _picture(gan: GAN, mixture: toy.Mixture, losses: np.ndarray) -> Figure:
    """Draw the plane with the discriminator's logits, and losses (looks, 2); without pyplot, which has one thread."""
    figure = Figure(figsize=(7.4, 3.4), layout="tight")
    plane, curves = figure.subplots(1, 2)
    side = np.linspace(-1.6, 1.6, 41, dtype=np.float32)
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    logits = np.asarray(gan.discriminator(places, training=False)).reshape(41, 41)
    logits = logits - np.median(logits)
    most = max(float(np.abs(logits).max()), 1e-6)
    plane.pcolormesh(side, side, logits, cmap="PuOr", vmin=-most, vmax=most, shading="gouraud")
    for points, kind, marker in ((mixture.sample(300), "real", "o"), (gan.generate(300), "fake", "D")):
        plane.scatter(*points.T, s=9, marker=marker, color=plotting.COLOURS[kind], label=kind, edgecolor="none")
    plane.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", title=f"step {gan.step:,}")
    plane.legend(loc="upper right", fontsize=8)
    loss = gan.adversarial_loss
    targets = {"discriminator": loss.discriminator_equilibrium, "generator": loss.generator_equilibrium}
    for values, (player, target) in zip(losses.T, targets.items(), strict=True):
        colour = plotting.COLOURS[player]
        curves.plot(LOOK * np.arange(1, len(values) + 1), values, color=colour, label=player)
        if target is not None:
            curves.axhline(target, color=colour, linestyle=":")
    curves.set(xlabel="step", ylabel=f"loss, mean of {LOOK} steps", title="dotted: at equilibrium")
    curves.legend(fontsize=8)
    return figure
