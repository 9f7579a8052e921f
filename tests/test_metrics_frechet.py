import warnings

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_utils.metrics import frechet

RANDOM = np.random.default_rng(0)


def sqrtm_frechet(x, y):
    a, b = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(a @ b).real
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * root)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_matrix_square_root_formula(dtype):
    x = RANDOM.normal(size=(6000, 8)).astype(dtype)  # more than one block
    y = (RANDOM.normal(size=(300, 8)) @ RANDOM.normal(size=(8, 8)) + 1).astype(dtype)
    exact = sqrtm_frechet(x.astype(np.float64), y.astype(np.float64))
    assert frechet.frechet_distance(x, y) == pytest.approx(exact, rel=1e-9)
    assert frechet.frechet_distance(frechet.moments(x), frechet.moments(y)) == pytest.approx(exact, rel=1e-9)


def test_closed_form_of_commuting_gaussians():
    x = RANDOM.normal(size=(500, 3))
    one, other = frechet.moments(x), frechet.moments(3 * x + 2)
    exact = np.sum((2 * x.mean(0) + 2) ** 2) + 4 * np.trace(np.cov(x.T))  # (3s - s)² a direction
    assert frechet.frechet_distance(one, other) == pytest.approx(exact, rel=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_symmetric_non_negative_zero_at_equality_and_blind_to_rotation(seed):
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(50, 4)), random.normal(size=(60, 4))
    turn = np.linalg.qr(random.normal(size=(4, 4)))[0]
    value = frechet.frechet_distance(x, y)
    assert value == pytest.approx(frechet.frechet_distance(y, x)) and value > 0
    assert value == pytest.approx(frechet.frechet_distance(x @ turn, y @ turn))
    assert abs(frechet.frechet_distance(x, x)) < 1e-9


@pytest.mark.parametrize("sizes", [(5, 5), (5, 300), (300, 5)])
def test_fewer_samples_than_dimensions_warns_and_is_still_right(sizes):
    x, y = RANDOM.normal(size=(sizes[0], 20)), RANDOM.normal(size=(sizes[1], 20)) + 0.5
    with pytest.warns(UserWarning, match="singular"):
        value = frechet.frechet_distance(x, y)
    # by eigenvalues in float64 with the null space cut: an independent way
    a, b = np.cov(x.T), np.cov(y.T)
    w, v = np.linalg.eigh(a)
    root = (v * np.sqrt(np.maximum(w, 0))) @ v.T
    exact = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b)
    exact -= 2 * np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    assert value == pytest.approx(exact, rel=1e-6)
    with pytest.warns(UserWarning, match="singular"):
        assert frechet.frechet_distance(x[:5], x[:5]) < 1e-9


def test_dead_and_constant_features_cost_no_digits():
    x = np.maximum(RANDOM.normal(size=(900, 60)) @ RANDOM.normal(size=(60, 60)), 0)
    x[:, :7] = 0.25
    y = x[450:]
    assert frechet.frechet_distance(x, x.copy()) < 1e-9 * np.trace(np.cov(x.T))
    rows = [(v - v.mean(0)) / np.sqrt(len(v) - 1) for v in (x, y)]
    nuclear = scipy.linalg.svdvals(rows[0] @ rows[1].T).sum()
    exact = np.sum((x.mean(0) - y.mean(0)) ** 2) + sum(np.sum(r**2) for r in rows) - 2 * nuclear
    assert frechet.frechet_distance(x, y) == pytest.approx(exact, rel=1e-9)
    constant = np.ones((30, 3))
    assert frechet.frechet_distance(constant, constant) == 0.0
    assert frechet.frechet_distance(constant, constant + 2) == pytest.approx(12.0)


def test_the_interval_is_as_wide_as_repeated_sampling_says_and_not_shifted():
    """The delta method's error against the spread over fresh samples; a bootstrap's interval is shifted instead."""
    values, errors, missed = [], [], 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        x, y = random.normal(size=(400, 8)), 1.3 * random.normal(size=(400, 8)) + 0.3
        estimate = frechet.frechet_interval(x, y)
        values.append(estimate.value)
        errors.append((estimate.high - estimate.value) / 1.959964)
        if seed < 20:
            again = [
                frechet.frechet_distance(x[random.integers(0, 400, 400)], y[random.integers(0, 400, 400)])
                for _ in range(20)
            ]
            missed += np.mean(again) > estimate.value
    assert 0.85 < np.mean(errors) / np.std(values, ddof=1) < 1.3
    assert np.mean([v - 1.96 * e < np.mean(values) < v + 1.96 * e for v, e in zip(values, errors, strict=True)]) > 0.85
    assert missed > 15  # resampling with replacement lies above the value nearly always


@pytest.mark.parametrize("n", [10, 30])
def test_the_interval_exists_below_full_rank(n):
    with pytest.warns(UserWarning, match="singular"):
        estimate = frechet.frechet_interval(RANDOM.normal(size=(n, 20)), RANDOM.normal(size=(10, 20)))
    assert estimate.low < estimate.value < estimate.high


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_infinity_removes_the_bias(shift):
    truth = 8 * (shift**2 + shift**2)
    plain, limits, hits = [], [], 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        x, y = random.normal(size=(500, 8)), (1 + shift) * random.normal(size=(500, 8)) + shift
        estimate = frechet.frechet_infinity(x, y, seed=seed)
        plain.append(frechet.frechet_distance(x, y))
        limits.append(estimate.value)
        hits += estimate.low < truth < estimate.high
    assert abs(np.mean(limits) - truth) < 0.4 * (np.mean(plain) - truth)
    assert hits >= 17


def test_infinity_options_and_unequal_sizes():
    x = RANDOM.normal(size=(400, 2))
    assert np.isfinite(frechet.frechet_infinity(x, x[:100] + 1).value)
    for bad in ({"points": 2}, {"repeats": 0}):
        with pytest.raises(ValueError, match=rf"^{next(iter(bad))} is .*; expected"):
            frechet.frechet_infinity(x, x, **bad)
    with pytest.raises(ValueError, match="at least 50"):
        frechet.frechet_infinity(x, x[:20])
    with pytest.warns(UserWarning, match="singular"):
        frechet.frechet_infinity(RANDOM.normal(size=(60, 30)), RANDOM.normal(size=(60, 30)))


def test_bad_features_are_refused():
    good = np.zeros((9, 2))
    for bad in (np.zeros((4, 3, 2)), np.zeros((5, 7)), np.full((5, 2), np.nan), np.zeros((0, 2)), np.zeros((1, 2))):
        with pytest.raises(ValueError, match="features"):
            frechet.frechet_distance(good, bad)
    with pytest.raises(ValueError, match="features"):
        frechet.frechet_distance(good, np.array([["a", "b"], ["c", "d"]]))
    with pytest.raises(ValueError, match="dimensions"):
        frechet.frechet_distance(frechet.moments(good), np.zeros((9, 3)))


def test_moments_hold_no_float64_copy():
    import tracemalloc

    x = RANDOM.normal(size=(40_000, 64)).astype(np.float32)
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frechet.frechet_distance(x, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes


def test_a_short_set_against_a_long_one_needs_no_long_matrix():
    import tracemalloc

    short, long = RANDOM.normal(size=(200, 300)), RANDOM.normal(size=(20_000, 300)).astype(np.float32)
    tracemalloc.start()
    with pytest.warns(UserWarning, match="singular"):
        value = frechet.frechet_distance(short, long)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000 * 200 * 8 and value > 0


def test_values_that_overflow_are_refused():
    with pytest.raises(ValueError, match="Rescale"):
        frechet.frechet_distance(np.full((9, 2), 1e160), np.zeros((9, 2)))
