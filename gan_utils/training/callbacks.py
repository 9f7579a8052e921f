"""Callbacks that watch a run: compact progress, and pictures from fixed latents."""

import sys
import time
from typing import Any

import numpy as np

from gan_utils.runtime import keras


class Progress(keras.callbacks.Callback):
    """Print what a run does on a few lines (on one line that renews itself, in a terminal).

    Args:
        lines: most lines to print in a page.

    Raises:
        ValueError: if lines < 1.
    """

    def __init__(self, lines: int = 5) -> None:
        super().__init__()
        if lines < 1:
            raise ValueError(f"lines is {lines}; expected 1 or more.")
        self.lines = lines

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the means of the epoch when a line is due."""
        epochs, seconds = self.params["epochs"], time.perf_counter() - self._start
        steps = (epoch + 1) * self.params["steps"]
        values = "  ".join(f"{name} {float(value):.2f}" for name, value in (logs or {}).items())
        left = seconds / (epoch + 1) * (epochs - epoch - 1)
        line = f"step {steps:>6}  {values}  {1000 * seconds / steps:.0f} ms/step  {left:.0f} s left"
        if sys.stdout.isatty():
            print(f"\r{line}", end="" if epoch + 1 < epochs else "\n", flush=True)
        elif (epoch + 1) * self.lines // epochs > epoch * self.lines // epochs:
            print(line)


class SampleGrid(keras.callbacks.Callback):
    """Keep what the generator makes of fixed latents, at the start and after every so many epochs.

    Args:
        n: samples.
        every: epochs between two grids.
        seed: of the latents.

    Attributes:
        steps: training steps at which a grid was taken.
        grids: arrays (n, ...) float32, one for each entry of `steps`.
    """

    def __init__(self, n: int = 25, *, every: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.n, self.every, self.seed = n, every, seed
        self.steps: list[int] = []
        self.grids: list[np.ndarray] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Keep the first grid."""
        self._keep()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep a grid when one is due."""
        if (epoch + 1) % self.every == 0:
            self._keep()

    def _keep(self) -> None:
        self.steps.append(self.model.step)
        self.grids.append(self.model.generate(self.n, seed=self.seed))
