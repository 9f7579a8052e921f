import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_utils.theory import divergences, games


def matrices(n, m):
    return st.lists(st.integers(-5, 5), min_size=n * m, max_size=n * m).map(
        lambda v: np.reshape(v, (n, m)).astype(float)
    )


def test_the_prisoners_confess_because_it_dominates():
    mine, yours = games.best_responses(*games.PRISONERS)
    assert np.argwhere(mine & yours).tolist() == [[1, 1]]
    assert games.dominant(games.PRISONERS[0]) == games.dominant(games.PRISONERS[1].T) == 1
    assert [x.tolist() + y.tolist() for x, y in games.equilibria(*games.PRISONERS)] == [[0, 1, 0, 1]]
    silent = games.PRISONERS[0][0, 0] + games.PRISONERS[1][0, 0]
    assert silent > games.PRISONERS[0][1, 1] + games.PRISONERS[1][1, 1], "both would be better off silent"


def test_known_equilibria():
    battle = np.array([[3.0, 0.0], [0.0, 2.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])
    found = games.equilibria(*battle)
    assert np.allclose([np.concatenate(pair) for pair in found], [[1, 0, 1, 0], [0, 1, 0, 1], [0.6, 0.4, 0.4, 0.6]])
    ((x, y),) = games.equilibria(*games.MATCHING_PENNIES)
    assert np.allclose([x, y], 0.5)


@given(rows=matrices(2, 3), columns=matrices(2, 3))
def test_what_is_found_is_an_equilibrium_and_no_pure_one_is_missed(rows, columns):
    found = games.equilibria(rows, columns)
    assert all(max(games.regret(rows, columns, x, y)) < 1e-7 for x, y in found)
    mine, yours = games.best_responses(rows, columns)
    pure = {(int(x.argmax()), int(y.argmax())) for x, y in found if x.max() == y.max() == 1}
    assert pure == {tuple(map(int, each)) for each in np.argwhere(mine & yours)}
    # a pair of strategies that is none has regret
    for i, j in itertools.product(range(2), range(3)):
        gains = games.regret(rows, columns, np.eye(2)[i], np.eye(3)[j])
        assert (max(gains) < 1e-9) == bool(mine[i, j] and yours[i, j])


@given(payoffs=matrices(3, 4), shift=st.integers(-3, 3))
def test_zero_sum_games_have_one_value(payoffs, shift):
    value, x, y = games.zero_sum(payoffs)
    assert (x @ payoffs).min() == pytest.approx(value, abs=1e-7) == (payoffs @ y).max()
    assert games.zero_sum(payoffs + shift)[0] == pytest.approx(value + shift, abs=1e-7)
    assert games.zero_sum(-payoffs.T)[0] == pytest.approx(-value, abs=1e-7)


def test_fictitious_play_finds_the_value_and_cycles_in_shapleys_game():
    x, y = games.fictitious_play(*games.MATCHING_PENNIES, steps=4000)
    assert x.shape == (4000, 2) and np.allclose(x.sum(axis=1), 1)
    assert np.abs(x[-1] - 0.5).max() < 0.03 and np.abs(y[-1] - 0.5).max() < 0.03
    shapley = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    x, _ = games.fictitious_play(*shapley, steps=4000)
    assert np.ptp(x[2000:, 0]) > 0.1


def test_fictitious_play_repeats_itself_and_leaves_numpys_generator_alone():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first = games.fictitious_play(*games.MATCHING_PENNIES, steps=20, seed=1)
    assert np.array_equal(before, np.random.get_state()[1])
    assert np.array_equal(first[0], games.fictitious_play(*games.MATCHING_PENNIES, steps=20, seed=1)[0])


def test_replicators_converge_or_cycle():
    times = np.linspace(0, 60, 600)
    x, y = games.replicator(*games.PRISONERS, [0.99, 0.01], [0.5, 0.5], times=times)
    assert x[-1, 1] > 0.999 and np.allclose(x.sum(axis=1), 1, atol=1e-5) and x.min() > -1e-6
    x, y = games.replicator(*games.MATCHING_PENNIES, [0.8, 0.2], [0.5, 0.5], times=times)
    kept = np.log(x).sum(axis=1) + np.log(y).sum(axis=1)  # constant of motion of a zero-sum game with this equilibrium
    assert np.ptp(kept) < 1e-4 and np.ptp(x[300:, 0]) > 0.5


@st.composite
def distributions(draw, size=4):
    w = np.array(draw(st.lists(st.integers(0, 9), min_size=size, max_size=size).filter(any)), float)
    return w / w.sum()


@given(p=distributions(), q=distributions(), d=st.lists(st.floats(0.01, 0.99), min_size=4, max_size=4))
def test_the_best_discriminator_turns_the_value_into_jensen_shannon(p, q, d):
    best = games.optimal_discriminator(p, q)
    value = float(games.gan_value(p, q, best))
    assert value == pytest.approx(float(games.gan_value_at_best(p, q)), abs=1e-12)
    assert value == pytest.approx(2 * float(divergences.jensen_shannon(p, q)) - np.log(4), abs=1e-12)
    assert games.gan_value(p, q, d) <= value + 1e-12
    assert -np.log(4) - 1e-12 <= value <= 1e-12
    assert games.gan_value(p, p, np.full(4, 0.5)) == pytest.approx(-np.log(4))


def test_the_finite_gan_game_is_solved_and_sharpens_with_the_levels():
    p, gaps = np.array([0.2, 0.3, 0.5]), []
    for width in (0.3, 0.1, 0.03):
        levels = 0.5 + width * np.linspace(-1, 1, 7)
        payoffs, strategies = games.gan_game(p, levels)
        assert payoffs.shape == (343, 3) and strategies.shape == (343, 3)
        value, x, q = games.zero_sum(payoffs)
        assert value == pytest.approx(-np.log(4), abs=1e-9)
        assert np.allclose(x @ strategies, 0.5) and np.allclose(strategies[x > 1e-9], 0.5)
        gaps.append(np.abs(q - p).max())
    assert gaps[2] < 0.02 and gaps[2] < gaps[0]
    i, k = 100, 2
    assert payoffs[i, k] == pytest.approx(float(games.gan_value(p, np.eye(3)[k], strategies[i])))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: games.equilibria(np.eye(2), np.eye(3)), "one shape"),
        (lambda: games.best_responses([[np.nan, 0.0]], [[0.0, 0.0]]), "NaN"),
        (lambda: games.dominant([1.0, 2.0]), "axes"),
        (lambda: games.regret(np.eye(2), np.eye(2), [0.5, 0.5, 0.0], [0.5, 0.5]), "strategies"),
        (lambda: games.regret(np.eye(2), np.eye(2), [0.9, 0.5], [0.5, 0.5]), "sums"),
        (lambda: games.zero_sum([["a"]]), "real numbers"),
        (lambda: games.fictitious_play(np.eye(2), np.eye(2), steps=0), "steps"),
        (lambda: games.replicator(np.eye(2), np.eye(2), [1, 0], [1, 0], times=[0.0, 0.0]), "rise"),
        (lambda: games.gan_value([0.5, 0.5], [0.5, 0.5], [0.5, 1.5]), "0, 1"),
        (lambda: games.optimal_discriminator([0.5, 0.5], [1.0]), "outcomes"),
        (lambda: games.gan_game([0.5, 0.5], [0.0, 0.5]), "inside"),
        (lambda: games.gan_game(np.full(9, 1 / 9), np.linspace(0.1, 0.9, 9)), "too many"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("size", [(2, 3), (3, 3), (4, 4)])
def test_random_games_have_an_odd_number_of_equilibria_at_any_scale(size):
    dice = np.random.default_rng(0)
    for _ in range(25):
        rows, columns = dice.normal(size=(2, *size))
        found = games.equilibria(rows, columns)
        assert len(found) % 2 == 1, "Wilson 1971"
        assert len(games.equilibria(1e-9 * rows, 1e6 * columns - 3)) == len(found)


def test_an_equilibrium_of_touching_pay_offs_is_found():
    rows = np.array([[-2.0, -2, 0], [1, 1, 1], [1, -1, 2]])
    columns = np.array([[2.0, -2, -1], [-1, -2, 1], [0, 1, 0]])
    assert any(
        np.allclose(x, [0, 0.25, 0.75]) and np.allclose(y, [0, 1 / 3, 2 / 3])
        for x, y in games.equilibria(rows, columns)
    )


def test_scales_do_not_matter():
    tiny = 1e-9 * np.array([[2.0, 0], [0, 1]])
    value, x, y = games.zero_sum(tiny)
    assert value == pytest.approx(2e-9 / 3) and np.allclose(x, [1 / 3, 2 / 3]) and np.allclose(y, [1 / 3, 2 / 3])
    assert games.zero_sum(np.array([[-5.0, -7], [-7, -5]]))[0] == pytest.approx(-6)
    mine, _ = games.best_responses([[1e5, 0], [100001, 0]], np.zeros((2, 2)))
    assert mine[:, 0].tolist() == [False, True]
    mine, _ = games.best_responses([[1e-9, 0], [2e-9, 0]], np.zeros((2, 2)))
    assert mine[:, 0].tolist() == [False, True]


def test_replicators_do_not_depend_on_how_often_one_looks():
    start = [0.8, 0.2], [0.5, 0.5]
    seldom, _ = games.replicator(*games.MATCHING_PENNIES, *start, times=[0.0, 100.0])
    often, _ = games.replicator(*games.MATCHING_PENNIES, *start, times=np.linspace(0, 100, 2001))
    assert np.allclose(seldom[-1], often[-1], atol=1e-5)


def test_ties_are_broken_by_the_seed():
    first, other = (games.fictitious_play(*games.MATCHING_PENNIES, steps=30, seed=seed)[0] for seed in (1, 2))
    assert not np.array_equal(first, other)
