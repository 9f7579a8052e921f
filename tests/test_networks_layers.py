"""Layers against their formulas in NumPy, spectral norm against SciPy's singular values and finite differences."""

import numpy as np
import pytest
from scipy.linalg import svdvals

from gan_utils import runtime, training
from gan_utils.networks import layers
from gan_utils.runtime import keras, tf
from gan_utils.training import doctor

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(6, 5)).astype("float32")


def test_minibatch_discrimination_is_its_formula():
    layer = layers.MinibatchDiscrimination(3, 4)
    outputs = np.asarray(layer(INPUTS))
    projected = (INPUTS.astype("float64") @ np.asarray(layer.get_weights()[0], "float64")).reshape(6, 3, 4)
    expected = np.zeros((6, 3))
    for i in range(6):
        for j in range(6):
            if i != j:
                expected[i] += np.exp(-np.abs(projected[i] - projected[j]).sum(axis=-1))
    assert np.allclose(outputs[:, :5], INPUTS) and np.allclose(outputs[:, 5:], expected, atol=1e-5)


def test_minibatch_discrimination_sees_a_collapsed_batch():
    layer = layers.MinibatchDiscrimination(3, 4)
    spread, collapsed = layer(INPUTS)[:, 5:], layer(np.tile(INPUTS[:1], (6, 1)))[:, 5:]
    assert np.allclose(collapsed, 5.0) and np.all(np.asarray(spread) < 5.0)


@pytest.mark.parametrize("group", [None, 2, 3])
def test_minibatch_standard_deviation_is_its_formula(group):
    images = RANDOM.normal(size=(6, 4, 4, 2)).astype("float32")
    outputs = np.asarray(layers.MinibatchStandardDeviation(group)(images))
    size = group or 6
    deviation = images.reshape(size, 6 // size, 4, 4, 2).std(axis=0).mean(axis=(1, 2, 3))
    assert outputs.shape == (6, 4, 4, 3) and np.array_equal(outputs[..., :2], images)
    assert np.allclose(outputs[..., 2], np.tile(deviation, size)[:, None, None], atol=1e-6)
    assert np.allclose(layers.MinibatchStandardDeviation()(np.ones((4, 3)))[:, -1], 0.0, atol=2e-4)


@pytest.mark.parametrize(
    ("layer", "shape"), [(keras.layers.Dense(7), (4, 5)), (keras.layers.Conv2D(6, 3, padding="same"), (2, 8, 8, 3))]
)
def test_spectral_norm_divides_by_the_largest_singular_value(layer, shape):
    runtime.set_seed(0)
    wrapped, inputs = layers.SpectralNormalization(layer), RANDOM.normal(size=shape).astype("float32")
    for _ in range(100):
        outputs = wrapped(inputs, training=True)
    kernel = np.asarray(layer.kernel.numpy())
    largest = svdvals(kernel.reshape(-1, kernel.shape[-1])).max()
    assert np.allclose(outputs, layer(inputs) / largest, atol=1e-4)
    before = wrapped.u.numpy()
    wrapped(inputs, training=False)
    assert np.array_equal(before, wrapped.u.numpy()), "inference carries no power iteration along"


def test_the_gradient_goes_through_sigma():
    runtime.set_seed(0)
    layer = layers.SpectralNormalization(keras.layers.Dense(3, use_bias=False))
    target = RANDOM.normal(size=(6, 3))
    for _ in range(200):
        layer(INPUTS, training=True)

    def exact(kernel):  # with the true singular value, in float64
        return np.sum((INPUTS.astype("float64") @ (kernel / svdvals(kernel).max()) - target) ** 2)

    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tf.square(layer(INPUTS, training=True) - target.astype("float32")))
    gradient = np.asarray(tape.gradient(value, layer.layer.kernel.value))
    kernel, h, numeric = layer.layer.kernel.numpy().astype("float64"), 1e-5, np.zeros((5, 3))
    for i in np.ndindex(5, 3):
        step = np.zeros((5, 3))
        step[i] = h
        numeric[i] = (exact(kernel + step) - exact(kernel - step)) / (2 * h)
    assert np.allclose(gradient, numeric, rtol=1e-3, atol=1e-3)
    # the divided kernel does not change with the kernel's scale, so the gradient has no part along it
    assert abs(np.sum(gradient * kernel)) < 1e-3 * np.linalg.norm(gradient) * np.linalg.norm(kernel)


def test_layers_are_saved_and_refuse_bad_arguments(tmp_path):
    inputs = keras.Input((5,))
    x = layers.SpectralNormalization(keras.layers.Dense(4), power_iterations=2)(inputs)
    x = layers.MinibatchStandardDeviation(2)(layers.MinibatchDiscrimination(2, 3)(x))
    network = keras.Model(inputs, x)
    network.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert network.output_shape == (None, 7) and np.array_equal(network(INPUTS), again(INPUTS))
    with pytest.raises(ValueError, match="kernels is 0"):
        layers.MinibatchDiscrimination(0)
    with pytest.raises(ValueError, match="Put a Flatten before it"):
        layers.MinibatchDiscrimination()(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="group_size is 1"):
        layers.MinibatchStandardDeviation(1)
    with pytest.raises(ValueError, match="power_iterations is 0"):
        layers.SpectralNormalization(keras.layers.Dense(1), 0)
    with pytest.raises(ValueError, match="has no kernel"):
        layers.SpectralNormalization(keras.layers.BatchNormalization())(np.zeros((2, 3)))


def test_a_scope_around_a_spectrally_normalised_layer_holds():
    layer = layers.SpectralNormalization(keras.layers.Dense(3))
    layer(INPUTS)
    zero = [(v, np.zeros(v.shape, "float32")) for v in (layer.layer.bias,)]
    layer.layer.bias.assign(np.ones(3))
    plain = np.asarray(layer(INPUTS))
    with keras.StatelessScope(zero):
        inside = np.asarray(layer(INPUTS))
    assert np.allclose(plain - inside, 1.0)


def test_groups_take_batches_that_they_divide_and_smaller_ones():
    layer = layers.MinibatchStandardDeviation(4)
    for count in (1, 3, 4, 8):
        assert layer(tf.ones((count, 3))).shape == (count, 4)
    with pytest.raises(ValueError, match="6 samples, group_size is 4; expected a multiple") as error:
        layer(tf.ones((6, 3)))
    assert "\n" not in str(error.value)


def test_a_gan_with_groups_is_made_trained_and_looked_at():
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), layers.MinibatchStandardDeviation(4), keras.layers.Dense(1)])
    gan = training.GAN(generator, discriminator, packing=1, seed=0)
    gan.compile(run_eagerly=True)
    points = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    with pytest.raises(ValueError, match="batch_size is 6; expected a multiple of 4"):
        gan.fit(points, batch_size=6, steps_per_epoch=1, verbose=0)
    gan.fit(points, batch_size=8, steps_per_epoch=1, verbose=0, callbacks=[doctor.Doctor(50)])
    assert gan(points[:3]).shape == (3, 1)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_the_spectral_norm_of_zeros_divides_by_nothing(policy):
    layer = layers.SpectralNormalization(keras.layers.Dense(1, kernel_initializer="zeros", dtype=policy), dtype=policy)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tf.cast(layer(tf.ones((2, 4)), training=True), tf.float32))
    gradient = tape.gradient(value, layer.layer.kernel.value)
    assert float(value) == 0.0 and np.isfinite(gradient.numpy()).all()
