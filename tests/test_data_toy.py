"""Mixtures with known modes: moments, weights, seeds, errors."""

import numpy as np
import pytest

from gan_utils.data import toy
from gan_utils.metrics import mixtures


@pytest.mark.parametrize(
    "mixture", [toy.ring(), toy.ring(5, radius=2.0, sigma=0.1), toy.grid(), toy.grid(3, spacing=1)]
)
def test_samples_have_the_mixtures_modes_width_and_weights(mixture):
    points = mixture.sample(40_000, seed=3)
    assert points.dtype == np.float32 and points.shape == (40_000, 2)
    nearest = np.linalg.norm(points[:, None] - mixture.means, axis=2).argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(mixture.means)) / len(points)
    assert shares == pytest.approx(1 / len(mixture.means), rel=0.12)
    assert (points - mixture.means[nearest]).std(axis=0) == pytest.approx(mixture.sigma, rel=0.02)
    found = mixtures.modes(points, mixture.means, sigma=mixture.sigma)
    assert found.high_quality == pytest.approx(mixtures.ceiling(2), abs=0.002)


def test_the_defaults_are_pacgans():
    assert np.linalg.norm(toy.ring().means, axis=1) == pytest.approx(1.0) and toy.ring().sigma == 0.01
    expected = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(mean) for mean in toy.grid().means} == expected and toy.grid().sigma == 0.05


def test_samples_are_a_function_of_the_seed():
    one = toy.grid().sample(10, seed=1)
    assert np.array_equal(one, toy.grid().sample(10, seed=1)) and not np.array_equal(one, toy.grid().sample(10, seed=2))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: toy.ring(0), "modes is 0"),
        (lambda: toy.grid(0), "side is 0"),
        (lambda: toy.ring(sigma=0.0), "sigma is 0.0"),
        (lambda: toy.Mixture(np.zeros((3, 3)), 1.0), r"shape \(3, 3\)"),
        (lambda: toy.Mixture(np.full((3, 2), np.nan), 1.0), "finite"),
        (lambda: toy.ring().sample(0), "n is 0"),
    ],
)
def test_bad_input_gives_one_clear_error(make, says):
    with pytest.raises(ValueError, match=says):
        make()
