"""Saving, loading, resuming: to the bit, and refusing what cannot be trusted."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from gan_utils import losses, runtime, terms, training
from gan_utils.networks import dense, toy
from gan_utils.runtime import keras, tf
from gan_utils.training import callbacks, checkpoint

layers = keras.layers
POINTS = np.random.default_rng(0).normal(size=(200, 2)).astype("float32")


def full_gan(seed=1, jit_compile=False, **arguments):
    """Dropout, BatchNorm, critic steps, an average, replay, a lazy penalty: all that has state."""
    runtime.set_seed(seed)
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(8, "relu"), layers.Dropout(0.5), layers.Dense(1)])
    settings = {"discriminator_steps": 2, "ema": 0.9, "replay": training.Replay(40), "terms": [terms.R1(0.1, every=2)]}
    gan = training.GAN(generator, discriminator, **(settings | arguments))
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3),
        discriminator_optimizer=keras.optimizers.RMSprop(1e-3),
        jit_compile=jit_compile,
    )
    return gan


def fit(gan, epochs=4, **arguments):
    return gan.fit(POINTS, batch_size=10, steps_per_epoch=5, epochs=epochs, verbose=0, **arguments).history


def everything(gan):
    return [np.asarray(w) for w in gan.get_weights()] + [np.asarray(v) for v in gan.state().values()]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(everything(one), everything(other), strict=True))


def test_200_steps_with_five_critic_steps_are_the_same_again_split_by_a_resume(tmp_path):
    def left_by_a_kill(epoch, logs):
        if epoch == 17:  # whose own file is written after all callbacks
            shutil.copytree(tmp_path / "run", tmp_path / "left")

    one, rest = (full_gan(discriminator_steps=5, jit_compile=None) for _ in range(2))
    resume = callbacks.Resume(tmp_path / "run", every_seconds=0)
    history = fit(one, 40, callbacks=[resume, keras.callbacks.LambdaCallback(on_epoch_end=left_by_a_kill)])
    assert one.jit_compile is not False or runtime.has_accelerator()
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    again = fit(rest, 40, callbacks=[watch, callbacks.Resume(tmp_path / "left")])
    assert again == history and same(one, rest) and seen == list(range(17, 40))


def test_save_and_load_keep_everything_that_training_depends_on(tmp_path):
    gan = full_gan()
    fit(gan, 2)
    gan.save(tmp_path / "a.keras")
    again = training.GAN.load(tmp_path / "a.keras")
    assert same(gan, again) and np.array_equal(gan.generate(7), again.generate(7))
    assert fit(gan, 2) == fit(again, 2) and same(gan, again)


def test_the_file_is_a_keras_model(tmp_path):
    gan = full_gan()
    fit(gan, 1)
    gan.save(tmp_path / "a.keras")
    assert same(gan, keras.saving.load_model(tmp_path / "a.keras"))


class Unregistered(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs, training=None):
        return self.dense(inputs)


def test_networks_that_keras_cannot_make_again_are_given(tmp_path):
    make = lambda: training.GAN(Unregistered(), toy.discriminator(), latent_dim=3)  # noqa: E731
    gan = make()
    gan.compile()
    fit(gan, 1)
    gan.save(tmp_path / "a.keras")
    again = training.GAN.load(tmp_path / "a.keras", generator=Unregistered())
    assert same(gan, again)
    with pytest.raises(ValueError, match="load got critic"):
        training.GAN.load(tmp_path / "a.keras", critic=toy.discriminator())


def test_every_option_survives_a_load(tmp_path):
    options = {
        "terms": [terms.GradientPenalty(5.0, target=0.5, every=3), terms.WeightClipping(0.2), terms.FeatureMatching(1)],
        "instance_noise": keras.optimizers.schedules.PolynomialDecay(0.5, 100, 0.0),
        "unrolled_steps": 2,
        "packing": 2,
        "loss": "wasserstein",
    }
    gan = full_gan(replay=None, terms=[], seed=3)
    gan = training.GAN(toy.generator(), toy.discriminator(4), **options)
    gan.save(tmp_path / "a.keras")
    again = training.GAN.load(tmp_path / "a.keras")
    config, other = gan.get_config(), again.get_config()
    assert {n: v for n, v in config.items() if n not in ("generator", "discriminator")} == {
        n: v for n, v in other.items() if n not in ("generator", "discriminator")
    }
    assert again.adversarial_loss == losses.get("wasserstein") and not again.compiled


def test_bad_paths_are_refused(tmp_path):
    gan = full_gan()
    with pytest.raises(ValueError, match=r"ends in \.keras"):
        gan.save(tmp_path / "a.h5")
    gan.save(tmp_path / "a.keras")
    with pytest.raises(FileExistsError, match="overwrite"):
        gan.save(tmp_path / "a.keras", overwrite=False)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        training.GAN.load(tmp_path / "b.keras")
    assert os.listdir(tmp_path) == ["a.keras"], "no temporary file is left"


def rewrite(path, **members):
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in {**kept, **{n.replace("_json", ".json"): v for n, v in members.items()}}.items():
            archive.writestr(name, value)


def test_truncated_damaged_foreign_and_newer_files_are_refused(tmp_path):
    path = tmp_path / "a.keras"
    full_gan().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="truncated"):
        training.GAN.load(path)
    middle = whole.index(b"model.weights.h5") + 2000
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    with pytest.raises(ValueError, match=r"damaged in model\.weights\.h5"):
        training.GAN.load(path)
    toy.generator().save(path)
    with pytest.raises(ValueError, match="not written by gan_utils"):
        training.GAN.load(path)
    path.write_bytes(whole)
    header = checkpoint.header(path)
    rewrite(path, gan_utils_json=json.dumps({**header, "format": 99}))
    with pytest.raises(ValueError, match="format 99, this version of gan_utils reads 1"):
        training.GAN.load(path)


def test_loading_runs_no_code_from_the_file(tmp_path):
    network = keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: x * 2), layers.Dense(1)])
    gan = training.GAN(toy.generator(), network)
    gan.save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match=r"(?i)lambda"):
        training.GAN.load(tmp_path / "a.keras")


# resume


@pytest.mark.parametrize("first", [1, 3])
def test_a_run_split_by_a_resume_equals_an_uninterrupted_one(tmp_path, first):
    whole, part, rest = full_gan(), full_gan(), full_gan()
    history = fit(whole)
    # as when the process dies: the same call of fit, cut off by an error in a callback
    bomb = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: 1 / (epoch - first))
    with pytest.raises(ZeroDivisionError):
        fit(part, callbacks=[callbacks.Resume(tmp_path, every_seconds=0), bomb])
    assert fit(rest, callbacks=[callbacks.Resume(tmp_path, every_seconds=0)]) == history
    assert same(whole, rest)
    assert fit(full_gan(), callbacks=[callbacks.Resume(tmp_path)]) == history, "a finished run is not trained again"


def test_the_last_two_files_are_kept_and_time_decides(tmp_path):
    fit(full_gan(), callbacks=[callbacks.Resume(tmp_path / "often", every_seconds=0)])
    fit(full_gan(), callbacks=[callbacks.Resume(tmp_path / "seldom", every_seconds=3600)])
    assert sorted(os.listdir(tmp_path / "often")) == ["step-0000000015.keras", "step-0000000020.keras"]
    assert os.listdir(tmp_path / "seldom") == ["step-0000000020.keras"], "the end of a run is always kept"


def test_a_truncated_file_is_passed_over_for_the_one_before(tmp_path):
    history = fit(full_gan(), callbacks=[callbacks.Resume(tmp_path, every_seconds=0)])
    newest, _ = callbacks.Resume(tmp_path).files
    newest.write_bytes(newest.read_bytes()[:-100])
    again = full_gan()
    with pytest.warns(UserWarning, match="passed over: .* is truncated"):
        assert fit(again, callbacks=[callbacks.Resume(tmp_path, every_seconds=0)]) == history
    for path in callbacks.Resume(tmp_path).files:
        path.write_bytes(b"PK")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="none of the 2 files"):
        fit(full_gan(), callbacks=[callbacks.Resume(tmp_path)])


def test_other_flags_are_refused_unless_forced(tmp_path, monkeypatch):
    fit(full_gan(), 2, callbacks=[callbacks.Resume(tmp_path)])
    monkeypatch.setattr(runtime, "_ONEDNN", not runtime.uses_onednn())
    with pytest.raises(ValueError, match=r"other flags: onednn .* force=True"):
        fit(full_gan(), 4, callbacks=[callbacks.Resume(tmp_path)])
    gan = full_gan()
    fit(gan, 4, callbacks=[callbacks.Resume(tmp_path, force=True)])
    assert gan.step == 20


def test_another_run_is_refused(tmp_path):
    fit(full_gan(), 2, callbacks=[callbacks.Resume(tmp_path)])
    with pytest.raises(ValueError, match=r"another run: data .*own folder"):
        full_gan().fit(POINTS + 1, batch_size=10, steps_per_epoch=5, verbose=0, callbacks=[callbacks.Resume(tmp_path)])
    with pytest.raises(ValueError, match="batch_size 10 there and 20 here"):
        full_gan().fit(POINTS, batch_size=20, steps_per_epoch=5, verbose=0, callbacks=[callbacks.Resume(tmp_path)])
    with pytest.raises(ValueError, match="seed 1 there and 2 here"):
        fit(full_gan(seed=2), callbacks=[callbacks.Resume(tmp_path)])
    with pytest.raises(ValueError, match="every_seconds"):
        callbacks.Resume(tmp_path, every_seconds=-1)


def test_callbacks_go_on_where_they_were(tmp_path):
    def watchers():
        score = callbacks.Score({"spread": lambda samples: float(samples.std())}, n=10)
        best = keras.callbacks.ModelCheckpoint(
            tmp_path / "best.keras", monitor="spread", mode="min", save_best_only=True
        )
        early = keras.callbacks.EarlyStopping(monitor="spread", mode="min", patience=50)
        return [callbacks.SampleGrid(2), score, best, early, callbacks.HistoryFile(tmp_path / "history.json")]

    whole = watchers()
    history = fit(full_gan(), callbacks=whole)
    text = (tmp_path / "history.json").read_text()
    fit(full_gan(), 2, callbacks=[*watchers(), callbacks.Resume(tmp_path / "run")])
    rest = watchers()
    assert fit(full_gan(), callbacks=[*rest, callbacks.Resume(tmp_path / "run")]) == history
    assert (tmp_path / "history.json").read_text() == text
    assert rest[0].steps == whole[0].steps == [0, 5, 10, 15, 20]
    assert all(np.array_equal(a, b) for a, b in zip(rest[0].grids, whole[0].grids, strict=True))
    assert rest[2].best == whole[2].best == min(history["spread"]) and rest[3].wait == whole[3].wait
    assert training.GAN.load(tmp_path / "best.keras").step in whole[0].steps


SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, {tests!r})
from test_training_state import POINTS, full_gan, everything
from gan_utils.training import callbacks
gan = full_gan()
print("ready", flush=True)
gan.fit(POINTS, batch_size=10, steps_per_epoch=5, epochs={epochs}, verbose=0,
        callbacks=[callbacks.Resume({folder!r}, every_seconds=0)])
np.savez({folder!r} + "/final.npz", *everything(gan))
"""


def start(folder, epochs):
    code = SCRIPT.format(tests=os.path.dirname(__file__), folder=str(folder), epochs=epochs)
    run = [sys.executable, "-W", "error::UserWarning:gan_utils", "-c", code]
    return subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_a_new_file(process, folder):
    known, deadline = callbacks.Resume(folder).files[:1], time.monotonic() + 1200
    while callbacks.Resume(folder).files[:1] == known and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def test_killed_interrupted_and_started_again_ends_in_the_same_bits(tmp_path):
    random = np.random.default_rng(os.getpid())
    for how in (signal.SIGKILL, signal.SIGINT):
        process = start(tmp_path, epochs=100_000)  # so many that none ends by itself
        wait_for_a_new_file(process, tmp_path)
        time.sleep(random.uniform(0.0, 0.3))
        process.send_signal(how)
        _, errors = process.communicate(timeout=1200)
        assert process.returncode != 0, errors
        if how == signal.SIGINT:
            assert "saving at the end of this epoch" in errors and "the same call of fit goes on" in errors
    epochs = int(callbacks.Resume(tmp_path).files[0].stem.split("-")[1]) // 5 + 10
    process = start(tmp_path, epochs)
    _, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors
    uninterrupted = full_gan()
    fit(uninterrupted, epochs)
    with np.load(tmp_path / "final.npz") as found:
        assert all(np.array_equal(found[f"arr_{i}"], value) for i, value in enumerate(everything(uninterrupted)))
    assert not list(tmp_path.glob(".writing-*"))


def test_the_same_call_goes_on_in_the_same_process_too(tmp_path):
    whole, gan = full_gan(), full_gan()
    history, bomb = fit(whole), keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: 1 / (epoch - 2))
    with pytest.raises(ZeroDivisionError):
        fit(gan, callbacks=[callbacks.Resume(tmp_path, every_seconds=0), bomb])
    gan._step.assign_add(3)  # as if it had gone on for some steps after the last file
    assert fit(gan, callbacks=[callbacks.Resume(tmp_path, every_seconds=0)]) == history and same(whole, gan)
    with pytest.raises(ValueError, match="own folder"):  # finished: a second fit is another run
        fit(gan, callbacks=[callbacks.Resume(tmp_path)])


def test_a_dataset_whose_order_changes_is_made_anew_for_a_resumed_run(tmp_path):
    def shuffled(**settings):
        return tf.data.Dataset.from_tensor_slices(POINTS).shuffle(200, seed=1, **settings).batch(20)

    def go_on(folder, first, then):
        gan = full_gan()
        gan.fit(first, steps_per_epoch=5, epochs=1, verbose=0, callbacks=[callbacks.Resume(tmp_path / folder)])
        gan = full_gan()
        gan.fit(then, steps_per_epoch=5, epochs=2, verbose=0, callbacks=[callbacks.Resume(tmp_path / folder)])
        return gan

    once = full_gan()
    once.fit(shuffled(), steps_per_epoch=5, epochs=2, verbose=0)
    assert same(once, go_on("anew", shuffled(), shuffled()))
    dataset = shuffled()
    with pytest.raises(ValueError, match="is of another run: data"):
        go_on("again", dataset, dataset)
    fixed = shuffled(reshuffle_each_iteration=False)
    once = full_gan()
    once.fit(fixed, steps_per_epoch=5, epochs=2, verbose=0)
    assert same(once, go_on("fixed", fixed, fixed))


def test_a_run_that_stopped_early_is_not_trained_again(tmp_path):
    def stopping():
        return keras.callbacks.EarlyStopping("step_", mode="min", patience=1, restore_best_weights=True)

    def watch():
        count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(step_=float(epoch)))
        return [count, stopping(), callbacks.Resume(tmp_path, every_seconds=0)]

    first, again = full_gan(), full_gan()
    history = fit(first, 9, callbacks=watch())
    assert len(history["step_"]) == 2
    assert fit(again, 9, callbacks=watch()) == history and same(first, again), "with the best weights restored"


class Shift(training.Adversarial):
    """A game of two players that does not say how it is made."""

    def __init__(self, left, right):
        super().__init__([training.Player("left", [left]), training.Player("right", [right])])

    def losses(self, player, batch, noise):
        return {"square": tf.reduce_mean(tf.square(player.networks[0](batch["real"], training=True) - 1.0))}


def test_a_family_without_get_config_resumes_too(tmp_path):
    def run(epochs, *resume):
        runtime.set_seed(0)
        gan = Shift(toy.discriminator(), toy.discriminator())
        gan.compile(jit_compile=False)
        gan.fit(POINTS, batch_size=10, steps_per_epoch=2, epochs=epochs, verbose=0, callbacks=list(resume))
        return gan

    whole = run(4)
    run(2, callbacks.Resume(tmp_path))
    assert same(whole, run(4, callbacks.Resume(tmp_path)))
    with pytest.raises(ValueError, match="has no get_config"):
        Shift.load(callbacks.Resume(tmp_path).files[0])


def test_a_callback_that_is_missing_or_moved_is_noticed(tmp_path):
    grid, file = callbacks.SampleGrid(2), callbacks.HistoryFile(tmp_path / "h.csv")
    fit(full_gan(), 2, callbacks=[grid, file, callbacks.Resume(tmp_path / "run")])
    moved = callbacks.HistoryFile(tmp_path / "h.csv")
    with pytest.warns(UserWarning, match="had a SampleGrid, this call has none"):
        fit(full_gan(), 3, callbacks=[callbacks.Progress(1), moved, callbacks.Resume(tmp_path / "run")])
    assert moved.columns["step"] == [5, 10, 15]


def test_every_kind_of_damage_is_a_value_error(tmp_path):
    path, random = tmp_path / "a.keras", np.random.default_rng(0)
    full_gan().save(path)
    whole = path.read_bytes()
    for place in random.integers(len(whole) - 4000, len(whole), 200):
        for mask in (1, 128, 255):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            with contextlib.suppress(ValueError):
                checkpoint.header(path)


def test_an_interrupt_between_two_epochs_is_saved(tmp_path):
    def interrupt(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    stop = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(full_gan(), callbacks=[callbacks.Resume(tmp_path, every_seconds=3600), stop])
    whole, rest = full_gan(), full_gan()
    fit(whole)
    fit(rest, callbacks=[callbacks.Resume(tmp_path, every_seconds=3600)])
    assert same(whole, rest) and [p.name for p in callbacks.Resume(tmp_path).files][-1] == "step-0000000010.keras"


def test_a_dense_gan_on_images_resumes_too(tmp_path):
    def run(epochs, resume):
        runtime.set_seed(0)
        gan = training.GAN(dense.fashion_generator(4, widths=(8,)), dense.fashion_discriminator(widths=(8,)))
        gan.compile()
        images = np.tanh(np.random.default_rng(0).normal(size=(40, 28, 28, 1))).astype("float32")
        gan.fit(images, batch_size=8, steps_per_epoch=3, epochs=epochs, verbose=0, callbacks=resume)
        return gan

    whole = run(4, [])
    run(2, [callbacks.Resume(tmp_path)])
    assert same(whole, run(4, [callbacks.Resume(tmp_path)]))
    assert isinstance(whole.state()["step"], tf.Variable)
