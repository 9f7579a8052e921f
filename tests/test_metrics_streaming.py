import numpy as np
import pytest

from gan_utils import data
from gan_utils.metrics import features, frechet, streaming
from gan_utils.runtime import tf

IMAGES = data.load(split="test").images[:900]


def test_equals_the_function_in_any_batches_and_in_a_graph():
    extractor = features.get("fashion_mnist")
    exact = frechet.frechet_distance(extractor(IMAGES[:400]).values, extractor(IMAGES[400:]).values)
    metric = streaming.FrechetDistance(IMAGES[:400])
    for start, stop in ((400, 401), (401, 640), (640, 900)):
        metric.update_state(IMAGES[start:stop])
    assert float(metric.result()) == pytest.approx(exact, rel=1e-6)
    metric.reset_state()
    in_graph = tf.function(lambda x: (metric.update_state(x), metric.result())[1])
    in_graph(tf.constant(IMAGES[400:700]))
    assert float(in_graph(tf.constant(IMAGES[700:]))) == pytest.approx(exact, rel=1e-6)


def test_reset_and_equality():
    metric = streaming.FrechetDistance(frechet.moments(features.get("fashion_mnist")(IMAGES[:300]).values))
    metric.update_state(IMAGES[300:])
    metric.reset_state()
    assert np.isnan(float(metric.result()))
    metric.update_state(IMAGES[:300])
    assert abs(float(metric.result())) < 1e-4


def test_a_second_argument_is_not_taken_for_weights():
    metric = streaming.FrechetDistance(IMAGES[:300])
    with pytest.raises(ValueError, match="generated samples only"):
        metric.update_state(IMAGES[:10], IMAGES[10:20])


def test_an_extractor_without_network_is_refused():
    with pytest.raises(ValueError, match="no network"):
        streaming.FrechetDistance(IMAGES, "pixels")
