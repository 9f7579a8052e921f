"""What the README, the reference's first page and the page on GPUs tell a reader to type is typed here."""

import ast
import functools
import json
import os
import re
import shlex
import subprocess
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gan_utils import (
    cli,
    data,
    families,
    metrics,
    networks,
    plotting,
    runtime,
    scratch,
    terms,
    theory,
    training,
    widgets,
)
from gan_utils.networks import dcgan
from gan_utils.runtime import keras
from gan_utils.training import callbacks, doctor

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
TABLE = (ROOT / "chapters/api.md").read_text().split("| you write |")[1]


@pytest.fixture
def few_steps(monkeypatch, tmp_path):
    """In a folder of its own; `fit` takes two steps, and there are few images."""
    monkeypatch.chdir(tmp_path)
    fit, load, generate = training.GAN.fit, data.load, training.GAN.generate
    short = {"steps_per_epoch": 2, "epochs": 1, "verbose": 0}
    monkeypatch.setattr(training.GAN, "fit", lambda self, x, **given: fit(self, x, **{**given, **short}))
    monkeypatch.setattr(training.GAN, "generate", lambda self, n, **given: generate(self, min(n, 150), **given))

    def few(*words, **named):
        found = load(*words, **named)
        return found._replace(images=found.images[:150], labels=found.labels[:150])

    monkeypatch.setattr(data, "load", few)
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*covariance is singular:UserWarning")  # of 150 images
def test_the_block_of_the_readme_runs_and_the_command_line_after_it(few_steps, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
    assert "frechet" in capsys.readouterr().out
    written = {"runs", "history.json", "fashion.keras", "generator.keras", "generator.keras.md"}
    assert {path.name for path in few_steps.iterdir()} == written
    commands = re.findall(r"^    gan-utils (.*)$", README, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["score", "export", "doctor"]
    for command in commands:
        words = shlex.split(command.replace("generator.onnx", "again.keras"))  # test_training_export has ONNX
        status = cli.main([*words, "--n", "120"] if words[0] == "score" else words)
        assert status == 0 or (words[0] == "doctor" and status == 1), capsys.readouterr().err


def test_every_make_target_of_the_readme_exists_and_ci_runs_the_two_commands():
    named = set(re.findall(r"\bmake (\w+)", README))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named == {"book", "test", "serve", "lint", "bench"} and named <= targets
    script = (ROOT / ".ci/run").read_text()
    assert all(f"make {target}" in script for target in ("book", "test", "lint"))


def test_every_file_and_every_extra_of_the_readme_exists():
    linked = re.findall(r"\]\(([^)]+)\)", README) + re.findall(r"conda env create -f (\S+?)`", README)
    assert linked and all((ROOT / name).exists() for name in linked)
    extras = set(re.findall(r"\.\[(\w+)\]", README))
    assert extras and all(re.search(rf"^{name} = \[", (ROOT / "pyproject.toml").read_text(), re.M) for name in extras)


def test_the_table_of_pages_is_that_of_the_last_record():
    seconds = json.loads((ROOT / "benchmarks/results/book.json").read_text())["seconds"]
    titles = {}
    for path in (ROOT / "chapters").glob("*.ipynb"):
        first = json.loads(path.read_text())["cells"][0]["source"]
        titles[path.stem] = "".join(first).splitlines()[0].removeprefix("# ")
    rows = re.findall(r"^\| (.+?) \| (\d+\.\d) \|$", README, re.MULTILINE)
    expected = {titles[name]: f"{s / 60:.1f}" for name, s in seconds.items() if name != "intro"}
    assert dict(rows) == expected and len(rows) == len(titles) - 1


def spans():
    for row in TABLE.splitlines():
        if row.startswith("| ") and not row.startswith("|---"):
            wanted, written = row.strip("| ").split(" | ", 1)
            for number, span in enumerate(re.findall(r"`([^`]+)`", re.sub(r"\{doc\}`\w+`", "", written))):
                yield pytest.param(span, id=f"{wanted}-{number}")


@functools.cache
def names():
    """What the spans speak of."""
    modules = [callbacks, data, doctor, families, metrics, networks, plotting]
    modules += [runtime, scratch, terms, theory, training, widgets]
    images, classifier = data.load().images[:150], metrics.features.fashion_mnist_classifier()
    generator, discriminator = dcgan.compact_generator(), dcgan.compact_discriminator()
    gan = training.GAN(generator, discriminator)
    return {
        **{module.__name__.split(".")[-1]: module for module in modules},
        **{"generator": generator, "discriminator": discriminator, "gan": gan, "keras": keras, "images": images},
        **{"samples": gan.generate(120), "held_out": data.load(split="test").images[:150], "classifier": classifier},
        "points": np.random.default_rng(0).normal(size=(20, 2)),
        "scores": metrics.score(images, images, ["kid"], extractor="pixels"),
        "function": lambda rate, loss: plotting.image_grid(images[:1], title=f"{rate} {loss}")[0],
    }


@pytest.mark.filterwarnings("ignore:.*covariance is singular:UserWarning")  # of 150 images
@pytest.mark.parametrize("span", list(spans()))
def test_what_to_write_can_be_written(tmp_path, monkeypatch, span):
    words = ("kill -9", ".keras", "fit", "compile", "generate", "label", "translate", "tf.data.Dataset")
    if span.startswith("gan-utils ") or span in words:
        return  # the first are typed above
    if "onnx" in span:
        pytest.importorskip("tf2onnx", reason="no tf2onnx: pip install -e '.[onnx]'")
    monkeypatch.chdir(tmp_path)
    Path("photos/boots").mkdir(parents=True)
    plotting.plt.imsave("photos/boots/a.png", names()["images"][0, :, :, 0])
    if span.startswith("extractor="):
        span = f"metrics.score(images, images, ['kid'], {span})"
    elif span in ('"pixels"', '"identity"'):
        span = f"metrics.features.get({span})"
    if "inception" in span and not list(Path.home().glob(".keras/models/inception_v3*")):
        pytest.skip("the ImageNet weights are not on this machine")
    found = eval(compile(ast.parse(span, mode="eval"), span, "eval"), names())
    assert found is not None or span.startswith("print")


def test_the_commands_for_several_machines_tell_each_worker_who_it_is(tmp_path):
    page = (ROOT / "chapters/gpu.md").read_text()
    told = [json.loads(text) for text in re.findall(r"^    TF_CONFIG='(\{.*\})' python train.py$", page, re.MULTILINE)]
    assert [each["task"]["index"] for each in told] == [0, 1] and told[0]["cluster"] == told[1]["cluster"]
    (script,) = re.findall(r"^    #!/bin/bash\n((?:    .*\n)+)", page, re.MULTILINE)
    commands = {
        "scontrol": 'echo "$SLURM_JOB_NODELIST" | tr , "\\n"',  # as ours is written without brackets
        "srun": 'for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@"; done',
        "python": 'echo "$1 $TF_CONFIG"',
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job").write_text(textwrap.dedent(script))
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "first,second"}
    done = subprocess.run(["bash", tmp_path / "job"], env=environment, capture_output=True, text=True, check=True)
    assert [line.split(" ", 1)[0] for line in done.stdout.splitlines()] == ["train.py"] * 2
    assert [json.loads(line.split(" ", 1)[1]) for line in done.stdout.splitlines()] == told
