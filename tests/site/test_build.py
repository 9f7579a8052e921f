"""site/build.py: what it executes, says, keeps and hands to Jupyter Book, and when it has nothing to do."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import yaml
from browsing import ROOT


@pytest.mark.parametrize("url", ["", "https://example.org/authors/gan-book"])
def test_launch_buttons_need_an_address(build, monkeypatch, tmp_path, url):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["repository"]["url"] = url
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(build, "ROOT", tmp_path)
    made = build.configuration(tmp_path / "cache")
    assert ("launch_buttons" in made) == bool(url)
    if url:
        assert {"binderhub_url", "colab_url"} <= set(made["launch_buttons"])
    assert made["execute"]["cache"] == str(tmp_path / "cache")
    assert all(Path(path).is_absolute() for path in made["sphinx"]["config"]["html_static_path"])


def test_a_digest_follows_names_and_contents(build, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("1")
    before = build.digest("*.py")
    assert build.digest("*.py") == before != build.digest("*.py", extra="gpu")
    (tmp_path / "a.py").write_text("2")
    after = build.digest("*.py")
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({before, after, build.digest("*.py")}) == 3


def test_the_second_build_has_nothing_to_do(build, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build.subprocess, "run", lambda *_, **__: pytest.fail("nothing should run"))
    output = tmp_path / "_build"
    (output / "html").mkdir(parents=True)
    (output / "html/index.html").write_text("")
    everything = build.digest(*build.INPUTS, extra="cpu")
    (output / "book.stamp").write_text(everything)
    build.build(output, "cpu")
    assert "up to date" in capsys.readouterr().out


# --- a book of small notebooks


@pytest.fixture
def book(tmp_path):
    """A folder with a book of two notebooks and the means to build it."""
    folder = tmp_path / "a book"
    shutil.copytree(ROOT / "site", folder / "site", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "references.bib", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    texts = {
        "_toc.yml": "format: jb-book\nroot: chapters/intro\nchapters: [{file: chapters/one}, {file: chapters/two}]\n",
        "chapters/intro.md": "# The book\n",
        "package-lock.json": "{}",
        "gan_utils/__init__.py": "",
        "gan_utils/data.py": "def load():\n    print('the data')\n",
        "benchmarks/results/book.json": '{"seconds": {"one": 60, "two": 240}}',
        "_build/assets/requirejs/require.js": "",
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in ("widgets.js", "html-manager/dist/embed-amd.js"):  # what _config.yml names
        (folder / "_build/assets" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "_build/assets" / name).write_text("")
    installed = hashlib.sha256(b"{}" + (folder / "site/scripts.py").read_bytes())
    (folder / "_build/assets.stamp").write_text(installed.hexdigest())
    write(folder, "one", "print('first')", "print('second')")
    write(folder, "two", "import os, pathlib\nprint(os.environ['GAN_BOOK_BUDGET'], pathlib.Path.cwd().name)")
    return folder


def write(folder, name, *cells):
    """Write a notebook that notes each of its executions."""
    noted = f"open('../executed', 'a').write('{name} ')\n"
    code = [nbformat.v4.new_code_cell(source) for source in (noted + cells[0], *cells[1:])]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# Page {name}"), *code])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / f"chapters/{name}.ipynb")


def start(folder, *words):
    environment = {key: value for key, value in os.environ.items() if key != "GAN_BOOK_BUDGET"}
    return subprocess.Popen(
        [sys.executable, "site/build.py", *words],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a job in the background of a script ignores Ctrl-C, and so would what it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run(folder, *words):
    """Build, and return the status and what the screen shows."""
    process = start(folder, *words)
    out, errors = process.communicate(timeout=6000)
    return process.returncode, out + errors


def executed(folder):
    file = folder / "executed"
    return file.read_text().split() if file.exists() else []


def test_the_screen_has_a_line_for_each_page_and_the_log_the_rest(book):
    status, told = run(book)
    lines = told.splitlines()
    assert status == 0, told
    assert lines[0] == "[3/3] 2 pages to execute, about 5 minutes (log: _build/book.log)"
    assert re.fullmatch(r" +one +\d+ s, (about \d+ minutes?|less than a minute) left", lines[1])
    assert re.fullmatch(r" +two +\d+ s", lines[2]) and re.fullmatch(r" +writing the pages +\d+ s", lines[3])
    assert re.fullmatch(r"_build/html/index.html is ready after \d+ s", lines[4]) and len(lines) == 5
    log = (book / "_build/book.log").read_text()
    assert "the data" in log and "build succeeded" in log
    assert executed(book) == ["one", "two"]  # once each: Jupyter Book found both in the cache
    assert "cpu chapters" in (book / "_build/html/chapters/two.html").read_text()
    assert re.fullmatch(r"one +\d+ s\ntwo +\d+ s\n", (book / "_build/times.txt").read_text())
    downloaded = nbformat.read(book / "_build/html/_sources/chapters/one.ipynb", 4)
    assert downloaded.cells[2].outputs[0].text == "second\n"
    assert run(book) == (0, "_build/html/index.html is up to date\n")

    # one page is edited, and only that is executed; the whole book is written
    write(book, "two", "print('another')")
    status, told = run(book, "--pages", "two.ipynb")
    assert status == 0 and "1 page to execute" in told and "is ready after" in told
    assert executed(book) == ["one", "two", "two"]
    assert "another" in (book / "_build/html/chapters/two.html").read_text()

    # what Sphinx finds wrong is shown, without the rest
    (book / "chapters/intro.md").write_text("# The book\n\n{doc}`nowhere`\n")
    status, told = run(book)
    assert status == 1 and executed(book) == ["one", "two", "two"]
    assert re.search(r"^chapters/intro.md:3: WARNING: .*nowhere", told, re.MULTILINE)
    assert told.endswith("The book is not written. The whole text is in _build/book.log.\n") and len(told) < 800


def test_some_pages_alone(book):
    status, told = run(book, "--pages", "one")
    assert status == 0 and told.splitlines()[-1].startswith("The book is not written: 1 other page is not executed yet")
    assert executed(book) == ["one"] and not (book / "_build/html").exists()
    status, told = run(book, "--pages", "one three")
    assert status == 1 and "'three'" in told and "one, two" in told and told.count("\n") == 1


@pytest.mark.parametrize(("budget", "workers"), [("cpu", 1), ("smoke", 2)])
def test_a_page_that_fails_is_named_with_its_cell_and_hides_no_other(book, budget, workers):
    write(book, "one", "text = 'the claim'", "assert 1 > 2, f'{text} does not hold'")
    status, told = run(book, "--budget", budget)
    assert status == 1 and sorted(executed(book)) == ["one", "two"]
    assert re.search(
        r"^ +one +FAILED after \d+ s in code cell 2 \(\w+\), which begins: assert 1 > 2", told, re.MULTILINE
    )
    assert "AssertionError: the claim does not hold" in told and "\x1b" not in told
    assert told.splitlines()[-1].startswith(
        "The book is not written: one failed (the whole error is in _build/book.log"
    )
    assert "Traceback" in (book / "_build/book.log").read_text()
    write(book, "one", "print('mended')")
    run(book, "--budget", budget, "--pages", "one")
    assert sorted(executed(book)) == ["one", "one", "two"]


def test_data_that_are_missing_are_told_before_a_page_is_executed(book):
    (book / "gan_utils/data.py").write_text("def load():\n    raise OSError('no such file, fetch it')\n")
    status, told = run(book)
    assert status == 1 and "OSError: no such file, fetch it" in told and "The data are not there." in told
    assert not executed(book)


def test_page_scripts_that_cannot_be_had_are_told(book):
    (book / "_build/assets.stamp").unlink()
    npm = book / "commands/npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/bash\necho no registry\nexit 3\n")
    npm.chmod(0o755)
    process = subprocess.run(
        [sys.executable, "site/build.py"],
        cwd=book,
        env={**os.environ, "PATH": f"{npm.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert process.stderr.splitlines() == [
        "no registry",
        "The page scripts cannot be installed: npm ci ended with 3.",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_was_executed_before_a_build_is_stopped_is_kept(book, number):
    write(book, "two", "import os, time\nopen('../kernel', 'w').write(str(os.getpid()))\ntime.sleep(6000)")
    process = start(book)
    until(lambda: (book / "kernel").exists() and (book / "kernel").read_text())
    os.killpg(process.pid, number)  # of a terminal; the kernel is in a group of its own
    out, errors = process.communicate(timeout=600)
    kernel = int((book / "kernel").read_text())
    until(lambda: not alive(kernel))
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number and not errors
        told = "Stopped: 1 of 2 pages are executed and kept; the same command goes on with the others."
        assert out.splitlines()[-1] == told
    write(book, "two", "print('at last')")
    assert "1 page to execute" in run(book, "--pages", "two")[1] and executed(book) == ["one", "two", "two"]


def until(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(process):
    """Return whether a process runs; one that has ended may wait for its parent to ask how."""
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_cache_that_was_half_written_is_written_anew(book):
    run(book, "--pages", "one")
    (base,) = (book / "_build/.cache-cpu/executed").glob("*/base.ipynb")
    for damage in (lambda: base.write_text(base.read_text()[:100]), base.unlink):
        damage()
        assert run(book, "--pages", "one")[0] == 0 and nbformat.read(base, 4).cells[1].outputs
    assert executed(book) == ["one"] * 3


def test_the_time_left_follows_this_machine(build):
    from progress import Progress, about  # beside build.py

    recorded = {"a": 10, "b": 50, "c": 60}
    assert Progress(recorded, {}, ["a", "b", "c"]).left() is None
    assert Progress(recorded, {"a": 20}, ["b", "c"]).left() == 2 * (50 + 60)  # half as fast
    assert Progress(recorded, {"a": 20}, ["b", "c"], workers=2).left() == 50 + 60
    assert Progress(recorded, {"a": 10}, ["new"]).left() == 40  # the mean
    assert [about(s) for s in (10, 70, 100, 1230)] == [
        "less than a minute",
        "about 1 minute",
        "about 2 minutes",
        "about 21 minutes",
    ]


@pytest.mark.parametrize(("words", "says"), [(["--budget", "huge"], "expected smoke, cpu or gpu")])
def test_bad_words_are_refused(book, words, says):
    status, told = run(book, *words)
    assert status == 2 and says in told
