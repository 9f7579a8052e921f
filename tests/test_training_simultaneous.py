"""Simultaneous moves: the same gradients as two separate ones, from one forward pass."""

import numpy as np
import pytest

from gan_utils import losses, runtime, terms, training
from gan_utils.networks import dcgan, dense
from gan_utils.runtime import keras, tf

layers = keras.layers
IMAGES = np.random.default_rng(0).uniform(-1, 1, (40, 28, 28, 1)).astype("float32")
POINTS = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")


def point_gan(kind=training.SimultaneousGAN, *, normalised=True, rate=0.1, settings=None, **arguments):
    runtime.set_seed(2)
    middle = [layers.BatchNormalization()] if normalised else []
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(8), *middle, layers.Dense(2)])
    width = 2 * arguments.get("packing", 1)
    judging = [] if normalised else [layers.BatchNormalization()]  # whose averages are the discriminator's to move
    discriminator = keras.Sequential([keras.Input((width,)), layers.Dense(8, "tanh"), *judging, layers.Dense(1)])
    gan = kind(generator, keras.Model(discriminator.inputs, discriminator.outputs), **arguments)
    optimizers = {f"{name}_optimizer": keras.optimizers.SGD(rate) for name in ("generator", "discriminator")}
    gan.compile(**(settings or {"jit_compile": False}), **optimizers)
    return gan


def a_move(gan):
    """Return the batch and noise of the first step, as `fit` would use them, and the move itself."""
    data = next(iter(gan.plan(len(POINTS), 10)))
    batch = {"real": tf.gather(POINTS, data["index"][:, 0])}
    return batch, tf.nest.map_structure(lambda values: values[:, 0], data["noise"])


@pytest.mark.parametrize("loss", losses.LOSSES)
@pytest.mark.parametrize("how", [{"jit_compile": False}, {"jit_compile": True}, {"run_eagerly": True}], ids=str)
def test_both_players_step_down_their_gradients_at_one_point(loss, how):
    gan = point_gan(loss=loss, settings=how)
    batch, noise = a_move(gan)
    expected = []
    fake = gan.generator(noise["latents"], training=True)  # moves BatchNorm's averages once, as the step will
    averages = [v.numpy() for v in gan.generator.non_trainable_variables]
    gan = point_gan(loss=loss, settings=how)
    chosen = losses.LOSSES[loss]
    for network, own in ((gan.discriminator, chosen.discriminator), (gan.generator, chosen.generator)):
        with tf.GradientTape() as tape:
            fake = gan.generator(noise["latents"], training=True)
            value = own(gan.discriminator(batch["real"]), gan.discriminator(fake))
        variables = network.trainable_variables
        gradients = tape.gradient(value, [v.value for v in variables])
        expected += [v.numpy() - 0.1 * g.numpy() for v, g in zip(variables, gradients, strict=True)]
    gan = point_gan(loss=loss, settings=how)
    gan.fit(POINTS, batch_size=10, steps_per_epoch=1, verbose=0)
    after = gan.discriminator.trainable_variables + gan.generator.trainable_variables
    for variable, value in zip(after, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6)
    moved = [v.numpy() for v in gan.generator.non_trainable_variables]
    for value, average in zip(moved, averages, strict=True):
        np.testing.assert_allclose(value, average, rtol=1e-5, atol=1e-7)


def test_the_discriminator_moves_as_in_alternating_steps_and_the_generator_does_not():
    both, turns = point_gan(), point_gan(training.GAN)
    for gan in (both, turns):
        gan.fit(POINTS, batch_size=10, steps_per_epoch=1, verbose=0)
    for one, other in zip(both.discriminator.get_weights(), turns.discriminator.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
    assert not np.allclose(both.generator.get_weights()[0], turns.generator.get_weights()[0], atol=1e-6)


@pytest.mark.parametrize(
    "make",  # the two GANs share nothing
    [
        lambda: {"terms": [terms.GradientPenalty(10.0)], "loss": "wasserstein"},
        lambda: {"terms": [terms.R1(0.5, every=2), terms.FeatureMatching(-2)]},
        lambda: {"packing": 2, "instance_noise": 0.1},
        lambda: {"replay": training.Replay(20)},
        lambda: {"unrolled_steps": 2},
    ],
    ids=["gradient penalty", "lazy R1, feature matching", "packing, instance noise", "replay", "unrolled"],
)
def test_everything_else_of_a_gan_takes_part(make):
    both, turns = (point_gan(kind, normalised=False, **make()) for kind in (training.SimultaneousGAN, training.GAN))
    history = [gan.fit(POINTS, batch_size=10, steps_per_epoch=1, verbose=0).history for gan in (both, turns)]
    assert set(history[0]) == set(history[1])
    assert history[0]["discriminator_loss"] == pytest.approx(history[1]["discriminator_loss"], rel=1e-5)
    for one, other in zip(both.discriminator.get_weights(), turns.discriminator.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    more = both.fit(POINTS, batch_size=10, steps_per_epoch=5, verbose=0).history
    assert all(np.isfinite(values).all() for values in more.values())


def test_looking_ahead_asks_the_discriminator_to_come():
    both, turns = (
        point_gan(kind, normalised=False, unrolled_steps=2, unrolled_learning_rate=0.5, rate=1e-12)
        for kind in (training.SimultaneousGAN, training.GAN)
    )
    # rates so small that the order of moves is no matter: the same loss on the same noise, but each kind draws its own
    batch, noise = a_move(both)
    told = [gan._move(p, batch, noise) for gan in (both, turns) for p in gan.players]
    assert float(told[1]["generator_loss"]) == pytest.approx(float(told[3]["generator_loss"]), rel=1e-5)
    plain = point_gan(normalised=False, rate=1e-12)
    told += [plain._move(p, batch, noise) for p in plain.players]
    assert float(told[1]["generator_loss"]) != pytest.approx(float(told[5]["generator_loss"]), rel=1e-3)


def test_each_network_is_called_once_a_batch():
    generator, discriminator = dcgan.mnist_generator(widths=(8, 4, 2)), dcgan.mnist_discriminator(widths=(2, 4))
    gan = training.SimultaneousGAN(generator, discriminator)
    gan.compile(run_eagerly=True)
    calls = {"generator": 0, "discriminator": 0}
    for name in calls:
        network = getattr(gan, name)
        network.call = lambda *args, name=name, call=network.call, **more: (
            calls.__setitem__(name, calls[name] + 1) or call(*args, **more)
        )
    gan.fit(IMAGES, batch_size=8, steps_per_epoch=1, verbose=0)
    assert calls == {"generator": 1, "discriminator": 2}  # the real and the generated batch
    states = [v.numpy().tolist() for v in gan._random_states]
    gan.fit(IMAGES, batch_size=8, steps_per_epoch=1, verbose=0)
    assert [v.numpy().tolist() for v in gan._random_states] != states  # other dropout masks the next time


def test_a_run_is_resumed_exactly(tmp_path):
    def run(gan, epochs):
        gan.fit(POINTS, batch_size=10, steps_per_epoch=4, epochs=epochs, verbose=0)
        return gan

    whole = run(point_gan(ema=0.9), 2)
    run(point_gan(ema=0.9), 1).save(tmp_path / "half.keras")
    half = keras.saving.load_model(tmp_path / "half.keras")
    assert type(half) is training.SimultaneousGAN
    rest = run(half, 1)
    for one, other in zip(whole.get_weights(), rest.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole.generate(3, seed=1), rest.generate(3, seed=1))


def test_the_watcher_sees_gradients_and_changes_nothing():
    both, turns = point_gan(), point_gan(training.GAN)
    for gan in (both, turns):
        gan.fit(POINTS, batch_size=10, steps_per_epoch=1, verbose=0)
        gan.set_weights(point_gan().get_weights())
    for name in ("generator", "discriminator"):
        assert both.gradient_norm(name) == pytest.approx(turns.gradient_norm(name), rel=1e-5)


def test_a_step_that_failed_leaves_nothing_behind():
    gan = point_gan(settings={"run_eagerly": True})
    judge = gan.discriminator.call
    gan.discriminator.call = lambda *_, **__: 1 / 0
    with pytest.raises(ZeroDivisionError):
        gan.fit(POINTS, batch_size=10, steps_per_epoch=1, verbose=0)
    gan.discriminator.call = judge
    assert gan._shared.once is None
    history = gan.fit(POINTS, batch_size=10, steps_per_epoch=1, verbose=0).history
    fresh = point_gan(settings={"run_eagerly": True}).fit(POINTS, batch_size=10, steps_per_epoch=1, verbose=0).history
    assert history["generator_loss"] == pytest.approx(fresh["generator_loss"], rel=1e-6)


def test_what_cannot_be_simultaneous_is_refused():
    with pytest.raises(ValueError, match="discriminator_steps is 2; expected 1"):
        point_gan(discriminator_steps=2)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with pytest.raises(ValueError, match="mixed_float16"):
            training.SimultaneousGAN(dense.selu_generator(6, widths=(8,)), dense.selu_discriminator(widths=(8,)))
    finally:
        keras.config.set_dtype_policy("float32")
