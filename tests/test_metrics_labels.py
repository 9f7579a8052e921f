"""Inception Score and Mode Score."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_utils.metrics import inception_score as inception
from gan_utils.metrics import mode_score as mode


def draw(seed, n=200, classes=5, concentration=0.3):
    return np.random.default_rng(seed).dirichlet(np.broadcast_to(concentration, classes), n)


def by_definition(p):
    marginal = p.mean(axis=0)
    return np.exp(np.mean([scipy.stats.entropy(row, marginal) for row in p]))


def test_closed_forms():
    assert inception.inception_score(np.eye(10)[np.arange(1000) % 10], splits=1) == pytest.approx(10)
    assert inception.inception_score(np.full((50, 10), 0.1)) == pytest.approx(1)
    one_class = np.eye(10)[np.zeros(100, int)]
    assert inception.inception_score(one_class) == pytest.approx(1)
    assert mode.mode_score(one_class, np.full(10, 0.1)) == pytest.approx(0.1)
    # a perfect generator of unequal classes: exp of the entropy
    p = np.eye(2)[np.repeat([0, 1], [75, 25])]
    exact = np.exp(scipy.stats.entropy([0.75, 0.25]))
    assert inception.inception_score(p, splits=1) == pytest.approx(exact)
    assert mode.mode_score(p, np.array([0.75, 0.25])) == pytest.approx(exact)


def test_splits_are_scored_apart_and_shuffled_by_seed():
    p = draw(0)
    parts = [by_definition(part) for part in np.array_split(p, 10)]
    assert inception.inception_score(p, seed=None) == pytest.approx(np.mean(parts), rel=1e-12)
    same, other = (inception.inception_score(p, seed=seed) for seed in (0, 1))
    assert inception.inception_score(p, seed=0) == same != other


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_range_and_the_identity_of_the_reference_variant(seed, classes):
    p = draw(seed, 60, classes)
    reference = np.random.default_rng(seed + 1).dirichlet(np.ones(classes))
    value = inception.inception_score(p, splits=1)
    assert 1 - 1e-12 <= value <= classes
    assert mode.mode_score(p, reference, variant="reference") == pytest.approx(value, rel=1e-9)
    # without smoothing, which matters where a class is almost absent from the reference
    expected = value * np.exp(-scipy.stats.entropy(p.mean(axis=0), reference))
    assert mode.mode_score(p, reference, smoothing=0) == pytest.approx(expected, rel=1e-9)
    assert mode.mode_score(p, reference, smoothing=0) <= value * (1 + 1e-9)


def test_a_class_without_real_samples_is_smoothed():
    p, reference = np.eye(2)[[0, 1, 0, 1]], np.array([1.0, 0.0])
    assert 0 < mode.mode_score(p, reference) < 1e-3
    assert mode.mode_score(p, reference, smoothing=0) == 0
    interval = mode.mode_score_interval(p, draw(0, 50, 2))
    assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize("num_real", [300, 6000])
@pytest.mark.parametrize("name", ["inception_score", "mode_score", "reference"])
def test_intervals_are_as_wide_as_repeated_sampling_says(name, num_real):
    values, errors = [], []
    for seed in range(80):
        p, real = draw(seed, 500, concentration=[1.0, 0.1, 0.1, 0.1, 0.1]), draw(seed + 500, num_real)
        if name == "inception_score":
            estimate = inception.inception_score_interval(p, splits=1)
        else:
            variant = "marginal" if name == "mode_score" else "reference"
            estimate = mode.mode_score_interval(p, real, variant=variant)
        values.append(estimate.value)
        errors.append((estimate.high - estimate.low) / 2 / 1.959964)
    assert 0.8 < np.mean(errors) / np.std(values, ddof=1) < 1.25


def test_one_sample_is_scored_as_one():
    p = draw(0, 1)
    assert inception.inception_score(p, splits=1) == pytest.approx(1)
    assert inception.inception_score_interval(p, splits=1).value == pytest.approx(1)
    with pytest.raises(ValueError, match="splits"):
        inception.inception_score(p)


@pytest.mark.parametrize(
    "bad",
    [
        np.full((3, 4), 0.3),
        np.array([[1.5, -0.5]]),
        np.full((3, 4), np.nan),
        np.ones((3, 1)),
        np.ones(4) / 4,
        np.zeros((0, 4)),
    ],
)
def test_rows_that_are_no_distributions_are_refused(bad):
    with pytest.raises(ValueError, match="probabilities"):
        inception.inception_score(bad)
    with pytest.raises(ValueError, match=r"probabilities|reference"):
        mode.mode_score(bad, np.full(4, 0.25))


def test_bad_options_are_refused():
    p = draw(0)
    for options in ({"variant": "both"}, {"smoothing": 1.0}):
        with pytest.raises(ValueError, match="variant"):
            mode.mode_score(p, np.full(5, 0.2), **options)
    with pytest.raises(ValueError, match="classes"):
        mode.mode_score(p, np.full(4, 0.25))
    with pytest.raises(ValueError, match="splits"):
        inception.inception_score(p, splits=0)
