"""What `fit` is given: kinds, shapes and ranges, before the first step and in batches that come later."""

import warnings

import numpy as np
import pytest

from gan_utils import data, training
from gan_utils.runtime import keras, tf
from gan_utils.training import entries

layers = keras.layers
IMAGES = np.random.default_rng(0).uniform(-1, 1, (40, 4, 4, 1)).astype("float32")


def gan():
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(16, "tanh"), layers.Reshape((4, 4, 1))])
    discriminator = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    made = training.GAN(generator, discriminator, seed=0)
    made.compile(run_eagerly=True)
    return made


def fit(x, **arguments):
    made = gan()
    return made.fit(x, **{"steps_per_epoch": 2, "verbose": 0, **arguments}), made


class Samples(data.Source):
    def __init__(self, **arrays):
        self.arrays = arrays

    def __len__(self):
        return len(next(iter(self.arrays.values())))

    def read(self, index):
        return {name: array[index] for name, array in self.arrays.items()}


@pytest.mark.parametrize(
    "x",
    [
        None,
        "photos",
        3.5,
        (IMAGES, np.zeros(40)),
        (image for image in IMAGES),
        IMAGES[:0],
        {"label": np.zeros(40)},
        {"real": IMAGES, "label": 3},
        {"real": IMAGES, "label": ["a"] * 40},
        {"real": IMAGES, "label": [[1], [1, 2]]},
        {"real": IMAGES, "label": np.zeros(39)},
        Samples(real=IMAGES[:0]),
        data.images.Images(IMAGES, np.zeros(40), ()),
    ],
)
def test_other_kinds_of_data_are_refused_in_a_line(x):
    with pytest.raises(ValueError, match="expected") as error:
        fit(x, batch_size=4)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["real", "condition"])
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda x: x * np.where(np.arange(40) == 33, np.nan, 1)[:, None, None, None], "NaN or infinity"),
        (lambda x: x * 127.5 + 127.5, r"expected \[-1, 1\]"),
        (lambda x: x * np.float32(1.0000001) / np.abs(x).max(), r"1\.000000.*expected \[-1, 1\]"),
        (lambda x: x.astype("float64"), "float32"),
    ],
)
def test_every_entry_is_looked_at_and_the_message_is_true(name, spoil, told):
    arrays = {"real": IMAGES, "condition": IMAGES}
    spoilt = spoil(arrays[name])
    arrays[name] = spoilt if "float32" in told else spoilt.astype("float32")
    with pytest.raises(ValueError, match=told):
        entries.check(arrays)


@pytest.mark.parametrize("name", ["real", "condition"])
@pytest.mark.parametrize("kind", ["source", "dataset"])
def test_a_later_batch_is_looked_at_too(kind, name):
    images = np.concatenate([IMAGES] * 3)
    arrays = {"real": images, "condition": images.copy()}
    arrays[name] = np.where(np.arange(120)[:, None, None, None] == 100, np.float32(200), arrays[name])
    x = Samples(**arrays) if kind == "source" else tf.data.Dataset.from_tensor_slices(arrays).batch(8)
    with pytest.raises(ValueError, match=r"came later .* to 200; expected \[-1, 1\]"):
        fit(x, batch_size=8, steps_per_epoch=15)


def test_images_that_are_hardly_meant_are_warned_of():
    with pytest.warns(UserWarning, match=r"images in \[0, 1\]"):
        fit(IMAGES / 2 + 0.5, batch_size=4)
    with pytest.warns(UserWarning, match="scaled twice"):
        fit(IMAGES / 255, batch_size=4)
    points = {"real": np.ones((9, 2), "float32")}  # only images have a range
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        entries.doubt(points["real"])


def test_what_a_dataset_leaves_open_of_its_shapes_comes_from_the_first_batch():
    def read(index):
        return tf.py_function(lambda i: IMAGES[int(i)], [index], tf.float32)

    history, made = fit(tf.data.Dataset.range(40).map(read).batch(8))
    assert history.epoch == [0] and made.step == 2


def test_numbers_of_steps_are_integers_of_at_least_one():
    for bad in ({"batch_size": 0}, {"steps_per_epoch": 0}, {"epochs": 0}, {"batch_size": 2.5}, {"epochs": True}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} is"):
            fit(IMAGES, **{"batch_size": 4, **bad})
    assert fit(IMAGES, batch_size=np.int64(4), steps_per_epoch=np.int32(1), epochs=np.uint8(2))[1].step == 2


def test_a_floatx_of_half_precision_is_refused_before_the_first_step():
    made = gan()
    keras.config.set_floatx("bfloat16")
    try:
        with pytest.raises(ValueError, match="floatx is bfloat16; expected"):
            made.fit(IMAGES, batch_size=4, steps_per_epoch=1, verbose=0)
    finally:
        keras.config.set_floatx("float32")


def test_what_keras_offers_and_a_game_lacks_is_refused_in_a_line():
    for call in (gan().evaluate, gan().train_on_batch):
        with pytest.raises(ValueError, match="expected"):
            call(IMAGES)


def test_a_sources_digest_tells_every_sample_of_a_small_one():
    other = IMAGES.copy()
    other[33] *= -1
    prints = [Samples(real=x).fingerprint() for x in (IMAGES, IMAGES.copy(), other, IMAGES[:39])]
    assert prints[0] == prints[1] and len(set(prints)) == 3
