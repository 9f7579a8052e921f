"""What is kept stays good: no NaN for numbers, no file of another run lost, none where a system refuses something."""

import errno
import os
import signal
import stat
import sys

import numpy as np
import pytest

from gan_utils import runtime, training
from gan_utils.networks import toy
from gan_utils.runtime import keras, tf
from gan_utils.training import callbacks, checkpoint

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")


def gan(**arguments):
    made = training.GAN(toy.generator(), toy.discriminator(), seed=0, **arguments)
    made.compile(run_eagerly=True)
    return made


def fit(model, *added, epochs=1):
    return model.fit(POINTS, batch_size=8, steps_per_epoch=1, epochs=epochs, verbose=0, callbacks=list(added))


class At(keras.callbacks.Callback):
    """Do something when an epoch begins."""

    def __init__(self, epoch, function):
        super().__init__()
        self.epoch, self.function = epoch, function

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.function(self.model)


def poison(model):
    weights = model.generator.get_weights()
    model.generator.set_weights([np.full_like(w, np.nan) for w in weights])


def test_the_last_finite_file_stays_and_is_named(tmp_path):
    with pytest.warns(UserWarning, match=r"holds NaN or infinity at step 4.*step-0000000003\.keras is the last good"):
        fit(gan(), At(3, poison), callbacks.Resume(tmp_path, every_seconds=0), epochs=4)
    files = sorted(tmp_path.glob("*.keras"))
    assert [int(file.stem[-1]) for file in files] == [2, 3]
    assert all(np.isfinite(training.GAN.load(file).generator.get_weights()[0]).all() for file in files)


def test_save_and_export_put_no_nan_in_the_place_of_numbers(tmp_path):
    made = gan()
    made.save(tmp_path / "run.keras")
    made.export(tmp_path / "made.keras")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    poison(made)
    with pytest.raises(ValueError, match="stays as it was"):
        made.save(tmp_path / "run.keras")
    with pytest.raises(ValueError, match="expected finite weights"):
        made.export(tmp_path / "made.keras")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_average_and_a_buffer_take_nothing_that_is_not_finite():
    made = gan(ema=0.5, replay=training.Replay(16))
    fit(made, epochs=2)
    kept = [np.asarray(average) for _, average in made._averages["generator"]], np.asarray(made.replay._buffer)
    poison(made)
    fit(made)
    assert all(np.array_equal(a, b) for a, (_, b) in zip(kept[0], made._averages["generator"], strict=True))
    assert np.array_equal(kept[1], made.replay._buffer)


def test_a_system_that_cannot_sync_a_folder_keeps_the_file(tmp_path, monkeypatch):
    sync = os.fsync

    def fsync(handle, number=errno.EINVAL):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    gan().save(tmp_path / "a.keras")
    assert checkpoint.is_run(tmp_path / "a.keras")
    monkeypatch.setattr(os, "fsync", lambda handle: fsync(handle, errno.EIO))
    with pytest.raises(OSError, match="Input/output"):  # a disk that fails is another matter
        gan().save(tmp_path / "b.keras")


def test_one_run_holds_a_folder(tmp_path):
    def another(model):
        with pytest.raises(ValueError, match="in use by another run"):
            fit(gan(), callbacks.Resume(tmp_path, every_seconds=0))

    fit(gan(), At(0, another), callbacks.Resume(tmp_path, every_seconds=0))
    assert fit(gan(), callbacks.Resume(tmp_path)).epoch == [0]  # it lets go at the end


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    with checkpoint.whole(tmp_path / "mine") as temporary:
        temporary.touch()
        checkpoint.remove_unfinished(tmp_path)
        assert temporary.exists()
    dead = temporary.name.replace(f"-{os.getpid()}-", "-4194305-")  # one more than Linux's largest
    elsewhere = temporary.name.replace(checkpoint._host(), "another-host")
    parent = temporary.name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-")
    for name in (dead, elsewhere, parent, temporary.name):
        (tmp_path / name).touch()
    checkpoint.remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {elsewhere, parent, "mine"}
    os.utime(tmp_path / elsewhere, (0, 0))
    checkpoint.remove_unfinished(tmp_path)
    assert not (tmp_path / elsewhere).exists()


@pytest.mark.parametrize("make", [callbacks.Resume, lambda path: callbacks.HistoryFile(path / "h.json")])
def test_a_place_that_cannot_be_written_to_is_told_before_the_first_step(tmp_path, make):
    (tmp_path / "file").write_text("x")
    made = gan()
    with pytest.raises(ValueError, match="cannot be written to"):
        fit(made, make(tmp_path / "file"))
    assert made.step == 0


def test_what_a_callback_remembers_is_tried_before_the_first_step(tmp_path):
    class Odd(keras.callbacks.Callback):
        def get_state(self):
            return {"open": sys.stdout}

    made = gan()
    with pytest.raises(ValueError, match=r"Odd\.get_state gives what no file can hold"):
        fit(made, Odd(), callbacks.Resume(tmp_path))
    with pytest.raises(ValueError, match="2 Resume; expected one"):
        fit(made, callbacks.Resume(tmp_path), callbacks.Resume(tmp_path / "b"))
    with pytest.raises(ValueError, match="expected a list"):
        made.fit(POINTS, callbacks=callbacks.Progress())
    assert made.step == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_at_the_end_of_the_epoch(tmp_path, number):
    before = signal.getsignal(number)
    made, again = gan(), callbacks.Resume(tmp_path)
    with pytest.raises(KeyboardInterrupt, match="saved"):
        fit(made, At(1, lambda model: signal.raise_signal(number)), callbacks.Resume(tmp_path), epochs=4)
    assert made.step == 2 and [file.stem for file in again.files] == ["step-0000000002"]
    assert signal.getsignal(number) is before


def test_a_signal_that_was_ignored_is_ignored_still(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
    try:
        made = gan()
        fit(made, At(1, lambda model: signal.raise_signal(signal.SIGINT)), callbacks.Resume(tmp_path), epochs=3)
        assert made.step == 3 and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_name_of_any_bytes_gets_a_generator_and_a_card(tmp_path):
    card = gan().export(str(tmp_path / "na\udcefve.keras"))
    assert sorted(os.listdir(os.fsencode(tmp_path))) == [b"na\xefve.keras", b"na\xefve.keras.md"]
    assert r"# na\udcefve.keras" in card.read_text()
    with pytest.raises(ValueError, match=r"metrics\.score"):
        gan().export(tmp_path / "a.keras", scores={"frechet": 3.0})
    assert not (tmp_path / "a.keras").exists()


def test_nan_in_a_layer_without_gradient_counts_too():
    made = gan()
    assert checkpoint.not_finite(made) == ""
    made.players[1].optimizer.variables[-1].assign(tf.fill(made.players[1].optimizer.variables[-1].shape, np.inf))
    assert checkpoint.not_finite(made).startswith("generator_optimizer")


def test_a_transferred_model_trains_on_as_its_source():
    def trained(model):
        fit(model, epochs=2)
        return [*model.get_weights(), *(np.asarray(v) for v in model.state().values())]

    def made(seed):
        model = training.GAN(toy.generator(), toy.discriminator(), seed=seed, ema=0.9, replay=training.Replay(16))
        model.compile(run_eagerly=True)
        return model

    first, other = made(0), made(1)
    trained(first)
    checkpoint.transfer(other, first)
    assert all(np.array_equal(a, b) for a, b in zip(trained(first), trained(other), strict=True))
    with pytest.raises(ValueError, match="expected the same networks"):
        checkpoint.transfer(gan(), first)


def test_a_compiled_model_in_anothers_place_has_its_order_and_noise():
    def made(seed):
        runtime.set_seed(seed)
        model = training.GAN(toy.generator(), toy.discriminator())
        model.compile()
        return model

    def trained(model):
        fit(model, epochs=2)
        return model.get_weights()

    first = made(0)
    trained(first)  # traced, compiled, its plan drawn
    checkpoint.transfer(made(1), first)
    assert all(np.array_equal(a, b) for a, b in zip(trained(first), trained(made(1)), strict=True))
