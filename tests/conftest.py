import gan_utils.runtime  # noqa: F401, I001  TensorFlow's start-up happens once, quietly, before any test

import matplotlib
import matplotlib.pyplot as plt
import pytest

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")
