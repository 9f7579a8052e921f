"""The NumPy layers against TensorFlow, against finite differences, and against Keras's optimizers."""

import subprocess
import sys

import numpy as np
import pytest

from gan_utils import losses as keras_losses
from gan_utils import runtime, scratch, training
from gan_utils.runtime import keras, tf
from gan_utils.scratch import convolution, network

L = keras.layers
DICE = np.random.default_rng


def conv(transposed, kernel, stride, same, bias=True):
    ours = (scratch.Conv2DTranspose if transposed else scratch.Conv2D)(
        3, 4, kernel, stride=stride, same=same, bias=bias
    )
    theirs = L.Conv2DTranspose if transposed else L.Conv2D
    return ours, theirs(4, kernel, strides=stride, padding="same" if same else "valid", use_bias=bias)


def conv_cases():
    for transposed in (False, True):
        for kernel, stride, same in [
            (3, 1, True),
            (5, 2, True),
            (4, 2, True),
            (2, 3, True),
            (4, 2, False),
            (2, 3, False),
        ]:
            name = f"{'transposed' if transposed else 'convolution'}-{kernel}-{stride}-{'same' if same else 'valid'}"
            yield name, lambda a=(transposed, kernel, stride, same): conv(*a), (2, 7, 6, 3)
    yield "convolution-no-bias", lambda: conv(False, 3, 2, True, bias=False), (2, 7, 6, 3)
    yield "transposed-no-bias", lambda: conv(True, 3, 2, True, bias=False), (2, 7, 6, 3)


CASES = [
    ("dense", lambda: (scratch.Dense(5, 3), L.Dense(3)), (4, 5)),
    ("dense-no-bias", lambda: (scratch.Dense(5, 3, bias=False), L.Dense(3, use_bias=False)), (4, 5)),
    *conv_cases(),
    ("batch-norm-images", lambda: (scratch.BatchNorm(3), L.BatchNormalization()), (4, 5, 5, 3)),
    ("batch-norm-vectors", lambda: (scratch.BatchNorm(6), L.BatchNormalization()), (8, 6)),
    ("leaky-relu", lambda: (scratch.LeakyReLU(0.3), L.LeakyReLU(negative_slope=0.3)), (4, 5)),
    ("relu", lambda: (scratch.ReLU(), L.ReLU()), (4, 5)),
    ("tanh", lambda: (scratch.Tanh(), L.Activation("tanh")), (4, 5)),
    ("sigmoid", lambda: (scratch.Sigmoid(), L.Activation("sigmoid")), (4, 5)),
    ("flatten", lambda: (scratch.Flatten(), L.Flatten()), (4, 5, 2)),
    ("reshape", lambda: (scratch.Reshape(2, 5), L.Reshape((2, 5))), (4, 10)),
]
LAYERS = pytest.mark.parametrize(("make", "shape"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])


@LAYERS
@pytest.mark.parametrize("mode", [True, False], ids=["training", "inference"])
def test_values_and_gradients_equal_tensorflow_s(make, shape, mode):
    ours, theirs = make()
    x = DICE(0).normal(size=shape).astype("float32")
    theirs.build(shape)
    dice = DICE(1)
    if theirs.weights:
        random = [w + np.abs(dice.normal(size=w.shape)).astype("float32") for w in theirs.get_weights()]
        theirs.set_weights(random)
        ours.weights = dict(zip(ours.weights, random, strict=True))
    variables = list(theirs.trainable_variables)
    with tf.GradientTape() as tape:
        tape.watch(value := tf.constant(x))
        expected = theirs(value, training=mode)
        direction = dice.normal(size=expected.shape).astype("float32")
        scalar = tf.reduce_sum(expected * direction)
    gradients = tape.gradient(scalar, [value, *(v.value for v in variables)])
    found = ours.forward(x, training=mode)
    dx = ours.backward(direction)
    assert found.dtype == dx.dtype == np.float32
    for got, wanted in zip([found, dx, *ours.gradients.values()], [expected, *gradients], strict=True):
        wanted = np.asarray(wanted)
        assert got.shape == wanted.shape and np.abs(got - wanted).max() <= 1e-5 * max(1, np.abs(wanted).max())
    for got, wanted in zip(ours.weights.values(), theirs.get_weights(), strict=True):  # running statistics too
        assert np.allclose(got, wanted, atol=1e-5)


@LAYERS
@pytest.mark.parametrize("mode", [True, False], ids=["training", "inference"])
def test_gradients_equal_finite_differences(make, shape, mode):
    layer = make()[0]
    errors = network.gradient_errors(layer, DICE(0).normal(size=shape), training=mode)
    assert set(errors) == {"x", *layer.gradients} and max(errors.values()) < 1e-4


def test_the_check_sees_a_missing_term():
    class Wrong(scratch.BatchNorm):
        def backward(self, gradient):
            super().backward(gradient)
            return self.weights["gamma"] * self.scale * (gradient - gradient.mean(self.axes))

    assert network.gradient_errors(Wrong(3), DICE(0).normal(size=(8, 3)))["x"] > 0.01


def test_dropout_drops_scales_and_sends_the_gradient_through_its_mask():
    layer, x = scratch.Dropout(0.3, seed=1), np.ones((200, 100), "float32")
    y = layer.forward(x, training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)} and y.mean() == pytest.approx(1, abs=0.02)
    assert np.array_equal(layer.backward(np.ones_like(x)), y)
    assert np.array_equal(layer.forward(x), x) and np.array_equal(layer.backward(x), x)
    assert not np.array_equal(layer.forward(x, training=True), y), "a new mask each time"


def test_dropout_on_average_has_the_gradient_of_nothing():
    layer, x = scratch.Dropout(0.5, seed=0), np.ones((1, 50))
    mean = np.mean([(layer.forward(x, training=True), layer.backward(x))[1] for _ in range(4000)], axis=0)
    assert np.abs(mean - 1).max() < 0.1


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_col2im_is_the_transpose_of_im2col(kernel, stride):
    x = DICE(0).normal(size=(2, 9, 8, 3))
    columns = convolution.im2col(x, kernel, stride)
    other = DICE(1).normal(size=columns.shape)
    back = convolution.col2im(other, (9, 8), kernel, stride)
    assert back.shape == x.shape and np.sum(columns * other) == pytest.approx(np.sum(x * back))


@pytest.mark.parametrize("logit", [-80.0, -1.0, 0.0, 2.0, 80.0])
@pytest.mark.parametrize("label", [0.0, 0.9, 1.0])
def test_cross_entropy_equals_keras_s_and_stays_finite(logit, label):
    logits = np.array([[logit], [logit / 2]], "float32")
    loss, gradient = scratch.losses.binary_cross_entropy(logits, label)
    with tf.GradientTape() as tape:
        tape.watch(value := tf.constant(logits))
        expected = keras.losses.BinaryCrossentropy(from_logits=True)(np.full((2, 1), label, "float32"), value)
    assert loss == pytest.approx(float(expected), rel=1e-5, abs=1e-6) and np.isfinite(gradient).all()
    assert np.allclose(gradient, tape.gradient(expected, value), atol=1e-6) and gradient.dtype == np.float32


OPTIMIZERS = [
    (lambda: scratch.optimizers.SGD(0.1), lambda: keras.optimizers.SGD(0.1)),
    (lambda: scratch.optimizers.RMSprop(), lambda: keras.optimizers.RMSprop()),
    (lambda: scratch.optimizers.Adam(), lambda: keras.optimizers.Adam()),
    (lambda: scratch.optimizers.Adam(2e-4, beta_1=0.5), lambda: keras.optimizers.Adam(2e-4, beta_1=0.5)),
]


@pytest.mark.parametrize(("ours", "theirs"), OPTIMIZERS, ids=["sgd", "rmsprop", "adam", "adam-gan"])
def test_optimizers_take_keras_s_steps(ours, theirs):
    layer, dice = scratch.Dense(4, 3), DICE(0)
    variables = [keras.Variable(w) for w in layer.weights.values()]
    ours, theirs = ours(), theirs()
    for step in range(20):
        gradients = [(dice.normal(size=v.shape) * 10.0 ** dice.integers(-4, 1)).astype("float32") for v in variables]
        layer.gradients = dict(zip(layer.weights, gradients, strict=True))
        before = dict(layer.weights)
        ours.apply([layer])
        theirs.apply([tf.constant(g) for g in gradients], variables)
        for name, value, variable in zip(layer.weights, layer.weights.values(), variables, strict=True):
            assert value.dtype == np.float32 and not np.array_equal(value, before[name])
            assert np.allclose(value, variable.numpy(), rtol=1e-5, atol=1e-6), step


def players(dropout=0.0):
    generator = scratch.Sequential(
        [
            scratch.Dense(8, 7 * 7 * 4, bias=False, seed=1),
            scratch.BatchNorm(7 * 7 * 4),
            scratch.ReLU(),
            scratch.Reshape(7, 7, 4),
            scratch.Conv2DTranspose(4, 3, 5, stride=2, bias=False, seed=2),
            scratch.BatchNorm(3),
            scratch.ReLU(),
            scratch.Conv2DTranspose(3, 1, 5, stride=2, bias=False, seed=3),
            scratch.Tanh(),
        ]
    )
    discriminator = scratch.Sequential(
        [
            scratch.Conv2D(1, 4, 5, stride=2, seed=4),
            scratch.LeakyReLU(),
            scratch.Dropout(dropout),
            scratch.Flatten(),
            scratch.Dense(14 * 14 * 4, 1, seed=5),
        ]
    )
    return generator, discriminator


def keras_players():
    up = {"padding": "same", "use_bias": False}
    generator = [
        keras.Input((8,)),
        L.Dense(196, use_bias=False),
        L.BatchNormalization(),
        L.ReLU(),
        L.Reshape((7, 7, 4)),
    ]
    generator += [L.Conv2DTranspose(3, 5, strides=2, **up), L.BatchNormalization(), L.ReLU()]
    generator += [L.Conv2DTranspose(1, 5, strides=2, activation="tanh", **up)]
    discriminator = [keras.Input((28, 28, 1)), L.Conv2D(4, 5, strides=2, padding="same")]
    discriminator += [L.LeakyReLU(negative_slope=0.3), L.Flatten(), L.Dense(1)]
    return keras.Sequential(generator), keras.Sequential(discriminator)


def test_a_gan_takes_the_library_s_steps():
    images = DICE(0).uniform(-1, 1, (64, 28, 28, 1)).astype("float32")
    runtime.set_seed(0)
    keras_generator, keras_discriminator = keras_players()
    gan = training.GAN(keras_generator, keras_discriminator, seed=0)
    rate = {"generator": 1e-2, "discriminator": 2e-2}
    gan.compile(
        generator_optimizer=keras.optimizers.SGD(rate["generator"]),
        discriminator_optimizer=keras.optimizers.SGD(rate["discriminator"]),
    )
    generator, discriminator = players()
    generator.set_weights(keras_generator.get_weights())
    discriminator.set_weights(keras_discriminator.get_weights())
    start = generator.get_weights() + discriminator.get_weights()
    ours = scratch.GAN(
        generator,
        discriminator,
        generator_optimizer=scratch.optimizers.SGD(rate["generator"]),
        discriminator_optimizer=scratch.optimizers.SGD(rate["discriminator"]),
    )
    for batch in gan.plan(len(images), batch_size=16).take(4):
        index, latents = np.asarray(batch["index"][:, 0]), np.asarray(batch["noise"]["latents"])
        ours.discriminator_step(images[index], latents[:, 0])
        ours.generator_step(latents[:, 1])
    gan.fit(images, batch_size=16, steps_per_epoch=4, verbose=0)
    for before, mine, theirs in zip(
        start,
        generator.get_weights() + discriminator.get_weights(),
        keras_generator.get_weights() + keras_discriminator.get_weights(),
        strict=True,
    ):
        assert np.abs(mine - theirs).max() <= 1e-4 * np.abs(theirs - before).max() + 1e-6


def test_each_player_moves_in_its_own_step_only():
    generator, discriminator = players(dropout=0.3)
    adam = scratch.optimizers.Adam
    gan = scratch.GAN(generator, discriminator, generator_optimizer=adam(), discriminator_optimizer=adam())
    real, latents = DICE(0).normal(size=(4, 28, 28, 1)).astype("float32"), DICE(1).normal(size=(4, 8)).astype("float32")

    def moved(step, *arguments):
        before = generator.get_weights(), discriminator.get_weights()
        loss = step(*arguments)
        after = generator.get_weights(), discriminator.get_weights()
        assert loss > 0
        return [
            any(not np.array_equal(a, b) for a, b in zip(*pair, strict=True))
            for pair in zip(before, after, strict=True)
        ]

    assert moved(gan.discriminator_step, real, latents) == [False, True]
    assert moved(gan.generator_step, latents) == [True, False]


def test_losses_are_those_of_the_library():
    generator, discriminator = players()
    adam = scratch.optimizers.Adam
    gan = scratch.GAN(generator, discriminator, generator_optimizer=adam(), discriminator_optimizer=adam())
    real, latents = DICE(0).normal(size=(4, 28, 28, 1)).astype("float32"), DICE(1).normal(size=(4, 8)).astype("float32")
    fake = generator.forward(latents, training=True)
    logits = [discriminator.forward(x, training=True) for x in (real, fake)]
    expected = keras_losses.get("non_saturating").generator(*logits)
    assert gan.generator_step(latents) == pytest.approx(float(expected), rel=1e-5)
    fake = generator.forward(latents, training=True)
    logits = [discriminator.forward(x, training=True) for x in (real, fake)]
    expected = keras_losses.get("non_saturating").discriminator(*logits)
    assert gan.discriminator_step(real, latents) == pytest.approx(float(expected), rel=1e-5)


def test_it_is_numpy_only():
    code = "import sys, gan_utils.scratch; assert not {'tensorflow', 'keras', 'scipy', 'torch'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: scratch.Dropout(1.0), "rate is 1.0"),
        (lambda: scratch.optimizers.Adam(0.0), "rate is 0.0"),
        (lambda: scratch.losses.binary_cross_entropy(np.zeros(2), 1.5), "label is 1.5"),
        (lambda: network.finite_difference(np.sum, np.zeros(2), 0.0), "h is 0.0"),
        (lambda: scratch.Sequential([scratch.Dense(2, 3)]).set_weights([np.zeros((3, 2)), np.zeros(3)]), "shapes"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_the_generator_s_step_leaves_the_discriminator_s_statistics_alone():
    generator, discriminator = players()
    discriminator.layers.insert(1, scratch.BatchNorm(4))
    adam = scratch.optimizers.Adam
    gan = scratch.GAN(generator, discriminator, generator_optimizer=adam(), discriminator_optimizer=adam())
    before = discriminator.get_weights()
    gan.generator_step(DICE(1).normal(size=(4, 8)).astype("float32"))
    assert all(np.array_equal(a, b) for a, b in zip(before, discriminator.get_weights(), strict=True))
    gan.discriminator_step(DICE(0).normal(size=(4, 28, 28, 1)), DICE(1).normal(size=(4, 8)))
    assert not np.array_equal(before[3], discriminator.get_weights()[3])


def test_kernels_start_as_keras_s():
    for layer, sums in [(scratch.Dense(30, 50), 80), (scratch.Conv2D(8, 16, 5), 25 * 24)]:
        kernel = layer.weights["kernel"]
        assert np.sqrt(6 / sums) * 0.97 < np.abs(kernel).max() <= np.sqrt(6 / sums) and abs(kernel.mean()) < 0.01
    keras_kernel = L.Conv2DTranspose(16, 5)
    keras_kernel.build((None, 4, 4, 8))
    ours = scratch.Conv2DTranspose(8, 16, 5).weights["kernel"]
    assert ours.std() == pytest.approx(keras_kernel.get_weights()[0].std(), rel=0.05)


def test_integers_are_numbers():
    assert scratch.LeakyReLU(0.3).forward(np.array([-10, 5])).tolist() == pytest.approx([-3, 5])
    assert scratch.losses.binary_cross_entropy(np.array([0, 0]), 0.5)[1].tolist() == [0, 0]
    assert network.finite_difference(lambda x: float(x @ x), np.array([1, 2]), 1e-2) == pytest.approx([2, 4], abs=1e-2)
    dropped = scratch.Dropout(0.5).forward(np.ones((4, 4), int), training=True)
    assert set(np.unique(dropped)) <= {0.0, 2.0}


def test_one_optimizer_for_two_networks_keeps_them_apart():
    one, other, both = scratch.Dense(2, 2), scratch.Dense(2, 2), scratch.optimizers.Adam(1e-3)
    for layer, size in ((one, 1e3), (other, 1.0)):
        layer.gradients = {"kernel": np.full((2, 2), size), "bias": np.full(2, size)}
        start = layer.weights["kernel"].copy()
        both.apply([layer])
        assert np.abs(layer.weights["kernel"] - start).max() > 5e-4
