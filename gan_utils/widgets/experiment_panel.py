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

from gan_utils import losses, plotting, runtime, terms
from gan_utils.data import toy
from gan_utils.metrics import mixtures
from gan_utils.networks import toy as networks
from gan_utils.runtime import keras
from gan_utils.training import GAN
from gan_utils.widgets import playground

BATCH, POINTS, LOOK = 64, 50_000, 50  # samples a step, data, steps between two pictures
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
        seed: of weights, data order and noise.

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
    if not (generator_rate > 0 and discriminator_rate > 0):
        raise ValueError(f"rates are {generator_rate} and {discriminator_rate}; expected numbers above 0.")
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
        steps: that a run takes.
        **settings: what the controls begin with, arguments of `plane_gan`.

    Attributes:
        gan: of the run that was begun last; None before.
        line: the run as a line of Python.

    Raises:
        ValueError: for steps < 1, or as `plane_gan`.

    Example:
        >>> panel = ExperimentPanel(loss="hinge", steps=100)
        >>> panel.line
        "gan, mixture = widgets.plane_gan(loss='hinge'); gan.fit(mixture.sample(50_000), batch_size=64, \
steps_per_epoch=100)"
    """

    def __init__(self, *, steps: int = 2000, **settings: Any) -> None:
        if steps < 1:
            raise ValueError(f"steps is {steps}; expected 1 or more.")
        defaults = {name: argument.default for name, argument in inspect.signature(plane_gan).parameters.items()}
        unknown = [f"{k}={v!r}" for k, v in settings.items() if k not in defaults or v not in CHOICES.get(k, [v])]
        if unknown:
            raise ValueError(f"got {', '.join(unknown)}; expected {CHOICES} and a seed.")
        self._defaults, chosen = defaults, defaults | settings
        wide = ipywidgets.Layout(width="20rem")
        style = {"description_width": "9rem"}
        self.controls: dict[str, Any] = {
            name: ipywidgets.Dropdown(
                options=[(str(v).replace("_", " "), v) for v in values],
                value=chosen[name],
                description=name.replace("_", " "),
                layout=wide,
                style=style,
            )
            for name, values in CHOICES.items()
        }
        numbers = {"seed": (chosen["seed"], 0, 2**31 - 1), "steps": (steps, 1, 100_000)}
        for name, (value, low, high) in numbers.items():
            self.controls[name] = ipywidgets.BoundedIntText(
                value=value, min=low, max=high, description=name, layout=wide, style=style
            )
        self.buttons = {
            name: ipywidgets.Button(description=name.capitalize()) for name in ("start", "pause", "resume", "stop")
        }
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: getattr(self, name)())
        self.status, self.code = ipywidgets.HTML(), ipywidgets.HTML()
        self.picture = ipywidgets.HTML(layout=ipywidgets.Layout(max_width="100%"))
        self.gan: GAN | None = None
        self.fault: Exception | None = None
        self._thread: threading.Thread | None = None
        self._go, self._ended = threading.Event(), False
        left = ipywidgets.VBox(list(self.controls.values()))
        layout = ipywidgets.Layout(flex_flow="row wrap")
        right = ipywidgets.VBox([self.picture, self.status], layout=ipywidgets.Layout(max_width="100%"))
        buttons = ipywidgets.HBox(list(self.buttons.values()), layout=layout)
        super().__init__([buttons, ipywidgets.HBox([left, right], layout=layout), self.code])
        self.add_class("gan-experiment")
        for control in self.controls.values():
            control.observe(self._write_line, "value")
        self._write_line()
        self._tell("Ready. The buttons need a running notebook.")

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `plane_gan` that the controls show."""
        return {name: control.value for name, control in self.controls.items() if name != "steps"}

    @property
    def line(self) -> str:
        """The controls' state as a line of Python that makes and trains the same GAN."""
        told = ", ".join(f"{k}={v!r}" for k, v in self.settings.items() if v != self._defaults[k])
        fit = f"gan.fit(mixture.sample({POINTS:_}), batch_size={BATCH}, steps_per_epoch={self.controls['steps'].value})"
        return f"gan, mixture = widgets.plane_gan({told}); {fit}"

    def start(self) -> None:
        """Begin a new run in a thread of its own; a run that is under way is ended first."""
        self.stop()
        steps = self.controls["steps"].value
        self.fault, self._ended = None, False
        self._go.set()
        self._thread = threading.Thread(target=self._run, args=(steps, self.settings), daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Hold the run after its current step."""
        self._go.clear()

    def resume(self) -> None:
        """Let a paused run go on; it takes the steps it would have taken."""
        self._go.set()

    def stop(self) -> None:
        """End the run after its current step; `gan` stays as it is."""
        self._ended = True
        self._go.set()
        self.wait()

    def wait(self) -> "ExperimentPanel":
        """Return once the run is over: for a cell that needs its result."""
        if self._thread:
            self._thread.join()
            self._thread = None
        return self

    def _run(self, steps: int, settings: dict[str, Any]) -> None:
        try:
            self._tell("preparing")
            self.gan, mixture = plane_gan(**settings)
            watch = _Watch(self, mixture, steps)
            self.gan.fit(mixture.sample(POINTS), batch_size=BATCH, steps_per_epoch=steps, verbose=0, callbacks=[watch])
            self._tell(f"{'stopped' if self._ended else 'done'} after {self.gan.step:,} steps")
        except Exception as error:  # shown where the reader looks, and kept
            self.fault = error
            self._tell(f"{type(error).__name__}: {error}")

    def _tell(self, text: str) -> None:
        self.status.value = f"<p>{html.escape(text)}</p>"

    def _write_line(self, _: Any = None) -> None:
        self.code.value = f"<p>The same as a line of Python:</p><pre>{html.escape(self.line)}</pre>"


class _Watch(keras.callbacks.Callback):
    """Draws a run, and holds or ends it where its panel says so."""

    def __init__(self, panel: ExperimentPanel, mixture: toy.Mixture, steps: int) -> None:
        super().__init__()
        self.panel, self.mixture, self.steps = panel, mixture, steps
        self.losses: list[list[float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the losses; wait while paused."""
        logs = logs or {}
        if not self.panel._go.is_set():
            self._draw()
            self.panel._tell(f"paused at step {self.model.step:,}")
            self.panel._go.wait()
        if self.panel._ended:
            self.model.stop_training = True
        if (batch + 1) % LOOK == 0 or batch + 1 == self.steps:
            self.losses.append([float(logs[f"{player}_loss"]) for player in ("discriminator", "generator")])
            self._draw()

    def _draw(self) -> None:
        gan, mixture = self.model, self.mixture
        samples = gan.generate(500)
        found = mixtures.modes(samples, mixture.means, sigma=mixture.sigma)
        self.panel._tell(
            f"step {gan.step:,} of {self.steps:,}: {found.covered} of {len(mixture.means)} modes covered, "
            f"{found.high_quality:.0%} of the samples within 3 σ of one"
        )
        figure = _picture(gan, mixture, samples[:300], np.array(self.losses).reshape(-1, 2))
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=96)
        words = html.escape(plotting.describe(figure), quote=True)
        held = base64.b64encode(file.getvalue()).decode()  # ipywidgets.Image has no text for those who cannot see it
        self.panel.picture.value = f'<img alt="{words}" src="data:image/png;base64,{held}" style="max-width:100%">'


def _picture(gan: GAN, mixture: toy.Mixture, samples: np.ndarray, losses: np.ndarray) -> Figure:
    """Draw the plane with the discriminator's logits, and losses (looks, 2); without pyplot, which has one thread."""
    figure = Figure(figsize=(7.4, 3.4), layout="tight")
    plane, curves = figure.subplots(1, 2)
    side = np.linspace(-1.6, 1.6, 41, dtype=np.float32)
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    logits = np.asarray(gan.discriminator(places, training=False)).reshape(41, 41)
    logits = logits - np.median(logits)
    most = max(float(np.abs(logits).max()), 1e-6)
    plane.pcolormesh(side, side, logits, cmap="PuOr", vmin=-most, vmax=most, shading="gouraud")
    for points, kind, marker in ((mixture.sample(300), "real", "o"), (samples, "fake", "D")):
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
    curves.set(xlabel="step", ylabel="loss", title="dotted: at equilibrium")
    curves.legend(fontsize=8)
    return figure
