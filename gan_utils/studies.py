"""The studies under ``benchmarks/``: what takes longer than a chapter may, recorded, and the code that made it."""

import hashlib
import importlib
import json
import os
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


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


def once(name: str, function: str, **arguments: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Return what a study's function makes, made once for all pages that ask for it.

    For models that a chapter uses and does not teach. What was made is kept in ``_build/once`` under a hash of the
    arguments and one of the code: the study, the library, and the versions and flags that a result depends on. What
    older code made goes.

    Args:
        name: of the study.
        function: one of its functions, which returns an array and a dict that JSON can hold.
        **arguments: what it is called with; numbers, texts and None.

    Returns:
        The array and the dict.

    Raises:
        FileNotFoundError: as `code`.

    Example:
        >>> images, how = once("leaderboard", "samples", model="untrained", seed=0)
        >>> images.shape, how
        ((10000, 28, 28, 1), {})
    """
    from gan_utils import runtime  # imports TensorFlow

    study, root = code(name), folder().parent
    asked = hashlib.sha256(json.dumps([function, sorted(arguments.items())]).encode()).hexdigest()[:8]
    versions = [metadata.version(package) for package in ("keras", "numpy", "tensorflow")]
    total = hashlib.sha256(json.dumps([versions, runtime.uses_onednn(), runtime.has_accelerator()]).encode())
    for path in sorted([root / "benchmarks" / f"{name}.py", *(root / "gan_utils").rglob("*.py")]):
        total.update(path.read_bytes())
    kept = root / "_build" / "once" / f"{name}-{asked}-{total.hexdigest()[:8]}.npz"
    if kept.exists():
        with np.load(kept, allow_pickle=False) as found:
            return found["values"], json.loads(str(found["how"]))
    values, how = getattr(study, function)(**arguments)
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_name(f"{os.getpid()}-{kept.name}")
    np.savez(partial, values=values, how=json.dumps(how))
    for old in kept.parent.glob(f"{name}-{asked}-*.npz"):
        old.unlink()
    partial.replace(kept)
    return values, how
