import numpy as np
import ot
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from gan_utils.theory import gaussians, transport
from gan_utils.theory.gaussians import Gaussian


def random_gaussian(dice, size):
    factor = dice.normal(size=(size, size + 2))
    return Gaussian(dice.normal(size=size), factor @ factor.T / size)


def integral(function):
    return scipy.integrate.quad(function, -30, 30, points=[-3, 0, 3], limit=400)[0]


CASES = [(0.0, 1.0, 1.0, 2.0), (-1.0, 0.5, 0.5, 0.8), (2.0, 3.0, 2.0, 3.0)]


@pytest.mark.parametrize(("m", "v", "mean", "variance"), CASES)
def test_closed_forms_against_quadrature(m, v, mean, variance):
    one, other = scipy.stats.norm(m, np.sqrt(v)), scipy.stats.norm(mean, np.sqrt(variance))
    p, q = Gaussian(m, v), Gaussian(mean, variance)
    assert gaussians.kl(p, q) == pytest.approx(
        integral(lambda x: one.pdf(x) * (one.logpdf(x) - other.logpdf(x))), abs=1e-7
    )
    overlap = integral(lambda x: np.sqrt(one.pdf(x) * other.pdf(x)))
    assert gaussians.hellinger(p, q) ** 2 == pytest.approx(1 - overlap, abs=1e-7)
    square = integral(lambda x: np.exp(2 * one.logpdf(x) - other.logpdf(x)))
    assert gaussians.chi_squared(p, q) == pytest.approx(square - 1, abs=1e-6)
    quantile = integral_of_quantiles(one, other)
    assert transport.gaussian(p, q) == pytest.approx(np.sqrt(quantile), abs=1e-4)


def integral_of_quantiles(one, other):
    u = (np.arange(200_000) + 0.5) / 200_000
    return np.mean((one.ppf(u) - other.ppf(u)) ** 2)


@pytest.mark.parametrize("size", [1, 3])
def test_closed_forms_against_independent_implementations(size):
    dice = np.random.default_rng(size)
    p, q = random_gaussian(dice, size), random_gaussian(dice, size)
    expected = ot.gaussian.bures_wasserstein_distance(p.mean, q.mean, p.covariance, q.covariance)
    assert transport.gaussian(p, q) == pytest.approx(float(expected), rel=1e-6)
    x = dice.multivariate_normal(p.mean, p.covariance, 400_000)
    densities = [scipy.stats.multivariate_normal(g.mean, g.covariance) for g in (p, q)]
    log_ratio = densities[0].logpdf(x) - densities[1].logpdf(x)
    error = log_ratio.std() / np.sqrt(len(x))
    assert gaussians.kl(p, q) == pytest.approx(log_ratio.mean(), abs=5 * error)
    overlap = np.exp(-log_ratio / 2)
    assert 1 - gaussians.hellinger(p, q) ** 2 == pytest.approx(overlap.mean(), abs=5 * overlap.std() / np.sqrt(len(x)))


@given(size=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_properties(size, seed):
    dice = np.random.default_rng(seed)
    p, q = random_gaussian(dice, size), random_gaussian(dice, size)
    for divergence in (gaussians.kl, gaussians.hellinger, gaussians.chi_squared, gaussians.mmd2, transport.gaussian):
        assert divergence(p, q) > 0 and divergence(p, p) == pytest.approx(0, abs=2e-5)
    for divergence in (gaussians.hellinger, gaussians.mmd2, transport.gaussian):
        assert divergence(p, q) == pytest.approx(divergence(q, p), rel=1e-6, abs=1e-9)
    # f-divergences do not see an invertible linear map; transport sees a rotation as none
    linear, (rotation, _) = (
        dice.normal(size=(size, size)) + 3 * np.eye(size),
        np.linalg.qr(dice.normal(size=(size, size))),
    )

    def mapped(g, a):
        covariance = a @ g.covariance @ a.T
        return Gaussian(a @ g.mean + 1.0, (covariance + covariance.T) / 2)

    for divergence in (gaussians.kl, gaussians.hellinger):
        assert divergence(mapped(p, linear), mapped(q, linear)) == pytest.approx(divergence(p, q), rel=1e-4, abs=1e-6)
    for divergence in (transport.gaussian, gaussians.mmd2):
        turned = divergence(mapped(p, rotation), mapped(q, rotation))
        assert turned == pytest.approx(divergence(p, q), rel=1e-6, abs=1e-9)


def test_a_wide_gaussian_is_infinitely_far_from_a_narrow_one():
    wide, narrow = Gaussian([0.0, 0.0], np.diag([3.0, 1.0])), Gaussian([0.0, 0.0])
    assert gaussians.chi_squared(wide, narrow) == np.inf > gaussians.chi_squared(narrow, wide)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0.0, -1.0), "positive definite"),
        (([0.0, 0.0], [[1.0, 0.5], [0.2, 1.0]]), "symmetric"),
        (([0.0, 0.0], np.eye(3)), r"expected \(D,\) and \(D, D\)"),
        ((np.nan, 1.0), "mean holds NaN"),
    ],
)
def test_what_is_no_gaussian_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        Gaussian(*arguments)


@pytest.mark.parametrize("name", ["kl", "hellinger", "chi_squared", "mmd2"])
def test_dimensions_must_agree(name):
    with pytest.raises(ValueError, match="dimensions"):
        getattr(gaussians, name)(Gaussian(0.0), Gaussian([0.0, 0.0]))
    with pytest.raises(ValueError, match="dimensions"):
        transport.gaussian(Gaussian(0.0), Gaussian([0.0, 0.0]))
    with pytest.raises(ValueError, match="bandwidth"):
        gaussians.mmd2(Gaussian(0.0), Gaussian(0.0), bandwidth=0.0)


def test_small_and_far_gaussians_keep_their_digits():
    near = gaussians.chi_squared(Gaussian(0.0), Gaussian(1.0))
    assert gaussians.chi_squared(Gaussian(1e8), Gaussian(1e8 + 1)) == pytest.approx(near, rel=1e-6)
    with pytest.raises(ValueError, match="symmetric"):
        Gaussian([0.0, 0.0], [[1e-10, 9e-9], [0.0, 1e-10]])
