import numpy as np
import pytest

from gan_utils.metrics import kernel

RANDOM = np.random.default_rng(0)


def double_loop(x, y):
    k = lambda a, b: (np.dot(a, b) / len(a) + 1) ** 3  # noqa: E731
    within = [np.mean([k(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]) for z in (x, y)]
    return sum(within) - 2 * np.mean([k(a, b) for a in x for b in y])


def test_equals_the_double_loop():
    x, y = RANDOM.normal(size=(12, 3)), RANDOM.normal(size=(9, 3)) + 0.5
    assert kernel.mmd2(x, y) == pytest.approx(double_loop(x, y), rel=1e-12)
    big = RANDOM.normal(size=(2500, 3)).astype(np.float32)  # more than one block
    inner = (big.astype(float) @ big.astype(float).T / 3 + 1) ** 3
    within, across = (inner.sum() - np.trace(inner)) / (2500 * 2499), inner.mean()
    assert kernel.mmd2(big, big) == pytest.approx(2 * within - 2 * across, abs=1e-9)


def test_unbiased_at_small_n_where_the_frechet_distance_is_not():
    values = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        values.append(kernel.mmd2(random.normal(size=(20, 4)), random.normal(size=(20, 4))))
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300) and min(values) < 0


def test_subsets_are_seeded_and_average_to_the_whole():
    x, y = RANDOM.normal(size=(900, 4)), RANDOM.normal(size=(800, 4)) + 0.3
    one = kernel.kid(x, y, subsets=60, subset_size=200, seed=0)
    assert one == kernel.kid(x, y, subsets=60, subset_size=200, seed=0)
    assert one != kernel.kid(x, y, subsets=60, subset_size=200, seed=1)
    assert one == pytest.approx(kernel.mmd2(x, y), rel=0.1)
    assert kernel.kid(x, y) == kernel.mmd2(x, y)  # the subset is everything


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_the_interval_covers(shift):
    values, widths = [], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        x, y = random.normal(size=(300, 4)), random.normal(size=(300, 4)) + shift
        estimate = kernel.kid_interval(x, y, subsets=20, subset_size=250, seed=seed)
        values.append(estimate.value)
        widths.append((estimate.high - estimate.value) / 2.306)
    ratio = np.mean(widths) / np.std(values, ddof=1)
    assert 0.8 < ratio < (2.0 if shift == 0 else 1.35)  # too wide, never too narrow, for equal distributions
    assert np.mean(np.abs(np.array(values) - np.mean(values)) < 2.306 * np.array(widths)) > 0.85


def test_bad_input_is_refused():
    x = np.zeros((9, 2))
    for options in ({"subsets": 0}, {"subset_size": 1}):
        with pytest.raises(ValueError, match=rf"^{next(iter(options))} is .*; expected"):
            kernel.kid(x, x, **options)
    with pytest.raises(ValueError, match="at least 2"):
        kernel.mmd2(x, x[:1])
