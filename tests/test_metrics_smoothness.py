import numpy as np
import pytest

from gan_utils.metrics import smoothness


def test_a_linear_generator_in_closed_form():
    """For G(z) = 3z the speed is 3 |dz/dt|; on a great circle of equal norms r it is 3 r ω."""
    random = np.random.default_rng(0)
    start, end = random.normal(size=(2000, 6)), random.normal(size=(2000, 6))
    t = random.random((2000, 1))
    step = (smoothness.slerp(start, end, t + 1e-5) - smoothness.slerp(start, end, t)) / 1e-5
    exact = 9 * np.mean(np.sum(step**2, axis=1))
    found = smoothness.latent_smoothness(lambda z: 3 * z, 6, n=2000, seed=0)
    assert found.value == pytest.approx(exact, rel=0.01) and found.low < found.value < found.high


def test_direction_and_what_it_is_blind_to():
    smooth = smoothness.latent_smoothness(np.tanh, 8, n=500).value
    rough = smoothness.latent_smoothness(lambda z: np.tanh(20 * z), 8, n=500).value
    assert rough > 3 * smooth
    assert smoothness.latent_smoothness(np.zeros_like, 8, n=500).value == 0  # collapse is the smoothest
    doubled = smoothness.latent_smoothness(np.tanh, 8, n=500, features=lambda x: 2 * x).value
    assert doubled == pytest.approx(4 * smooth, rel=1e-4)


def test_slerp():
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert np.allclose(smoothness.slerp(a, b, np.array([[0.0], [1.0]])), [a, b])
    t = np.linspace(0, 1, 11)[:, None]
    assert np.allclose(np.linalg.norm(smoothness.slerp(a, b, t), axis=1), 1)
    assert np.allclose(smoothness.slerp(a, 3 * a, np.array([0.5])), [2, 0])  # parallel: the line


def test_bad_options_are_refused():
    for options in ({"n": 1}, {"epsilon": 0.0}, {"epsilon": 0.5}):
        with pytest.raises(ValueError, match=rf"^{next(iter(options))} is .*; expected"):
            smoothness.latent_smoothness(np.tanh, 4, **options)
    with pytest.raises(ValueError, match="features"):
        smoothness.latent_smoothness(lambda z: z * np.nan, 4, n=5)
