"""Networks of any shape, in the browser's own code, against Keras on rounded weights: every layer, every kind."""

import base64

import numpy as np
import pytest

from gan_utils.networks import dcgan
from gan_utils.networks import layers as own
from gan_utils.runtime import keras
from gan_utils.widgets import graph

layers = keras.layers


def chain(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


def of_two(shape, other, layer, dtype="float32"):
    one, two = keras.Input(shape), keras.Input(other, dtype=dtype)
    return keras.Model([one, two], layer([one, two]))


LAYERS = {
    "Dense": lambda: chain((5,), layers.Dense(4, "tanh")),
    "Dense, no bias": lambda: chain((3, 5), layers.Dense(4, use_bias=False)),
    "Conv1D": lambda: chain((9, 3), layers.Conv1D(4, 3, strides=2, padding="same")),
    "Conv1D, dilated": lambda: chain((9, 3), layers.Conv1D(4, 3, dilation_rate=2)),
    "Conv2D": lambda: chain((7, 6, 3), layers.Conv2D(4, (3, 4), strides=2, padding="same", activation="relu")),
    "Conv2D, dilated": lambda: chain((7, 6, 3), layers.Conv2D(4, 3, dilation_rate=2, padding="same")),
    "Conv3D": lambda: chain((4, 5, 6, 2), layers.Conv3D(3, 3, strides=(1, 2, 2), padding="same", use_bias=False)),
    "Conv1DTranspose": lambda: chain((5, 3), layers.Conv1DTranspose(4, 4, strides=2, padding="same")),
    "Conv2DTranspose": lambda: chain((3, 4, 3), layers.Conv2DTranspose(2, (2, 5), strides=(3, 2), padding="same")),
    "Conv2DTranspose, valid": lambda: chain((3, 4, 3), layers.Conv2DTranspose(2, 3)),
    "Conv3DTranspose": lambda: chain((2, 3, 2, 3), layers.Conv3DTranspose(2, 4, strides=2, padding="same")),
    "UpSampling1D": lambda: chain((3, 2), layers.UpSampling1D(3)),
    "UpSampling2D": lambda: chain((3, 2, 2), layers.UpSampling2D((2, 3))),
    "UpSampling2D, bilinear": lambda: chain((3, 2, 2), layers.UpSampling2D((2, 3), interpolation="bilinear")),
    "UpSampling3D": lambda: chain((2, 3, 2, 2), layers.UpSampling3D((2, 1, 3))),
    "DepthToSpace": lambda: chain((3, 2, 12), own.DepthToSpace(2)),
    "BatchNormalization": lambda: chain((3, 2, 4), layers.ReLU(), layers.BatchNormalization()),
    "BatchNormalization, folded": lambda: chain((4, 4, 2), layers.Conv2D(3, 3), layers.BatchNormalization()),
    "BatchNormalization, folded, transposed": lambda: chain(
        (4, 4, 2), layers.Conv2DTranspose(3, 3, use_bias=False), layers.BatchNormalization(scale=False)
    ),
    "GroupNormalization": lambda: chain((4, 3, 6), layers.GroupNormalization(3)),
    "instance norm": lambda: chain((4, 3, 6), layers.GroupNormalization(-1)),
    "LayerNormalization": lambda: chain((4, 6), layers.LayerNormalization()),
    "UnitNormalization": lambda: chain((6,), layers.UnitNormalization()),
    "Embedding": lambda: keras.Sequential([keras.Input((), dtype="int32"), layers.Embedding(5, 4)]),
    "Add, broadcast": lambda: of_two((3, 4, 2), (1, 1, 2), layers.Add()),
    "Subtract": lambda: of_two((3,), (3,), layers.Subtract()),
    "Multiply, broadcast": lambda: of_two((3, 4, 2), (3, 4, 1), layers.Multiply()),
    "Maximum": lambda: of_two((3,), (3,), layers.Maximum()),
    "Average": lambda: of_two((3,), (3,), layers.Average()),
    "Concatenate": lambda: of_two((3, 4, 2), (3, 4, 5), layers.Concatenate()),
    "Concatenate, rows": lambda: of_two((3, 4, 2), (1, 4, 2), layers.Concatenate(axis=1)),
    "Reshape": lambda: chain((12,), layers.Reshape((3, 2, 2))),
    "Flatten": lambda: chain((3, 2, 2), layers.Flatten()),
    "Permute": lambda: chain((3, 4, 2), layers.Permute((3, 1, 2))),
    "RepeatVector": lambda: chain((3,), layers.RepeatVector(4)),
    "ZeroPadding2D": lambda: chain((3, 4, 2), layers.ZeroPadding2D(((1, 2), (0, 3)))),
    "MaxPooling2D": lambda: chain((5, 6, 2), layers.MaxPooling2D(2, padding="same")),
    "AveragePooling2D": lambda: chain((5, 6, 2), layers.AveragePooling2D(3, strides=2, padding="same")),
    "AveragePooling1D": lambda: chain((6, 2), layers.AveragePooling1D(2)),
    "MaxPooling3D": lambda: chain((4, 2, 6, 2), layers.MaxPooling3D(2)),
    "GlobalAveragePooling2D": lambda: chain((5, 6, 2), layers.GlobalAveragePooling2D()),
    "GlobalAveragePooling2D, kept": lambda: chain((5, 6, 2), layers.GlobalAveragePooling2D(keepdims=True)),
    "GlobalMaxPooling3D": lambda: chain((3, 2, 2, 3), layers.GlobalMaxPooling3D()),
    "Rescaling": lambda: chain((3, 2), layers.Rescaling([2.0, 3.0], [-1.0, 0.5])),
    "MaxPooling1D": lambda: chain((7, 2), layers.MaxPooling1D(3, strides=2, padding="same")),
    "AveragePooling3D": lambda: chain((4, 3, 5, 2), layers.AveragePooling3D(2, padding="same")),
    "GlobalAveragePooling1D": lambda: chain((5, 3), layers.GlobalAveragePooling1D()),
    "GlobalAveragePooling3D": lambda: chain((3, 2, 2, 3), layers.GlobalAveragePooling3D(keepdims=True)),
    "GlobalMaxPooling1D": lambda: chain((5, 3), layers.GlobalMaxPooling1D()),
    "GlobalMaxPooling2D": lambda: chain((5, 6, 2), layers.GlobalMaxPooling2D()),
    "ZeroPadding1D": lambda: chain((4, 2), layers.ZeroPadding1D((1, 2))),
    "ZeroPadding3D": lambda: chain((2, 3, 2, 2), layers.ZeroPadding3D(((1, 0), (0, 2), (1, 1)))),
    "what only training does, 1D": lambda: chain(
        (5, 3), layers.SpatialDropout1D(0.5), layers.Identity(), layers.ActivityRegularization(0.1)
    ),
    "what only training does, 2D": lambda: chain((4, 5, 3), layers.SpatialDropout2D(0.5), layers.GaussianNoise(1.0)),
    "what only training does, 3D": lambda: chain((2, 4, 5, 3), layers.SpatialDropout3D(0.5), layers.Dropout(0.5)),
    "Softmax": lambda: chain((3, 5), layers.Softmax()),
    "ReLU, LeakyReLU": lambda: chain((6,), layers.ReLU(negative_slope=0.3), layers.LeakyReLU(0.1)),
    **{
        f"Activation, {name}": lambda name=name: chain((6,), layers.Activation(name))
        for name in graph.ACTIVATIONS
        if name != "linear"
    },
}


def conditional():
    """Latents and a class, joined by an embedding."""
    latents, label = keras.Input((6,), name="latents"), keras.Input((), dtype="int32", name="label")
    x = layers.Concatenate()([latents, layers.Embedding(10, 4)(label)])
    x = layers.Reshape((4, 4, 3))(layers.Dense(48)(x))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2DTranspose(6, 4, strides=2, padding="same")(x)))
    return keras.Model([latents, label], layers.Conv2DTranspose(1, 3, padding="same", activation="tanh")(x))


def unet():
    """Down and up again with skip connections."""
    x, kept = keras.Input((16, 16, 3)), []
    start = x
    for width in (4, 8, 12):
        x = layers.LeakyReLU(0.2)(layers.Conv2D(width, 4, strides=2, padding="same")(x))
        kept.append(x)
    for width, skip in zip((8, 4), kept[-2::-1], strict=True):
        x = layers.BatchNormalization()(layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x))
        x = layers.Concatenate()([layers.ReLU()(layers.Dropout(0.5)(x)), skip])
    return keras.Model(start, layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(x))


def residual():
    """Blocks that add to what they were given, with instance norm, the same block called twice."""
    start = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same")(start)
    inner = keras.Input((8, 8, 6))
    y = layers.ReLU()(layers.GroupNormalization(-1)(layers.Conv2D(6, 3, padding="same")(inner)))
    block = keras.Model(
        inner, layers.Add()([inner, layers.GroupNormalization(-1)(layers.Conv2D(6, 3, padding="same")(y))])
    )
    return keras.Model(start, layers.Conv2D(3, 3, padding="same", activation="tanh")(block(block(x))))


def styled():
    """A mapping, styles that scale and shift normalised maps, noise as an input."""
    latents, noise = keras.Input((6,), name="latents"), keras.Input((8, 8, 1), name="noise")
    w = layers.Dense(8, "relu")(layers.Dense(8, "relu")(layers.UnitNormalization()(latents)))
    x = layers.Reshape((4, 4, 5))(layers.Dense(80)(w))
    x = layers.Conv2D(6, 3, padding="same")(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = layers.Add()([x, layers.Conv2D(6, 1, use_bias=False)(noise)])
    x = layers.GroupNormalization(-1, scale=False, center=False)(layers.LeakyReLU(0.2)(x))
    scale, shift = (layers.Reshape((1, 1, 6))(layers.Dense(6)(w)) for _ in range(2))
    x = layers.Add()([layers.Multiply()([x, scale]), shift])
    return keras.Model([latents, noise], layers.Conv2D(3, 1)(x))


def voxels():
    x = start = keras.Input((5,))
    x = layers.Reshape((2, 2, 2, 4))(layers.Dense(32, "relu")(x))
    x = layers.BatchNormalization()(layers.Conv3DTranspose(3, 4, strides=2, padding="same", use_bias=False)(x))
    x = layers.Conv3DTranspose(1, 4, strides=2, padding="same", activation="sigmoid")(layers.ReLU()(x))
    return keras.Model(start, layers.Rescaling(2.0, -1.0)(x))


def super_resolution():
    start = keras.Input((5, 4, 3))
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(8, 3, padding="same")(start))
    x = own.DepthToSpace(2)(layers.Conv2D(16, 3, padding="same")(x))
    return keras.Model(start, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))


def several_outputs():
    start = keras.Input((4, 4, 1))
    x = layers.Flatten()(layers.Conv2D(3, 3)(start))
    return keras.Model(start, [layers.Dense(1)(x), layers.Dense(3, "softmax")(x), x])


NETWORKS = {
    "compact DCGAN": dcgan.compact_generator,
    "compact discriminator": dcgan.compact_discriminator,
    "conditional": conditional,
    "U-Net": unet,
    "residual with instance norm": residual,
    "styles with noise": styled,
    "voxels": voxels,
    "depth to space": super_resolution,
    "several outputs": several_outputs,
}


def trained(make):
    """A network as if trained: no weight is where it began."""
    keras.utils.set_random_seed(3)
    network, rng = make(), np.random.default_rng(0)
    for variable in network.variables:
        if variable.dtype == "float32":
            variable.assign(variable + 0.3 * rng.uniform(0.1, 1.0, variable.shape))
    return network


def given(network, n=3):
    rng = np.random.default_rng(1)
    return [
        rng.integers(0, 5, (n, *tensor.shape[1:])).astype("int32")
        if "int" in tensor.dtype
        else rng.standard_normal((n, *tensor.shape[1:]), np.float32)
        for tensor in network.inputs
    ]


def in_the_page(browser_code, network, values):
    found = graph.export(network)
    code = (
        "(() => { const run = m.network(d.graph, m.halves(Buffer.from(d.weights, 'base64')));"
        "return d.given.map((one) => run(one).map((value) => [...value.data])); })()"
    )
    told = {"inputs": found.inputs, "steps": found.steps, "outputs": found.outputs}
    held = base64.b64encode(found.weights.astype("<f2").tobytes()).decode()
    samples = [[np.ravel(value[k]).tolist() for value in values] for k in range(len(values[0]))]
    return browser_code(["halves", "graph"], code, graph=told, weights=held, given=samples)


@pytest.mark.parametrize("name", [*LAYERS, *NETWORKS])
def test_the_page_makes_what_keras_makes(browser_code, name):
    network = trained({**LAYERS, **NETWORKS}[name])
    values = given(network)
    page = in_the_page(browser_code, network, values)
    expected = graph.rounded(network)(values if len(values) > 1 else values[0], training=False)
    expected = expected if isinstance(expected, list) else [expected]
    assert len(page[0]) == len(expected)
    for index, each in enumerate(np.asarray(e) for e in expected):
        found = np.reshape([one[index] for one in page], each.shape)
        assert np.abs(found - each).max() < 1e-4 * max(1, np.abs(each).max())


def test_every_layer_that_the_page_knows_is_tested():
    tested = {type(layer).__name__ for make in {**LAYERS, **NETWORKS}.values() for layer in make()._flatten_layers()}
    assert not set(graph.known()) - tested - {"InputLayer"}


REFUSED = {
    "a layer that it does not know": (lambda: chain((4, 2), layers.LSTM(3)), "is a LSTM; the page can run"),
    "an activation": (lambda: chain((4,), layers.Dense(3, "hard_sigmoid")), "has the activation 'hard_sigmoid'"),
    "channels first": (lambda: chain((4, 4, 2), layers.BatchNormalization(axis=1)), "works on axis 1"),
    "groups": (lambda: chain((4, 4, 2), layers.Conv2D(4, 3, groups=2)), "grouped"),
    "open extents": (lambda: chain((None, 4, 2), layers.Conv2D(4, 3)), "open extents"),
    "a ReLU with a threshold": (lambda: chain((4,), layers.ReLU(threshold=0.5)), "threshold"),
    "bicubic": (lambda: chain((4, 4, 1), layers.UpSampling2D(2, interpolation="bicubic")), "interpolates 'bicubic'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_page_cannot_run_is_named(name):
    make, says = REFUSED[name]
    with pytest.raises(ValueError, match=says):
        graph.export(make())


def test_weights_that_half_precision_cannot_hold_are_refused():
    network = chain((2,), layers.Dense(2))
    network.layers[-1].kernel.assign([[70_000.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="half precision ends"):
        graph.export(network)


def test_multiplications_are_counted():
    found = graph.multiplications(graph.export(chain((8, 8, 1), layers.Conv2D(2, 3, strides=2, padding="same"))))
    assert found == 288
