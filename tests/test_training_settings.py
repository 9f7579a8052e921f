"""A run in a folder is gone on with as it was, or not at all, unless what differs is accepted."""

import json
import zipfile

import numpy as np
import pytest

from gan_utils import losses, runtime, terms, training
from gan_utils.networks import toy
from gan_utils.runtime import keras, tf
from gan_utils.training import callbacks, settings

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
Adam = keras.optimizers.Adam


def run(folder, epochs=1, *, rate=1e-3, optimizer=Adam, kind=training.GAN, accept=(), x=POINTS, before=(), **arguments):
    runtime.set_seed(0)
    networks = {"generator": toy.generator(), "discriminator": toy.discriminator()}
    gan = kind(**{**networks, **arguments})
    gan.compile(generator_optimizer=optimizer(rate), discriminator_optimizer=optimizer(1e-3), run_eagerly=True)
    resume = callbacks.Resume(folder, every_seconds=0, accept=accept)
    gan.fit(x, batch_size=8, steps_per_epoch=2, epochs=epochs, verbose=0, callbacks=[*before, resume])
    return gan


def header(folder):
    with zipfile.ZipFile(max(folder.glob("*.keras"))) as archive:
        return json.loads(archive.read("gan_utils.json"))["run"]


CHANGES = {
    "generator_optimizer.learning_rate": {"rate": 1e-5},
    "generator_optimizer": {"optimizer": keras.optimizers.AdamW},
    "generator_optimizer.beta_1": {"optimizer": lambda rate: Adam(rate, beta_1=0.5)},
    "loss": {"loss": "hinge"},
    "terms": {"terms": [terms.R1(10.0)]},
    "instance_noise": {"instance_noise": 0.5},
    "discriminator_steps": {"discriminator_steps": 3},
    "ema": {"ema": 0.9},
    "unrolled_steps": {"unrolled_steps": 2},
    "replay": {"replay": training.Replay(40)},
    "class": {"kind": training.SimultaneousGAN},
    "data": {"x": POINTS * 2},
    "seed": {"seed": 5},
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun")
    run(folder)
    return folder


@pytest.mark.parametrize("name", CHANGES)
def test_each_thing_that_makes_a_run_is_compared(begun, name):
    with pytest.raises(ValueError, match=r"is of another run: .* there and .* here.*accept=\[") as error:
        run(begun, 2, **CHANGES[name])
    assert name in str(error.value) and "\n" not in str(error.value)


def test_another_network_of_the_same_size_is_another_run(begun):
    layers = [keras.layers.Dense(w.shape[1], "tanh") for w in toy.discriminator().get_weights()[:-2:2]]
    other = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(1)])
    assert [w.shape for w in other.get_weights()] == [w.shape for w in toy.discriminator().get_weights()]
    with pytest.raises(ValueError, match="discriminator_layers"):
        run(begun, 2, discriminator=other)


def test_the_same_call_again_is_the_same_run(begun):
    assert run(begun, 1).step == 2


def test_an_accepted_learning_rate_is_in_force_and_on_record(tmp_path):
    run(tmp_path)
    gan = run(tmp_path, 2, rate=1e-5, accept=["generator_optimizer.learning_rate"])
    rates = [float(player.optimizer.learning_rate) for player in gan.players]
    assert gan.step == 4 and rates == pytest.approx([1e-3, 1e-5])
    (accepted,) = header(tmp_path)["accepted"]
    assert accepted["after_epoch"] == 1
    assert accepted["generator_optimizer.learning_rate"] == pytest.approx([1e-3, 1e-5])
    assert run(tmp_path, 3, rate=1e-5).step == 6  # it is what the run is now
    assert header(tmp_path)["accepted"] == [accepted]


def test_a_rate_that_a_callback_has_set_is_gone_on_with(tmp_path):
    class Lower(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.players[1].optimizer.learning_rate = 1e-4

    run(tmp_path, before=[Lower()])
    gan = run(tmp_path, 2)
    assert float(gan.players[1].optimizer.learning_rate) == pytest.approx(1e-4)


def test_epochs_of_another_length_cannot_be_accepted(begun):
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.compile(run_eagerly=True)
    resume = callbacks.Resume(begun, accept=["steps_per_epoch"])
    with pytest.raises(ValueError, match="steps_per_epoch 2 there and 3 here"):
        gan.fit(POINTS, batch_size=8, steps_per_epoch=3, verbose=0, callbacks=[resume])


def test_a_dataset_is_known_by_its_first_batch(tmp_path):
    slices = tf.data.Dataset.from_tensor_slices
    run(tmp_path, x=slices(POINTS).batch(8))
    with pytest.raises(ValueError, match=r"data .* there and"):
        run(tmp_path, 2, x=slices(POINTS * 100).batch(8))
    assert run(tmp_path, 2, x=slices(POINTS).batch(8)).step == 4


def _mine(real_logits, fake_logits):
    return tf.reduce_mean(fake_logits)


@keras.saving.register_keras_serializable("tests")
def registered(real_logits, fake_logits):
    return -tf.reduce_mean(fake_logits)


def own(function):
    return losses.Loss("own", function, function, 0.0, 0.0)


def test_a_registered_loss_of_ones_own_is_saved_and_loaded(tmp_path):
    gan = run(tmp_path / "run", loss=own(registered))
    gan.save(tmp_path / "a.keras")
    loaded = training.GAN.load(tmp_path / "a.keras")
    assert loaded.adversarial_loss == gan.adversarial_loss and loaded.step == gan.step


def test_what_cannot_be_saved_is_told_before_the_first_step_and_resumes_all_the_same(tmp_path):
    gan = training.GAN(toy.generator(), toy.discriminator(), loss=own(_mine))
    gan.compile(run_eagerly=True)
    best = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="generator_loss")
    with pytest.raises(ValueError, match=r"ModelCheckpoint cannot save this model: loss could not .* Register"):
        gan.fit(POINTS, batch_size=8, steps_per_epoch=1, verbose=0, callbacks=[best])
    with pytest.raises(ValueError, match="save cannot save this model"):
        gan.save(tmp_path / "a.keras")
    assert gan.step == 0 and not list(tmp_path.iterdir())
    with pytest.warns(UserWarning, match="This run can be resumed"):
        run(tmp_path / "run", loss=own(_mine))
    with pytest.warns(UserWarning, match="This run can be resumed"):
        assert run(tmp_path / "run", 2, loss=own(_mine)).step == 4


def test_nothing_random_is_drawn_to_find_that_out():
    gan = training.GAN(toy.generator(), toy.discriminator(), terms=[terms.R1()])
    gan.compile()
    runtime.set_seed(3)
    expected = toy.generator().get_weights()
    runtime.set_seed(3)
    assert settings.obstacle(gan) == ""
    assert all(np.array_equal(a, b) for a, b in zip(toy.generator().get_weights(), expected, strict=True))


def test_one_optimizer_moves_one_player():
    shared = Adam(1e-3)
    gan = training.GAN(toy.generator(), toy.discriminator())
    with pytest.raises(ValueError, match="optimizer moves the weights of another player or model"):
        gan.compile(generator_optimizer=shared, discriminator_optimizer=shared)
    other = training.GAN(toy.generator(), toy.discriminator())
    with pytest.raises(ValueError, match="of its own"):
        other.compile(discriminator_optimizer=gan.players[0].optimizer)
    gan.compile(discriminator_optimizer=gan.players[0].optimizer, generator_optimizer=Adam(1e-3))  # its own again


def test_a_buffer_belongs_to_one_gan():
    replay = training.Replay(8)
    training.GAN(toy.generator(), toy.discriminator(), replay=replay)
    with pytest.raises(ValueError, match="another GAN's"):
        training.GAN(toy.generator(), toy.discriminator(), replay=replay)


def test_a_player_without_weights_to_move_is_told_of_and_a_change_after_compile_refused():
    discriminator = toy.discriminator()
    discriminator.trainable = False
    gan = training.GAN(toy.generator(), discriminator)
    with pytest.warns(UserWarning, match="discriminator has no trainable weights"):
        gan.compile(run_eagerly=True)
    discriminator.trainable = True
    with pytest.raises(ValueError, match="call compile"):
        gan.fit(POINTS, batch_size=8, steps_per_epoch=1, verbose=0)


@pytest.mark.parametrize(
    "kind", [keras.callbacks.LearningRateScheduler(lambda epoch: 1e-4), keras.callbacks.ReduceLROnPlateau("loss")]
)
def test_callbacks_of_one_learning_rate_are_refused_with_what_does_it(kind):
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.compile(run_eagerly=True)
    with pytest.raises(ValueError, match="compile"):
        gan.fit(POINTS, batch_size=8, steps_per_epoch=1, verbose=0, callbacks=[kind])


def test_differences_are_named_by_their_place():
    assert settings.differences({"a": {"b": 1}}, {"a": {"b": 2}}) == {"a.b": (1, 2)}
    assert settings.differences({"a": {"b": 1}}, {"a": {"b": 2}}, ["a"]) == {}
    assert settings.in_words({"rate": (0.0010000000474974513, None)}) == "rate 0.001 there and None here"
