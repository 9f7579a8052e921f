"""Build the book: page scripts, data, executed notebooks. Run by ``make book``; does only what changed.

A notebook is executed again when its code changes; all are when `gan_utils`, a study, a pin or the budget changes.
What the tools say is in ``_build/book.log``.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO

import yaml

sys.path.insert(0, str(Path(__file__).parent))
import scripts

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
INPUTS = [
    "chapters/*",
    "gan_utils/**/*",
    "benchmarks/**/*",
    "site/**/*",
    "_*.yml",
    "references.bib",
    "*.txt",
    "package-lock.json",
]
TIMES = ROOT / "benchmarks/results/book.json"  # made by a build, so no reason for another
LINES = 20  # of what went wrong, on the screen


class Stopped(KeyboardInterrupt):
    """The build is told to end, by Ctrl-C or by a signal."""


def digest(*patterns: str, extra: str = "") -> str:
    """Return a hash of the names and contents of all files that match, and of `extra`."""
    total = hashlib.sha256(extra.encode())
    files = {path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}
    for path in sorted(path for path in files - {TIMES} if "__pycache__" not in path.parts):
        total.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def unchanged(stamp: Path, value: str) -> bool:
    """Return whether `stamp` holds this value."""
    return stamp.exists() and stamp.read_text() == value


def is_built(output: Path, budget: str) -> bool:
    """Return whether ``output``/html is what `build` would make of the files as they are now."""
    value = digest(*INPUTS, extra=budget)
    return unchanged(output / "book.stamp", value) and (output / "html/index.html").exists()


def shown(path: Path) -> str:
    """Return a path as it is written from the folder of the book."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def build(output: Path, budget: str, pages: str = "") -> None:
    """Build the book into ``output``/html with every notebook executed at this budget.

    Args:
        output: the folder for the site, the times and the log.
        budget: ``"smoke"``, ``"cpu"`` or ``"gpu"``.
        pages: names of notebooks; only these are executed, and the book is written only if the others are already.
    """
    notebooks = sorted((ROOT / "chapters").glob("*.ipynb"))
    chosen = selected(pages, notebooks)
    if is_built(output, budget):
        print(f"{shown(output)}/html/index.html is up to date")
        return
    value, begun = digest(*INPUTS, extra=budget), time.perf_counter()
    cache = BUILD / f".cache-{budget}"
    library = digest("gan_utils/**/*", "benchmarks/**/*", "constraints.txt", extra=budget)
    if not unchanged(output / "library.stamp", library):
        shutil.rmtree(cache, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    (output / "library.stamp").write_text(library)  # now, so that a build that fails later keeps what it has executed
    environment = dict(os.environ, GAN_BOOK_BUDGET=budget, PYTHONWARNINGS="ignore::DeprecationWarning")

    import execution  # and with it the packages, when it is known that there is work
    import mend

    store = execution.Store(cache)
    with open(output / "book.log", "w", encoding="utf-8") as log:
        _execute(chosen, store, budget, environment, log)
        executed = {path.stem: store.executed(path) for path in notebooks}
        missing = sum(notebook is None for notebook in executed.values())
        if missing:
            others = "1 other page is" if missing == 1 else f"{missing} other pages are"
            print(f"The book is not written: {others} not executed yet (make book does that).")
            return
        _render(output, cache, environment, log)
    mend.pages(output / "html", executed)
    (output / "book.stamp").write_text(value)
    names = {path.stem for path in notebooks}
    times = sorted((name, seconds) for name, seconds in store.seconds().items() if name in names)
    (output / "times.txt").write_text("".join(f"{name:<44} {seconds:5.0f} s\n" for name, seconds in times))
    print(f"{shown(output)}/html/index.html is ready after {time.perf_counter() - begun:.0f} s")


def selected(pages: str, notebooks: list[Path]) -> list[Path]:
    """Return the notebooks that are named, with or without folder and ending; all of them if none is."""
    wanted = {Path(name).name.removesuffix(".ipynb") for name in pages.replace(",", " ").split()}
    unknown = sorted(wanted - {path.stem for path in notebooks})
    if unknown:
        known = ", ".join(path.stem for path in notebooks)
        sys.exit(f"There is no notebook {', '.join(map(repr, unknown))} in chapters; PAGES takes some of: {known}.")
    return [path for path in notebooks if path.stem in wanted or not wanted]


def _execute(chosen: list[Path], store: Any, budget: str, environment: dict[str, str], log: TextIO) -> None:
    import execution
    from progress import Progress, about

    timeout = yaml.safe_load((ROOT / "_config.yml").read_text())["execute"]["timeout"]
    runs = [execution.Run(path, timeout) for path in chosen if store.executed(path) is None]
    if not runs:
        return
    needed = store.seconds()
    recorded = json.loads(TIMES.read_text())["seconds"]
    workers = 2 if budget == "smoke" else 1  # where nothing is timed, notebooks may share the machine
    told = Progress(recorded, needed, [run.name for run in runs], workers)
    guess = told.left() or (budget == "cpu" and Progress(recorded, recorded, told.names).left())
    pages = "1 page" if len(runs) == 1 else f"{len(runs)} pages"
    guessed = f", {about(guess)}" if guess else ""
    print(f"[3/3] {pages} to execute{guessed} (log: {shown(Path(log.name))})", flush=True)
    code = "from gan_utils import data; data.load()"
    if _logged([sys.executable, "-c", code], environment, log):
        _give_up("The data are not there.", log, lines=5)
    if failed := execution.execute(runs, store, told, environment, log):
        kept = len(runs) - len(failed)
        sys.exit(
            f"The book is not written: {', '.join(failed)} failed (the whole error is in {shown(Path(log.name))}). "
            f"The other pages of this build, {kept}, are kept."
        )


def _render(output: Path, cache: Path, environment: dict[str, str], log: TextIO) -> None:
    begun = time.perf_counter()
    print(f"      {'writing the pages':<32}", end="", flush=True)
    shutil.rmtree(output / "_build", ignore_errors=True)  # so no page of a chapter that is gone stays behind
    (output / "_config.yml").write_text(yaml.safe_dump(configuration(cache), sort_keys=False))
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT), "--path-output", str(output)]
    command += ["--config", str(output / "_config.yml"), "-W", "--keep-going"]
    if _logged(command, environment, log):
        print("FAILED", flush=True)
        _give_up("The book is not written.", log, r"(WARNING|ERROR|CRITICAL|Error|Exception)\b.*:")
    print(f"{time.perf_counter() - begun:5.0f} s", flush=True)
    shutil.rmtree(output / "html", ignore_errors=True)
    shutil.copytree(output / "_build/html", output / "html")


def _logged(command: list[str], environment: dict[str, str], log: TextIO) -> int:
    log.flush()
    return subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT).returncode


def _give_up(what: str, log: TextIO, pattern: str = "", lines: int = LINES) -> NoReturn:
    """Show the lines of the log that match, or else the last ones, and end."""
    told = re.sub(r"\x1b\[[0-9;]*m", "", Path(log.name).read_text(errors="replace")).rstrip().splitlines()
    told = [line for line in told if pattern and re.search(pattern, line)] or told
    sys.exit(
        "\n".join(
            [
                *(line.replace(f"{ROOT}/", "") for line in told[-lines:]),
                f"{what} The whole text is in {shown(Path(log.name))}.",
            ]
        )
    )


def configuration(cache: Path) -> dict:
    """Return _config.yml with absolute paths, and with launch buttons only where there is something to launch from."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["execute"]["cache"] = str(cache)
    config["bibtex_bibfiles"] = [str(ROOT / name) for name in config["bibtex_bibfiles"]]
    sphinx = config["sphinx"]["config"]
    sphinx["html_static_path"] = [str(ROOT / name) for name in sphinx["html_static_path"]]
    if not config["repository"]["url"]:
        del config["repository"], config["launch_buttons"]
    return config


def kept(budget: str) -> str:
    """Return in words which pages need not be executed again."""
    cache, notebooks = BUILD / f".cache-{budget}", list((ROOT / "chapters").glob("*.ipynb"))
    if not cache.exists():
        return "nothing was executed yet."
    import execution

    store = execution.Store(cache)
    count = sum(store.executed(path) is not None for path in notebooks)
    return f"{count} of {len(notebooks)} pages are executed and kept; the same command goes on with the others."


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default=os.environ.get("GAN_BOOK_BUDGET") or "cpu", help="smoke, cpu or gpu")
    parser.add_argument("--output", type=Path, default=BUILD, help="folder for the site")
    parser.add_argument("--pages", default="", help="names of the notebooks to execute; all, unless some are given")
    arguments = parser.parse_args()
    if arguments.budget not in ("smoke", "cpu", "gpu"):
        parser.error(f"the budget is {arguments.budget!r}, expected smoke, cpu or gpu (see GAN_BOOK_BUDGET)")

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as for a build in the background
            signal.signal(number, stop)
    try:
        scripts.page_assets()
        build(arguments.output.resolve(), arguments.budget, arguments.pages)
    except Stopped as stopped:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"\nStopped: {kept(arguments.budget)}", flush=True)
        sys.exit(128 + stopped.args[0])


if __name__ == "__main__":
    main()
