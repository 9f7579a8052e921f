"""Histories with their epochs, logs of any kind, streams that are not there, arguments that cannot be."""

import csv
import json
import sys

import numpy as np
import pytest

from gan_utils import metrics, training
from gan_utils.networks import toy
from gan_utils.runtime import keras
from gan_utils.training import callbacks, doctor

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")


def fit(*added, epochs=3):
    made = training.GAN(toy.generator(), toy.discriminator(), seed=0)
    made.compile(run_eagerly=True)
    made.fit(POINTS, batch_size=8, steps_per_epoch=1, epochs=epochs, verbose=0, callbacks=list(added))
    return made


class Logs(keras.callbacks.Callback):
    def __init__(self, **functions):
        super().__init__()
        self.functions = functions

    def on_epoch_end(self, epoch, logs=None):
        found = {name: function(epoch) for name, function in self.functions.items()}
        logs.update({name: value for name, value in found.items() if value is not Ellipsis})


def test_a_column_that_is_there_now_and_then_keeps_its_epochs(tmp_path):
    odd = Logs(late=lambda epoch: 7.0 if epoch == 1 else ...)
    fit(odd, callbacks.HistoryFile(tmp_path / "h.json"))
    fit(odd, callbacks.HistoryFile(tmp_path / "h.csv"))
    history = json.loads((tmp_path / "h.json").read_text())["history"]
    assert history["late"] == [None, 7.0, None] and {len(column) for column in history.values()} == {3}
    with (tmp_path / "h.csv").open(newline="") as file:
        assert [row["late"] for row in csv.DictReader(file)] == ["", "7.0", ""]


def test_the_doctor_names_the_epoch_or_says_that_it_cannot():
    nan = float("nan")
    assert doctor.diagnose({"a": [0.7] * 3, "b": [None, None, nan]})[0].figure == "b is nan from epoch 3 on"
    assert doctor.diagnose({"a": [0.7] * 3, "b": [nan]})[0].figure == "b is nan at number 1 of its 1 values"
    assert doctor.diagnose({"a": [0.7] * 3, "b": [None, 1.0, None]}) == []


def test_logs_that_are_no_numbers_end_nothing(tmp_path):
    odd = Logs(vector=lambda epoch: np.zeros(3), text=lambda epoch: "so", none=lambda epoch: None, one=np.float32)
    kept = callbacks.HistoryFile(tmp_path / "h.json")
    fit(odd, kept, doctor.Doctor(), callbacks.Progress())
    assert kept.columns["one"] == [0.0, 1.0, 2.0] and not {"vector", "text", "none"} & set(kept.columns)
    fit(odd, callbacks.Resume(tmp_path / "run", every_seconds=0))
    history = fit(odd, callbacks.Resume(tmp_path / "run"), epochs=4).history.history
    assert history["text"] == ["so"] * 4 and np.shape(history["vector"]) == (4, 3)


@pytest.mark.parametrize("stream", ["none", "closed"])
def test_a_run_without_standard_streams_goes_on(monkeypatch, tmp_path, stream):
    closed = (tmp_path / "closed").open("w")
    closed.close()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None if stream == "none" else closed)
    assert fit(callbacks.Progress()).step == 3
    callbacks.tell("to nobody")


@pytest.mark.parametrize(
    "make",
    [
        lambda: doctor.Doctor(n=1),
        lambda: doctor.Doctor(every=0),
        lambda: callbacks.SampleGrid(0),
        lambda: callbacks.SampleGrid(every=0),
        lambda: callbacks.Score({}, n=0),
        lambda: callbacks.Score({}, every=float("nan")),
        lambda: callbacks.Progress(0),
        lambda: callbacks.Resume("x", every_seconds=float("nan")),
        lambda: callbacks.Resume("x", every_seconds=-1),
        lambda: callbacks.Resume("x", accept="seed"),
    ],
)
def test_arguments_that_cannot_be_are_refused_where_they_are_given(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_a_score_that_cannot_be_is_told_before_the_first_step():
    made = training.GAN(toy.generator(), toy.discriminator(), seed=0)
    made.compile(run_eagerly=True)
    for scorer in (metrics.Scorer(POINTS, extractor="identity"), metrics.Scorer(POINTS[:, :1], extractor="identity")):
        with pytest.raises(ValueError, match=r"need 6 samples|expected"):
            made.fit(POINTS, batch_size=8, steps_per_epoch=1, verbose=0, callbacks=[callbacks.Score(scorer, n=5)])
    assert made.step == 0
