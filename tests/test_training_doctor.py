"""Each rule fires on the history it is for and on no other; the callback measures what the rules need."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from gan_utils import cli, runtime, training
from gan_utils.networks import toy
from gan_utils.runtime import keras
from gan_utils.training import callbacks, doctor

RANDOM = np.random.default_rng(0)
N = 40


def healthy():
    settle = 0.3 * np.exp(-np.arange(N) / 10)
    return {
        "discriminator_loss": list(1.386 - settle + 0.02 * RANDOM.normal(size=N)),
        "generator_loss": list(0.693 + settle + 0.02 * RANDOM.normal(size=N)),
        "d_real": list(0.5 + settle),
        "d_fake": list(0.5 - settle),
        "generator_gradient": list(1.0 + settle),
        "diversity": list(1.0 - settle),
    }


SICK = {
    "not finite": {"generator_loss": [0.7] * (N - 1) + [math.nan]},
    "discriminator has won": {"d_real": [0.5] * (N - 3) + [0.99] * 3, "d_fake": [0.5] * (N - 3) + [0.01] * 3},
    "generator without gradient": {"generator_gradient": list(np.geomspace(1.0, 1e-4, N))},
    "collapse": {"diversity": list(np.linspace(1.0, 0.1, N))},
    "oscillation": {"generator_loss": list(0.7 + 0.3 * np.sin(np.arange(N)))},
}


def test_a_healthy_run_has_no_findings():
    assert doctor.diagnose(healthy()) == [] and doctor.diagnose({}) == []
    assert len(doctor.RULES) == len(SICK)


@pytest.mark.parametrize("rule", SICK)
def test_each_rule_finds_its_illness_and_nothing_else(rule):
    (finding,) = doctor.diagnose(healthy() | SICK[rule])
    assert finding.rule == rule and (any(c.isdigit() for c in finding.figure) or rule == "not finite")
    assert "Try: " in str(finding) and finding.meaning and finding.remedy


def test_rules_hold_their_tongue_until_they_may_speak():
    assert not doctor.diagnose(healthy() | {"d_real": [0.5] * 38 + [0.99] * 2, "d_fake": [0.5] * 38 + [0.01] * 2})
    assert not doctor.diagnose(healthy() | {"generator_loss": list(np.linspace(3, 0.7, N))}), "a trend is no swing"
    dying = 0.7 + np.sin(np.arange(N)) * np.exp(-np.arange(N) / 6)
    assert not doctor.diagnose(healthy() | {"generator_loss": list(dying)}), "a swing that dies down is none either"
    assert not doctor.diagnose({"diversity": [0.1] * 3}), "an untrained generator is not collapsed"


def test_a_critic_is_judged_by_its_loss_not_by_probabilities():
    history = {"d_real": [0.99] * 5, "d_fake": [0.01] * 5, "discriminator_loss": [0.01] * 5}
    assert [f.rule for f in doctor.diagnose(history, loss="hinge")] == ["discriminator has won"]
    assert doctor.diagnose(history | {"discriminator_loss": [1.5] * 5}, loss="hinge") == []
    assert doctor.diagnose(history, loss="wasserstein") == [], "its equilibrium is 0: no bound"


def test_noise_rarely_looks_like_an_oscillation():
    found = sum(bool(doctor.diagnose({"generator_loss": RANDOM.normal(1, 0.3, 60).tolist()})) for _ in range(200))
    assert found <= 4


def points(n=256):
    return RANDOM.normal(size=(n, 2)).astype("float32")


def watched(gan, *, epochs=8, **arguments):
    watcher = doctor.Doctor(**arguments)
    history = gan.fit(points(), batch_size=32, steps_per_epoch=3, epochs=epochs, verbose=0, callbacks=[watcher]).history
    return watcher, history


def test_live_it_logs_its_figures_and_finds_a_collapsed_generator(capsys):
    runtime.set_seed(0)
    generator = toy.generator()
    gan = training.GAN(generator, toy.discriminator())
    gan.compile(generator_optimizer=keras.optimizers.SGD(0.0), jit_compile=False)
    generator.layers[-1].kernel.assign(np.zeros((128, 2)))  # every latent gives one point
    watcher, history = watched(gan)
    assert [f.rule for f in watcher.findings] == ["collapse"] and history["diversity"][-1] == pytest.approx(0, abs=1e-5)
    assert capsys.readouterr().out.count("doctor, epoch 6: collapse") == 1, "a finding is told once"
    assert all(value > 0 for value in history["generator_gradient"])


def test_live_it_can_stop_a_run_that_is_lost():
    runtime.set_seed(0)
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.compile(generator_optimizer=keras.optimizers.SGD(1e30), jit_compile=False)
    watcher, history = watched(gan, stop=True, epochs=50)
    assert watcher.findings[0].rule == "not finite" and len(history["d_real"]) < 50


def test_between_measurements_the_last_one_is_repeated(tmp_path):
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.compile(jit_compile=False)
    file = callbacks.HistoryFile(tmp_path / "history.csv")
    watcher = doctor.Doctor(every=3)
    gan.fit(points(), batch_size=32, steps_per_epoch=2, epochs=5, verbose=0, callbacks=[watcher, file])
    values = file.columns["diversity"]
    assert len(values) == 5 and values[0] == values[2] != values[3] == values[4]
    assert len(watcher.history["d_real"]) == 5


def test_measuring_changes_nothing():
    def run(*watchers):
        runtime.set_seed(0)
        gan = training.GAN(toy.generator(), toy.discriminator(), instance_noise=0.1, replay=training.Replay(8))
        look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: gan.gradient_norm("discriminator"))
        watchers = [*watchers, look] if watchers else []
        gan.compile(jit_compile=False)
        gan.fit(
            np.ones((40, 2), "float32"), batch_size=8, steps_per_epoch=2, epochs=3, verbose=0, callbacks=[*watchers]
        )
        return gan.get_weights()

    assert all(np.array_equal(a, b) for a, b in zip(run(), run(doctor.Doctor()), strict=True))


def test_the_command_reads_what_the_callback_wrote(tmp_path, capsys):
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.compile(jit_compile=False)
    files = [callbacks.HistoryFile(tmp_path / name) for name in ("history.json", "history.csv")]
    gan.fit(points(), batch_size=32, steps_per_epoch=2, epochs=3, verbose=0, callbacks=[doctor.Doctor(), *files])
    for name in ("history.json", "history.csv"):
        assert cli.main(["doctor", str(tmp_path / name)]) == 0
        assert capsys.readouterr().out.startswith("nothing found in 3 epochs")
    found = json.loads((tmp_path / "history.json").read_text())
    assert found["loss"] == "non_saturating" and found["history"]["step"] == [2, 4, 6]
    found["history"].update(generator_loss=[0.7, math.nan, 0.7])
    (tmp_path / "bad.json").write_text(json.dumps(found))
    assert cli.main(["doctor", str(tmp_path / "bad.json")]) == 1
    assert "generator_loss is nan from epoch 2 on" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"ends in \.json or \.csv"):
        callbacks.HistoryFile("history.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        ("{", "is no history"),
        ('{"history": {"a": 1}}', "is no history"),
        ("[]", "is no history"),
    ],
)
def test_the_command_refuses_other_files_in_one_line(tmp_path, capsys, content, message):
    path = tmp_path / "h.json"
    if content is not None:
        path.write_text(content)
    assert cli.main(["doctor", str(path)]) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1


def test_the_command_is_installed():
    done = subprocess.run([sys.executable, "-m", "gan_utils.cli", "--help"], capture_output=True, text=True, check=True)
    assert "doctor" in done.stdout
