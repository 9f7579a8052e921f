"""Use an installed `gan_utils` as a stranger would, from a folder that is not the repository: ``python outside.py``.

It needs nothing but the package: every module, a training step, a score with the shipped classifier, a widget with its
browser module, an exported generator, the command line; and what needs the repository says so. Not a test module:
`.ci/run` and the hosted workflow run it in an empty environment.
"""

import importlib
import json
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import gan_utils
from gan_utils import data, metrics, runtime, studies, training, widgets
from gan_utils.networks import dcgan, toy

if __name__ == "__main__":
    package = Path(gan_utils.__file__).parent
    assert package.parent.name == "site-packages", f"{package} is not an installed package"
    assert (package / "py.typed").exists()
    for module in pkgutil.walk_packages([str(package)], "gan_utils."):
        importlib.import_module(module.name)
    runtime.set_seed(0)
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.compile()
    gan.fit(data.toy.ring().sample(64, seed=0), batch_size=16, steps_per_epoch=2, verbose=0)
    images = np.random.default_rng(0).uniform(-1, 1, (100, 28, 28, 1)).astype(np.float32)
    assert metrics.score(images, images, ["frechet"])["frechet"] < 1e-6  # the shipped classifier
    assert "render" in widgets.Playground()._esm and widgets.LatentExplorer(dcgan.compact_generator()).weights
    for ask in (studies.network, studies.record, studies.code):
        told = ""
        try:
            ask("compact_dcgan")
        except FileNotFoundError as error:
            told = str(error)
        assert "clone the repository and run this inside the clone" in told and "\n" not in told
    with tempfile.TemporaryDirectory() as folder:
        gan.save(f"{folder}/gan.keras")
        command = Path(sys.executable).with_name("gan-utils")
        subprocess.run([command, "export", f"{folder}/gan.keras", f"{folder}/out.keras"], check=True)
        assert "Steps: 2" in Path(folder, "out.keras.md").read_text()
        np.save(f"{folder}/x.npy", images)
        words = [f"{folder}/x.npy", f"{folder}/x.npy", "--metrics", "frechet", "--extractor", "pixels", "--json"]
        done = subprocess.run([command, "score", *words], check=True, capture_output=True, text=True)
        assert json.loads(done.stdout)["n_real"] == 100
    print(f"gan_utils {gan_utils.__version__} works on Python {sys.version.split()[0]} from {package}")
