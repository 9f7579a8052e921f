import numpy as np
import pytest

from gan_utils.metrics import intervals


def test_half_samples_know_the_error_of_a_mean():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(600, 1)), 2 * random.normal(size=(400, 1))
    found = intervals.half_samples(lambda x, y: np.array([x.mean() - y.mean(), x.mean()]), real, fake, splits=200)
    assert found[0] == pytest.approx(np.sqrt(1 / 600 + 4 / 400), rel=0.15)
    assert found[1] == pytest.approx(np.sqrt(1 / 600), rel=0.15)


def test_the_cost_cap_scales_the_error_back():
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, 1))
    sizes = []

    def mean(one, other):
        sizes.append(len(one))
        return one.mean() - other.mean()

    found = intervals.half_samples(mean, x, -x, splits=100, max_half=200)
    assert set(sizes) == {200} and float(found) == pytest.approx(np.sqrt(2 / 4000), rel=0.25)
    assert np.isnan(intervals.half_samples(mean, x[:3], x))


def test_halves_are_disjoint():
    x = np.arange(100.0)[:, None]
    seen = []
    intervals.half_samples(lambda one, other: seen.append(set(one[:, 0])) or 0.0, x, x, splits=1)
    assert not seen[0] & seen[1] and len(seen[0] | seen[1]) == 100


def test_normal_clips_and_widens_with_few_degrees_of_freedom():
    wide, narrow = (intervals.normal(0.5, 0.4, method="m", freedom=f, bounds=(0, 1)) for f in (3, np.inf))
    assert wide[1:3] == (0.0, 1.0) and narrow.low == 0
    assert intervals.normal(0.0, 1.0, method="m").high == pytest.approx(1.96, abs=1e-3)
    assert intervals.normal(0.0, 1.0, method="m", freedom=8).high == pytest.approx(2.306, abs=1e-3)


def test_wilson_covers_shares_near_one():
    random = np.random.default_rng(0)
    hits = [
        low < 0.97 < high for low, high in (intervals.wilson(random.binomial(100, 0.97) / 100, 100) for _ in range(500))
    ]
    assert 0.9 < np.mean(hits) <= 1


def test_over_seeds():
    assert intervals.over_seeds([1.0, 3.0]) == (2.0, 1.0)
    for bad in ([1.0], [], [1.0, np.nan]):
        with pytest.raises(ValueError, match="at least two"):
            intervals.over_seeds(bad)
