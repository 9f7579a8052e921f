import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from gan_utils.theory import transport


def problem(seed, size, n=6, m=5):
    dice = np.random.default_rng(seed)
    return (
        dice.normal(size=(n, size)),
        dice.normal(size=(m, size)),
        dice.dirichlet(np.ones(n)),
        dice.dirichlet(np.ones(m)),
    )


@given(size=st.integers(1, 3), seed=st.integers(0, 2**16))
def test_it_is_the_linear_programme_and_a_metric(size, seed):
    x, y, p, q = problem(seed, size)
    value = transport.wasserstein(x, y, p, q)
    costs = np.linalg.norm(x[:, None] - y[None], axis=-1)
    sums = np.zeros((11, 30))
    for i in range(6):
        sums[i, 5 * i : 5 * i + 5] = 1
    for j in range(5):
        sums[6 + j, j::5] = 1
    solved = scipy.optimize.linprog(costs.ravel(), A_eq=sums, b_eq=np.concatenate([p, q]))
    assert value == pytest.approx(solved.fun, rel=1e-6, abs=1e-9)
    assert value == pytest.approx(transport.wasserstein(y, x, q, p), rel=1e-9)
    assert transport.wasserstein(x, x, p, p) == pytest.approx(0, abs=1e-9)
    z = np.random.default_rng(seed + 1).normal(size=(4, size))
    assert value <= transport.wasserstein(x, z, p) + transport.wasserstein(z, y, None, q) + 1e-9
    assert transport.wasserstein(x + 3.0, y + 3.0, p, q) == pytest.approx(value, rel=1e-6, abs=1e-9)
    assert transport.wasserstein(2 * x, 2 * y, p, q) == pytest.approx(2 * value, rel=1e-6)
    assert value <= transport.wasserstein(x, y, p, q, order=2) + 1e-9, "Jensen"


@given(seed=st.integers(0, 2**16))
def test_on_a_line_against_scipy_and_against_the_plan(seed):
    x, y, p, q = problem(seed, 1)
    value = transport.wasserstein(x, y, p, q)
    assert value == pytest.approx(scipy.stats.wasserstein_distance(x[:, 0], y[:, 0], p, q), rel=1e-9, abs=1e-12)
    for order in (1, 2):
        moved, costs = transport.plan(x, y, p, q, order=order)
        assert np.allclose(moved.sum(axis=1), p) and np.allclose(moved.sum(axis=0), q)
        assert transport.wasserstein(x, y, p, q, order=order) == pytest.approx(
            np.sum(moved * costs) ** (1 / order), rel=1e-6, abs=1e-9
        )


def test_between_point_masses_it_is_their_distance():
    assert transport.wasserstein([[0.0, 0.0]], [[3.0, 4.0]]) == pytest.approx(5)


def test_no_deep_learning_library_is_loaded():
    code = "import sys, gan_utils.theory; assert not {'tensorflow', 'torch', 'jax', 'keras'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: transport.wasserstein([0.0], [[0.0, 1.0]]), "dimensions"),
        (lambda: transport.wasserstein([0.0, 1.0], [0.0], [0.5, 0.6]), "sums"),
        (lambda: transport.wasserstein([0.0, 1.0], [0.0], [1.0]), r"expected \(2,\)"),
        (lambda: transport.wasserstein([0.0, np.nan], [0.0]), "NaN"),
        (lambda: transport.wasserstein([0.0], [0.0], order=0.5), "order"),
        (lambda: transport.plan([[0.0, 1.0]], [[0.0, 1.0]], order=np.nan), "order"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 2])
def test_units_do_not_matter(size, order):
    x, y, p, q = problem(3, size, 20, 15)
    value = transport.wasserstein(x, y, p, q, order=order)
    for scale in (1e-8, 1e-3, 1e6):
        assert transport.wasserstein(scale * x, scale * y, p, q, order=order) == pytest.approx(scale * value, rel=1e-6)
