"""Code that a record names may change without changing what it computes, and this shows it.

``python benchmarks/equal.py --since REVISION --why "one line"`` (two minutes on two cores): the models of each study
train some steps from their seeds, with the code of that revision and with the code at hand. Where all weights and
states end in the same bits, ``results/equal.json`` says that the one code is as good as the other, and a record made by
the one is still valid. Only what a training step runs may differ: networks, losses, terms, training; a change of a
study's own file, or of what scores its rows, needs new rows. Words and a study's list of models may change freely.
With ``--drop`` the rows of models that end elsewhere are taken out of their records, to be made anew by the study's own
command; the others stay.

A study registers itself by two names: ``MADE_BY``, the patterns of the files that its record's ``"code"`` is taken of
besides its own, and ``models()``, which returns untrained models of its rows by name, one of each kind. What a row
takes besides training may stand there as an array (data, scores of fixed samples), named after the file it shows.
"""

import argparse
import ast
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import common
import numpy as np

RECORD = common.RESULTS / "equal.json"
STEPS = 20  # twice the group of steps that `fit` runs at once
SHOWN = ("gan_utils/losses.py", "gan_utils/terms.py", "gan_utils/networks/", "gan_utils/training/")
ROOT = common.RESULTS.parents[1]


def registered() -> list[str]:
    """Return the names of the studies that provide ``models``; none is imported for that."""
    functions = {path.stem: ast.parse(path.read_text()).body for path in sorted(Path(__file__).parent.glob("*.py"))}
    return [
        name for name, body in functions.items() if any(getattr(node, "name", "") == common.MODELS for node in body)
    ]


def digests(studies: list[str], steps: int) -> dict[str, dict[str, str]]:
    """Return, by study and model, a digest of all weights and states after some steps."""
    found: dict[str, dict[str, str]] = {}
    for study in studies:
        for name, gan in import_module(study).models().items():
            if isinstance(gan, np.ndarray):  # what is computed besides training
                found.setdefault(study, {})[name] = hashlib.sha256(gan.tobytes()).hexdigest()[:16]
                continue
            real = np.random.default_rng(0).uniform(-1, 1, (256, *gan.sample_shape)).astype(np.float32)
            gan.fit(real, batch_size=32, steps_per_epoch=steps, verbose=0)
            total = hashlib.sha256()
            for values in [*gan.get_weights(), *(np.asarray(v) for v in gan.state().values())]:
                total.update(np.ascontiguousarray(values).tobytes())
            found.setdefault(study, {})[name] = total.hexdigest()[:16]
    return found


def under(tree: Path, studies: list[str], steps: int) -> dict[str, dict[str, str]]:
    """Return `digests` computed by the code of a tree, in a process of its own."""
    paths = os.pathsep.join(str(path) for path in (tree / "benchmarks", tree))
    command = [sys.executable, __file__, "--digests", *studies, "--steps", str(steps)]
    environment = os.environ | {"PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True, check=True)
    home, found = json.loads(done.stdout.splitlines()[-1])
    if not Path(home).is_relative_to(tree):
        raise RuntimeError(f"gan_utils came from {home}, not from {tree}.")
    return found


def made_by(study: str) -> list[str]:
    """Return the patterns of the files that a study's record is made by, its own file among them."""
    return [f"benchmarks/{study}.py", *import_module(study).MADE_BY]


def changed(study: str, other: Path) -> list[str]:
    """Return the files of a study's record that differ between this tree and another, in more than words or models."""
    names = {p.relative_to(tree).as_posix() for tree in (ROOT, other) for m in made_by(study) for p in tree.glob(m)}
    code = lambda tree, name: common.code_hash(name, root=tree)  # noqa: E731
    return sorted(name for name in names if code(ROOT, name) != code(other, name))


def rows_of(record: Mapping[str, Any], models: Collection[str]) -> list[str]:
    """Return the keys of a record's rows that name one of the models."""
    words = lambda key: {word for name in key.split("/") for word in (name, *name.split())}  # noqa: E731
    return [key for key in record["rows"] if words(key) & set(models)]


def drop(study: str, models: Collection[str]) -> None:
    """Take the rows of some models out of a study's record, and say which."""
    path = common.RESULTS / f"{study}.json"
    record = common.read(path)
    gone = rows_of(record, models)
    common.write(path, {**record, "rows": {key: row for key, row in record["rows"].items() if key not in gone}})
    print(f"{study}: rows to be made anew: {', '.join(gone)}")


def main() -> None:
    """Compare, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--since", help="the revision whose code made the records")
    parser.add_argument("--why", help="what changed, in a line")
    parser.add_argument("--studies", nargs="*", choices=registered(), default=registered())
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--drop", action="store_true", help="take rows that would differ out of their records")
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--digests", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.digests is not None:
        import gan_utils

        print(json.dumps([gan_utils.__file__, digests(arguments.digests, arguments.steps)]))
        return
    if not (arguments.since and arguments.why):
        parser.error("give --since and --why")
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder).resolve() / "old"
        subprocess.run(["git", "worktree", "add", "--detach", str(old), arguments.since], cwd=ROOT, check=True)
        try:
            pairs = compare(arguments, old)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(old)], cwd=ROOT, check=True)
    kept = common.read(arguments.record)["pairs"] if arguments.record.exists() else []
    what = "pairs of code that train the models of a study to the same bits"
    record = {"what": what, **common.environment("tensorflow", "keras"), "pairs": [*kept, *pairs]}
    common.write(arguments.record, record)


def compare(arguments: argparse.Namespace, old: Path) -> list[dict[str, Any]]:
    """Return the pairs of codes that compute the same, for the studies whose files differ."""
    differing = {study: files for study in arguments.studies if (files := changed(study, old))}
    for study, files in differing.items():
        hidden = [name for name in files if not name.startswith(SHOWN)]
        if hidden:  # unless the study has arrays for it
            shown = import_module(study).models()
            hidden = [name for name in hidden if not any(each.startswith(f"{name}:") for each in shown)]
        if hidden:
            sys.exit(f"{study}: {', '.join(hidden)} changed, which training does not show; its rows must be made anew.")
    if not differing:
        sys.exit("nothing that a record names has changed")
    with ThreadPoolExecutor(2) as pool:
        before, after = pool.map(lambda tree: under(tree, list(differing), arguments.steps), (old, ROOT))
    unequal = {
        study: [name for name, digest in after[study].items() if before[study].get(name) != digest]
        for study in differing
    }
    for study, names in unequal.items():
        print(f"{study}: {len(after[study]) - len(names)} of {len(after[study])} models end in the same bits")
        path = common.RESULTS / f"{study}.json"
        if names and not (arguments.drop and path.exists() and rows_of(common.read(path), names)):
            sys.exit(f"{study}: {', '.join(names)} end elsewhere; its rows must be made anew.")
    pairs = []
    for study, files in differing.items():  # nothing is written before all studies are known
        if unequal[study]:
            drop(study, unequal[study])
        codes = [common.code_hash(*made_by(study), root=tree) for tree in (old, ROOT)]
        told = {"since": arguments.since, "why": arguments.why, "files": files, "steps": arguments.steps}
        same = {name: digest for name, digest in after[study].items() if name not in unequal[study]}
        pairs.append({"study": study, "codes": codes, **told, "models": same})
    return pairs


if __name__ == "__main__":
    main()
