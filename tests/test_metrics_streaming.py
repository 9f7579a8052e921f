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


@pytest.mark.parametrize("graph", [False, True])
def test_samples_are_prepared_as_for_the_call(graph):
    metric = streaming.FrechetDistance(IMAGES[:300])
    update = tf.function(metric.update_state, reduce_retracing=True) if graph else metric.update_state
    refused = tf.errors.InvalidArgumentError if graph else ValueError
    for wrong, says in (
        (IMAGES[:9] * np.nan, "NaN"),
        (IMAGES[:9] * 127.5 + 127.5, "127.5"),
        (IMAGES[:9, 0, :, 0], "shape"),
    ):
        with pytest.raises((refused, ValueError, tf.errors.UnknownError), match=says):
            update(tf.constant(wrong))
    metric.reset_state()
    update(tf.constant(IMAGES[300:600]))
    exact = float(metric.result())
    metric.reset_state()
    update(tf.constant(((IMAGES[300:600, ..., 0] + 1) * 127.5).round().astype(np.uint8)))
    assert float(metric.result()) == pytest.approx(exact, rel=1e-3)


def test_doubtful_samples_are_told_once():
    metric = streaming.FrechetDistance(IMAGES[:300])
    with pytest.warns(UserWarning, match="no pixel is below 0") as told:
        metric.update_state((IMAGES[:9] + 1) / 2)
        metric.update_state((IMAGES[:9] + 1) / 2)
    assert len(told) == 1
    with pytest.raises(ValueError, match="expected an array"):
        metric.update_state("photos")
    few = frechet.moments(np.random.default_rng(0).normal(size=(9, 3)))
    with pytest.raises(ValueError, match="real moments have 3 dimensions; expected 64"):
        streaming.FrechetDistance(few)
