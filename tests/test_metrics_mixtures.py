import numpy as np
import pytest

from gan_utils.metrics import mixtures

ANGLES = np.arange(8) * np.pi / 4
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def perfect(n, seed=0, modes=8, sigma=0.01):
    random = np.random.default_rng(seed)
    return RING[random.integers(0, modes, n)] + sigma * random.normal(size=(n, 2))


def test_perfect_samples_reach_the_ceiling():
    found = mixtures.modes(perfect(20_000), RING, sigma=0.01)
    assert found.covered == 8 and found.high_quality == pytest.approx(mixtures.ceiling(2), abs=0.003)
    assert mixtures.ceiling(1) == pytest.approx(0.9973, abs=1e-4) and found.forward_kl < 1e-3 > found.reverse_kl


def test_a_lost_mode_a_rare_one_and_noise():
    half = mixtures.modes(perfect(4000, modes=4), RING, sigma=0.01)
    assert half.covered == 4 and half.forward_kl == np.inf and half.reverse_kl == pytest.approx(np.log(2), abs=0.01)
    noise = np.random.default_rng(0).uniform(-1.2, 1.2, (50_000, 2))
    found = mixtures.modes(noise, RING, sigma=0.01)
    assert found.covered == 8 and found.high_quality < 0.01  # why coverage alone is lenient
    assert mixtures.modes(noise, RING, sigma=0.01, least=1000).covered == 0


def test_divergences_by_hand_and_weights():
    samples = np.repeat(RING[:2], [30, 10], axis=0)
    found = mixtures.modes(samples, RING[:2], sigma=0.1, weights=np.array([0.25, 0.75]))
    assert found.reverse_kl == pytest.approx(0.75 * np.log(3) - 0.25 * np.log(3))
    assert found.forward_kl == pytest.approx(0.75 * np.log(3) - 0.25 * np.log(3))


def test_intervals():
    values = [mixtures.modes(perfect(300, seed), RING, sigma=0.01) for seed in range(60)]
    estimates = mixtures.modes_interval(perfect(300, 99), RING, sigma=0.01)
    assert set(estimates) == set(mixtures.Modes._fields)
    quality = estimates["high_quality"]
    assert 0.5 < (quality.high - quality.low) / 3.92 / np.std([v.high_quality for v in values]) < 2
    assert estimates["covered"].value == 8 and estimates["covered"].low > 7.99 and quality.high <= 1
    lost = mixtures.modes_interval(perfect(300, modes=4), RING, sigma=0.01)
    assert lost["covered"].low > 3.9 and 4.5 < lost["covered"].high < 8  # a missing mode may be a rare one
    assert lost["forward_kl"].value == np.inf and np.isfinite(lost["reverse_kl"].high)
    skewed = RING[np.repeat(np.arange(8), [100, 50, 50, 40, 30, 20, 5, 5])]
    reverse = mixtures.modes_interval(skewed, RING, sigma=0.01)["reverse_kl"]
    random = np.random.default_rng(0)
    again = [mixtures.modes(skewed[random.integers(0, 300, 300)], RING, sigma=0.01).reverse_kl for _ in range(200)]
    assert 0.8 < (reverse.high - reverse.value) / 1.96 / np.std(again) < 1.2


def test_bad_input_is_refused():
    for options in (
        {"sigma": 0.0},
        {"sigma": 1.0, "radius": -1},
        {"sigma": 1.0, "least": 0},
        {"sigma": 1.0, "weights": np.ones(8)},
    ):
        with pytest.raises(ValueError, match="expected"):
            mixtures.modes(RING, RING, **options)
    with pytest.raises(ValueError, match="two"):
        mixtures.modes(RING, RING[:1], sigma=1.0)
    with pytest.raises(ValueError, match="samples"):
        mixtures.modes(np.zeros((3, 5)), RING, sigma=1.0)
