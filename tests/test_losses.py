import math

import numpy as np
import pytest

from gan_utils import losses

RANDOM = np.random.default_rng(0)
REAL, FAKE = RANDOM.normal(size=(2, 64, 1)).astype("float32")


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-np.asarray(x, np.float64)))


EXPECTED = {  # (generator, discriminator), from the definitions in NumPy and float64
    "minimax": lambda r, f: (
        np.log(1 - sigmoid(f)).mean(),
        -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
    ),
    "non_saturating": lambda r, f: (
        -np.log(sigmoid(f)).mean(),
        -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
    ),
    "least_squares": lambda r, f: (((f - 1) ** 2).mean() / 2, ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2),
    "hinge": lambda r, f: (-f.mean(), np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean()),
    "wasserstein": lambda r, f: (-f.mean(), f.mean() - r.mean()),
    "relativistic": lambda r, f: (-np.log(sigmoid(f - r)).mean(), -np.log(sigmoid(r - f)).mean()),
}


@pytest.mark.parametrize("name", losses.LOSSES)
def test_values_equal_the_definitions(name):
    loss, (generator, discriminator) = losses.get(name), EXPECTED[name](REAL, FAKE)
    assert float(loss.generator(REAL, FAKE)) == pytest.approx(generator, rel=1e-5)
    assert float(loss.discriminator(REAL, FAKE)) == pytest.approx(discriminator, rel=1e-5)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_equilibrium_values_are_those_of_an_optimal_constant_discriminator(name):
    loss = losses.get(name)
    constants = np.linspace(-3, 3, 601, dtype="float32")[:, None]
    values = [float(loss.discriminator(c, c)) for c in constants]
    best = constants[int(np.argmin(values))]
    assert min(values) == pytest.approx(loss.discriminator_equilibrium, abs=1e-4)
    if loss.generator_equilibrium is not None:
        assert float(loss.generator(best, best)) == pytest.approx(loss.generator_equilibrium, abs=1e-4)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_finite_at_extreme_logits(name):
    huge = np.full((4, 1), 1e4, "float32")
    loss = losses.get(name)
    assert math.isfinite(float(loss.discriminator(-huge, huge))) and math.isfinite(float(loss.generator(huge, -huge)))


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"'vanilla'; expected one of minimax, non_saturating"):
        losses.get("vanilla")
