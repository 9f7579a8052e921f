"""The command ``gan-utils``: score generated samples; name what went wrong in a run; export a generator."""

import argparse
import contextlib
import csv
import io
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import gan_utils

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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"gan-utils: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words after the program's name; those of the process if not given.

    Returns:
        The exit status: 0, 1 if the doctor found something, 2 for a file or an option that cannot be used, with one
        line on standard error.
    """
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"gan-utils: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


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
        "--n", type=int, help="samples drawn from a saved generator (default: as many as real, at most 10000)"
    )
    score.add_argument("--seed", type=int, default=0, help="of latents, subsets, splits and directions (default 0)")
    score.add_argument("--cache", type=Path, help="a folder that keeps the features of the real samples")
    score.add_argument("--no-intervals", action="store_true", help="values only, which is faster")
    score.add_argument("--json", action="store_true", help="one line of JSON and nothing else on standard output")
    doctor = command("doctor", _doctor, "name what went wrong in a run, from its history file")
    doctor.add_argument("history", type=Path, help="a .json or .csv written by callbacks.HistoryFile")
    doctor.add_argument("--loss", help="the GAN's loss, if the file does not say; non_saturating otherwise")
    about = "write a saved GAN's generator for use without this library, and a model card beside it"
    export = command("export", _export, about)
    export.add_argument("gan", type=Path, help="a .keras file written by GAN.save or callbacks.Resume")
    export.add_argument("generator", type=Path, help="x.keras, x.onnx, or x for a folder with a SavedModel")
    export.add_argument("--scores", type=Path, help="a file with what gan-utils score --json printed, for the card")
    export.add_argument("--data", default="", help="what it was trained on, for the card")
    export.add_argument("--notes", default="", help="what else a user of the samples must know, for the card")
    completion = command("completion", _completion, "print what makes a shell complete gan-utils' words")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return program


def _score(options: argparse.Namespace) -> int:
    from gan_utils import metrics
    from gan_utils.metrics import features, inputs, scoring

    names = list(scoring.DEFAULT) if options.metrics is None else options.metrics.split(",")
    if options.metrics == "all":
        labels = options.extractor == "fashion_mnist" or options.extractor.startswith("inception") or options.logits
        wanted = {"memorisation": options.held_out, "inception_score": labels, "mode_score": labels}
        names = [name for name in metrics.METRICS if wanted.get(name, True)]
    checked = scoring.check_names([name.strip() for name in names], held_out=options.held_out is not None)
    own = options.extractor.endswith(".keras")
    if (options.layer or options.logits) and not own:
        raise ValueError(f"--layer and --logits are for a .keras extractor; --extractor is {options.extractor}.")
    if options.n is not None and options.n < 1:
        raise ValueError(f"--n is {options.n}; expected 1 or more.")
    # Keras tells of downloads on standard output, which is for the result
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.showwarning = lambda message, *_: print(f"gan-utils: {message}", file=sys.stderr)
        chosen = inputs.load_model(Path(options.extractor)) if own else options.extractor
        extractor = features.get(chosen, layer=options.layer, logits=options.logits)
        progress = sys.stderr.isatty()

        def extract(name: str, n: int, cache: Path | None) -> features.Features:
            found = inputs.open_input(name, extractor, n=n, seed=options.seed)
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
        )
        scores = scorer(extract(options.fake, n, None))
    print(scores.to_json() if options.json else scores)
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
        print(f"{finding.rule}\n  figure   {finding.figure}\n  meaning  {finding.meaning}\n  try      {finding.remedy}")
    if not findings:
        print(f"nothing found in {max(map(len, history.values()), default=0)} epochs of {', '.join(history)}")
    return bool(findings)


def _export(options: argparse.Namespace) -> int:
    from gan_utils.metrics import scoring

    scores = None
    if options.scores:
        try:
            scores = scoring.Scores.from_dict(json.loads(options.scores.read_text()))
        except ValueError as error:
            raise ValueError(f"{options.scores} holds no scores: {error}") from error
    from gan_utils import training  # TensorFlow starts only once the scores are known to be good

    try:
        gan = training.GAN.load(options.gan)
        card = gan.export(options.generator, scores=scores, data=options.data, notes=options.notes)
    except (ValueError, OSError, ImportError):
        raise
    except Exception as error:  # Keras and TensorFlow raise what they like: a class that is not registered, a full disk
        raise ValueError(f"{options.gan} cannot be exported ({str(error).strip().splitlines()[0]}).") from error
    print(f"{options.generator} and {card}")
    return 0


def _completion(options: argparse.Namespace) -> int:
    import shtab

    print(shtab.complete(parser(), options.shell))
    return 0


def _read_history(path: Path) -> tuple[dict[str, list[float]], str | None]:
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    try:
        if path.suffix == ".csv":
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            return {name: [float(row[name]) for row in rows] for name in rows[0]}, None
        found = json.loads(path.read_text())
        columns, loss = found["history"], found.get("loss")
        return {name: [float(value) for value in values] for name, values in columns.items()}, loss
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{path} is no history ({type(error).__name__}: {error}); expected a file of callbacks.HistoryFile."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
