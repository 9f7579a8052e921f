"""What is built for others holds all that the package needs, and nothing else."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import gan_utils

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with an sdist and, made from it, a wheel."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in listed.stdout.split():
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


def test_the_wheel_holds_every_file_of_the_package_and_no_other(built):
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"gan_utils-{gan_utils.__version__}-py3-none-any.whl"
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = subprocess.run(["git", "ls-files", "gan_utils"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found == set(listed.stdout.split())
    assert {"gan_utils/py.typed", "gan_utils/widgets/explore.js", "gan_utils/metrics/fashion_mnist_v1.npz"} <= found


def test_the_wheel_says_what_it_is(built):
    (wheel,) = built.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    folder = f"gan_utils-{gan_utils.__version__}.dist-info"
    told = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
    assert (
        told["Requires-Python"] == ">=3.11"
        and told["License-Expression"] == "MIT"
        and told["Version"] == gan_utils.__version__
    )
    assert {"book", "test", "onnx", "gpu", "reference"} == set(told.get_all("Provides-Extra"))
    assert "The GAN book" in told.get_payload() and f"{folder}/licenses/LICENSE" in archive.namelist()
    assert "gan-utils = gan_utils.cli:main" in archive.read(f"{folder}/entry_points.txt").decode()


def test_the_sdist_builds_the_same_package(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        found = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    (wheel,) = built.glob("*.whl")
    package = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert package <= found and {"pyproject.toml", "README.md", "LICENSE"} <= found
