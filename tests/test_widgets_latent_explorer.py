"""The LatentExplorer's network, in the browser's own code, against Keras."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from gan_utils import plotting, training, widgets
from gan_utils.networks import dcgan, dense
from gan_utils.runtime import keras, tf
from gan_utils.widgets import graph, latent_explorer

layers = keras.layers


def every_layer():
    return keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(3 * 4 * 2, activation="relu"),
            layers.BatchNormalization(),  # cannot fold: the activation lies between
            layers.Reshape((3, 4, 2)),
            layers.UpSampling2D((2, 3), interpolation="bilinear"),
            layers.Conv2D(5, (3, 2), strides=2, padding="same"),
            layers.BatchNormalization(scale=False),
            layers.LeakyReLU(),
            layers.UpSampling2D(2),
            layers.Conv2DTranspose(4, 3, padding="valid", activation="silu"),
            layers.Conv2DTranspose(4, (2, 5), strides=(3, 2), padding="same", use_bias=False),
            layers.BatchNormalization(center=False),
            layers.Activation("elu"),
            layers.Conv2D(1, 3, activation="sigmoid"),
            layers.Rescaling(2.0, -1.0),
        ],
        name="every_layer",
    )


def vectors():
    hidden = [layers.Dense(40, activation="selu"), layers.Dropout(0.3), layers.Dense(36, activation="softplus")]
    return keras.Sequential([keras.Input((30,)), *hidden, layers.ReLU(), layers.Reshape((6, 6, 1))])


def rescaled_vectors():
    last = [layers.Rescaling(1 / 127.5, -1.0), layers.Reshape((3, 3, 1))]
    return keras.Sequential([keras.Input((4,)), layers.Dense(9), *last])


def colour():
    last = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(32, activation="leaky_relu"), layers.Reshape((4, 4, 2)), last]
    )


NETWORKS = {
    "compact": dcgan.compact_generator,
    "nearest": lambda: dcgan.compact_generator(upsampling="nearest"),
    "batch norm everywhere": lambda: dcgan.compact_generator(batch_norm="everywhere"),
    "every layer": every_layer,
    "vectors": vectors,
    "colour": colour,
    "rescaled vectors": rescaled_vectors,
}


def made(name):
    """A network as if trained: no weight is where it began."""
    keras.utils.set_random_seed(3)
    network, rng = NETWORKS[name](), np.random.default_rng(0)
    for variable in network.variables:
        if variable.dtype == "float32":
            variable.assign(variable + 0.3 * rng.uniform(0.1, 1.0, variable.shape))
    return network


def test_half_precision_is_read_as_numpy_reads_it(browser_code):
    every = np.arange(2**16, dtype="<u2")
    held = base64.b64encode(every.tobytes()).decode()
    code = "[...m.halves(Buffer.from(d.held, 'base64'))].map((x) => (Number.isFinite(x) ? x : String(x)))"
    found = np.array(browser_code(["halves"], code, held=held), dtype=object)
    expected = every.view("<f2").astype(np.float64)
    finite = np.isfinite(expected)
    assert np.array_equal(found[finite].astype(float), expected[finite])
    assert {str(x) for x in found[~finite]} == {"NaN", "Infinity", "-Infinity"}


def test_the_rounding_is_told_as_it_is():
    network = made("compact")
    explorer = widgets.LatentExplorer(network)
    latents = np.random.default_rng(0).standard_normal((64, 64), np.float32)
    pages = np.asarray(graph.rounded(network)(latents, training=False))
    error = np.abs(np.asarray(network(latents, training=False)) - pages)
    assert explorer.rounding == pytest.approx({"max": error.max(), "mean": error.mean()}, rel=1e-3)


def test_principal_directions_are_those_of_the_jacobian():
    network = made("colour")
    found, share = latent_explorer.principal_directions(network, 4, samples=6, seed=2)
    z = tf.constant(np.random.default_rng(2).standard_normal((6, 1, 4), np.float32)[:, 0])
    with tf.GradientTape() as tape:
        tape.watch(z)
        samples = tf.reshape(network(z, training=False), (6, -1))
    jacobian = tape.batch_jacobian(samples, z).numpy()
    values, vectors = np.linalg.eigh(np.einsum("npi,npj->ij", jacobian, jacobian))
    assert share == pytest.approx(values[::-1] / values.sum(), abs=0.02)
    assert np.abs(np.sum(found[0] * vectors[:, -1])) > 0.99 and np.allclose(found @ found.T, np.eye(4), atol=1e-6)
    with pytest.raises(ValueError, match="1 to 4"):
        latent_explorer.principal_directions(network, 5)


@pytest.mark.parametrize("way", ["lerp", "slerp"])
def test_between_two_latents(browser_code, way):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    code = "[0, 0.5, 1].map((t) => m.between(d.a, d.b, t, d.way))"
    start, middle, end = np.array(browser_code(["latents"], code, a=a.tolist(), b=b.tolist(), way=way))
    assert np.allclose(start, a) and np.allclose(end, b)
    if way == "lerp":
        assert np.allclose(middle, (a + b) / 2)
    else:
        angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        lengths = (np.linalg.norm(a) + np.linalg.norm(b)) / 2
        assert np.linalg.norm(middle) == pytest.approx(lengths)
        assert middle @ a / np.linalg.norm(a) / lengths == pytest.approx(np.cos(angle / 2))


def test_the_nearest_are_the_nearest(browser_code):
    rng = np.random.default_rng(0)
    images, one = rng.uniform(-1, 1, (20, 9)), rng.uniform(-1, 1, 9)
    found = browser_code(["latents"], "m.nearest(d.one, d.images, 3)", one=one.tolist(), images=images.ravel().tolist())
    away = np.sqrt(np.mean((images - one) ** 2, axis=1))
    assert [index for index, _ in found] == np.argsort(away)[:3].tolist()
    assert [distance for _, distance in found] == pytest.approx(np.sort(away)[:3])


def test_real_images_travel_in_eight_bits():
    network = made("colour")
    real = np.random.default_rng(0).uniform(-1, 1, (45, 8, 8, 3)).astype("float32")
    explorer = widgets.LatentExplorer(network, real=real)
    sheet = np.asarray(Image.open(io.BytesIO(explorer.sprite)))
    assert sheet.shape == (16, 40 * 8, 3) and explorer.real_count == 45
    tile = sheet[8:16, 4 * 8 : 5 * 8]  # image 44: second row, fifth column
    assert np.abs(tile / 255 - plotting.to_display(real)[44]).max() <= 0.5 / 255 + 1e-6
    still = Image.open(io.BytesIO(explorer.still()))
    assert still.size == (48, 48) and "image/png" in explorer._repr_mimebundle_()[0]


def test_a_gan_shows_its_average():
    gan = training.GAN(dcgan.compact_generator(8, widths=(8, 4)), dcgan.compact_discriminator(widths=(4, 8)), ema=0.5)
    gan.compile()
    gan.fit(np.linspace(-np.ones((28, 28, 1)), 1, 64, dtype=np.float32), batch_size=8, steps_per_epoch=3, verbose=0)
    shown = widgets.LatentExplorer(gan)._still
    latents = np.random.default_rng(0).standard_normal((64, 8), np.float32)[:36]
    assert np.allclose(shown, gan.decode(latents), atol=1e-6)
    assert not np.allclose(shown, gan.generator(latents, training=False), atol=1e-4)


def chain(*more):
    return lambda: keras.Sequential([keras.Input((4,)), layers.Reshape((2, 2, 1)), *more])


REFUSED = [
    (dense.fashion_generator, "at most 700,000"),
    (chain(layers.Conv2D(1, 1, activation="hard_tanh")), "'hard_tanh'"),
    (chain(layers.Conv2DTranspose(1, 1, dilation_rate=2)), "dilated"),
    (chain(layers.Conv2D(2, 1)), "expected images"),
    (chain(layers.BatchNormalization(axis=1)), "last axis"),
    (chain(layers.Conv2D(1, 1), layers.BatchNormalization(axis=1)), "last axis"),
    (chain(layers.UpSampling2D((2, 1), data_format="channels_first")), "last axis"),
    (chain(layers.Flatten(data_format="channels_first"), layers.Reshape((2, 2, 1))), "last axis"),
    (lambda: keras.Sequential([keras.Input((4,)), layers.Dense(9)]), "expected images"),
]


@pytest.mark.parametrize(("network", "message"), REFUSED)
def test_what_the_page_cannot_run_is_refused(network, message):
    with pytest.raises(ValueError, match=message):
        widgets.LatentExplorer(network())


def test_too_many_or_other_real_images_are_refused():
    for shape in ((1001, 8, 8, 3), (3, 8, 8, 1), (0, 8, 8, 3)):
        with pytest.raises(ValueError, match=r"expected 1 to 1,000 of \(8, 8, 3\)"):
            widgets.LatentExplorer(made("colour"), real=np.zeros(shape, np.float32))


def test_a_weight_beyond_half_precision_is_refused():
    network = made("colour")
    network.layers[0].bias.assign(np.full(32, 1e6))
    with pytest.raises(ValueError, match="half precision"):
        widgets.LatentExplorer(network)


def chain(*rest):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(192), keras.layers.Reshape((8, 8, 3)), *rest])


def test_a_scale_for_each_channel_has_its_own_rounding():
    network = chain(keras.layers.Rescaling([0.1, 0.2, 0.3], offset=[-0.1, 0.0, 0.1]))
    explorer = widgets.LatentExplorer(network)
    assert explorer.rounding["max"] < 0.001
    latents = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)
    exact, copied = (np.asarray(each(latents)) for each in (network, graph.rounded(network)))
    assert np.abs(exact - copied).max() < 0.001
    odd = chain(keras.layers.Rescaling(np.ones((8, 1))))
    with pytest.raises(ValueError, match="scales by"):
        graph.export(odd)


@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}])
def test_special_values_of_a_normalisation_survive_the_copy(options):
    network = chain(keras.layers.Activation("tanh"), keras.layers.BatchNormalization(**options))
    norm, draw = network.layers[-1], np.random.default_rng(0)
    norm.moving_mean.assign([0.5, -0.5, 0.0])
    norm.moving_variance.assign([1e-4, 1.0, 1e20])
    if norm.scale:
        norm.gamma.assign([0.0, -2.0, 1.0])
    if norm.center:
        norm.beta.assign([0.5, 0.0, -1.0])
    latents = draw.standard_normal((9, 4)).astype(np.float32)
    exact, copied = (np.asarray(each(latents)) for each in (network, graph.rounded(network)))
    assert np.isfinite(copied).all() and np.abs(exact - copied).max() < 0.002 * max(1, np.abs(exact).max())


def test_a_generator_of_one_sample_has_finite_numbers():
    network = chain(keras.layers.BatchNormalization())
    network.layers[-1].gamma.assign(np.zeros(3))
    explorer = widgets.LatentExplorer(network)
    assert explorer.shares == [0.0] * 4 and explorer.rounding == {"max": 0.0, "mean": 0.0}


@pytest.mark.parametrize(
    ("real", "says"),
    [
        (np.zeros((5, 8, 8, 3), np.uint8), "of type uint8"),
        (np.full((5, 8, 8, 3), 255.0), "127.5"),
        (np.full((5, 8, 8, 3), np.nan), "NaN"),
        ("photos", "data.Folder"),
        ([[1.0], [1.0, 2.0]], "no array"),
    ],
)
def test_real_images_are_judged_as_everywhere(real, says):
    with pytest.raises(ValueError, match=says):
        widgets.LatentExplorer(chain(), real=real)


def test_real_images_in_0_1_are_doubted():
    with pytest.warns(UserWarning, match="no pixel is below 0"):
        widgets.LatentExplorer(chain(), real=np.random.default_rng(0).uniform(0, 1, (5, 8, 8, 3)))


@pytest.mark.parametrize("wrong", [None, "a.keras", 3])
def test_what_is_no_generator_is_refused(wrong):
    with pytest.raises(ValueError, match=r"generator is .*; expected a GAN"):
        widgets.LatentExplorer(wrong)
    with pytest.raises(ValueError, match="directions is"):
        widgets.LatentExplorer(chain(), directions=2.5)
