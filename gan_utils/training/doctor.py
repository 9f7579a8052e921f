"""The doctor: rules over a run's history that name what went wrong, with the figure that fired and what to try.

`diagnose` judges a finished history; `Doctor` does so while a run goes on, and adds the two figures that losses do not
hold: the norm of the generator's gradient and the diversity of its samples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_utils import checking, losses
from gan_utils.runtime import keras, tf
from gan_utils.training import callbacks

_History = Mapping[str, Sequence[float | None]]
_LAST = 3  # epochs in a row before a rule speaks


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        rule: its name.
        figure: the numbers that fired.
        meaning: what they say.
        remedy: what to try, the most likely first.
    """

    rule: str
    figure: str
    meaning: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.figure}. {self.meaning} Try: {self.remedy}"


def not_finite(history: _History, loss: losses.Loss) -> Finding | None:
    """Find the first value that is NaN or infinite."""
    epochs = max(map(len, history.values()), default=0)
    for name, values in history.items():
        bad = [index for index, value in enumerate(values) if value is not None and not np.isfinite(value)]
        if bad:
            # a column that came late, in a history without gaps, does not say when
            where = "from epoch {} on" if len(values) == epochs else f"at number {{}} of its {len(values)} values"
            return Finding(
                "not finite",
                f"{name} is {values[bad[0]]} {where.format(bad[0] + 1)}",
                "Weights or data hold NaN; nothing after this epoch counts.",
                "a lower learning rate; a gradient penalty with an epsilon under its root; float32 instead of float16.",
            )
    return None


def discriminator_won(history: _History, loss: losses.Loss) -> Finding | None:
    """Find a discriminator that tells nearly all samples apart, epoch after epoch."""
    remedy = "a lower learning rate or fewer steps for the discriminator; R1 or spectral normalisation; instance noise."
    real, fake = (np.asarray(history.get(name, []), float)[-_LAST:] for name in ("d_real", "d_fake"))
    if loss.probability and len(real) == len(fake) == _LAST and (real > 0.95).all() and (fake < 0.05).all():
        return Finding(
            "discriminator has won",
            f"D(x) {real[-1]:.3f} and D(G(z)) {fake[-1]:.3f} for {_LAST} epochs",
            "It is certain of nearly every sample, so it no longer says which fakes are better.",
            remedy,
        )
    values = np.asarray(history.get("discriminator_loss", []), float)[-_LAST:]
    bound = 0.05 * loss.discriminator_equilibrium
    if not loss.probability and bound > 0 and len(values) == _LAST and (values < bound).all():
        return Finding(
            "discriminator has won",
            f"its loss is {values[-1]:.3f}, under 5 % of the equilibrium's {loss.discriminator_equilibrium:.3f}",
            "It tells real from generated samples without effort.",
            remedy,
        )
    return None


def no_gradient(history: _History, loss: losses.Loss) -> Finding | None:
    """Find a generator whose gradient has all but vanished."""
    norms = np.asarray(history.get("generator_gradient", []), float)
    if len(norms) <= _LAST or not np.isfinite(norms).all() or not (norms[-_LAST:] < 0.01 * norms[0]).all():
        return None
    return Finding(
        "generator without gradient",
        f"its norm is {norms[-1]:.2g}, under 1 % of the {norms[0]:.2g} at the start",
        "The loss is flat where its samples are; it cannot learn, however long it runs.",
        "the non-saturating loss; a weaker discriminator; a Wasserstein loss with gradient penalty.",
    )


def collapse(history: _History, loss: losses.Loss) -> Finding | None:
    """Find generated samples that are far more alike than real ones."""
    diversity = np.asarray(history.get("diversity", []), float)
    if len(diversity) < 2 * _LAST or not (diversity[-_LAST:] < 0.3).all():
        return None
    return Finding(
        "collapse",
        f"generated samples lie {diversity[-1]:.2f} times as far apart as real ones",
        "Many latents give nearly the same sample.",
        "packing; mini-batch standard deviation; a gradient penalty; a lower learning rate for the generator.",
    )


def oscillation(history: _History, loss: losses.Loss) -> Finding | None:
    """Find a loss that swings with one period and does not calm down."""
    for name in ("generator_loss", "discriminator_loss"):
        values = np.asarray(history.get(name, []), float)
        if len(values) < 24 or not np.isfinite(values).all():
            continue
        time = np.arange(len(values))
        rest = values - np.polyval(np.polyfit(time, values, 2), time)
        power = np.abs(np.fft.rfft(rest))[1:] ** 2
        peak = int(np.argmax(power))
        share = power[max(peak - 1, 0) : peak + 2].sum() / max(power.sum(), 1e-30)
        early, late = rest[: len(rest) // 2].std(), rest[len(rest) // 2 :].std()
        large = late > 0.1 * max(abs(values).mean(), 1e-12)
        if share > 0.7 and 3 <= peak + 1 <= len(values) // 4 and late > 0.7 * early and large:
            return Finding(
                "oscillation",
                f"{name} swings by ±{1.41 * late:.2g} with a period of {len(values) / (peak + 1):.0f} epochs",
                "The players circle each other instead of approaching an equilibrium.",
                "beta_1 of 0.5 or 0 in Adam; lower learning rates; R1; an averaged generator (ema).",
            )
    return None


#: every rule, in the order of their weight
RULES: tuple[Callable[[_History, losses.Loss], Finding | None], ...] = (
    not_finite,
    discriminator_won,
    no_gradient,
    collapse,
    oscillation,
)


def diagnose(history: _History, *, loss: str | losses.Loss = "non_saturating") -> list[Finding]:
    """Apply every rule to a history.

    Args:
        history: from a name to a value an epoch, as ``fit`` returns it; None where an epoch had none.
        loss: the GAN's loss; it says what D(x) means and where the equilibrium is.

    Returns:
        What was found; empty if nothing was.

    Raises:
        ValueError: for an unknown loss.

    Example:
        >>> print(diagnose({"generator_loss": [0.7, float("nan")]})[0].figure)
        generator_loss is nan from epoch 2 on
    """
    known = losses.get(loss)
    return [finding for rule in RULES if (finding := rule(history, known)) is not None]


class Doctor(keras.callbacks.Callback):
    """Measure, log and diagnose after each epoch; a finding is printed once.

    Adds ``generator_gradient`` (the norm of the gradient of the generator's loss on fixed latents) and ``diversity``
    (mean distance between generated samples over that between real ones) to the logs, so that put before
    `callbacks.HistoryFile` they reach the file.

    Args:
        n: samples it looks at, at least 2.
        every: epochs between two measurements; in between the last one is repeated.
        stop: whether to end the run at a finding.

    Raises:
        ValueError: if n < 2 or every < 1.

    Attributes:
        findings: what was found so far, each rule once.
    """

    def __init__(self, n: int = 64, *, every: int = 1, stop: bool = False) -> None:
        super().__init__()
        self.n, self.every, self.stop = checking.integer("n", n, 2), checking.integer("every", every, 1), bool(stop)
        self.findings: list[Finding] = []
        self.history: dict[str, list[float | None]] = {}
        self.measured: dict[str, float] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure and judge."""
        if logs is None:
            return
        if epoch % self.every == 0 or not self.measured:
            real, fake = self.model.probe[self.model.imitates][: self.n], self.model.generate(self.n, seed=0)
            self.measured["generator_gradient"] = self.model.gradient_norm("generator")
            self.measured["diversity"] = _spread(fake) / max(_spread(real), 1e-12)
        logs.update(self.measured)
        callbacks.add_row(self.history, callbacks.numbers(logs))
        known = {finding.rule for finding in self.findings}
        for finding in diagnose(self.history, loss=self.model.adversarial_loss):
            if finding.rule not in known:
                self.findings.append(finding)
                callbacks.tell(f"doctor, epoch {epoch + 1}: {finding}", on="stdout")
        if self.stop and self.findings:
            self.model.stop_training = True

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {
            "history": self.history,
            "measured": self.measured,
            "findings": [vars(finding) for finding in self.findings],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` returned."""
        self.history = {name: list(values) for name, values in state["history"].items()}
        self.measured = dict(state["measured"])
        self.findings = [Finding(**finding) for finding in state["findings"]]


def _spread(samples: np.ndarray) -> float:
    flat = tf.reshape(tf.cast(samples, tf.float32), (len(samples), -1))
    squares = tf.reduce_sum(tf.square(flat), axis=1)
    distances = squares[:, None] + squares[None] - 2.0 * tf.matmul(flat, flat, transpose_b=True)
    return float(tf.reduce_sum(tf.sqrt(tf.maximum(distances, 0.0)))) / max(len(samples) * (len(samples) - 1), 1)
