import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gan_utils.theory import divergences as dv

NAMES = ["kl", "reverse_kl", "jensen_shannon", "total_variation", "hellinger", "chi_squared"]
SYMMETRIC = ["jensen_shannon", "total_variation", "hellinger"]
FAMILY = sorted(dv.F_DIVERGENCES)


def weights(size, *, zeros=True):
    # rounded, so that whole numbers of parts: probabilities are 0 or not tiny
    return hnp.arrays(np.int64, size, elements=st.integers(0 if zeros else 1, 20)).filter(lambda w: w.sum() > 0)


@st.composite
def pairs(draw, zeros=True):
    size = draw(st.integers(2, 8))
    p, q = draw(weights(size, zeros=zeros)), draw(weights(size, zeros=zeros))
    return p / p.sum(), q / q.sum()


@pytest.mark.parametrize("name", NAMES)
@given(pair=pairs())
def test_non_negative_and_zero_only_at_equality(name, pair):
    p, q = pair
    value = getattr(dv, name)(p, q)
    assert value >= 0 and getattr(dv, name)(p, p) == 0
    assert (value > 1e-12) == (not np.allclose(p, q, atol=1e-12))


@pytest.mark.parametrize("name", SYMMETRIC)
@given(pair=pairs())
def test_symmetry(name, pair):
    p, q = pair
    assert getattr(dv, name)(p, q) == pytest.approx(getattr(dv, name)(q, p), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", NAMES)
@given(pair=pairs(), seed=st.integers(0, 2**16))
def test_a_channel_never_helps_and_a_permutation_never_matters(name, pair, seed):
    p, q = pair
    dice = np.random.default_rng(seed)
    channel = dice.dirichlet(np.ones(5), len(p))  # each outcome becomes one of five
    before, after = getattr(dv, name)(p, q), getattr(dv, name)(p @ channel, q @ channel)
    assert after <= before * (1 + 1e-9) + 1e-12
    order = dice.permutation(len(p))
    assert getattr(dv, name)(p[order], q[order]) == pytest.approx(float(before), rel=1e-12)


@given(pair=pairs())
def test_bounds_and_inequalities(pair):
    p, q = pair
    tv, h = dv.total_variation(p, q), dv.hellinger(p, q)
    assert dv.jensen_shannon(p, q) <= dv.LOG2 and tv <= 1 + 1e-12 and h <= 1
    assert tv <= np.sqrt(dv.kl(p, q) / 2) + 1e-12, "Pinsker"
    assert h**2 <= tv + 1e-12 and tv <= np.sqrt(2) * h + 1e-12
    assert dv.kl(p, q) <= np.log1p(dv.chi_squared(p, q)) + 1e-12


@given(pair=pairs())
def test_against_scipy(pair):
    p, q = pair
    assert dv.kl(p, q) == pytest.approx(scipy.stats.entropy(p, q), abs=1e-12)
    assert np.sqrt(dv.jensen_shannon(p, q)) == pytest.approx(
        np.nan_to_num(scipy.spatial.distance.jensenshannon(p, q)), abs=1e-7
    )
    assert dv.total_variation(p, q) == pytest.approx(scipy.spatial.distance.cityblock(p, q) / 2, abs=1e-12)
    assert dv.hellinger(p, q) == pytest.approx(
        scipy.spatial.distance.euclidean(np.sqrt(p), np.sqrt(q)) / np.sqrt(2), abs=1e-12
    )


@given(pair=pairs(zeros=False))
def test_chi_squared_against_scipy(pair):
    p, q = pair
    assert dv.chi_squared(p, q) == pytest.approx(scipy.stats.chisquare(p, q).statistic, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", FAMILY)
@given(pair=pairs())
def test_the_family_holds_the_named_ones(name, pair):
    p, q = pair
    named = dv.hellinger(p, q) ** 2 if name == "squared_hellinger" else getattr(dv, name)(p, q)
    assert dv.F_DIVERGENCES[name](p, q) == pytest.approx(float(named), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", FAMILY)
def test_f_is_convex_and_its_conjugate_is_the_supremum(name):
    f = dv.F_DIVERGENCES[name]
    u = np.concatenate([np.geomspace(1e-9, 1, 40_000), np.geomspace(1, 1e5, 40_000)[1:]])
    values = f.f(u)
    a, b = u[::97], np.random.default_rng(0).permutation(u[::97])
    middle, ends = f.f((a + b) / 2), (f.f(a) + f.f(b)) / 2
    assert f.f(np.ones(1))[0] == 0 and np.all(middle <= ends + 1e-9 * (1 + np.abs(ends)))
    assert f.f(np.array([1e-300]))[0] == pytest.approx(f.at_zero, rel=1e-6) or f.at_zero == np.inf
    assert values[-1] / u[-1] == pytest.approx(f.at_infinity, abs=0.02) or f.at_infinity == np.inf
    for t in np.concatenate([f.derivative(np.array([0.01, 0.3, 0.9, 2.0, 7.0])), [-0.45]]):
        assert np.max(u * t - values) == pytest.approx(f.conjugate(np.array([t]))[0], abs=1e-5)
    for u0 in (0.2, 3.0):
        numeric = (f.f(np.array([u0 + 1e-6])) - f.f(np.array([u0 - 1e-6])))[0] / 2e-6
        assert f.derivative(np.array([u0]))[0] == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize("name", FAMILY)
@given(pair=pairs(zeros=False), seed=st.integers(0, 2**16))
def test_every_critic_is_a_lower_bound_and_the_best_is_tight(name, pair, seed):
    p, q = pair
    f = dv.F_DIVERGENCES[name]
    best = f.optimal(p, q)
    value = float(f(p, q))
    assert f.bound(p, q, best) == pytest.approx(value, rel=1e-9, abs=1e-12)
    other = best + np.random.default_rng(seed).normal(size=len(p))
    assert f.bound(p, q, other) <= value + 1e-12


def test_where_supports_differ():
    p, q = [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]
    assert [float(getattr(dv, name)(p, q)) == np.inf for name in NAMES] == [True, True, False, False, False, True]
    far = [1.0, 0.0], [0.0, 1.0]
    assert [float(getattr(dv, name)(*far)) for name in SYMMETRIC] == pytest.approx([np.log(2), 1, 1])


def test_rows_are_computed_alike_and_broadcast():
    p = np.random.default_rng(0).dirichlet(np.ones(4), (3, 5))
    q = np.array([0.1, 0.2, 0.3, 0.4])
    for name in NAMES:
        values = getattr(dv, name)(p, q)
        assert values.shape == (3, 5) and values.dtype == np.float64
        assert values[1, 2] == pytest.approx(float(getattr(dv, name)(p[1, 2], q)), rel=1e-14)
    assert dv.F_DIVERGENCES["kl"](p, q).shape == (3, 5)


def test_the_root_of_js_is_a_metric_and_js_is_not():
    p, q, r = np.random.default_rng(1).dirichlet(np.full(3, 0.4), (3, 5000))
    js = [dv.jensen_shannon(*pair) for pair in ((p, r), (p, q), (q, r))]
    assert np.all(np.sqrt(js[0]) <= np.sqrt(js[1]) + np.sqrt(js[2]) + 1e-12)
    assert np.any(js[0] > js[1] + js[2] + 1e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("p", "q", "says"),
    [
        ([0.5, 0.6], [0.5, 0.5], "p has .*sums of 1.1"),
        ([-0.5, 1.5], [0.5, 0.5], "least value of -0.5"),
        ([0.5, 0.5], [np.nan, 1.0], "q holds NaN"),
        ([0.5, 0.5], [0.2, 0.3, 0.5], "2 outcomes and q 3"),
        ([], [], "shape"),
        (1.0, 1.0, "single number"),
        (["a", "b"], [0.5, 0.5], "expected real numbers"),
    ],
)
def test_bad_input_is_refused(name, p, q, says):
    if name == "reverse_kl":
        p, q = q, p
        says = says.replace("p has .*", "").replace("q holds", "holds").replace("2 outcomes and q 3", "outcomes")
    with pytest.raises(ValueError, match=says):
        getattr(dv, name)(p, q)


def test_a_critic_with_nan_is_refused():
    with pytest.raises(ValueError, match="critic"):
        dv.F_DIVERGENCES["kl"].bound([0.5, 0.5], [0.5, 0.5], [0.0, np.nan])


def test_tiny_probabilities_cost_nothing():
    least = [1.0, 5e-324], [1.0, 0.0]
    assert dv.jensen_shannon(*least) < 1e-300 and dv.chi_squared([1.0, 1e-170], [1.0, 0.0]) == np.inf
    x = np.linspace(-40, 40, 4001)
    p, q = (np.exp(-((x - m) ** 2) / 2) for m in (0, 3))
    p, q = p / p.sum(), q / q.sum()
    assert dv.jensen_shannon(p, q) == pytest.approx(0.5268, abs=1e-3)
    far = [0.5, 0.5], [1.0, 1e-320]
    assert dv.F_DIVERGENCES["total_variation"](*far) == pytest.approx(0.5)
    assert dv.F_DIVERGENCES["jensen_shannon"](*far) == pytest.approx(float(dv.jensen_shannon(*far)))


def test_values_stay_in_their_ranges_next_to_equality():
    dice = np.random.default_rng(0)
    p = dice.dirichlet(np.ones(7), 5000)
    q = p * (1 + 1e-9 * dice.normal(size=p.shape))
    q /= q.sum(axis=1, keepdims=True)
    for name in NAMES:
        assert np.all(getattr(dv, name)(p, q) >= 0), name
    one = np.eye(3)[[0]], dice.dirichlet(np.ones(2), 5000) @ np.eye(3)[1:]
    assert np.all(dv.total_variation(*one) <= 1) and np.all(dv.hellinger(*one) <= 1)


@pytest.mark.parametrize("name", FAMILY)
def test_the_best_critic_of_differing_supports_is_a_critic(name):
    f = dv.F_DIVERGENCES[name]
    for p, q in [([0.5, 0.5, 0.0], [0.25, 0.75, 0.0]), ([0.5, 0.5, 0.0], [0.25, 0.25, 0.5])]:
        assert f.bound(p, q, f.optimal(p, q)) == pytest.approx(float(f(p, q)))


def test_sums_are_divided_out_and_large_ones_refused():
    p = np.array([0.3, 0.7]) * (1 + 5e-7)
    assert dv.kl(p, p) == 0 and dv.total_variation(p, [0.3, 0.7]) < 1e-12
    with pytest.raises(ValueError, match="sums"):
        dv.kl([0.3, 0.7 + 1e-5], [0.5, 0.5])
    with pytest.raises(ValueError, match="critic"):
        dv.F_DIVERGENCES["kl"].bound([0.5, 0.5], [0.5, 0.5], 0.0)
