import numpy as np
import pytest

from gan_utils import data
from gan_utils.metrics import features


def test_the_shipped_extractor_classifies_unseen_images():
    test = data.load(split="test")
    logits = np.asarray(features.load_fashion_mnist()(test.images[:2000])[1])
    assert np.mean(logits.argmax(-1) == test.labels[:2000]) > 0.9


def test_features_do_not_depend_on_batch_size():
    images = data.load(split="test").images[:60]
    one, other = features.extract(images), features.extract(images, batch_size=7)
    assert one.shape == (60, features.FEATURES) and one.dtype == np.float64 and np.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("bad", [np.zeros((3, 28, 28)), np.zeros((0, 28, 28, 1)), np.full((2, 28, 28, 1), np.nan)])
def test_bad_images_are_refused(bad):
    with pytest.raises(ValueError, match="images"):
        features.extract(bad)
