import gan_utils.runtime  # noqa: F401, I001  TensorFlow's start-up happens once, quietly, before any test

import hypothesis
import matplotlib
import matplotlib.pyplot as plt
import pytest

matplotlib.use("agg")
# the same tree, the same cases: a run that fails fails again
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")
