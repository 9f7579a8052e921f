import numpy as np
import pytest
from PIL import Image

from gan_utils import data
from gan_utils.metrics import features, train_fashion_mnist
from gan_utils.runtime import keras

TEST = data.load(split="test")


def test_the_shipped_extractor_classifies_unseen_images():
    found = features.get("fashion_mnist")(TEST.images)
    assert np.mean(found.probabilities.argmax(axis=1) == TEST.labels) >= 0.925
    assert found.values.shape == (10_000, 64) and np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-12)


def test_the_shipped_weights_are_small_versioned_and_of_the_script_beside_them():
    from importlib import resources

    file = resources.files("gan_utils.metrics").joinpath(f"{features.VERSION}.npz")
    assert len(file.read_bytes()) <= 1_500_000
    assert features.get("fashion_mnist").name == features.VERSION == "fashion_mnist_v1"
    assert train_fashion_mnist.HELD_OUT == 5_000


@pytest.mark.parametrize("extractor", ["fashion_mnist", "pixels"])
def test_batch_size_and_order_do_not_matter(extractor):
    images, order = TEST.images[:60], np.random.default_rng(0).permutation(60)
    one = features.get(extractor)(images)
    for other in (features.get(extractor)(images, batch_size=7), features.get(extractor)(images, batch_size=60)):
        assert np.allclose(one.values, other.values, atol=1e-4)
    assert np.allclose(features.get(extractor)(images[order], batch_size=9).values, one.values[order], atol=1e-4)


def test_bytes_and_floats_and_a_missing_axis_give_the_same():
    images = TEST.images[:20]
    as_bytes = ((images + 1) * 127.5).round().astype(np.uint8)
    extractor = features.get("fashion_mnist")
    one = extractor(images).values
    for other in (as_bytes, as_bytes[..., 0], images.astype(np.float64)):
        assert np.allclose(extractor(other).values, one, atol=1e-4)
    assert np.allclose(extractor(np.repeat(images, 3, axis=-1)).values, one, atol=1e-3)  # grey as colour


def test_a_folder_is_a_source(tmp_path):
    for index, image in enumerate(TEST.images[:5]):
        Image.fromarray(((image[..., 0] + 1) * 127.5).round().astype(np.uint8)).save(tmp_path / f"{index}.png")
    folder = data.Folder(tmp_path, size=(28, 28), channels=1)
    extractor = features.get("fashion_mnist")
    assert np.allclose(extractor(folder, batch_size=2).values, extractor(TEST.images[:5]).values, atol=1e-4)


def test_other_sizes_are_resampled_with_a_filter():
    board = np.indices((56, 56)).sum(axis=0) % 2 * 2.0 - 1.0  # finer than 28 pixels can show
    small = features.prepare(board[None], (28, 28, 1))
    assert small.shape == (1, 28, 28, 1) and np.abs(small[0, 4:-4, 4:-4]).max() < 0.1  # no aliasing
    colour = features.prepare(np.full((1, 8, 8, 1), 0.5, np.float32), (16, 16, 3))
    assert colour.shape == (1, 16, 16, 3) and np.allclose(colour, 0.5, atol=1e-6)
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert np.allclose(features.prepare(red, (4, 4, 1)), 2 * 0.299 - 1, atol=1e-6)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((3, 28)),
        np.zeros((0, 28, 28, 1)),
        np.zeros((2, 28, 28, 4)),
        np.full((2, 28, 28, 1), np.nan),
        np.full((2, 28, 28, 1), 255.0),
        np.zeros((2, 28, 28, 1), np.int64),
    ],
)
def test_bad_images_are_refused(bad):
    with pytest.raises(ValueError, match="images"):
        features.get("fashion_mnist")(bad)


def test_images_that_seem_to_lie_in_0_1_are_doubted():
    with pytest.warns(UserWarning, match="no pixel is below 0"):
        features.get("fashion_mnist")((TEST.images[:9] + 1) / 2)


def network():
    inputs = keras.Input((12, 12, 3))
    hidden = keras.layers.Conv2D(4, 3, name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(5, name="classes")(keras.layers.Flatten()(hidden)), name="own")


def test_any_keras_model_by_layer_name():
    model, images = network(), TEST.images[:3]
    extractor = features.get(model, layer="hidden", logits="classes")
    found = extractor(images)
    prepared = features.prepare(images, (12, 12, 3))
    exact = np.asarray(model.get_layer("hidden")(prepared)).reshape(3, -1)
    assert np.allclose(found.values, exact, atol=1e-5) and found.probabilities.shape == (3, 5)
    assert extractor.name == "own:hidden" and extractor.resize == "lanczos to 12x12"
    last = features.get(model)
    assert last(images).values.shape == (3, 5) and last(images).probabilities is None and features.get(last) is last


def test_unknown_extractors_layers_and_inputs_are_refused():
    with pytest.raises(ValueError, match="expected fashion_mnist"):
        features.get("vgg")
    with pytest.raises(ValueError, match="expected fashion_mnist"):
        features.get(3)
    with pytest.raises(ValueError, match="has no layer 'x'; it has"):
        features.get(network(), layer="x")
    points = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="expected images"):
        features.get(points)
    with pytest.raises(ValueError, match="batch_size"):
        features.get("pixels")(TEST.images[:2], batch_size=0)


def test_identity_takes_vectors_as_they_are():
    points = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    assert features.get("identity")(points).values is points
    with pytest.raises(ValueError, match="features"):
        features.get("identity")(TEST.images[:2])


def test_inception_without_network_says_so(monkeypatch):
    def refuse(**_):
        raise Exception("URL fetch failure on inception: None -- no route to host")

    monkeypatch.setattr(keras.applications, "InceptionV3", refuse)
    with pytest.raises(FileNotFoundError, match=r"not in Keras's cache and could not be downloaded .*no route"):
        features.get("inception-v3-keras")


def test_inception_takes_images_of_any_size(monkeypatch):
    """With random weights: the network, its scaling, its layers, and how images reach it."""
    build = keras.applications.InceptionV3
    monkeypatch.setattr(
        keras.applications, "InceptionV3", lambda weights, **rest: build(weights=None, **rest) if weights else None
    )
    extractor = features.get("inception-v3-keras")
    found = extractor(TEST.images[:2])
    assert found.values.shape == (2, 2048) and found.probabilities.shape == (2, 1000)
    assert extractor.shape == (299, 299, 3) and extractor.resize == "lanczos to 299x299"
    # Keras's own preprocessing of 0..255 is the book's scale
    assert np.allclose(keras.applications.inception_v3.preprocess_input(np.array([0.0, 127.5, 255.0])), [-1, 0, 1])


def test_the_policy_of_the_run_does_not_change_the_features():
    features.load_fashion_mnist.cache_clear()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        under_half = features.get("fashion_mnist")(TEST.images[:20])
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")
        features.load_fashion_mnist.cache_clear()
    assert under_half.values.dtype == np.float32
    assert np.allclose(under_half.values, features.get("fashion_mnist")(TEST.images[:20]).values, atol=1e-5)


def test_fingerprints_tell_weights_apart():
    one, other = network(), network()
    assert features.get(one).name == features.get(other).name
    assert features.get(one).fingerprint() != features.get(other).fingerprint()
    assert features.get(one).fingerprint() == features.get(one).fingerprint()
    assert (
        features.get(one, layer="hidden").fingerprint()
        != features.get(one, layer="hidden", logits="classes").fingerprint()
    )


def test_a_model_that_is_no_single_network_is_refused():
    from gan_utils import training
    from gan_utils.networks import dense

    gan = training.GAN(dense.fashion_generator(), dense.fashion_discriminator())
    with pytest.raises(ValueError, match="no functional model"):
        features.get(gan)


def test_lists_are_taken_too():
    assert features.get("pixels")([[[0, 0.5], [1, -1]]]).values.shape == (1, 4)


def test_images_that_the_classifier_does_not_know_are_told():
    random = np.random.default_rng(0)
    clothes = features.get("fashion_mnist")
    with pytest.warns(UserWarning, match="knows clothes in grey, 28x28, and gets images of 32x32x1"):
        clothes(random.uniform(-1, 1, (4, 32, 32)))
    with pytest.warns(UserWarning, match="images of 28x28x3"):
        clothes(random.uniform(-1, 1, (4, 28, 28, 3)))
    own = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.warns(UserWarning, match="colour images, of which it sees the brightness only"):
        features.get(own)(random.uniform(-1, 1, (4, 8, 8, 3)))
    features.get(own)(random.uniform(-1, 1, (4, 9, 9, 1)))  # resampled, as asked for


def test_bytes_and_pictures_have_a_range_of_their_own(tmp_path):
    light = np.full((4, 8, 8), 200, np.uint8)
    features.get("pixels")(light)  # no pixel below 0, and no doubt
    Image.fromarray(light[0]).save(tmp_path / "a.png")
    features.get("pixels")(data.Folder(tmp_path, size=(8, 8)))
    with pytest.warns(UserWarning, match="nearly black"):
        features.get("pixels")(np.eye(8, dtype=np.uint8)[None])


def test_borders_are_told_truly():
    with pytest.raises(ValueError, match=r"from -1\.01 to 1;"):
        features.prepare(np.array([-1.0100001, 1.0]).reshape(1, 1, 2, 1), None)
    features.prepare(np.array([-1.009, 1.0]).reshape(1, 1, 2, 1), None)
    with pytest.raises(ValueError, match="images range"):
        features.prepare(np.full((1, 2, 2, 1), 1e300), None)
