import numpy as np
import pytest
import scipy.stats

from gan_utils.theory import divergences, estimates, gaussians, transport
from gan_utils.theory.gaussians import Gaussian


def samples(seed, n, mean, spread, size=1):
    return np.random.default_rng(seed).normal(mean, spread, (n, size))


def over_seeds(function):
    values = np.array([function(seed) for seed in range(5)])
    return values.mean(), values.std(ddof=1) / np.sqrt(5)


@pytest.mark.parametrize("size", [1, 3])
def test_nearest_neighbours_estimate_kl(size):
    truth = gaussians.kl(Gaussian(np.zeros(size)), Gaussian(np.full(size, 0.7), 2.0))
    mean, error = over_seeds(
        lambda s: estimates.kl(samples(s, 4000, 0, 1, size), samples(s + 50, 5000, 0.7, 2**0.5, size))
    )
    assert abs(mean - truth) < 4 * error + 0.02 * size


@pytest.mark.parametrize("bandwidth", [0.5, 2.0])
@pytest.mark.parametrize("size", [1, 3])
def test_mmd_is_unbiased_against_its_closed_form(size, bandwidth):
    truth = gaussians.mmd2(Gaussian(np.zeros(size)), Gaussian(np.full(size, 0.5), 1.5), bandwidth=bandwidth)
    mean, error = over_seeds(
        lambda s: estimates.mmd2(
            samples(s, 900, 0, 1, size), samples(s + 50, 700, 0.5, 1.5**0.5, size), bandwidth=bandwidth
        )
    )
    assert abs(mean - truth) < 5 * error


def test_the_optimal_discriminator_measures_jensen_shannon():
    x, y = samples(0, 200_000, 0, 1), samples(1, 200_000, 1, 1)
    grid = np.linspace(-8, 9, 4001)
    p, q = (scipy.stats.norm.pdf(grid, m) for m in (0, 1))
    truth = divergences.jensen_shannon(p / p.sum(), q / q.sum())
    logit = lambda z: scipy.stats.norm.logpdf(z, 0) - scipy.stats.norm.logpdf(z, 1)  # noqa: E731
    assert estimates.jensen_shannon(logit(x), logit(y)) == pytest.approx(float(truth), abs=0.003)
    assert estimates.jensen_shannon(0.5 * logit(x), 0.5 * logit(y)) < truth - 0.003, "a worse one measures less"


def test_histograms_lie_below_and_come_near():
    x, y = samples(0, 200_000, 0, 1), samples(1, 200_000, 1, 1)
    grid = np.linspace(-8, 9, 4001)
    p, q = (scipy.stats.norm.pdf(grid, m) for m in (0, 1))
    for name in ("kl", "jensen_shannon", "total_variation", "hellinger"):
        divergence = getattr(divergences, name)
        truth = divergence(p / p.sum(), q / q.sum())
        coarse, fine = (divergence(*estimates.histogram(x, y, bins=bins)) for bins in (4, 64))
        assert coarse < fine and fine == pytest.approx(float(truth), rel=0.02), name


def test_order_and_a_shift_do_not_matter():
    x, y = samples(0, 300, 0, 1), samples(1, 200, 1, 1)
    dice = np.random.default_rng(2)
    for estimate in (estimates.kl, estimates.mmd2):
        same = estimate(dice.permutation(x) + 5, dice.permutation(y) + 5)
        assert same == pytest.approx(estimate(x, y), rel=1e-9, abs=1e-12)
    assert estimates.mmd2(x, y) == pytest.approx(estimates.mmd2(y, x))


def test_samples_of_one_line_may_be_a_vector():
    x, y = samples(0, 100, 0, 1), samples(1, 100, 1, 1)
    assert estimates.kl(x[:, 0], y[:, 0]) == estimates.kl(x, y)
    assert transport.wasserstein(x[:, 0], y[:, 0]) == transport.wasserstein(x, y)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: estimates.kl([0.0, 1.0], [0.0, 1.0]), "k is 5"),
        (lambda: estimates.kl([0.0] * 10, [1.0] * 10), "repeated"),
        (lambda: estimates.kl(np.zeros((9, 2)), np.zeros((9, 3))), "dimensions"),
        (lambda: estimates.mmd2([0.0], [1.0]), "at least 2"),
        (lambda: estimates.mmd2([0.0, np.nan], [1.0, 2.0]), "NaN"),
        (lambda: estimates.mmd2([0.0, 1.0], [1.0, 2.0], bandwidth=-1), "bandwidth"),
        (lambda: estimates.histogram(np.zeros((9, 2)), np.zeros((9, 2))), "1 dimension"),
        (lambda: estimates.histogram([0.0, 1.0], [1.0, 2.0], bins=1), "bins"),
        (lambda: estimates.jensen_shannon([np.inf], [0.0]), "infinity"),
        (lambda: estimates.kl(np.zeros((2, 2, 2)), np.zeros((2, 2, 2))), "shape"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_three_points_by_hand():
    # distances within x: 1, 1, 2; to y: 3, 2, 1, so the mean of log(3, 2, 1/2) and log(M / (N - 1))
    found = estimates.kl([0.0, 1.0, 3.0], [-3.0, 4.0], k=1)
    assert found == pytest.approx((np.log(3 / 1) + np.log(3 / 1) + np.log(1 / 2)) / 3 + np.log(2 / 2))
