import numpy as np
import pytest

from gan_utils.metrics import bins

RANDOM = np.random.default_rng(0)


def test_equal_distributions_differ_in_about_alpha_of_the_bins():
    found = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        found.append(bins.ndb(random.normal(size=(3000, 3)), random.normal(size=(3000, 3)), bins=50, seed=seed))
    assert np.mean(found) < 50 * 0.14  # k-means has seen one set, so a little above 0.05


def test_direction_identity_and_the_test_of_one_bin():
    real = RANDOM.normal(size=(1000, 2))
    assert bins.ndb(real, real) == 0
    assert bins.ndb(real, real[real[:, 0] > 0], bins=20) > 15
    # two far bins: a two-proportion z-test, by hand
    two = np.repeat([0.0, 9.0], 500)[:, None] + 0.01 * RANDOM.normal(size=(1000, 1))
    for share, differs in ((0.54, 0.0), (0.56, 2.0)):  # z = 1.79 and 2.69
        fake = np.repeat([0.0, 9.0], [round(1000 * share), 1000 - round(1000 * share)])[:, None]
        assert bins.ndb(two, fake, bins=2) == differs


def test_the_interval_and_the_number_of_bins():
    real, fake = RANDOM.normal(size=(1000, 2)), RANDOM.normal(size=(1000, 2)) + 0.3
    estimate = bins.ndb_interval(real, fake)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 50  # 20 real samples a bin
    values = [
        bins.ndb(
            np.random.default_rng(s).normal(size=(1000, 2)), np.random.default_rng(s + 99).normal(size=(1000, 2)) + 0.3
        )
        for s in range(12)
    ]
    assert 0.4 < (estimate.high - estimate.low) / 3.92 / np.std(values, ddof=1) < 2


def test_constant_and_repeated_features():
    constant = np.ones((200, 3))
    assert bins.ndb(constant, constant) == 0 and bins.ndb(constant, constant + 1) <= 10
    repeated = np.repeat(RANDOM.normal(size=(4, 3)), 50, axis=0)
    assert bins.ndb(repeated, repeated) == 0


def test_bad_options_are_refused():
    real = RANDOM.normal(size=(50, 2))
    for options in ({"bins": 1}, {"bins": 0}, {"bins": 2.5}, {"bins": 51}, {"alpha": 0.0}, {"alpha": 1.0}):
        with pytest.raises(ValueError, match=rf"^{next(iter(options))} is .*; expected"):
            bins.ndb(real, real, **options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_offset_changes_nothing(dtype):
    real, fake = RANDOM.normal(size=(1000, 8)), RANDOM.normal(size=(1000, 8)) + 0.4
    here, there = (bins.ndb((real + offset).astype(dtype), (fake + offset).astype(dtype)) for offset in (0, 1e3))
    assert here > 20 and abs(here - there) <= 4
