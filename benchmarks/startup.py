"""How long starting takes: ``python benchmarks/startup.py`` (three minutes on two cores).

A new Python process that imports a library, or answers a command, and ends; they take turns. Importing includes what
TensorFlow and PyTorch need before a first network can be built. Python's own start is a part of each.
"""

import argparse
import os
import statistics
import subprocess
import sys
from typing import Any

import common

RECORD = common.RESULTS / "startup.json"
BUILD = "from gan_utils.networks import dcgan; dcgan.compact_generator()"
COMMANDS: dict[str, tuple[str, ...]] = {
    "python": ("-c", "pass"),
    "import numpy": ("-c", "import numpy"),
    "import keras": ("-c", "import keras"),
    "import torch": ("-c", "import torch"),
    "import gan_utils": ("-c", "import gan_utils"),
    "import gan_utils.training": ("-c", "import gan_utils.training"),
    "a network": ("-c", BUILD),
    "gan-utils --help": ("-m", "gan_utils.cli", "--help"),
}


def timed(name: str) -> float:
    """Return the seconds that a new process takes."""
    variables = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, *COMMANDS[name]]
    return common.seconds_of(lambda: subprocess.run(command, check=True, capture_output=True, env=variables))


def main() -> None:
    """Measure, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", nargs="*", choices=list(COMMANDS), default=list(COMMANDS))
    common.add_record(parser, RECORD)
    arguments = parser.parse_args()
    not_run: dict[str, str] = {}
    for name in arguments.commands:
        try:
            timed(name)  # files are in the page cache afterwards, for all
        except subprocess.CalledProcessError as fault:
            not_run[name] = fault.stderr.decode(errors="replace").strip().splitlines()[-1]
    ready = [name for name in arguments.commands if name not in not_run]
    seconds = common.alternate({name: (lambda name=name: timed(name)) for name in ready}, arguments.rounds)
    record: dict[str, Any] = {
        "what": "seconds of a new process from its start to its end, medians of rounds; 95 % intervals of ratios",
        **common.environment("tensorflow", "keras", "numpy", *common.installed("torch")),
        "rounds": arguments.rounds,
        "seconds": {name: round(statistics.median(values), 3) for name, values in seconds.items()},
        "over_keras": {
            name: common.ratio(values, seconds["import keras"])
            for name, values in seconds.items()
            if "import keras" in seconds and name != "import keras"
        },
        "not_run": not_run,
    }
    for name, value in record["seconds"].items():
        print(f"{name:<28}{value:8.2f} s")
    for name, reason in not_run.items():
        print(f"not run: {name}: {reason}")
    common.keep(arguments, record, whole=arguments.commands == list(COMMANDS))


if __name__ == "__main__":
    main()
