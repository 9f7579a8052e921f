"""Each term against a closed form or an independent computation in float64 NumPy."""

import numpy as np
import pytest

from gan_utils import losses, runtime, terms, training
from gan_utils.networks import toy
from gan_utils.runtime import keras, tf

layers = keras.layers
RANDOM = np.random.default_rng(0)
REAL, FAKE = RANDOM.normal(size=(2, 16, 3)).astype("float32")
WEIGHTS = np.array([0.5, -1.0, 2.0], "float32")


def linear(samples):
    return tf.linalg.matvec(tf.cast(samples, tf.float32), WEIGHTS)


def quadratic(samples):
    return tf.reduce_sum(tf.square(samples), axis=1)


def test_gradient_penalty_of_a_linear_critic_is_known():
    norm, alpha = np.linalg.norm(WEIGHTS), RANDOM.uniform(size=(16, 1))
    assert float(terms.gradient_penalty(linear, REAL, FAKE, alpha)) == pytest.approx((norm - 1) ** 2, rel=1e-5)
    centred = terms.gradient_penalty(linear, REAL, FAKE, alpha, target=0.0)
    assert float(centred) == pytest.approx(norm**2, rel=1e-5)


def test_gradient_penalty_of_a_quadratic_critic_is_taken_between_the_samples():
    alpha = RANDOM.uniform(size=(16, 1))
    between = alpha * REAL + (1 - alpha) * FAKE
    expected = np.mean((2 * np.linalg.norm(between, axis=1) - 1) ** 2)
    assert float(terms.gradient_penalty(quadratic, REAL, FAKE, alpha)) == pytest.approx(expected, rel=1e-5)


def test_gradient_penalty_is_finite_where_the_gradient_is_zero():
    scale = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        value = terms.gradient_penalty(lambda x: scale * quadratic(x), REAL, FAKE, np.zeros((16, 1)))
    assert float(value) == pytest.approx(1.0, abs=1e-5) and np.isfinite(float(tape.gradient(value, scale)))


def test_zero_centred_penalty_is_half_the_mean_squared_gradient():
    expected = 0.5 * np.mean(np.sum((2 * REAL.astype("float64")) ** 2, axis=1))
    assert float(terms.zero_centred_penalty(quadratic, tf.constant(REAL))) == pytest.approx(expected, rel=1e-5)


def test_penalties_agree_with_finite_differences_of_a_network():
    runtime.set_seed(0)
    network = toy.discriminator(3, widths=(8,), activation="tanh")
    h, gradient = 1e-2, np.zeros((16, 3))
    for axis in range(3):
        step = np.zeros(3, "float32")
        step[axis] = h
        gradient[:, axis] = np.ravel(network(REAL + step) - network(REAL - step)) / (2 * h)
    expected = 0.5 * np.mean(np.sum(gradient**2, axis=1))
    assert float(terms.zero_centred_penalty(network, tf.constant(REAL))) == pytest.approx(expected, rel=1e-3)


def test_dragan_perturbs_by_the_batch_deviation():
    uniform = RANDOM.uniform(size=REAL.shape)
    expected = REAL + 0.5 * REAL.std() * uniform
    assert np.allclose(terms.dragan_perturbation(REAL, uniform), expected, atol=1e-6)


def test_feature_matching_and_l1_are_their_formulas():
    expected = np.sum((REAL.mean(axis=0) - FAKE.mean(axis=0)) ** 2)
    assert float(terms.feature_matching(REAL, FAKE)) == pytest.approx(expected, rel=1e-5)
    assert float(terms.l1(REAL, FAKE)) == pytest.approx(np.abs(REAL - FAKE).mean(), rel=1e-5)


def test_label_smoothing_is_the_cross_entropy_with_the_smoothed_label():
    logits = RANDOM.normal(size=(64, 1)).astype("float32")
    outputs = terms.Outputs(None, None, tf.constant(logits), None, None, {}, {}, linear, None)
    smoothed = losses.minimax_discriminator_loss(logits, -logits) + 0.1 * terms.LabelSmoothing()(outputs)
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    expected = binary(np.full((64, 1), 0.9), logits) + binary(np.zeros((64, 1)), -logits)
    assert float(smoothed) == pytest.approx(float(expected), rel=1e-5)
    constants = np.linspace(-3, 3, 6001, dtype="float32")
    values = np.logaddexp(0, -constants) + 0.1 * constants + np.logaddexp(0, constants)  # p_g = p_data
    assert 1 / (1 + np.exp(-constants[np.argmin(values)])) == pytest.approx(0.45, abs=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_weight_clipping_works_alone_with_any_optimizer(optimizer):
    network = toy.discriminator()
    terms.WeightClipping(0.01).attach([network])
    network.compile(optimizer, loss="mse")
    network.fit(REAL[:, :2], np.ones((16, 1)), epochs=1, verbose=0)
    assert max(np.abs(w).max() for w in network.get_weights()) <= 0.01 + 1e-9


ALL = {
    "gradient_penalty": terms.GradientPenalty(),
    "r1": terms.R1(),
    "r2": terms.R2(),
    "dragan": terms.DRAGAN(),
    "feature_matching": terms.FeatureMatching(),
    "l1": terms.L1(target="target"),
    "label_smoothing": terms.LabelSmoothing(),
}


@pytest.mark.parametrize("name", ALL)
def test_every_term_trains_in_a_gan_and_is_logged(name):
    runtime.set_seed(0)
    term = ALL[name]
    gan = training.GAN(toy.generator(2, 3), toy.discriminator(3), terms=[term])
    gan.compile(jit_compile=False)
    data = {"real": REAL, "target": FAKE}
    history = gan.fit(data, batch_size=8, steps_per_epoch=2, verbose=0).history
    assert term.name == name and np.isfinite(history[name]).all() and history[name][0] != 0
    again = type(term).from_config(term.get_config())
    assert again.get_config() == term.get_config()


def test_a_term_changes_its_player_and_no_other():
    def gradients(**arguments):
        runtime.set_seed(0)
        gan = training.GAN(toy.generator(2, 3), toy.discriminator(3), **arguments)
        gan.compile(
            generator_optimizer=keras.optimizers.SGD(1.0),
            discriminator_optimizer=keras.optimizers.SGD(1.0),
            jit_compile=False,
        )
        before = [gan.discriminator.get_weights(), gan.generator.get_weights()]
        noise = gan.sample_noise(16, tf.constant([0, 0], tf.int64))
        for player in gan.players:  # each from the start
            gan._move(player, {"real": tf.constant(REAL)}, noise)
            if player.name == "discriminator":
                after = gan.discriminator.get_weights()
                gan.discriminator.set_weights(before[0])
        return after, gan.generator.get_weights()

    same = lambda one, other: all(np.allclose(a, b) for a, b in zip(one, other, strict=True))  # noqa: E731
    plain, penalised = gradients(), gradients(terms=[terms.R1(10.0)])
    assert not same(plain[0], penalised[0]) and same(plain[1], penalised[1])
    matched = gradients(terms=[terms.FeatureMatching()])
    assert same(plain[0], matched[0]) and not same(plain[1], matched[1])


def test_a_lazy_term_is_computed_every_kth_move_and_counts_k_times():
    def penalties(every, jit_compile=None):
        runtime.set_seed(0)
        gan = training.GAN(toy.generator(2, 3), toy.discriminator(3), terms=[terms.R1(every=every)])
        gan.compile(jit_compile=jit_compile)
        return gan.fit(REAL, batch_size=16, steps_per_epoch=1, epochs=8, verbose=0).history["r1"]

    lazy = penalties(4)
    assert [value != 0 for value in lazy] == [True, False, False, False] * 2
    assert lazy[0] == pytest.approx(4 * penalties(1, jit_compile=False)[0], rel=1e-4)


def test_bad_terms_are_refused():
    with pytest.raises(ValueError, match="weight is -1"):
        terms.R1(-1)
    with pytest.raises(ValueError, match="every is 0"):
        terms.R1(every=0)
    with pytest.raises(ValueError, match="limit is 0"):
        terms.WeightClipping(0)
    with pytest.raises(ValueError, match="each name once"):
        training.GAN(toy.generator(), toy.discriminator(), terms=[terms.R1(), terms.R1()])
    gan = training.GAN(toy.generator(2, 3), toy.discriminator(3), terms=[terms.L1()])
    gan.compile()
    with pytest.raises(ValueError, match=r"L1 compares with batch\['target'\]"):
        gan.fit(REAL, batch_size=8, steps_per_epoch=1, verbose=0)
    with pytest.raises(NotImplementedError, match="must define"):
        terms.Term()(None)


KINDS = ("mixed_float16", "mixed_bfloat16", "float64")


@pytest.mark.parametrize("policy", KINDS)
@pytest.mark.parametrize(
    "term",
    [
        terms.GradientPenalty(),
        terms.R1(),
        terms.R2(every=2),
        terms.DRAGAN(),
        terms.FeatureMatching(),
        terms.L1(),
        terms.LabelSmoothing(),
        terms.WeightClipping(),
    ],
    ids=lambda term: term.name,
)
def test_every_term_runs_whatever_the_networks_compute_in(policy, term):
    images = RANDOM.uniform(-1, 1, (8, 4, 4, 1)).astype("float32")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        generator = keras.Sequential([keras.Input((3,)), layers.Dense(16, "tanh"), layers.Reshape((4, 4, 1))])
        discriminator = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(8), layers.Dense(1)])
        gan = training.GAN(generator, discriminator, terms=[term], seed=0)
        gan.compile(run_eagerly=True)
        history = gan.fit({"real": images, "target": images}, batch_size=4, steps_per_epoch=2, verbose=0).history
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(list(history.values())).all()


def test_formulas_are_computed_in_wide_numbers():
    half = lambda value, shape: tf.fill(shape, tf.constant(value, tf.float16))  # noqa: E731
    assert float(terms.l1(half(0, (8, 9000)), half(1, (8, 9000)))) == 1.0
    assert float(terms.feature_matching(half(0.1, (8, 4)), half(0.1002, (8, 4)))) > 0
    for loss in losses.LOSSES.values():
        for function in (loss.generator, loss.discriminator):
            assert function(half(300.0, (9, 1)), half(300.0, (9, 1))).dtype == tf.float32
            assert np.isfinite(float(function(half(300.0, (9, 1)), half(-300.0, (9, 1)))))
            assert function(tf.ones((9, 1), tf.float64), tf.ones((9, 1), tf.float64)).dtype == tf.float64


def test_nothing_is_broadcast_in_silence():
    for pair in (terms.l1, losses.relativistic_generator_loss, losses.relativistic_discriminator_loss):
        with pytest.raises(ValueError, match=r"\(16, 1\) and \(16, 3\)|\(16, 3\) and \(16, 1\)"):
            pair(REAL[:, :1], FAKE)
    with pytest.raises(ValueError, match="expected one shape"):
        terms.gradient_penalty(linear, REAL, FAKE[:, :1], np.ones((16, 1)))


def test_settings_that_are_no_finite_numbers_are_refused():
    nan = float("nan")
    makers = [terms.R1, terms.GradientPenalty, terms.DRAGAN, terms.LabelSmoothing, terms.WeightClipping]
    for make in [*makers, lambda x: terms.DRAGAN(scale=x), lambda x: terms.GradientPenalty(target=x)]:
        with pytest.raises(ValueError, match="is nan; expected a finite number"):
            make(nan)
    networks = toy.generator(), toy.discriminator()
    for name in ("instance_noise", "unrolled_learning_rate", "ema", "packing", "seed", "unrolled_steps", "latent_dim"):
        for bad in (nan, -1.0, True, "1"):
            with pytest.raises(ValueError, match=r"; expected"):
                training.GAN(*networks, **{name: bad})


def test_wrong_kinds_of_arguments_are_refused_in_a_line():
    networks = {"generator": toy.generator(), "discriminator": toy.discriminator()}
    for bad in (
        {"generator": None},
        {"discriminator": "toy"},
        {"terms": terms.R1()},
        {"terms": [terms.R1]},
        {"loss": ["hinge"]},
        {"replay": 100},
        {"packing": 1.5},
    ):
        with pytest.raises(ValueError, match="expected") as error:
            training.GAN(**(networks | bad))
        assert "\n" not in str(error.value)


def test_feature_matching_takes_a_sequential_discriminator_and_names_one_that_it_cannot():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    for made in (keras.Sequential([keras.Input((2,)), layers.Dense(8), layers.Dense(1)]), Own()):
        gan = training.GAN(toy.generator(), made, terms=[terms.FeatureMatching()], seed=0)
        gan.compile(run_eagerly=True)
        fit = lambda gan=gan: gan.fit(REAL[:, :2], batch_size=8, steps_per_epoch=1, verbose=0)  # noqa: E731
        if isinstance(made, Own):
            with pytest.raises(ValueError, match="neither functional nor sequential"):
                fit()
        else:
            assert np.isfinite(fit().history["feature_matching"]).all()
