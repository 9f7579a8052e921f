"""All stages of ``make test``: each runs, whatever became of those before it, and all are told at the end.

Run by make. The status is 1 if a stage failed, 130 after Ctrl-C.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAIR = ["-n", "2", "--dist", "loadfile"]  # two at a time; a file's tests and a notebook's cells in order
COVERAGE = ["--cov", "gan_utils", "--cov-report=term:skip-covered", "--cov-fail-under=95"]
NBVAL = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=3000"]


class Stage(NamedTuple):
    """What is run, and the words for it."""

    name: str
    options: Sequence[str]  # of pytest
    environment: Sequence[tuple[str, str]] = ()


STAGES = [
    Stage(
        "unit tests, doctests, checks of the book's files",
        ["gan_utils", "tests", "--ignore", "tests/site", *PAIR, "--durations=5", *COVERAGE],
    ),
    Stage(
        "every notebook, every cell, at the smoke budget",
        ["chapters", *NBVAL, *PAIR, "--durations=5"],
        [("GAN_BOOK_BUDGET", "smoke")],
    ),
    Stage("every page in a browser", ["tests/site", "-n", "2", "--dist", "worksteal", "-rs", "--durations=5"]),
]


def run(stage: Stage) -> int:
    """Run a stage and return its status; after Ctrl-C it has a few seconds to tidy up."""
    command = [sys.executable, "-m", "pytest", *stage.options]
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}  # so that the two do not wait for each other's threads
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **one_thread, **dict(stage.environment)})
    try:
        return process.wait()
    except KeyboardInterrupt:  # from a terminal it has reached the stage as well
        for _ in range(2):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
        process.kill()
        raise


def main() -> int:
    """Run all stages, tell what became of each, and return the status."""
    told, failed = [], False
    for stage in STAGES:
        print(f"\n== {stage.name[0].upper()}{stage.name[1:]}", flush=True)
        begun = time.monotonic()
        try:
            status = run(stage)
        except KeyboardInterrupt:
            print(f"\nStopped: {stage.name}.", flush=True)
            return 130
        failed = failed or status != 0
        result = f"FAILED ({status})" if status else "passed"
        told.append(f"{stage.name:<52}{result:<12}{time.monotonic() - begun:6.0f} s")
    print("\n" + "\n".join(told), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
