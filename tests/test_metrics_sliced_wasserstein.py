import numpy as np
import pytest
import scipy.stats

from gan_utils.metrics import sliced_wasserstein as sliced

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (40, 60), (7, 100)])
def test_one_dimension_equals_scipy(n, m):
    x, y = RANDOM.normal(size=(n, 1)), 2 * RANDOM.normal(size=(m, 1)) + 1
    exact = scipy.stats.wasserstein_distance(x[:, 0], y[:, 0])
    assert sliced.sliced_wasserstein(x, y, projections=1, order=1) == pytest.approx(exact, rel=1e-12)


def test_equals_scipy_along_the_same_directions():
    x, y = RANDOM.normal(size=(60, 5)), RANDOM.normal(size=(40, 5)) + 1
    directions = np.random.default_rng(3).normal(size=(20, 5))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    exact = np.mean([scipy.stats.wasserstein_distance(x @ d, y @ d) for d in directions])
    assert sliced.sliced_wasserstein(x, y, projections=20, order=1, seed=3) == pytest.approx(exact, rel=1e-12)


def test_closed_form_for_a_shift():
    """W₂ along θ of a shift by v is |θ·v|, whose mean square on the sphere is |v|²/D."""
    x = RANDOM.normal(size=(200, 3))
    value = sliced.sliced_wasserstein(x, x + np.array([3.0, 0.0, 0.0]), projections=4000)
    assert value == pytest.approx(np.sqrt(3), rel=0.03)


def test_identity_symmetry_seed_and_interval():
    x, y = RANDOM.normal(size=(400, 3)), RANDOM.normal(size=(300, 3)) + 0.5
    assert sliced.sliced_wasserstein(x, x) == 0
    assert sliced.sliced_wasserstein(x, y) == pytest.approx(sliced.sliced_wasserstein(y, x))
    assert sliced.sliced_wasserstein(x, y, seed=0) != sliced.sliced_wasserstein(x, y, seed=1)
    values = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        values.append(sliced.sliced_wasserstein(random.normal(size=(400, 3)), random.normal(size=(300, 3)) + 0.5))
    estimate = sliced.sliced_wasserstein_interval(x, y)
    assert 0.5 < (estimate.high - estimate.value) / 2.306 / np.std(values) < 2


def test_bad_options_are_refused():
    x = np.zeros((5, 2))
    for options in ({"projections": 0}, {"order": 0.5}):
        with pytest.raises(ValueError, match=rf"^{next(iter(options))} is .*; expected"):
            sliced.sliced_wasserstein(x, x, **options)
