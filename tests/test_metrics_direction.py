"""Every metric against sets that are worse, or seem better, in a known way; real Fashion-MNIST, n = 1,000 each."""

import numpy as np
import pytest
import scipy.ndimage

from gan_utils import data, metrics

N = 1000


@pytest.fixture(scope="module")
def scored():
    train, test = data.load(), data.load(split="test")
    unseen, random = test.images[:N], np.random.default_rng(0)
    per_class = [test.images[test.labels == k] for k in range(10)]
    sets = {
        "unseen": unseen,
        "noise": np.clip(unseen + 0.3 * random.normal(size=unseen.shape), -1, 1),
        "blur": scipy.ndimage.gaussian_filter(unseen, (0, 1.0, 1.0, 0)),
        "collapse": per_class[1],
        "imbalance": np.concatenate([x[:count] for x, count in zip(per_class, [500, 300] + [25] * 8, strict=True)]),
        "memorised": train.images[:N],
    }
    scorer = metrics.Scorer(train.images[:N], metrics.METRICS, held_out=test.images[2000:3000])
    return {name: scorer(images) for name, images in sets.items()}


LOW_IS_GOOD = ("frechet", "frechet_infinity", "kid", "ndb", "sliced_wasserstein")
EXPECTED = [
    *[(metric, worse) for metric in (*LOW_IS_GOOD, "coverage", "mode_score", "inception_score")
      for worse in ("noise", "blur", "collapse", "imbalance")],
    *[("density", worse) for worse in ("noise", "blur")],
    ("precision", "blur"),
    *[("recall", worse) for worse in ("noise", "blur", "collapse")],
]  # fmt: skip


@pytest.mark.parametrize(("metric", "worse"), EXPECTED)
def test_worse_sets_score_worse_beyond_both_intervals(scored, metric, worse):
    good, bad = scored["unseen"].metrics[metric], scored[worse].metrics[metric]
    assert bad.low > good.high if metric in LOW_IS_GOOD else bad.high < good.low


def test_precision_falls_little_under_noise(scored):
    """An outlier among the real features has a large ball that holds many a noisy image; density is not so fooled."""
    share = {name: scored["noise"][name] / scored["unseen"][name] for name in ("precision", "density")}
    assert share["density"] < share["precision"] < 0.98


def test_what_precision_and_recall_do_not_see(scored):
    """Collapse leaves precision where it was; wrong shares of classes leave recall: their blind spots."""
    assert abs(scored["collapse"]["precision"] - scored["unseen"]["precision"]) < 0.08
    assert abs(scored["imbalance"]["recall"] - scored["unseen"]["recall"]) < 0.08


@pytest.mark.parametrize("metric", [name for name in metrics.METRICS if name not in ("memorisation", "density")])
def test_copies_please_every_metric_of_distributions(scored, metric):
    copied, unseen = scored["memorised"][metric], scored["unseen"][metric]
    assert copied < unseen if metric in LOW_IS_GOOD else copied > unseen


def test_only_memorisation_convicts_copies(scored):
    assert scored["memorised"]["memorisation"] == 0 and 0.9 < scored["unseen"]["memorisation"] < 1.1
    assert scored["noise"]["memorisation"] > 1.3  # and noise is far from everything: no praise
