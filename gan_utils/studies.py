"""The studies under ``benchmarks/``: what takes longer than a chapter may, recorded, and the code that made it."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def folder() -> Path:
    """Return the folder ``benchmarks`` of the book's repository.

    It is looked for above the working directory, then beside the package.

    Raises:
        FileNotFoundError: if the package is used without the repository.
    """
    for root in [*(Path.cwd() / "x").parents, Path(__file__).resolve().parents[1]]:
        if (root / "benchmarks" / "results").is_dir():
            return root / "benchmarks"
    raise FileNotFoundError("The book's folder benchmarks/ is not here; run this inside a clone of the repository.")


def record(name: str) -> dict[str, Any]:
    """Return what a study has recorded: date, hardware, versions, and its rows.

    Args:
        name: of the study, for example ``"leaderboard"``.

    Raises:
        FileNotFoundError: if there is no such record.
    """
    path = folder() / "results" / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.json")))
        raise FileNotFoundError(f"There is no record {name!r}; expected one of {known}.")
    return json.loads(path.read_text())


def code(name: str) -> ModuleType:
    """Return the module of a study, so that a chapter runs a slice of the same code.

    Args:
        name: of the study.

    Raises:
        FileNotFoundError: if there is no such study.
    """
    place = folder()
    if not (place / f"{name}.py").exists():
        raise FileNotFoundError(f"There is no study {name!r} in {place}.")
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
    return importlib.import_module(name)
