"""Layer tables, drawings, guidelines and the arithmetic of convolutions."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gan_utils import plotting
from gan_utils.networks import arithmetic, check_dcgan_guidelines, dcgan, dense, encoder_decoder, structure, toy
from gan_utils.networks.layers import SpectralNormalization
from gan_utils.runtime import keras, tf

L = keras.layers
ALL = [
    getattr(module, name)
    for module, names in [(dense, ["dummy", "fashion", "selu"]), (dcgan, ["mnist"])]
    for name in [f"{n}_{side}" for n in names for side in ("generator", "discriminator")]
]
ALL += [encoder_decoder.generator, encoder_decoder.discriminator]


def test_the_encoder_decoder_pair_is_the_source_s():
    generator, discriminator = encoder_decoder.generator(), encoder_decoder.discriminator()
    k = 4 * 4
    by_hand = [100 * 128 * 128 * 3]
    by_hand += [k * a * b for a, b in [(3, 128), (128, 128), (128, 256), (256, 256)]]
    by_hand += [k * a * b for a, b in [(256, 512), (512, 512), (512, 512), (512, 512)]]
    by_hand += [k * a * b for a, b in [(512, 256), (256, 256), (256, 128), (128, 128), (128, 3)]]
    norms = 4 * np.array([128, 256, 512, 256, 128])
    assert generator.count_params() == sum(by_hand) + norms.sum() + 3
    sizes = [row.shape[0] for row in structure.rows(generator) if row.text.startswith("Conv")]
    assert sizes == [128, 64, 64, 32, 32, 16, 16, 32, 32, 64, 128, 128, 128]
    kinds = [row.text.split()[0] for row in structure.rows(generator)]
    body = "Dense Reshape Conv Conv BatchNorm LeakyReLU Conv Conv BatchNorm LeakyReLU ConvT Conv LeakyReLU ConvT ConvT"
    assert " ".join(kinds) == f"{body} BatchNorm LeakyReLU ConvT ConvT BatchNorm ConvT ConvT BatchNorm ConvT"
    for layer in (row.layer for row in structure.rows(generator) if hasattr(row.layer, "use_bias")):
        assert layer.use_bias == (layer.name == generator.layers[-1].name)
        he = isinstance(layer.kernel_initializer, keras.initializers.HeNormal)
        assert he == (layer is not generator.layers[-1] and not isinstance(layer, L.Dense))
    shapes = [row.shape for row in structure.rows(discriminator) if row.text.startswith(("Conv", "Flatten", "Dense"))]
    assert shapes == [(64, 64, 128), (32, 32, 128), (16, 16, 256), (8, 8, 256), (4, 4, 512), (8192,), (1,)]
    assert [row.text for row in structure.rows(discriminator)].count("BatchNorm") == 4


def test_the_encoder_decoder_pair_runs_at_any_multiple_of_eight():
    generator = encoder_decoder.generator(5, size=16, widths=(4, 6, 8), channels=1)
    images = np.asarray(generator(np.random.default_rng(0).normal(size=(3, 5)).astype("float32")))
    assert images.shape == (3, 16, 16, 1) and np.abs(images).max() <= 1
    discriminator = encoder_decoder.discriminator(size=16, widths=(4, 6, 8), channels=1)
    assert discriminator(images).shape == (3, 1) and discriminator.layers[-1].activation.__name__ == "linear"
    with pytest.raises(ValueError, match="multiple of 8"):
        encoder_decoder.generator(size=20)


@pytest.mark.parametrize("build", ALL, ids=lambda f: f"{f.__module__.rsplit('.', 1)[-1]}.{f.__name__}")
def test_every_network_has_a_table_and_a_drawing(build):
    model = build()
    rows = structure.rows(model)
    assert sum(row.parameters for row in rows) == model.count_params()
    assert rows[-1].shape == model.output_shape[1:]
    table = structure.table(model).splitlines()
    assert len(table) == len(rows) + 3 and f"{model.count_params():,}" in table[-1]
    figure, axes = plotting.draw_network(model)
    words = [text.get_text() for text in axes.texts]
    assert " × ".join(map(str, model.output_shape[1:])) in words and figure.get_figwidth() < 4.5
    drawn, whole = figure.canvas.get_renderer(), figure.bbox
    boxes = [text.get_window_extent(drawn) for text in axes.texts if text.get_text()]
    assert all(box.x0 >= whole.x0 and box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1 for box in boxes), (
        "text is cut off"
    )
    spans = sorted((box.y0, box.y1) for box in boxes)
    assert all(low >= high - 2 for (_, high), (low, _) in itertools.pairwise(spans)), "lines of text overlap"


def test_a_drawing_shows_each_new_shape_once():
    _, axes = plotting.draw_network(dcgan.mnist_generator())
    shapes = [text.get_text() for text in axes.texts if "×" in text.get_text() and "5×5" not in text.get_text()]
    assert shapes == ["7 × 7 × 256", "7 × 7 × 128", "14 × 14 × 64", "28 × 28 × 1"]
    plt.close("all")


def test_what_is_not_built_is_refused():
    with pytest.raises(ValueError, match="not built"):
        structure.rows(keras.Sequential([L.Dense(3)]))


def test_nested_models_are_read_through_and_activations_named():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3), L.Activation("selu")])
    last = L.Dense(2, activation="tanh"), L.ReLU(negative_slope=0.1)
    rows = structure.rows(keras.Sequential([keras.Input((4,)), inner, L.ReLU(), *last]))
    assert [row.text for row in rows] == ["Dense 3", "selu", "ReLU", "Dense 2, tanh", "ReLU"]
    assert [structure.activation(row.layer) for row in rows] == [None, "selu", "relu", "tanh", "leaky_relu"]


# guidelines


def holds(model):
    return {name: found.holds for name, found in check_dcgan_guidelines(model).items()}


def textbook(pool=False, norm=True, hidden=False, activation="relu", end="tanh", norm_at_the_end=False):
    x = latents = keras.Input((8,))
    x = L.Dense(7 * 7 * 4)(x)
    x = L.BatchNormalization()(x) if norm else x
    x = L.Reshape((7, 7, 4))(L.Activation(activation)(x))
    x = L.UpSampling2D()(x) if pool else x
    x = L.Conv2DTranspose(4, 4, strides=2, padding="same")(x)
    x = L.Activation(activation)(L.BatchNormalization()(x))
    if hidden:
        x = L.Dense(3, activation=activation)(x)
        x = L.BatchNormalization()(x)
    x = L.Conv2DTranspose(1, 4, strides=2, padding="same", activation=end)(x)
    x = L.BatchNormalization()(x) if norm_at_the_end else x
    return keras.Model(latents, x)


NAMES = ["strided convolutions", "batch normalisation", "no hidden dense layers", "activations"]


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, set()),
        ({"pool": True}, {NAMES[0]}),
        ({"norm": False}, {NAMES[1]}),
        ({"norm_at_the_end": True}, {NAMES[1]}),
        ({"hidden": True}, {NAMES[2]}),
        ({"activation": "selu"}, {NAMES[3]}),
        ({"end": "sigmoid"}, {NAMES[3]}),
        ({"end": None}, {NAMES[3]}),
    ],
)
def test_each_guideline_fails_alone(change, broken):
    found = check_dcgan_guidelines(textbook(**change))
    assert list(found) == NAMES and {name for name in NAMES if not found[name].holds} == broken
    assert all(found[name].why for name in NAMES)


def judge(norm_first=False, activation=None, head=()):
    layers = [keras.Input((28, 28, 1)), L.Conv2D(4, 4, strides=2)]
    layers += [L.BatchNormalization()] if norm_first else []
    layers += [
        activation or L.LeakyReLU(),
        L.Conv2D(8, 4, strides=2),
        L.BatchNormalization(),
        L.LeakyReLU(),
        L.Flatten(),
    ]
    return keras.Sequential([*layers, *head, L.Dense(1)])


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, set()),
        ({"norm_first": True}, {NAMES[1]}),
        ({"activation": L.ReLU()}, {NAMES[3]}),
        ({"head": (L.Dense(5), L.BatchNormalization(), L.LeakyReLU())}, {NAMES[2]}),
    ],
)
def test_each_guideline_of_a_discriminator_fails_alone(change, broken):
    found = check_dcgan_guidelines(judge(**change))
    assert {name for name in NAMES if not found[name].holds} == broken


def test_the_sources_networks_against_the_guidelines():
    assert all(holds(dcgan.mnist_generator()).values())
    assert not holds(dcgan.mnist_discriminator())["batch normalisation"]
    assert list(holds(dense.fashion_generator()).values()) == [False] * 4
    assert not holds(encoder_decoder.generator())["activations"]


@pytest.mark.parametrize(
    "model", [toy.discriminator(), keras.Sequential([keras.Input((8, 8, 1)), L.Flatten(), L.Reshape((4, 16))])]
)
def test_other_maps_are_no_gan(model):
    with pytest.raises(ValueError, match="expected a generator"):
        check_dcgan_guidelines(model)


def test_one_input_one_output():
    one, other = keras.Input((4, 4, 1)), keras.Input((4, 4, 1))
    with pytest.raises(ValueError, match="2 inputs"):
        check_dcgan_guidelines(keras.Model([one, other], L.Dense(1)(L.Flatten()(one + other))))
    with pytest.raises(ValueError, match="no layer with weights"):
        check_dcgan_guidelines(keras.Sequential([keras.Input((1, 1, 1)), L.Flatten()]))


# arithmetic


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_sizes_equal_keras_s_over_a_grid(padding):
    for size in (4, 7, 8):
        for kernel in range(1, 5):
            for stride in range(1, 5):
                x = tf.zeros((1, size, size, 1))
                down = L.Conv2D(1, kernel, strides=stride, padding=padding)(x)
                up = L.Conv2DTranspose(1, kernel, strides=stride, padding=padding)(x)
                assert down.shape[1] == arithmetic.output_size(size, kernel, stride, padding)
                assert up.shape[1] == arithmetic.transposed_output_size(size, kernel, stride, padding)


def test_padding_by_a_number_equals_padding_by_hand():
    for size, kernel, stride, pad in [(5, 3, 2, 1), (1, 3, 1, 1), (6, 5, 1, 2), (7, 4, 3, 0)]:
        padded = tf.zeros((1, size + 2 * pad, size + 2 * pad, 1))
        assert L.Conv2D(1, kernel, strides=stride)(padded).shape[1] == arithmetic.output_size(size, kernel, stride, pad)
        out = arithmetic.output_size(size, kernel, stride, pad)
        # the transposed one restores the size, up to the remainder that the stride has thrown away
        lost = (size + 2 * pad - kernel) % stride
        assert arithmetic.transposed_output_size(out, kernel, stride, pad) == size - lost


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_the_matrix_is_the_convolution_and_its_transpose_the_transposed_one(kernel, stride, padding):
    dice = np.random.default_rng(kernel)
    weights, x = dice.normal(size=(kernel, kernel)), dice.normal(size=(1, 6, 6, 1)).astype("float32")
    matrix = arithmetic.convolution_matrix(weights, 6, stride, padding)
    filters = weights[:, :, None, None].astype("float32")
    y = tf.nn.conv2d(x, filters, stride, padding.upper())
    assert np.allclose(matrix @ x.ravel(), np.ravel(y), atol=1e-5)
    back = tf.nn.conv2d_transpose(y, filters, (1, 6, 6, 1), stride, padding.upper())
    assert np.allclose(matrix.T @ np.ravel(y), np.ravel(back), atol=1e-4)


@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (4, 2), (3, 2), (6, 3), (5, 3), (3, 1), (2, 3)])
def test_overlaps_are_what_ones_become(kernel, stride):
    layer = L.Conv2DTranspose(1, kernel, strides=stride, padding="same", kernel_initializer="ones")
    counted = arithmetic.overlaps(9, kernel, stride)
    assert np.allclose(counted, np.asarray(layer(tf.ones((1, 9, 9, 1))))[0, :, :, 0])
    inside = counted[kernel:-kernel, kernel:-kernel]
    assert (np.ptp(inside) == 0) == (kernel % stride == 0)


@pytest.mark.parametrize("pairs", [[(5, 2), (5, 2)], [(3, 1), (4, 2), (3, 3)], [(1, 1)]])
def test_a_receptive_field_is_where_the_gradient_is(pairs):
    layers = [L.Conv2D(1, k, strides=s, kernel_initializer="ones") for k, s in pairs]
    model = keras.Sequential([keras.Input((40, 40, 1)), *layers])
    x = tf.Variable(tf.zeros((1, 40, 40, 1)))
    ends = []
    for position in (2, 3):
        with tf.GradientTape() as tape:
            y = model(x)[0, position, position, 0]
        ends.append(np.flatnonzero(np.abs(tape.gradient(y, x)[0, :, :, 0]).sum(axis=0)))
    assert arithmetic.receptive_field(pairs) == (np.ptp(ends[0]) + 1, ends[1][0] - ends[0][0])
    assert arithmetic.receptive_field(model) == arithmetic.receptive_field(pairs)


def test_receptive_fields_of_the_book_s_discriminators():
    assert arithmetic.receptive_field(dcgan.mnist_discriminator()) == (13, 4)
    assert arithmetic.receptive_field(encoder_decoder.discriminator()) == (94, 32)
    pooled = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(1, 3), L.MaxPooling2D(2), L.Flatten(), L.Dense(1)])
    assert arithmetic.receptive_field(pooled) == (4, 2)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: arithmetic.output_size(4, 5), "does not fit"),
        (lambda: arithmetic.output_size(0, 5), "1 or more"),
        (lambda: arithmetic.output_size(4, 2, padding="full"), "padding is 'full'"),
        (lambda: arithmetic.output_size(4, 2, padding=-1), "padding is -1"),
        (lambda: arithmetic.transposed_output_size(1, 3, padding=3), "nothing is left"),
        (lambda: arithmetic.convolution_matrix(np.ones((2, 3)), 4), "kernel has shape"),
        (lambda: arithmetic.overlaps(4, 0, 2), "1 or more"),
        (lambda: arithmetic.receptive_field([]), "at least one"),
        (lambda: arithmetic.receptive_field(dense.fashion_discriminator()), "at least one"),
        (lambda: arithmetic.receptive_field(dcgan.mnist_generator()), "at least one"),
        (lambda: arithmetic.receptive_field(keras.Sequential([keras.Input((4, 4, 1)), L.UpSampling2D()])), "grows"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_wrappers_and_dilation_are_seen_through():
    def build(wrap):
        parts = [keras.Input((28, 28, 1)), wrap(L.Conv2D(4, 4, strides=2)), L.LeakyReLU()]
        parts += [wrap(L.Conv2D(8, 4, strides=2)), L.BatchNormalization(), L.LeakyReLU(), L.Flatten(), wrap(L.Dense(1))]
        return keras.Sequential(parts)

    plain = build(lambda layer: layer)
    for wrap in (L.SpectralNormalization, SpectralNormalization):
        wrapped = build(wrap)
        assert holds(wrapped) == holds(plain) == dict.fromkeys(NAMES, True)
        assert arithmetic.receptive_field(wrapped) == arithmetic.receptive_field(plain) == (10, 4)
        assert [r.text for r in structure.rows(wrapped)] == [r.text for r in structure.rows(plain)]
        assert [structure.multiplications(r.layer) for r in structure.rows(wrapped)] == [
            structure.multiplications(r.layer) for r in structure.rows(plain)
        ]
    dilated = keras.Sequential([keras.Input((28, 28, 1)), L.Conv2D(1, 3, dilation_rate=4)])
    assert arithmetic.receptive_field(dilated) == (9, 1) and "dilation 4" in structure.rows(dilated)[0].text


def test_further_verdicts():
    def judged(*layers):
        return holds(keras.Sequential([keras.Input((28, 28, 1)), *layers]))

    conv = lambda width, **options: L.Conv2D(width, 4, strides=2, padding="same", **options)  # noqa: E731
    tail = [conv(8), L.BatchNormalization(), L.LeakyReLU()]
    patch = judged(conv(4), L.LeakyReLU(), *tail, L.Conv2D(1, 3, padding="same"))
    assert patch == dict.fromkeys(NAMES, True), "a map of logits is a discriminator's"
    assert not judged(L.BatchNormalization(), conv(4), L.LeakyReLU(), *tail, L.Flatten(), L.Dense(1))[NAMES[1]]
    inside = judged(conv(4, activation=L.LeakyReLU(0.2)), *tail, L.Flatten(), L.Dense(1))
    assert inside == dict.fromkeys(NAMES, True), "an activation given as a layer"
    assert not judged(L.Conv2D(4, 4), L.LeakyReLU(), L.MaxPooling2D(), *tail, L.Flatten(), L.Dense(1))[NAMES[0]]
    twice = keras.Sequential([keras.Input((8,)), textbook(), L.Activation("sigmoid")])
    assert not holds(twice)[NAMES[3]], "tanh, and then a sigmoid"
    with pytest.raises(ValueError, match="one logit"):
        judged(conv(8), L.LeakyReLU(), L.Flatten(), L.Dense(10))


def test_receptive_fields_are_refused_where_they_are_no_number():
    image = keras.Input((16, 16, 1))
    branches = keras.Model(
        image, L.Add()([L.Conv2D(1, 3, padding="same")(image), L.Conv2D(1, 5, padding="same")(image)])
    )
    for model, says in [
        (branches, "several inputs"),
        (keras.Sequential([image, L.Conv2D(1, (1, 7))]), "not square"),
        (keras.Sequential([image, L.Resizing(32, 32), L.Conv2D(1, 3)]), "grows"),
    ]:
        with pytest.raises(ValueError, match=says):
            arithmetic.receptive_field(model)
    mapped = keras.Sequential([image, L.Conv2D(1, 3), L.Dense(4), L.Conv2D(1, 3)])
    assert arithmetic.receptive_field(mapped) == (5, 1), "a Dense layer on a map is 1 × 1"


def test_models_without_a_graph_and_with_two_inputs_are_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    own = Own()
    own(tf.zeros((1, 2)))
    with pytest.raises(ValueError, match="no graph"):
        structure.rows(own)
    one, other = keras.Input((4,)), keras.Input((4,))
    with pytest.raises(ValueError, match="2 inputs"):
        plotting.draw_network(keras.Model([one, other], one + other))


def test_multiplications_by_hand():
    rows = {row.text: structure.multiplications(row.layer) for row in structure.rows(dcgan.mnist_generator())}
    assert rows["Dense 12544"] == 100 * 12544 and rows["ConvT 64, 5×5, stride 2"] == 25 * 128 * 64 * 49
    assert rows["ReLU"] == 0


def test_a_drawing_is_the_same_twice():
    pages = [plotting.in_a_row(plotting.draw_network(dense.selu_generator())[0]).data for _ in range(2)]
    assert pages[0] == pages[1]
