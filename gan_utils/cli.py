"""The command ``gan-utils``: score generated samples; name what went wrong in a run; export a generator."""

import argparse
import contextlib
import csv
import importlib
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import gan_utils
from gan_utils import checking

_EXAMPLES = """examples:
  gan-utils score real.npy fake.npy --extractor identity
  gan-utils score fashion_mnist:test runs/fashion.keras --metrics frechet,kid,precision,recall
  gan-utils doctor runs/a/history.json
  gan-utils export runs/fashion.keras generator.onnx --scores scores.json --data "Fashion-MNIST"

complete words with Tab, in bash (or zsh, or tcsh):
  gan-utils completion bash > ~/.local/share/bash-completion/completions/gan-utils
"""
_SCORE_EXAMPLES = """what can be scored:
  x.npy, x.npz    images (N, H, W[, C]), uint8 or float in [-1, 1]; or vectors (N, D) with --extractor identity
  a folder        of images, with its subfolders
  x.keras         a saved training.GAN or Keras generator, of which --n samples are drawn
  fashion_mnist, fashion_mnist:test    the data set

examples:
  gan-utils score photos/ generated/ --extractor inception-v3-keras --cache ~/.cache/scores
  gan-utils score fashion_mnist:test runs/fashion.keras --metrics frechet,inception_score,mode_score
  gan-utils score fashion_mnist fake.npz --metrics memorisation --held-out fashion_mnist:test --extractor pixels
  gan-utils score real.npy fake.npy --extractor identity --seed 0 --json

Compare only figures with the same extractor, resize, n_real and n_fake.
"""


# what a message names for callers in Python, and what the command has in its place
_OPTIONS = {
    "on_error='skip'": "--skip-bad-files",
    "metrics=['frechet', 'kid']": "--metrics frechet,kid",
    "pass held_out": "give --held-out",
    "the extractor 'identity'": "--extractor identity",
    "seed=0": "--seed 0",
}
_LARGEST = 100_000_000  # bytes of a history or of scores
_NOBODY_READS = 141  # what a shell gives to a program that a closed pipe has ended


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"gan-utils: {checking.printable(message)} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words after the program's name; those of the process if not given.

    Returns:
        The exit status: 0; 1 if the doctor found something; 2 for a file or an option that cannot be used, with one
        line on standard error; 130 after Ctrl-C; 141 if nobody reads the output.
    """
    try:
        try:
            options = parser().parse_args(arguments)
            return options.run(options)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a full disk or a closed pipe can be answered
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _drop_output()
        return _NOBODY_READS
    except (ValueError, OSError, ImportError) as error:
        _tell(str(error))
    except Exception as error:  # whatever a hostile file or a library comes up with
        _tell(f"{type(error).__name__}: {error}")
    _drop_output()
    return 2


def _tell(message: str) -> None:
    """Print one line on standard error, if there is one."""
    for said, option in _OPTIONS.items():
        message = message.replace(said, option)
    if sys.stderr is not None:  # print would take standard output
        with contextlib.suppress(OSError, ValueError):
            print(f"gan-utils: {checking.printable(' '.join(message.split()))}", file=sys.stderr)


def _say(text: str) -> None:
    """Print a result, with escapes where standard output has no such letters."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _drop_output() -> None:
    """Forget what could not be written, so that the interpreter does not try again, and fail, when it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    program = _Parser(prog="gan-utils", description=__doc__, epilog=_EXAMPLES, formatter_class=raw)
    program.add_argument("--version", action="version", version=f"gan-utils {gan_utils.__version__}")
    commands = program.add_subparsers(dest="command", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], about: str, **given: Any
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about, **given)
        made.set_defaults(run=run)
        return made

    about = "score generated samples against real ones, with 95 %% intervals"
    score = command("score", _score, about, epilog=_SCORE_EXAMPLES, formatter_class=raw)
    score.add_argument("real", help="real samples; for memorisation the training set")
    score.add_argument("fake", help="generated samples")
    score.add_argument(
        "--metrics",
        help="names with commas between, or all (default: frechet,kid,precision,recall,"
        "density,coverage); the others: frechet_infinity, inception_score, mode_score, ndb, "
        "sliced_wasserstein, memorisation",
    )
    score.add_argument(
        "--extractor",
        default="fashion_mnist",
        help="fashion_mnist (default), inception-v3-keras, pixels, identity, or a Keras model's .keras file",
    )
    score.add_argument("--layer", help="the layer of a .keras extractor whose output is the features")
    score.add_argument("--logits", help="the layer of a .keras extractor that gives class logits")
    score.add_argument("--held-out", help="real samples that were not trained on, for memorisation")
    score.add_argument(
        "--n", type=_whole, help="samples drawn from a saved generator (default: as many as real, at most 10000)"
    )
    score.add_argument("--seed", type=_whole, default=0, help="of latents, subsets, splits and directions (default 0)")
    score.add_argument(
        "--skip-bad-files", action="store_true", help="leave out files of a folder that cannot be read, with a warning"
    )
    score.add_argument("--cache", type=Path, help="a folder that keeps the features of the real samples")
    score.add_argument("--no-intervals", action="store_true", help="values only, which is faster")
    score.add_argument("--json", action="store_true", help="one line of JSON and nothing else on standard output")
    _add_import(score)
    doctor = command("doctor", _doctor, "name what went wrong in a run, from its history file")
    doctor.add_argument("history", type=Path, help="a .json or .csv written by callbacks.HistoryFile")
    doctor.add_argument("--loss", help="the GAN's loss, if the file does not say; non_saturating otherwise")
    about = "write a saved GAN's generator for use without this library, and a model card beside it"
    export = command("export", _export, about)
    export.add_argument("gan", type=Path, help="a .keras file written by GAN.save or callbacks.Resume")
    export.add_argument("generator", type=Path, help="x.keras, x.onnx, or x for a folder with a SavedModel")
    export.add_argument("--network", default="generator", help="which of its networks (default: generator)")
    export.add_argument("--scores", type=Path, help="a file with what gan-utils score --json printed, for the card")
    export.add_argument("--data", default="", help="what it was trained on, for the card")
    export.add_argument("--notes", default="", help="what else a user of the samples must know, for the card")
    _add_import(export)
    completion = command("completion", _completion, "print what makes a shell complete gan-utils' words")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return program


def _add_import(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--import",
        dest="modules",
        metavar="MODULE",
        action="append",
        default=[],
        help="a Python module of your own, here or installed, that registers the classes in a .keras file; it is run",
    )


def _import(modules: Sequence[str]) -> None:
    """Run modules of the user's own, from the working directory as Python itself finds them.

    Raises:
        ValueError: for one that cannot be imported.
    """
    for name in modules:
        sys.path.insert(0, os.getcwd())
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a module of the user's does
            told = f"{name!r} cannot be imported ({type(error).__name__}: {error})"
            raise ValueError(f"{told}; expected a module's name, as in import {name}.") from error
        finally:
            sys.path.remove(os.getcwd())


def _score(options: argparse.Namespace) -> int:
    from gan_utils import metrics
    from gan_utils.metrics import features, inputs, scoring

    if any(str(name).endswith(".keras") for name in (options.real, options.fake, options.held_out)):
        from gan_utils import families  # noqa: F401 (with TensorFlow, which other files do without)

    _import(options.modules)

    names = list(scoring.DEFAULT) if options.metrics is None else options.metrics.split(",")
    if options.metrics == "all":
        labels = options.extractor == "fashion_mnist" or options.extractor.startswith("inception") or options.logits
        wanted = {"memorisation": options.held_out, "inception_score": labels, "mode_score": labels}
        names = [name for name in metrics.METRICS if wanted.get(name, True)]
    checked = scoring.check_names([name.strip() for name in names], held_out=options.held_out is not None)
    own = options.extractor.endswith(".keras")
    if (options.layer or options.logits) and not own:
        raise ValueError(f"--layer and --logits are for a .keras extractor; --extractor is {options.extractor}.")
    if options.n is not None:
        checking.integer("--n", options.n, 1, 10**7)
    checking.seed(options.seed, "--seed")
    told: set[str] = set()

    def tell_once(message: Warning | str) -> None:
        if str(message) not in told:
            _tell(str(message))
        told.add(str(message))

    # Keras tells of downloads on standard output, which is for the result
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: tell_once(message)
        chosen = inputs.load_model(Path(options.extractor)) if own else options.extractor
        extractor = features.get(chosen, layer=options.layer, logits=options.logits)
        progress = sys.stderr is not None and sys.stderr.isatty()

        def extract(name: str, n: int, cache: Path | None) -> features.Features:
            skip = options.skip_bad_files
            found = inputs.open_input(name, extractor, n=n, seed=options.seed, skip_bad_files=skip)
            return inputs.cached_features(found, extractor, cache, progress=progress)  # and lets go of the samples

        real = extract(options.real, options.n or 10_000, options.cache)
        n = options.n or min(10_000, len(real.values))
        scorer = metrics.Scorer(
            real,
            checked,
            extractor=extractor,
            held_out=extract(options.held_out, n, options.cache) if options.held_out else None,
            seed=options.seed,
            with_intervals=not options.no_intervals,
            real_name=options.real,
            held_out_name=options.held_out or "",
        )
        scores = scorer(extract(options.fake, n, None), fake_name=options.fake)
    _say(scores.to_json() if options.json else str(scores))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    path, loss = options.history, options.loss
    history, recorded = _read_history(path)
    from gan_utils import losses
    from gan_utils.training import doctor  # TensorFlow starts only once the file is known to be good

    if loss is None and recorded not in (None, *losses.LOSSES):
        raise ValueError(
            f"{path} was made with {recorded!r}, a loss of your own; say --loss and the nearest known one."
        )
    findings = doctor.diagnose(history, loss=loss or recorded or "non_saturating")
    for finding in findings:
        _say(f"{finding.rule}\n  figure   {finding.figure}\n  meaning  {finding.meaning}\n  try      {finding.remedy}")
    if not findings:
        names = checking.printable(", ".join(history))
        _say(f"nothing found in {max(map(len, history.values()))} epochs of {names}")
    return bool(findings)


def _export(options: argparse.Namespace) -> int:
    from gan_utils.metrics import scoring

    scores = None
    if options.scores:
        try:
            scores = scoring.Scores.from_dict(_json(options.scores))
        except ValueError as error:
            raise ValueError(f"{options.scores} holds no scores: {error}") from error
    from gan_utils import families, training  # noqa: F401 (TensorFlow starts once the scores are known to be good)

    _import(options.modules)
    try:
        gan = training.Adversarial.load(options.gan)
        told = {"scores": scores, "data": options.data, "notes": options.notes}
        card = gan.export(options.generator, network=options.network, **told)
    except (ValueError, OSError, ImportError):
        raise
    except Exception as error:  # Keras and TensorFlow raise what they like: a class that is not registered, a full disk
        raise ValueError(f"{options.gan} cannot be exported ({type(error).__name__}: {error}).") from error
    _say(checking.printable(f"{options.generator} and {card}"))
    return 0


def _completion(options: argparse.Namespace) -> int:
    import shtab

    _say(shtab.complete(parser(), options.shell))
    return 0


def _read_history(path: Path) -> tuple[dict[str, list[float | None]], str | None]:
    """Return the columns of a history, None where an epoch has no value, and the name of the loss, if told."""
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    try:
        if path.suffix == ".csv":
            rows = list(csv.DictReader(io.StringIO(_text(path), newline="")))
            if any(None in row for row in rows):  # DictReader's name for what no column is left for
                raise ValueError("a line is longer than the first")
            return {name: [float(row[name]) if row[name] != "" else None for row in rows] for name in rows[0]}, None
        found = _json(path)
        columns = {name: _column(name, values) for name, values in found["history"].items()}
        if not any(value is not None for column in columns.values() for value in column):
            raise ValueError("it holds no value")
        return columns, found.get("loss")
    except OSError:
        raise
    except Exception as error:  # text where numbers belong, rows of unequal lengths, what csv and json raise
        raise ValueError(
            f"{path} is no history ({type(error).__name__}: {error}); expected a file of callbacks.HistoryFile."
        ) from error


def _column(name: str, values: Any) -> list[float | None]:
    if not isinstance(values, list) or not {type(value) for value in values} <= {int, float, type(None)}:
        raise ValueError(f"{checking.shown(name)} is {checking.shown(values)}, not a list of numbers")
    return [None if value is None else float(value) for value in values]


def _json(path: Path) -> Any:
    """Return what a file of JSON holds; a ValueError for what is none, or nested so deep that Python gives up."""
    try:
        return json.loads(_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _text(path: Path) -> str:
    """Return what a text file holds, so long as it is of a size that such files have."""
    with path.open("rb") as file:
        held = file.read(_LARGEST + 1)
    if len(held) > _LARGEST:
        raise ValueError(f"it holds more than {_LARGEST // 10**6} MB")
    return held.decode("utf-8")


def _whole(text: str) -> int:
    """Return the integer that a word is; argparse makes its one line of what this raises."""
    if len(text) > 20:
        raise argparse.ArgumentTypeError("expected an integer of 20 digits at most")
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no integer") from None


if __name__ == "__main__":
    sys.exit(main())
