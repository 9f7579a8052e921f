"""The command ``gan-utils``. Its one command so far is ``doctor``: what went wrong in a run, from its history."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

_EXAMPLES = """examples:
  gan-utils doctor runs/a/history.json
  gan-utils doctor history.csv --loss wasserstein
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words after the program's name; those of the process if not given.

    Returns:
        The exit status: 0, 1 if the doctor found something, 2 for a file or an option that cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="gan-utils", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="name what went wrong in a run, from its history file")
    doctor.add_argument("history", type=Path, help="a .json or .csv written by callbacks.HistoryFile")
    doctor.add_argument("--loss", help="the GAN's loss, if the file does not say; non_saturating otherwise")
    options = parser.parse_args(arguments)
    try:
        return _doctor(options.history, options.loss)
    except (ValueError, OSError) as error:
        print(f"gan-utils: {error}", file=sys.stderr)
        return 2


def _doctor(path: Path, loss: str | None) -> int:
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
