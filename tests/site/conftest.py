"""The built site, a server for it, a real browser."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browsing import BROWSER, ROOT, serving

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[test]'")

FLAGS = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def site(browser, build) -> Path:  # without a browser nothing is built
    """The book that `make book` made of these files, or else one made here at the smoke budget."""
    output = ROOT / "_build"
    if any(build.is_built(output, budget) for budget in ("cpu", "gpu")):
        return output / "html"
    output /= "smoke"
    command = [sys.executable, "site/build.py", "--budget", "smoke", "--output", str(output)]
    output.mkdir(parents=True, exist_ok=True)
    with build.scripts.alone(output):
        subprocess.run(command, cwd=ROOT, check=True, timeout=12_000)
    return output / "html"


@pytest.fixture(scope="session")
def server(site):
    with serving(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    if BROWSER is None:
        pytest.skip("no browser for the page tests: install Debian's chromium")
    with sync_api.sync_playwright() as playwright:
        arguments = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
        running = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="session")
def build():
    """The module site/build.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("book_build", ROOT / "site/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def page_folder(build, tmp_path):
    """A folder with the scripts that a page of the book loads."""
    build.scripts.page_assets()
    shutil.copytree(build.scripts.BUILD / "assets", tmp_path / "_static", ignore=shutil.ignore_patterns("mathjax"))
    shutil.copy(ROOT / "site/assets/widgets.js", tmp_path / "_static")
    return tmp_path
