"""What GAN adds to the two losses: packing, replay, instance noise, unrolling, the average; and mixed precision."""

import numpy as np
import pytest

from gan_utils import losses, runtime, terms, training
from gan_utils.networks import dcgan, dense, toy
from gan_utils.networks import layers as own_layers
from gan_utils.runtime import keras, tf
from gan_utils.training import gan as gan_module

layers = keras.layers
POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
NOISE = {"latents": tf.constant(np.random.default_rng(1).normal(size=(8, 2)), tf.float32)}


def fit(gan, steps=4, **arguments):
    gan.compile(jit_compile=False)
    return gan.fit(POINTS, batch_size=8, steps_per_epoch=steps, verbose=0, **arguments).history


def normalised(outputs, size):
    return keras.Sequential([keras.Input((size,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(outputs)])


@pytest.mark.parametrize("mover", [0, 1])
def test_a_move_leaves_the_other_players_batchnorm_averages_alone(mover):
    runtime.set_seed(0)
    gan = training.GAN(normalised(2, 2), normalised(1, 2))
    gan.compile()
    statistics = [[v.numpy() for v in player.statistics] for player in gan.players]
    gan._move(gan.players[mover], {"real": tf.constant(POINTS[:8])}, NOISE)
    moved = [
        any(not np.array_equal(a, v.numpy()) for a, v in zip(before, player.statistics, strict=True))
        for before, player in zip(statistics, gan.players, strict=True)
    ]
    assert moved == [mover == 0, mover == 1]


def test_every_move_draws_other_dropout_masks():
    gan = training.GAN(toy.generator(), keras.Sequential([keras.Input((2,)), layers.Dropout(0.5), layers.Dense(1)]))
    gan.compile()
    (state,) = gan._random_states
    seen = [state.numpy().tolist()]
    for player in gan.players:
        gan._move(player, {"real": tf.constant(POINTS[:8])}, NOISE)
        seen.append(state.numpy().tolist())
    assert len({tuple(s) for s in seen}) == 3


def test_the_average_is_its_recursion_and_holds_the_statistics():
    runtime.set_seed(0)
    gan = training.GAN(normalised(2, 2), toy.discriminator(), ema=0.8)
    gan.compile(jit_compile=False)
    for _ in range(5):
        gan.fit(POINTS, batch_size=8, steps_per_epoch=2, verbose=0)
    # Keras orders weights by layer, the average by gradient first: compare as sets of arrays
    runtime.set_seed(0)
    again = training.GAN(normalised(2, 2), toy.discriminator())
    again.compile(jit_compile=False)
    expected = [w.copy() for w in again.generator.get_weights()]
    for step in range(10):
        again.fit(POINTS, batch_size=8, steps_per_epoch=1, verbose=0)
        decay = min(0.8, (1 + step) / (10 + step))
        new = again.generator.get_weights()
        expected = [decay * e + (1 - decay) * w for e, w in zip(expected, new, strict=True)]
    averages = [v.numpy() for _, v in gan._averages["generator"]]
    for array in expected:
        assert any(a.shape == array.shape and np.allclose(a, array, atol=1e-6) for a in averages)
    assert len(averages) == len(expected) == 8  # of BatchNorm's four, two are statistics


def test_generate_uses_the_average():
    runtime.set_seed(0)
    gan = training.GAN(normalised(2, 2), toy.discriminator(), ema=0.9)
    before = gan.generate(5)
    for _, average in gan._averages["generator"]:
        average.assign(tf.zeros_like(average))
    assert np.allclose(gan.generate(5), 0.0) and not np.allclose(before, 0.0)
    assert not np.allclose(gan.generator(np.ones((5, 2), "float32")), 0.0), "the network itself has not changed"


def test_an_averaged_subclassed_generator_works():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs, training=None):
            return self.dense(inputs)

    gan = training.GAN(Subclassed(), toy.discriminator(), latent_dim=2, ema=0.5)
    fit(gan)
    assert gan.generate(3).shape == (3, 2)
    with pytest.raises(ValueError, match=r"give GAN\(\.\.\., latent_dim"):
        training.GAN(Subclassed(), toy.discriminator())


def test_packing_joins_neighbours_along_the_last_axis():
    samples = np.arange(24, dtype="float32").reshape(4, 3, 2)
    packed = np.asarray(gan_module.pack(samples, 2))
    assert packed.shape == (2, 3, 4) and np.array_equal(packed[1], np.concatenate([samples[2], samples[3]], axis=-1))
    gan = training.GAN(
        toy.generator(), toy.discriminator(4), packing=2, terms=[terms.GradientPenalty(), terms.DRAGAN()]
    )
    assert np.isfinite(list(fit(gan).values())).all()
    with pytest.raises(ValueError, match=r"packed by 2 is \(4,\); the discriminator takes \(2,\)"):
        training.GAN(toy.generator(), toy.discriminator(2), packing=2)
    with pytest.raises(ValueError, match="multiple of 2"):
        gan.fit(POINTS, batch_size=7, steps_per_epoch=1, verbose=0)


def test_replay_shows_old_samples_and_keeps_new_ones():
    replay, old = training.Replay(6), []
    uniform = np.random.default_rng(0).uniform(size=(4, 2)).astype("float32")
    for step in range(8):
        fake = tf.constant(np.full((4, 1), step, "float32"))
        shown = np.ravel(replay(fake, tf.constant(uniform)))
        assert (shown[2:] == step).all() and (shown[:2] <= step).all()
        old.append(shown[0] < step)
    assert not old[0] and any(old) and set(np.ravel(replay.state()["replay_buffer"])) <= set(range(8))
    assert int(replay.state()["replay_count"]) == 16
    for bad in ({"capacity": 0}, {"share": 0.0}, {"share": 1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} is"):
            training.Replay(**bad)


def test_replay_is_seen_by_the_discriminator_only():
    runtime.set_seed(0)
    gan = training.GAN(toy.generator(), toy.discriminator(), replay=training.Replay(16))
    gan.compile()
    noise = gan.sample_noise(8, tf.constant([0, 0], tf.int64))
    count = gan.replay.state()["replay_count"]
    for player, expected in zip(gan.players, (4, 4), strict=True):
        gan._move(player, {"real": tf.constant(POINTS[:8])}, noise)
        assert int(count) == expected


def test_instance_noise_has_its_deviation_and_follows_its_schedule():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.5, 10, 0.0)
    gan = training.GAN(toy.generator(), toy.discriminator(), instance_noise=schedule)
    noise = gan.sample_noise(4000, tf.constant([0, 0], tf.int64))
    zeros = tf.zeros((4000, 2))
    assert np.std(gan._seen(zeros, noise, 0)) == pytest.approx(0.5, rel=0.05)
    assert not np.array_equal(gan._seen(zeros, noise, 0), gan._seen(zeros, noise, 1))
    fit(gan, 5)
    assert np.std(gan._seen(zeros, noise, 0)) == pytest.approx(0.25, rel=0.05)


def test_unrolled_weights_are_gradient_descent_and_differentiable():
    runtime.set_seed(0)
    layer, target = layers.Dense(1, use_bias=False), tf.Variable(3.0)
    layer.build((None, 1))
    layer.kernel.assign([[0.0]])
    with tf.GradientTape() as tape:
        loss = lambda: 0.5 * tf.reduce_sum(tf.square(layer(tf.ones((1, 1))) - target))  # noqa: E731
        (weight,) = gan_module.unrolled_weights(loss, [layer.kernel], steps=3, learning_rate=0.1)
    # w_k = t (1 - 0.9^k), so dw_3 / dt = 1 - 0.9^3
    assert float(weight[0, 0]) == pytest.approx(3.0 * (1 - 0.9**3), rel=1e-5)
    assert float(tape.gradient(weight, target)) == pytest.approx(1 - 0.9**3, rel=1e-5)
    assert layer.kernel.numpy() == [[0.0]]


def test_the_unrolled_generator_loss_looks_ahead():
    runtime.set_seed(0)
    make = lambda **k: training.GAN(toy.generator(), toy.discriminator(), **k)  # noqa: E731
    gan = make(unrolled_steps=3, unrolled_learning_rate=0.5)
    plain = training.GAN(gan.generator, gan.discriminator)
    batch, noise = {"real": tf.constant(POINTS[:8])}, NOISE
    loss = {name: float(g.losses(g.players[1], batch, noise)["adversarial"]) for name, g in [("u", gan), ("p", plain)]}
    # by hand: the discriminator descends three times, then judges
    variables = gan.discriminator.trainable_variables
    fake = gan.generator(NOISE["latents"])
    for _ in range(3):
        with tf.GradientTape() as tape:
            value = losses.minimax_discriminator_loss(gan.discriminator(POINTS[:8]), gan.discriminator(fake))
        for variable, gradient in zip(variables, tape.gradient(value, variables), strict=True):
            variable.assign(variable - 0.5 * gradient)
    by_hand = float(losses.non_saturating_generator_loss(None, gan.discriminator(fake)))
    assert loss["u"] == pytest.approx(by_hand, rel=1e-4) and loss["u"] > loss["p"] + 0.01
    assert np.isfinite(list(fit(make(unrolled_steps=2)).values())).all()


REMEDIES = {
    "packing": {"packing": 2},
    "replay": {"replay": training.Replay(32)},
    "noise": {"instance_noise": 0.1},
    "unrolled": {"unrolled_steps": 1},
    "average": {"ema": 0.9},
    "clipping": {"terms": [terms.WeightClipping(0.05)], "loss": "wasserstein"},
    "lazy penalty": {"terms": [terms.GradientPenalty(every=2)], "loss": "wasserstein", "discriminator_steps": 2},
}


@pytest.mark.parametrize("name", REMEDIES)
def test_every_remedy_runs_under_xla(name):
    runtime.set_seed(0)
    gan = training.GAN(toy.generator(), toy.discriminator(2 * REMEDIES[name].get("packing", 1)), **REMEDIES[name])
    gan.compile(jit_compile=True)
    history = gan.fit(POINTS, batch_size=8, steps_per_epoch=3, verbose=0).history
    assert np.isfinite(list(history.values())).all()


def test_layers_of_the_library_train_in_a_gan():
    runtime.set_seed(0)
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            own_layers.SpectralNormalization(layers.Dense(8, "relu")),
            own_layers.MinibatchDiscrimination(2, 3),
            own_layers.MinibatchStandardDeviation(),
            layers.Dense(1),
        ]
    )
    gan = training.GAN(toy.generator(), discriminator)
    gan.compile()
    before = discriminator.layers[0].u.numpy()
    assert np.isfinite(list(gan.fit(POINTS, batch_size=8, steps_per_epoch=3, verbose=0).history.values())).all()
    assert not np.array_equal(before, discriminator.layers[0].u.numpy())


def test_mixed_precision_scales_the_loss_of_each_optimizer():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        gan = training.GAN(toy.generator(), toy.discriminator(), terms=[terms.R1(0.1)])
        gan.compile(discriminator_optimizer="adam")
        optimizers = [player.optimizer for player in gan.players]
        assert all(isinstance(o, keras.optimizers.LossScaleOptimizer) for o in optimizers)
        before = gan.generator.get_weights()
        history = gan.fit(POINTS, batch_size=8, steps_per_epoch=8, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(list(history.values())).all() and gan.step == 8
    assert any(not np.array_equal(a, b) for a, b in zip(before, gan.generator.get_weights(), strict=True))
    assert gan.generate(3).dtype == np.float32
    # an overflow halves the scale and moves nothing
    scale = float(optimizers[0].dynamic_scale)
    gan.discriminator.layers[-1].kernel.assign(np.full((128, 1), 1e38, "float32"))
    kept = gan.discriminator.get_weights()
    gan.fit(POINTS, batch_size=8, steps_per_epoch=1, verbose=0)
    assert float(optimizers[0].dynamic_scale) == scale / 2
    assert all(np.array_equal(a, b) for a, b in zip(kept, gan.discriminator.get_weights(), strict=True))


SIZES = {  # the gpu budget's, two steps on a CPU
    "fashion": (dense.fashion_generator, dense.fashion_discriminator, 32),
    "dcgan": (dcgan.mnist_generator, dcgan.mnist_discriminator, 256),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_sizes_of_the_gpu_budget_run(name):
    generator, discriminator, batch = SIZES[name]
    gan = training.GAN(generator(), discriminator(), ema=0.999)
    gan.compile()
    images = np.linspace(-np.ones((28, 28, 1)), 1, batch, dtype="float32")
    assert np.isfinite(list(gan.fit(images, batch_size=batch, steps_per_epoch=2, verbose=0).history.values())).all()
    assert gan.jit_compile is (name == "fashion") or runtime.has_accelerator()
