"""Callbacks that watch a run and keep it: progress, sample grids, scores, history files, exact resume."""

import contextlib
import csv
import io
import json
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_utils import checking, runtime
from gan_utils.runtime import keras
from gan_utils.training import checkpoint, settings

if TYPE_CHECKING:
    from gan_utils.metrics import Scorer


def add_row(columns: dict[str, list[float | None]], row: Mapping[str, float]) -> None:
    """Add a row to a history of columns, all of one length: a value an epoch, None where there was none."""
    done = max(map(len, columns.values()), default=0)
    for name in {**columns, **row}:
        columns.setdefault(name, [None] * done).append(row.get(name))


def numbers(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Return what of an epoch's logs is a number; what is not (a text, a vector, None) no history can hold."""
    found = {name: checking.number(value) for name, value in (logs or {}).items()}
    return {name: value for name, value in found.items() if value is not None}


def tell(text: str, *, on: str = "stderr", end: str = "\n") -> None:
    """Print on a standard stream, where there is one that takes it: it may be None, closed, or a broken pipe."""
    if getattr(sys, on) is not None:
        with contextlib.suppress(OSError, ValueError):
            print(text, file=getattr(sys, on), end=end, flush=True)


class Progress(keras.callbacks.Callback):
    """Tell what a run does: losses, reports, real images a second (through the generator's steps), time left.

    In a terminal one line renews itself; in a notebook a few lines do, of which an executed page keeps the last state;
    elsewhere lines are printed.

    Args:
        lines: lines kept in a page or printed, besides the renewed one.

    Raises:
        ValueError: if lines < 1.
    """

    def __init__(self, lines: int = 5) -> None:
        super().__init__()
        self.lines = checking.integer("lines", lines, 1)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._start, self._shown_at, self._width = time.perf_counter(), 0.0, 0
        self._first: int | None = None
        self._kept: list[str] = []
        self._handle: Any = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note where a resumed run begins."""
        self._first = epoch if self._first is None else self._first

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the means of the epoch."""
        epochs, steps, now = self.params["epochs"], self.params["steps"], time.perf_counter()
        a_step = (now - self._start) / ((epoch + 1 - (self._first or 0)) * steps)
        values = "  ".join(f"{name} {value:.2f}" for name, value in numbers(logs).items())
        rate, left = self.model.batch_size / a_step, a_step * (epochs - epoch - 1) * steps
        line = f"step {(epoch + 1) * steps:>6}  {values}  {rate:,.0f} images/s  {_clock(left)} left"
        last, due = epoch + 1 == epochs, (epoch + 1) * self.lines // epochs > epoch * self.lines // epochs
        if due:
            self._kept.append(line)
        if _in_notebook():
            if due or now - self._shown_at > 0.5:
                self._shown_at = now
                self._show_in_notebook("\n".join(self._kept if due else [*self._kept, line]))
        elif sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty():
            tell(f"\r{line:<{self._width}}", on="stdout", end="\n" if last else "")
            self._width = len(line)
        elif due:
            tell(line, on="stdout")

    def _show_in_notebook(self, text: str) -> None:
        from IPython.display import display

        bundle = {"text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class SampleGrid(keras.callbacks.Callback):
    """Keep what the generator makes of fixed latents, at the start and after every so many epochs.

    Args:
        n: samples.
        every: epochs between two grids.
        seed: of the latents.

    Raises:
        ValueError: if n < 1 or every < 1.

    Attributes:
        steps: training steps at which a grid was taken.
        grids: arrays (n, ...) float32, one for each entry of `steps`.
    """

    def __init__(self, n: int = 25, *, every: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.n, self.every = checking.integer("n", n, 1), checking.integer("every", every, 1)
        self.seed = checking.seed(seed)
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

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"steps": self.steps, "grids": self.grids}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` returned."""
        self.steps, self.grids = list(state["steps"]), list(state["grids"])


class Score(keras.callbacks.Callback):
    """Log metrics of generated samples, so that history, Keras's ``ModelCheckpoint`` and ``EarlyStopping`` see them.

    ``ModelCheckpoint("best.keras", monitor="frechet", mode="min", save_best_only=True)`` after it in the list keeps the
    best model by any of them. Epochs without a new value repeat the last one.

    Args:
        metrics: a `metrics.Scorer`, which scores against real samples, or a dict from a name to a function of samples
            (n, ...) that returns a number.
        n: samples.
        every: epochs between two evaluations; the first is after the first epoch.
        seed: of the latents.

    Raises:
        ValueError: if n < 1 or every < 1.
    """

    def __init__(
        self,
        metrics: "Scorer | Mapping[str, Callable[[np.ndarray], float]]",
        *,
        n: int = 1000,
        every: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.metrics, self.seed = metrics, checking.seed(seed)
        self.n, self.every = checking.integer("n", n, 1), checking.integer("every", every, 1)
        self.values: dict[str, float] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Score once for nothing, so that what cannot be scored is told before the first step."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a generator that has not learnt anything
            self._measured()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the values to the epoch's logs."""
        if epoch % self.every == 0 or not self.values:
            self.values = self._measured()
        if logs is not None:
            logs.update(self.values)

    def _measured(self) -> dict[str, float]:
        samples = self.model.generate(self.n, seed=self.seed)
        if isinstance(self.metrics, Mapping):
            return {name: float(function(samples)) for name, function in self.metrics.items()}
        return {name: estimate.value for name, estimate in self.metrics(samples).metrics.items()}

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"values": self.values}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` returned."""
        self.values = dict(state["values"])


class HistoryFile(keras.callbacks.Callback):
    """Write the history to a file after each epoch, whole or not at all; ``gan-utils doctor`` reads it.

    Args:
        path: ends in ``.json`` (a dict of lists of one length; ``step`` counts training steps) or ``.csv`` (a line an
            epoch). Where an epoch had no value, it is null or empty. Logs that are no numbers are left out.

    Raises:
        ValueError: for another ending; when ``fit`` begins, for a place that cannot be written to.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        if self.path.suffix not in (".json", ".csv"):
            raise ValueError(f"path is {path}; expected one that ends in .json or .csv.")
        self.columns: dict[str, list[float | None]] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin an empty history."""
        self.columns = {}
        if runtime.is_chief():
            checkpoint.check_writable(self.path.parent)
            if self.path.is_dir():
                raise ValueError(f"{self.path} is a folder; expected the name of a file.")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the file."""
        add_row(self.columns, {"step": self.model.step, **numbers(logs)})
        if self.path.suffix == ".json":
            loss = getattr(self.model, "adversarial_loss", None)
            text = json.dumps({"loss": getattr(loss, "name", None), "history": self.columns})
        else:
            written = io.StringIO()
            writer = csv.writer(written)
            writer.writerow(self.columns)
            writer.writerows(zip(*self.columns.values(), strict=True))
            text = written.getvalue()
        if runtime.is_chief():
            with checkpoint.whole(self.path) as temporary:
                temporary.write_text(text)

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"columns": self.columns}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` returned."""
        self.columns = {name: list(values) for name, values in state["columns"].items()}


#: what of Keras's own callbacks a resumed run needs; a callback with get_state and set_state says so itself
_KERAS_STATES = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch", "best_weights"),
    keras.callbacks.ModelCheckpoint: ("best",),
}


class Resume(keras.callbacks.Callback):
    """Save the whole run now and then; the same call of ``fit`` goes on from the last file, to the same last bit.

    A file is written at the end of an epoch once `every_seconds` have passed since the last, at the end of the run, and
    on Ctrl-C or SIGTERM (which job schedulers send first), once the epoch has ended; a second one stops at once. The
    last two files are kept. A file that is damaged is passed over, with a warning, for the one before. Weights that
    hold NaN or infinity are not kept, and a warning names the last good file. Callbacks with ``get_state`` and
    ``set_state`` and Keras's ``EarlyStopping`` and ``ModelCheckpoint`` go on where they were.

    Args:
        folder: of this one run; another ``fit`` needs another folder. Several workers must share it. Called again on
            the model that was interrupted, ``fit`` goes back to the last file.
        every_seconds: least time between two files; 0 saves after each epoch.
        force: go on under other flags (versions, oneDNN, XLA, precision, devices), where results will differ.
        accept: names of what may differ from the run in the folder, such as
            ``["generator_optimizer.learning_rate"]``, which is then in force from here on. A name stands for all below
            it (``"generator_optimizer"``). The file's header keeps what was accepted, under ``"accepted"``.

    Raises:
        ValueError: for a negative time; when ``fit`` begins, if the folder holds another run (the message names each
            difference), is in use by another process or cannot be written to, or no file can be used.
    """

    def __init__(
        self, folder: str | Path, *, every_seconds: float = 60.0, force: bool = False, accept: Sequence[str] = ()
    ) -> None:
        super().__init__()
        if isinstance(accept, str) or not all(isinstance(name, str) for name in accept):
            raise ValueError(f"accept is {checking.shown(accept)}; expected a list of names.")
        self.folder, self.force, self.accept = Path(folder), bool(force), tuple(accept)
        self.every_seconds = checking.real("every_seconds", every_seconds, 0.0)
        self._interrupted = False

    @property
    def files(self) -> list[Path]:
        """The folder's files, newest first."""
        return sorted(self.folder.glob("step-*.keras"), reverse=True)

    def restore(self, model: Any, callbacks: list[keras.callbacks.Callback], run: Mapping[str, Any]) -> int:
        """Load the newest good file, if there is one; ``fit`` calls this.

        Args:
            model: the model about to be trained.
            callbacks: those of this ``fit``.
            run: what it is asked to do.

        Returns:
            The number of epochs already done.
        """
        self._others = [callback for callback in callbacks if callback is not self]
        for callback in self._others:
            if hasattr(callback, "get_state"):
                checkpoint.check_state(type(callback).__name__, callback.get_state())
        if reason := settings.obstacle(model):
            warnings.warn(f"{reason} This run can be resumed; GAN.load cannot read its files.", stacklevel=4)
        self._run = {**run, "start": model.step, "seed": model.seed}
        self._settings, self._accepted = settings.describe(model), list[Any]()
        self._history: dict[str, list[Any]] = {}
        self._done, self._state, self._saved_at, self._trained = 0, None, time.monotonic(), False
        if runtime.is_chief():
            checkpoint.remove_unfinished(self.folder)
        path, found = self._newest_good()
        if path is None:
            return 0
        stored = found["run"]
        if stored.get("start", sys.maxsize) <= model.step and not stored.get("finished"):
            self._run["start"] = stored["start"]  # the same call again, on the model that was interrupted
        accepted = self._compare(path, stored)
        odd = settings.differences(found["flags"], checkpoint.flags(model))
        if odd and not self.force:
            raise ValueError(
                f"{path} was made under other flags: {settings.in_words(odd)}. Results would differ from an "
                "uninterrupted run; restore the flags, or pass Resume(..., force=True)."
            )
        rates = {player.name: _rate(player.optimizer) for player in model.players}
        model.load_weights(path)
        for (
            player
        ) in model.players:  # the file's rate is in force, which a callback may have set, unless another is accepted
            names = [name for name in accepted if settings.is_below(name, [f"{player.name}_optimizer"])]
            if rates[player.name] is not None and any(name.endswith("learning_rate") for name in names):
                player.optimizer.learning_rate = rates[player.name]
        self._state = checkpoint.callbacks(path)
        self._history = {name: list(values) for name, values in self._state["history"].items()}
        self._done = stored["epochs_done"]
        return sys.maxsize if stored.get("stopped") else self._done

    def _compare(self, path: Path, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return what differs from the run in a file and may; the rest is an error."""
        there = {name: stored.get(name) for name in self._run} | stored.get("settings", self._settings)
        differing = settings.differences(there, self._run | self._settings)
        fixed = ("start", "steps_per_epoch")  # by which the epochs that are done are counted
        odd = {n: v for n, v in differing.items() if n in fixed or not settings.is_below(n, self.accept)}
        if odd:
            roots = sorted({name.split(".")[0] for name in odd}) if len(odd) > 3 else sorted(odd)
            mend = "" if set(roots) & set(fixed) else f", or go on with what differs: Resume(..., accept={roots})"
            raise ValueError(
                f"{path} is of another run: {settings.in_words(odd)}. Give each call of fit its own folder{mend}."
            )
        new = [{"after_epoch": stored["epochs_done"], **differing}] if differing else []
        self._accepted = [*stored.get("accepted", []), *new]
        return differing

    def _newest_good(self) -> tuple[Path | None, dict[str, Any]]:
        """Return the newest file that can be used and its header; checking reads all of it, so it is done once."""
        files = self.files
        for path in files:
            try:
                return path, checkpoint.header(path)
            except ValueError as error:
                warnings.warn(f"passed over: {error}", stacklevel=4)
        if files:
            raise ValueError(f"none of the {len(files)} files in {self.folder} can be used; remove them to begin anew.")
        return None, {}

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C wait for the end of the epoch; ``fit`` uses this."""
        self._interrupted = False
        before = _signals() if threading.current_thread() is threading.main_thread() else {}

        def as_before() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        def stop_soon(number: int, frame: Any) -> None:
            as_before()  # a second one stops at once
            self._interrupted = True
            tell(f"\n{signal.Signals(number).name}: saving at the end of this epoch; once more stops at once.")

        for number in before:
            signal.signal(number, stop_soon)
        try:
            yield
        except KeyboardInterrupt:
            if not self._interrupted and self._done_by_step() > self._done:
                # another callback ended the run between two epochs; what comes after it has not seen the epoch
                self._remember(self.model.get_metrics_result())
                self._done = self._done_by_step()
                self._save()
            raise
        finally:
            as_before()

    def _done_by_step(self) -> int:
        done, rest = divmod(self.model.step - self._run["start"], self._run["steps_per_epoch"])
        return 0 if rest else done

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hand back what callbacks remembered, after all of them have begun."""
        self._hand_back()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save when it is time."""
        self._remember(logs or {})
        self._done, self._trained = epoch + 1, True
        if self._interrupted or time.monotonic() - self._saved_at >= self.every_seconds:
            self._save()
        if self._interrupted:
            raise KeyboardInterrupt(f"saved in {self.folder}; the same call of fit goes on from here")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Save the end of the run."""
        self._hand_back()
        if self._trained:  # again, even at the same step: other callbacks may have restored their best weights
            self._save(finished=True, stopped=self._done < self.params["epochs"])

    def _remember(self, logs: Mapping[str, Any]) -> None:
        for name, value in logs.items():
            self._history.setdefault(name, []).append(checkpoint.plain(value))

    def _hand_back(self) -> None:
        if self._state is None:
            return
        waiting = list(self._others)
        for kind, state in self._state["callbacks"]:
            callback = next((c for c in waiting if type(c).__name__ == kind), None)
            if callback is None:
                if state:
                    warnings.warn(
                        f"the resumed run had a {kind}, this call has none more; its state is lost.", stacklevel=2
                    )
                continue
            waiting.remove(callback)
            if not state:
                continue
            if hasattr(callback, "set_state"):
                callback.set_state(state)
            else:
                vars(callback).update(state)
        history = self.model.history
        history.history = {name: list(values) for name, values in self._history.items()}
        history.epoch = list(range(self._done))
        self._state = None

    def _save(self, **flags: bool) -> None:
        self._saved_at = time.monotonic()
        if not runtime.is_chief():
            return
        remembered = [(type(callback).__name__, _state(callback)) for callback in self._others]
        if bad := checkpoint.not_finite(self.model):
            good = f"{self.files[0]} is the last good file" if self.files else "no good file was written before"
            warnings.warn(
                f"{bad} holds NaN or infinity at step {self.model.step}, which is not kept; {good}.", stacklevel=2
            )
            return
        run = {**self._run, "settings": self._settings, "accepted": self._accepted, "epochs_done": self._done, **flags}
        path = self.folder / f"step-{self.model.step:010d}.keras"
        checkpoint.write(self.model, path, run=run, callbacks={"callbacks": remembered, "history": self._history})
        for old in self.files[2:]:
            old.unlink(missing_ok=True)


def _signals() -> dict[signal.Signals, Any]:
    """Return the signals that are to save a run, with their present handlers; one that is ignored stays so."""
    found = {signal.SIGINT: signal.getsignal(signal.SIGINT), signal.SIGTERM: signal.getsignal(signal.SIGTERM)}
    if found[signal.SIGTERM] is not signal.SIG_DFL:  # somebody else's business
        del found[signal.SIGTERM]
    return {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}


def _rate(optimizer: keras.optimizers.Optimizer) -> float | None:
    """Return an optimizer's learning rate, or None where a schedule gives it."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # mixed precision wraps it
    return checking.number(inner.get_config().get("learning_rate"))


def _state(callback: keras.callbacks.Callback) -> Any:
    if hasattr(callback, "get_state"):
        return callback.get_state()
    names = next((names for kind, names in _KERAS_STATES.items() if isinstance(callback, kind)), ())
    return {name: getattr(callback, name) for name in names}


def _in_notebook() -> bool:
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    return getattr(shell, "kernel", None) is not None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
