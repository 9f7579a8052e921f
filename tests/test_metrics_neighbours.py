"""Precision, recall, density, coverage and memorisation."""

import tracemalloc

import numpy as np
import pytest
import scipy.spatial
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_utils.metrics import coverage, memorisation, neighbours, precision_recall

RANDOM = np.random.default_rng(0)


def by_hand(real, fake, k_manifold, k_balls):
    around = lambda x, k: np.sort(scipy.spatial.distance.cdist(x, x), axis=1)[:, k]  # noqa: E731
    cross = scipy.spatial.distance.cdist(real, fake)
    balls = cross < around(real, k_balls)[:, None]
    return (
        np.mean((cross < around(real, k_manifold)[:, None]).any(axis=0)),
        np.mean((cross < around(fake, k_manifold)[None]).any(axis=1)),
        balls.sum() / (k_balls * len(fake)),
        np.mean(balls.any(axis=1)),
    )


@pytest.mark.parametrize(("n", "m", "d"), [(40, 60, 1), (700, 500, 3), (600, 2300, 5), (2300, 60, 20)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_an_independent_computation_across_tiles(n, m, d, dtype):
    real, fake = RANDOM.normal(size=(n, d)).astype(dtype), (1.2 * RANDOM.normal(size=(m, d)) + 50).astype(dtype)
    real += 50
    expected = by_hand(real.astype(np.float64), fake.astype(np.float64), 3, 5)
    found = *precision_recall.precision_recall(real, fake), *coverage.density_coverage(real, fake)
    assert found == pytest.approx(expected, abs=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 8))
def test_order_does_not_matter_and_ranges_hold(seed, k):
    random = np.random.default_rng(seed)
    real, fake = random.normal(size=(50, 3)), random.normal(size=(40, 3))
    one = *precision_recall.precision_recall(real, fake, k=k), *coverage.density_coverage(real, fake, k=k)
    mixed = random.permutation(real), random.permutation(fake)
    assert one == (*precision_recall.precision_recall(*mixed, k=k), *coverage.density_coverage(*mixed, k=k))
    assert all(0 <= value <= 1 for value in (*one[:2], one[3])) and one[2] >= 0
    swapped = precision_recall.precision_recall(fake, real, k=k)
    assert swapped == one[1::-1]  # precision and recall change places with the sets


def test_expectations_for_equal_distributions():
    real, fake = RANDOM.normal(size=(3000, 4)), RANDOM.normal(size=(3000, 4))
    density, covered = coverage.density_coverage(real, fake)
    assert density == pytest.approx(1, abs=0.06) and covered == pytest.approx(1 - 2**-5, abs=0.015)


def test_direction_under_collapse_and_under_spread():
    real = RANDOM.normal(size=(1000, 2))
    collapsed = 0.05 * RANDOM.normal(size=(1000, 2))
    precision, recall = precision_recall.precision_recall(real, collapsed)
    assert precision > 0.98 and recall < 0.05
    density, covered = coverage.density_coverage(real, collapsed)
    assert density > 0.8 and covered < 0.1
    precision, recall = precision_recall.precision_recall(real, 6 * RANDOM.normal(size=(1000, 2)))
    assert precision < 0.2 and recall > 0.9


def test_identical_copied_and_constant_sets():
    real = RANDOM.normal(size=(200, 6)) + 1000  # far from the origin: rounding would show
    assert precision_recall.precision_recall(real, real.copy()) == (1.0, 1.0)
    assert coverage.density_coverage(real, real.copy())[1] == 1.0
    ten = np.repeat(real[:10], 20, axis=0)  # more copies than k: the fakes' balls have no radius
    with pytest.warns(UserWarning, match="200 of 200 generated ones have 3 or more equals .which lowers recall"):
        assert precision_recall.precision_recall(real, ten) == (1.0, 0.0)
    same = np.full((30, 4), 0.1)
    with pytest.warns(UserWarning, match="30 of 30 real ones have 3 or more equals"):
        assert precision_recall.precision_recall(same, same) == (0.0, 0.0)  # documented: a border is outside
    with pytest.warns(UserWarning, match="5 or more equals .which lowers precision, density and coverage"):
        assert coverage.density_coverage(same, same) == (0.0, 0.0)


def test_copies_are_told_once_a_call_and_only_where_they_matter():
    points = RANDOM.normal(size=(60, 3))
    few = np.concatenate([points, points[:10], points[:10]])  # three of some: fewer than k others
    coverage.density_coverage_interval(few, points, k=5)
    many = np.concatenate([points, np.repeat(points[:1], 6, axis=0)])
    with pytest.warns(UserWarning, match="7 of 66 real ones have 5 or more equals") as told:
        coverage.density_coverage_interval(many, points, k=5)
    assert len(told) == 1


def test_an_outlier_fools_precision_and_not_density():
    real = np.concatenate([RANDOM.normal(size=(300, 2)), [[30.0, 30.0]]])
    fake = RANDOM.uniform(-25, 40, size=(300, 2))
    assert precision_recall.precision_recall(real, fake)[0] > 3 * coverage.density_coverage(real, fake)[0]


def test_memory_does_not_grow_with_the_product_of_the_sizes():
    real, fake = RANDOM.normal(size=(6000, 8)), RANDOM.normal(size=(6000, 8))
    neighbours.count(real[:10], fake[:10], k_manifold=3, k_balls=5)
    tracemalloc.start()
    neighbours.count(real, fake, k_manifold=3, k_balls=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000 * 6000 * 8 / 3  # one matrix of distances would be thrice this


@pytest.mark.parametrize("k", [0, -1, 9, 20])
def test_k_out_of_range_is_refused(k):
    points = np.arange(9.0)[:, None]
    with pytest.raises(ValueError, match="k is"):
        precision_recall.precision_recall(np.arange(50.0)[:, None], points, k=k)
    with pytest.raises(ValueError, match="k is"):
        coverage.density_coverage(points, points, k=k)


@pytest.mark.parametrize("bad", [np.zeros((4, 3, 2)), np.zeros((5, 7)), np.full((5, 2), np.inf), np.zeros((0, 2))])
def test_bad_features_are_refused(bad):
    for function in (precision_recall.precision_recall, coverage.density_coverage):
        with pytest.raises(ValueError, match="features"):
            function(np.zeros((9, 2)), bad)


def test_memorisation_convicts_copies():
    train, unseen = RANDOM.normal(size=(500, 4, 4)), RANDOM.normal(size=(100, 4, 4))
    assert memorisation.memorisation_ratio(train, train[:50], unseen) == 0.0
    assert memorisation.memorisation_ratio(train, unseen, unseen) == 1.0
    assert memorisation.memorisation_ratio(train, 5 * unseen, unseen) > 2
    estimate = memorisation.memorisation_interval(train, unseen[:50], unseen[50:])
    assert estimate.low < estimate.value < estimate.high and estimate.high - estimate.low < 0.5
    assert memorisation.memorisation_interval(train, train[:50], unseen)[:3] == (0.0, 0.0, 0.0)
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


@pytest.mark.parametrize("scale", [1.0, 0.7])
def test_intervals_are_as_wide_as_repeated_sampling_says(scale):
    values, widths = [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        real, fake = random.normal(size=(300, 8)), scale * random.normal(size=(300, 8))
        found = *precision_recall.precision_recall_interval(real, fake), *coverage.density_coverage_interval(real, fake)
        values.append([e.value for e in found])
        widths.append([(e.high - e.low) / 2 / 2.306 for e in found])
    ratio = np.mean(widths, axis=0) / np.std(values, axis=0, ddof=1)
    assert all(ratio > 0.65) and all(ratio < 1.5), ratio


def test_intervals_at_the_ends_have_width_and_few_samples_have_none():
    real = np.random.default_rng(1).normal(size=(100, 2))
    far = precision_recall.precision_recall_interval(real, real + 100)
    assert far[0].value == 0 and 0.02 < far[0].high < 0.06
    assert coverage.density_coverage_interval(real, real + 100)[1].high > 0.02
    few = precision_recall.precision_recall_interval(real[:12], real[12:24])
    assert few[0].method == "Wilson" and few[0].low < few[0].value < few[0].high
    density = coverage.density_coverage_interval(real[:14], real[14:28])[0]
    assert density.method == "no interval" and np.isnan(density.low)
    with pytest.raises(ValueError, match="half of them"):
        coverage.density_coverage_interval(real[:12], real, k=6)


@pytest.mark.parametrize("far", [1e3, 1e6, 1e9])
def test_one_far_sample_costs_the_others_no_digits(far):
    real, fake = RANDOM.normal(size=(400, 2)), RANDOM.normal(size=(400, 2))
    before = coverage.density_coverage(real, fake)
    real[0] = far
    assert coverage.density_coverage(real, fake) == pytest.approx(before, abs=0.02)
    assert precision_recall.precision_recall(real, fake)[1] > 0.9


def test_copies_are_found_far_from_the_origin_and_memory_is_bounded():
    train = (RANDOM.normal(size=(10_000, 16)) + 1e4).astype(np.float32)
    samples = (RANDOM.normal(size=(3_000, 16)) + 1e4).astype(np.float32)
    samples[:100] = train[::100]
    tracemalloc.start()
    distances, indices = memorisation.nearest_training_samples(train, samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    exact, where = scipy.spatial.cKDTree(train.astype(np.float64)).query(samples.astype(np.float64))
    assert np.all(distances[:100] == 0) and np.allclose(distances, exact, atol=1e-6)
    assert np.mean(indices == where) > 0.99 and peak < 3_000 * 10_000 * 4
