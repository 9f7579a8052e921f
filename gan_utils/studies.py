"""The studies under ``benchmarks/``: what takes longer than a chapter may, recorded, and the code that made it."""

import ast
import hashlib
import importlib
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

MAX_BYTES = 1_500_000  # of a recorded network


def folder() -> Path:
    """Return the folder ``benchmarks`` of the book's repository.

    It is looked for above the working directory, then beside the package. It holds the studies, their records and the
    recorded networks, none of which is a part of the package.

    Raises:
        FileNotFoundError: if the package is used without the repository.
    """
    for root in [*(Path.cwd() / "x").parents, Path(__file__).resolve().parents[1]]:
        if (root / "benchmarks" / "results").is_dir():
            return root / "benchmarks"
    raise FileNotFoundError(
        "records and recorded networks lie in the book's repository, not in the package, and its folder benchmarks/ is "
        f"not above {Path.cwd()}; clone the repository and run this inside the clone."
    )


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


def network(name: str) -> tuple[Any, dict[str, Any]]:
    """Return a network that was trained once for the book, and its record.

    Args:
        name: of the network, for example ``"compact_dcgan"``.

    Returns:
        A Keras model, not compiled, with float32 weights that were kept in half precision; and the record: data,
        licence, seeds, steps, the hash of the code that made it, and for each seed the scores on the way.

    Raises:
        FileNotFoundError: if there is no such network, or the package is used without the repository.
        ValueError: if the file is not the one that the record names.
    """
    place = folder() / "results" / "networks"
    known = sorted(each.stem for each in place.glob("*.json"))
    if name not in known:
        raise FileNotFoundError(f"There is no recorded network {name!r}; expected one of {', '.join(known) or 'none'}.")
    card, path = place / f"{name}.json", place / f"{name}.npz"
    try:
        told = json.loads(card.read_text())
        expected = told["rows"][str(told["kept_seed"])]["network"]["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{card} is no record of a network; restore it with git checkout -- {card}") from error
    content = path.read_bytes() if path.exists() else b""
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        came = f"has SHA-256 {found[:16]}…" if content else "is missing"
        raise ValueError(f"{path} {came}; its record names {expected[:16]}…: restore it with git checkout -- {path}")
    importlib.import_module("gan_utils.networks.layers")  # registers them; not above, since it imports TensorFlow
    from gan_utils.runtime import keras

    with np.load(io.BytesIO(content), allow_pickle=False) as kept:
        model = keras.models.model_from_json(str(kept["config"]))
        model.set_weights([kept[str(number)].astype(np.float32) for number in range(len(model.weights))])
    return model, told


def ranges(record: dict[str, Any], score: str) -> dict[int, tuple[float, float]]:
    """Return between which values the score of a slice of a recorded run must lie, by step.

    At steps that three seeds or more have: from the least of their values to the largest, and half of that range more
    on each side.

    Args:
        record: of a recorded network.
        score: its name in the rows' curves.
    """
    looks = [look for row in record["rows"].values() for look in row["curve"]]
    found = {look["steps"]: [other[score] for other in looks if other["steps"] == look["steps"]] for look in looks}
    half = {step: (max(values) - min(values)) / 2 for step, values in found.items()}
    return {
        step: (min(values) - half[step], max(values) + half[step]) for step, values in found.items() if len(values) > 2
    }


def keep_network(path: Path, network: Any) -> dict[str, Any]:
    """Write a network as `network` reads it, and return what its record must say of the file.

    Args:
        path: of the file, ``results/networks/<name>.npz``.
        network: a built Keras model whose weights are numbers of half precision.

    Raises:
        ValueError: if a weight is not, or if the file would be larger than `MAX_BYTES`.
    """
    weights = [np.asarray(values) for values in network.get_weights()]
    with np.errstate(over="ignore"):  # refused below
        halves = [values.astype(np.float16) for values in weights]
    kept_whole = (np.isfinite(half) & (half == values) for half, values in zip(halves, weights, strict=True))
    if not all(whole.all() for whole in kept_whole):
        raise ValueError("a weight is no finite number of half precision; expected all rounded to float16.")
    content = io.BytesIO()
    kept = {"config": np.array(network.to_json()), **{str(number): half for number, half in enumerate(halves)}}
    np.savez_compressed(content, **kept)  # type: ignore[arg-type]
    if len(content.getvalue()) > MAX_BYTES:
        raise ValueError(f"the file has {len(content.getvalue()):,} bytes; expected at most {MAX_BYTES:,}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getvalue())
    sha256 = hashlib.sha256(content.getvalue()).hexdigest()
    return {"sha256": sha256, "bytes": len(content.getvalue()), "parameters": int(network.count_params())}


def code_hash(paths: Iterable[Path], root: Path, *, besides: str = "") -> str:
    """Return a digest of what files do: of Python's their syntax without docstrings and comments, of others the bytes.

    So words may be mended, and lines broken elsewhere, without a record being void.

    Args:
        paths: of the files, under the root.
        root: from which their names count.
        besides: the name of a module's function that is left out.
    """
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        content = path.read_bytes()
        if path.suffix == ".py":
            tree = ast.parse(content)
            tree.body = [node for node in tree.body if not besides or getattr(node, "name", "") != besides]
            content = "".join(_syntax(tree)).encode()
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + content + b"\0")
    return total.hexdigest()


def _syntax(node: object) -> Iterator[str]:
    """Yield a text of a syntax tree; not `ast.dump`'s, which is another in each version of Python."""
    if isinstance(node, ast.AST):
        yield f"{type(node).__name__}("
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                value = value[ast.get_docstring(node, clean=False) is not None :]
            if value is not None and value != []:  # fields that a version adds are empty
                yield f"{name}="
                yield from _syntax(value)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for each in node:
            yield from _syntax(each)
        yield "]"
    else:
        yield f"{node!r},"


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
    made_by = code_hash([root / "benchmarks" / f"{name}.py", *(root / "gan_utils").rglob("*.py")], root)
    depends_on = [made_by, versions, runtime.uses_onednn(), runtime.has_accelerator()]
    total = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:8]
    kept = root / "_build" / "once" / f"{name}-{asked}-{total}.npz"
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
