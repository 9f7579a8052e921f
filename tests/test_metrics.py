import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_utils.metrics import coverage, frechet, memorisation

RANDOM = np.random.default_rng(0)


def sqrtm_frechet(x, y):
    a, b = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(a @ b).real
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * root)


def test_frechet_equals_the_matrix_square_root_formula():
    x, y = RANDOM.normal(size=(400, 8)), RANDOM.normal(size=(300, 8)) @ RANDOM.normal(size=(8, 8)) + 1
    assert frechet.frechet_distance(x, y) == pytest.approx(sqrtm_frechet(x, y), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_frechet_is_symmetric_non_negative_and_zero_at_equality(seed):
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(50, 4)), random.normal(size=(60, 4))
    assert (
        frechet.frechet_distance(x, y) == pytest.approx(frechet.frechet_distance(y, x))
        and abs(frechet.frechet_distance(x, x)) < 1e-9
    )


def test_frechet_warns_below_full_rank_and_is_still_zero_for_identical_sets():
    x = RANDOM.normal(size=(5, 20))
    with pytest.warns(UserWarning, match="singular"):
        assert frechet.frechet_distance(x, x) < 1e-9


def test_coverage_direction_and_independent_loop():
    real = RANDOM.normal(size=(200, 2))
    fake = RANDOM.normal(size=(200, 2))
    by_hand = 0
    for point in real:
        radius = np.sort(np.linalg.norm(real - point, axis=1))[5]
        by_hand += np.linalg.norm(fake - point, axis=1).min() < radius
    assert coverage.coverage(real, fake) == by_hand / 200
    collapsed = np.zeros((200, 2)) + RANDOM.normal(scale=0.01, size=(200, 2))
    assert coverage.coverage(real, collapsed) < 0.3 < 0.8 < coverage.coverage(real, fake)


def test_memorisation_convicts_copies():
    train, unseen = RANDOM.normal(size=(500, 4, 4)), RANDOM.normal(size=(100, 4, 4))
    assert memorisation.memorisation_ratio(train, train[:50], unseen) == 0.0
    assert memorisation.memorisation_ratio(train, unseen, unseen) == 1.0
    with pytest.raises(ValueError, match="held_out"):
        memorisation.memorisation_ratio(train, unseen, train)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_nearest_training_samples_equal_a_brute_force_search(dtype, offset):
    train = (RANDOM.normal(size=(12_000, 5)) + offset).astype(dtype)  # more than one block
    samples = (RANDOM.normal(size=(40, 5)) + offset).astype(dtype)
    distances, indices = memorisation.nearest_training_samples(train, samples)
    exact = scipy.spatial.distance.cdist(samples.astype(np.float64), train.astype(np.float64))
    assert np.allclose(distances, exact.min(axis=1), atol=1e-6)
    assert np.mean(indices == exact.argmin(axis=1)) == 1.0


def test_bad_samples_are_refused():
    for bad in (np.zeros((4, 3)), np.zeros((0, 2)), np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match="samples"):
            memorisation.nearest_training_samples(np.zeros((9, 2)), bad)


@pytest.mark.parametrize("function", [frechet.frechet_distance, coverage.coverage])
@pytest.mark.parametrize("bad", [np.zeros((4, 3, 2)), np.zeros((5, 7)), np.full((5, 2), np.nan), np.zeros((0, 2))])
def test_bad_features_are_refused(function, bad):
    with pytest.raises(ValueError, match="features"):
        function(np.zeros((9, 2)), bad)
