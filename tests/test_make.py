"""The Makefile, the stages of `make test` and .ci/run, with commands that only write down their calls."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stages

ROOT = Path(__file__).resolve().parents[1]
PYTHON = """#!/bin/bash
case "$*" in
  -V) echo "Python $VERSION" ;;
  "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "venv in $PWD" >>"$CALLS" ;;
  *"-m pip install"*) echo "pip in $PWD" >>"$CALLS"; [ -z "$BROKEN" ] || { echo "no such host"; exit 1; } ;;
  *.py*) echo "$* in $PWD" >>"$CALLS" ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """Run make in a folder with a Python that only writes down its calls; return them, the status and what is said."""
    calls, python = tmp_path / "calls", tmp_path / "some folder/python3"
    python.parent.mkdir()
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run(folder, *words, version="3.12.1", given=True, **environment):
        calls.write_text("")
        environment = {**os.environ, "CALLS": str(calls), "VERSION": version, "BROKEN": "", **environment}
        environment["PATH"] = f"{python.parent}:{os.environ['PATH']}"
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # these tests may be run by make themselves
            environment.pop(name, None)
        asked = [f'PYTHON="{python}"'] if given else []
        done = subprocess.run(
            ["make", *words, *asked], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
        )
        return calls.read_text().splitlines(), done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_a_clone_is_installed_once(make, clone):
    calls, status, told = make(clone, "book")
    assert calls == [f"venv in {clone}", f"pip in {clone}", f"site/build.py --pages  in {clone}"] and status == 0
    assert told.count("\n") == 1 and told.startswith("[1/3]")
    calls, status, told = make(clone, "book", "PAGES=04_dcgan 05_x", given=False)
    assert calls == [f"site/build.py --pages 04_dcgan 05_x in {clone}"] and not told
    assert make(clone, "test", given=False)[0] == [f"tests/stages.py in {clone}"]


@pytest.mark.parametrize("way", [shutil.copytree, shutil.move])
def test_a_copied_or_moved_clone_gets_an_environment_of_its_own(make, clone, way):
    make(clone, "book")
    (clone / ".venv/old").write_text("")
    other = clone.with_name("another clone")
    way(clone, other)
    calls, *_ = make(other, "book")
    assert calls[:2] == [f"venv in {other}", f"pip in {other}"] and not (other / ".venv/old").exists()
    assert len(make(other, "book")[0]) == 1


def test_so_does_one_whose_python_is_another(make, clone):
    make(clone, "book", version="3.11.9")
    assert len(make(clone, "book", version="3.12.1")[0]) == 3  # another is asked for
    assert len(make(clone, "book", version="3.12.2", given=False)[0]) == 3  # the system's was changed
    (clone / ".venv/bin/python").unlink()
    assert len(make(clone, "book")[0]) == 3


def test_new_pins_are_installed_into_the_environment_that_is_there(make, clone):
    make(clone, "book")
    (clone / ".venv/own").write_text("")
    later = (clone / ".venv/.installed").stat().st_mtime + 10
    os.utime(clone / "constraints.txt", (later, later))
    calls, *_ = make(clone, "book")
    assert calls[-2] == f"pip in {clone}" and (clone / ".venv/own").exists()


def test_packages_that_cannot_be_installed_are_told_and_tried_again(make, clone):
    calls, status, told = make(clone, "book", BROKEN="yes")
    assert status and "no such host" in told and "not installed" in told and not any("build.py" in c for c in calls)
    assert len(make(clone, "book")[0]) == 3


# --- the stages of make test


def staged(tmp_path, **texts):
    made = []
    for name, text in texts.items():
        (tmp_path / f"test_{name}.py").write_text(text)
        made.append(stages.Stage(name, [str(tmp_path / f"test_{name}.py"), "-q", "-p", "no:cacheprovider"]))
    return made


def test_a_stage_that_fails_hides_no_other(tmp_path, monkeypatch, capfd):
    texts = {"first": "def test(): assert 0", "second": "def test(): pass"}
    monkeypatch.setattr(stages, "STAGES", staged(tmp_path, **texts))
    assert stages.main() == 1
    first, second = capfd.readouterr().out.splitlines()[-2:]
    assert first.split()[:3] == ["first", "FAILED", "(1)"] and second.split()[:2] == ["second", "passed"]
    monkeypatch.setattr(stages, "STAGES", stages.STAGES[1:])
    assert stages.main() == 0


def test_ctrl_c_ends_the_stages_at_once(tmp_path):
    waiting = (
        f"import pathlib, time\ndef test():\n pathlib.Path({str(tmp_path / 'begun')!r}).touch()\n time.sleep(6000)"
    )
    made = staged(tmp_path, first=waiting, second="def test(): pass")
    code = (
        f"import stages; stages.STAGES = [stages.Stage(*s) for s in {[tuple(s) for s in made]!r}]; exit(stages.main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT / "tests", stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 130 and "Stopped: first" in out and "Second" not in out


def test_the_stages_are_pytests_of_what_is_there():
    assert [stage.options[0] for stage in stages.STAGES] == ["gan_utils", "chapters", "tests/site"]
    assert stages.STAGES[1].environment == [("GAN_BOOK_BUDGET", "smoke")]


# --- .ci/run


@pytest.mark.parametrize("broken", ["", "test"])
def test_ci_runs_every_step_and_tells_each(tmp_path, broken):
    folder, commands = tmp_path / "a clone", tmp_path / "commands"
    (folder / ".ci").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "_build").mkdir()
    (folder / ".venv/bin").mkdir(parents=True)
    commands.mkdir()
    shutil.copy(ROOT / ".ci/run", folder / ".ci")
    shutil.copy(ROOT / "tests/outside.py", folder / "tests")
    (folder / "_build/times.txt").write_text("04_dcgan 99 s\n")
    make = f'#!/bin/bash\n[ "$1" != book ] || echo "_build/html/index.html is up to date"\n[ "$1" != "{broken}" ]\n'
    venv = '#!/bin/bash\n[ "$2" != venv ] || { mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; }\n'
    for path, text in {
        commands / "make": make,
        commands / "apt-get": "#!/bin/bash\n",
        commands / "python3": venv,
        folder / ".venv/bin/python": venv + '[ "$1" != .ci/machine.py ] || echo "a machine"\n',
    }.items():
        path.write_text(text)
        path.chmod(0o755)
    done = subprocess.run(
        [folder / ".ci/run"],
        env={**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == bool(broken), done.stderr
    told = [line for line in done.stdout.splitlines() if line.endswith(" s")]
    failed = [line.split("  ")[0] for line in told if "FAILED" in line]
    assert len(told) == 8 and failed == (["make test"] if broken else [])
    assert done.stdout.splitlines()[-2:] == ["04_dcgan 99 s", "a machine"]


def test_the_machine_is_told_in_a_line():
    done = subprocess.run([sys.executable, ROOT / ".ci/machine.py"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    assert {"cores", "AVX-512", "sgemm", "GFLOP/s"} <= set(done.stdout.replace(",", " ").split())
