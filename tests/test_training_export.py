"""A generator that is written out makes the same samples elsewhere: in a fresh process, without this library."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_utils import metrics, runtime, terms, training
from gan_utils.networks import dcgan, toy
from gan_utils.runtime import keras
from gan_utils.training import export

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")


@pytest.fixture(scope="module")
def gan():
    """A DCGAN with an average that differs from the last weights."""
    runtime.set_seed(0)
    made = training.GAN(
        dcgan.compact_generator(8, widths=(8, 4)),
        dcgan.compact_discriminator(widths=(4, 8)),
        ema=0.9,
        terms=[terms.R1(0.1)],
    )
    made.compile()
    images = np.tanh(np.random.default_rng(0).normal(size=(32, 28, 28, 1))).astype("float32")
    made.fit(images, batch_size=8, steps_per_epoch=5, verbose=0)
    return made


def used_as_the_card_says(card, latents, samples):
    """Run the code of a card in its folder, without the library, on these latents; write what it makes."""
    code = card.read_text().split("```python\n")[1].split("```")[0]
    drawn = next(line for line in code.splitlines() if line.startswith("latents"))
    code = code.replace(drawn, f"latents = np.load({str(latents)!r})")
    code = "import sys; sys.modules['gan_utils'] = None\n" + code + f"\nnp.save({str(samples)!r}, samples)"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=card.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return np.load(samples)


@pytest.mark.parametrize("name", ["generator.keras", "generator", "generator.onnx"])
def test_a_fresh_process_without_the_library_makes_the_same_samples(gan, tmp_path, name):
    if name.endswith("onnx"):
        pytest.importorskip("tf2onnx", reason="no tf2onnx: pip install -e '.[onnx]'")
        pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install -e '.[onnx]'")
    latents = np.random.default_rng(5).standard_normal((7, gan.latent_dim), np.float32)
    before = gan.get_weights()
    card = gan.export(tmp_path / "out" / name)
    assert all(np.array_equal(a, b) for a, b in zip(before, gan.get_weights(), strict=True))
    np.save(tmp_path / "latents.npy", latents)
    found = used_as_the_card_says(card, tmp_path / "latents.npy", tmp_path / "samples.npy")
    expected = gan.decode(latents)
    assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-5
    assert np.abs(gan.generator(latents, training=False) - expected).max() > 1e-3, "the average, not the last weights"
    assert sorted(path.name for path in card.parent.iterdir()) == sorted([name, f"{name}.md"])


@pytest.mark.filterwarnings("ignore:.*covariance is singular:UserWarning")
def test_the_card_says_how_it_was_made_and_how_good_it_is(gan, tmp_path):
    real = gan.generate(50, seed=1)
    scores = metrics.score(real, gan.generate(50, seed=2), ["frechet", "precision"], extractor="pixels")
    text = gan.export(tmp_path / "a.keras", scores=scores, data="white noise", notes="Only a test.").read_text()
    for said in ("28 × 28 × 1", "8 standard normal latents", "white noise", "Only a test.", "non_saturating"):
        assert said in text
    for said in ("0.1 × r1", "generator: ", "Adam", "Steps: 5; seed: 0", f"keras {keras.__version__}", "an average"):
        assert said in text
    assert str(scores) in text and "95 % interval" in text
    assert "Not scored" in export.card(gan, tmp_path / "a.keras")


def test_an_export_replaces_only_an_export(tmp_path):
    gan = training.GAN(toy.generator(), toy.discriminator())
    for _ in range(2):
        gan.export(tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "again.md"]
    kept = tmp_path / "mine"
    kept.mkdir()
    (kept / "thesis.txt").write_text("years of work")
    (tmp_path / "again/notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="or more than one"):
        gan.export(tmp_path / "again")
    with pytest.raises(ValueError, match="is no SavedModel"):
        gan.export(kept)
    assert (kept / "thesis.txt").read_text() == "years of work"
    gan.save(tmp_path / "run.keras")
    run = (tmp_path / "run.keras").read_bytes()
    with pytest.raises(ValueError, match="is a saved run"):
        gan.export(tmp_path / "run.keras")
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ValueError, match=r"README\.md exists and is no model card"):
        gan.export(tmp_path / "README")
    assert (tmp_path / "run.keras").read_bytes() == run and (tmp_path / "README.md").read_text() == "mine"
    with pytest.raises(ValueError, match=r"expected x\.keras, x\.onnx"):
        gan.export(tmp_path / "a.h5")


def test_a_failed_export_leaves_the_old_one_and_the_weights(gan, tmp_path, monkeypatch):
    gan.export(tmp_path / "a.keras")
    whole, before = (tmp_path / "a.keras").read_bytes(), gan.get_weights()

    def fail(path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    gan.export(tmp_path / "folder")
    shutil.rmtree(tmp_path / "folder")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/saved_model.pb").write_text("the old one")
    rename = Path.rename

    def interrupted(self, target):
        if self.name.startswith(".exporting-") and "variables" in os.listdir(self):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gan.export(tmp_path / "folder")
    assert (tmp_path / "folder/saved_model.pb").read_text() == "the old one"
    monkeypatch.setattr(gan.generator, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        gan.export(tmp_path / "a.keras")
    assert (tmp_path / "a.keras").read_bytes() == whole
    assert all(np.array_equal(a, b) for a, b in zip(before, gan.get_weights(), strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "a.keras.md", "folder", "folder.md"]


def test_onnx_without_its_packages_and_in_half_precision(gan, tmp_path, monkeypatch):
    monkeypatch.setattr(export.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"tf2onnx and onnx: install the extra onnx"):
        gan.export(tmp_path / "a.onnx")
    monkeypatch.undo()
    monkeypatch.setattr(export.util, "find_spec", lambda name: True)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = training.GAN(toy.generator(), toy.discriminator())
    finally:
        keras.config.set_dtype_policy("float32")
    half.save(tmp_path / "half.keras")
    again = training.GAN.load(tmp_path / "half.keras")  # Keras gives its networks another policy, not their layers
    for gan in (half, again):
        with pytest.raises(ValueError, match="computes in mixed_float16"):
            gan.export(tmp_path / "a.onnx")
        assert "precision mixed_float16" in export.card(gan, tmp_path / "a.keras")
        gan.compile()
        assert isinstance(gan.players[0].optimizer, keras.optimizers.LossScaleOptimizer)
    assert [path.name for path in tmp_path.iterdir()] == ["half.keras"]


def test_layers_of_ones_own_are_named(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Twice(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), Twice()])
    gan = training.GAN(network, toy.discriminator())
    assert "It loads where these classes are registered" in gan.export(tmp_path / "a.keras").read_text()
    assert "registered" not in gan.export(tmp_path / "a").read_text()
