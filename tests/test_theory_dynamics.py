import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_utils.theory import dynamics

FIELDS = {
    "minimax": dynamics.dirac_gan(),
    "non-saturating": dynamics.dirac_gan("non_saturating"),
    "wasserstein, R1": dynamics.dirac_gan("wasserstein", penalty=0.3),
    "minimax, R1": dynamics.dirac_gan(penalty=0.5),
    "bilinear": dynamics.bilinear([[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]]),
    "bilinear, penalised": dynamics.penalised(dynamics.bilinear(np.eye(2)), 0.4),
}


def numeric(function, at, h=1e-6):
    return np.stack([(function(at + h * e) - function(at - h * e)) / (2 * h) for e in np.eye(len(at))], axis=1)


@pytest.mark.parametrize("name", FIELDS)
@given(seed=st.integers(0, 2**16))
def test_jacobians_are_derivatives(name, seed):
    field = FIELDS[name]
    w = np.random.default_rng(seed).normal(size=field.size)
    assert np.allclose(field.jacobian(w), numeric(field.velocity, w), atol=1e-7)


@pytest.mark.parametrize("rule", dynamics.RULES)
@pytest.mark.parametrize("name", FIELDS)
def test_the_update_s_jacobian_is_that_of_the_step(name, rule):
    field, centre = FIELDS[name], np.zeros(FIELDS[name].size)
    expected = numeric(lambda w: dynamics.step(field, w, rule, rate=0.2, consensus=0.7), centre)
    assert np.allclose(dynamics.update_jacobian(field, centre, rule, rate=0.2, consensus=0.7), expected, atol=1e-8)


def test_the_field_is_the_gradient_of_the_losses():
    softplus = lambda a: np.logaddexp(0, a)  # noqa: E731
    generator = {
        "minimax": lambda a: -softplus(a),
        "non_saturating": lambda a: softplus(-a),
        "wasserstein": lambda a: -a,
    }
    for loss, of_generator in generator.items():
        judge = (lambda a: a) if loss == "wasserstein" else softplus
        theta, psi, h, penalty = 0.7, -1.3, 1e-6, 0.25
        field = dynamics.dirac_gan(loss, penalty=penalty)
        g = -(of_generator((theta + h) * psi) - of_generator((theta - h) * psi)) / (2 * h)
        whole = lambda s: judge(theta * s) + penalty / 2 * s**2  # noqa: B023, E731
        d = -(whole(psi + h) - whole(psi - h)) / (2 * h)
        assert np.allclose(field.velocity(np.array([theta, psi])), [g, d], atol=1e-8)


def test_who_rotates_and_who_converges_on_the_bilinear_game():
    field, rate = dynamics.bilinear(), 0.2
    radius = {
        rule: dynamics.spectral_radius(dynamics.update_jacobian(field, [0, 0], rule, rate=rate))
        for rule in dynamics.RULES
    }
    assert radius["simultaneous"] == pytest.approx(np.sqrt(1 + rate**2))
    assert radius["alternating"] == pytest.approx(1)
    assert radius["extragradient"] == pytest.approx(np.sqrt(1 - rate**2 + rate**4))
    assert radius["consensus"] == pytest.approx(np.hypot(1 - rate, rate))
    for rule, expected in radius.items():
        path = dynamics.play(field, [1.0, 0.5], rule, rate=rate, steps=300)
        growth = (np.linalg.norm(path[-1]) / np.linalg.norm(path[50])) ** (1 / 250)
        assert growth == pytest.approx(expected, abs=0.005), rule


def test_averages_of_an_orbit_converge_as_one_over_t():
    path = dynamics.play(dynamics.bilinear(), [1.0, 0.0], "alternating", rate=0.1, steps=4000)
    distance = np.linalg.norm(dynamics.averages(path), axis=1)
    assert np.linalg.norm(path[-1]) > 0.8 and distance[-1] < 0.02
    assert np.allclose(dynamics.averages(path)[9], path[:10].mean(axis=0))


def test_one_linearisation_two_fates():
    ends = {}
    for loss in ("minimax", "non_saturating"):
        field = dynamics.dirac_gan(loss)
        jacobian = dynamics.update_jacobian(field, [0, 0], "alternating", rate=0.1)
        assert dynamics.spectral_radius(jacobian) == pytest.approx(1)
        ends[loss] = np.linalg.norm(dynamics.play(field, [1.0, 1.0], "alternating", rate=0.1, steps=4000)[-1])
    assert ends["minimax"] > 1.2 and ends["non_saturating"] < 0.7 * np.sqrt(2)


@given(penalty=st.floats(0.05, 3.0))
def test_a_penalty_makes_the_dirac_gan_converge(penalty):
    field = dynamics.dirac_gan(penalty=penalty)
    eigenvalues = np.linalg.eigvals(field.jacobian(np.zeros(2)))
    assert eigenvalues.real.max() < 0
    expected = np.roots([1, penalty, 0.25])  # Mescheder et al.: -γ/2 ± sqrt(γ²/4 - f'(0)²), f'(0) = 1/2
    assert np.allclose(np.sort_complex(eigenvalues), np.sort_complex(expected))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: dynamics.dirac_gan("hinge"), "loss is 'hinge'"),
        (lambda: dynamics.dirac_gan(penalty=-1), "penalty"),
        (lambda: dynamics.penalised(dynamics.bilinear(), np.nan), "penalty"),
        (lambda: dynamics.bilinear([1.0]), "axes"),
        (lambda: dynamics.play(dynamics.bilinear(), [1.0, 0.0], "both"), "rule is 'both'"),
        (lambda: dynamics.play(dynamics.bilinear(), [1.0, 0.0], rate=0), "rate"),
        (lambda: dynamics.play(dynamics.bilinear(), [1.0, 0.0], steps=0), "steps"),
        (lambda: dynamics.play(dynamics.bilinear(), [np.nan, 0.0]), "start"),
        (lambda: dynamics.play(dynamics.dirac_gan(), [1.0, 1.0, 1.0]), "expected .2,."),
        (lambda: dynamics.update_jacobian(dynamics.bilinear(), [0.0], "alternating", rate=0.1), "expected .2,."),
        (lambda: dynamics.play(dynamics.bilinear(), [1.0, 0.0], "consensus", consensus=-1), "consensus"),
        (lambda: dynamics.update_jacobian(dynamics.bilinear(), [1.0, 0.0], "alternating", rate=0.1), "equilibrium"),
        (lambda: dynamics.spectral_radius(np.ones((2, 3))), "expected"),
        (lambda: dynamics.averages(np.zeros(3)), "axes"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_the_rules_away_from_equilibrium():
    field, w, h = FIELDS["minimax, R1"], np.array([0.8, -1.1]), 0.3
    v = field.velocity(w)
    ahead = dynamics.step(field, w, "extragradient", rate=h)
    assert np.allclose(ahead, w + h * field.velocity(w + h * v)) and not np.allclose(
        ahead, w + h * (v + h * field.jacobian(w) @ v)
    )
    agreed = dynamics.step(field, w, "consensus", rate=h, consensus=0.5)
    square = lambda u: np.array([field.velocity(u) @ field.velocity(u) / 2])  # noqa: E731
    assert np.allclose(agreed, w + h * (v - 0.5 * numeric(square, w)[0]), atol=1e-7)
    new = w[1] + h * v[1]
    turned = dynamics.step(field, w, "alternating", rate=h)
    assert np.allclose(turned, [w[0] + h * field.velocity(np.array([w[0], new]))[0], new])


def test_a_weak_game_away_from_its_equilibrium_is_refused():
    with pytest.raises(ValueError, match="still move"):
        dynamics.update_jacobian(dynamics.bilinear([[1e-10]]), [1.0, 0.0], "simultaneous", rate=0.1)
    with pytest.raises(ValueError, match="still move"):
        dynamics.update_jacobian(dynamics.bilinear(), [0.01, 0.0], "simultaneous", rate=0.1)
    game = dynamics.bilinear()
    game.jacobian(np.zeros(2))[0, 0] = 9
    assert game.velocity(np.array([1.0, 0.0])).tolist() == [0, 1]
