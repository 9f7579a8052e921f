"""Agreement with independent implementations: torchmetrics, prdc (extra `reference`), torch-fidelity; same features.

Where one of them differs by convention:

- torchmetrics draws the subsets of its kernel distance and the shuffle of its Inception Score from PyTorch's global
  generator. Subsets are compared by taking all samples, and the shuffle by repeating it.
- torchmetrics gives the standard deviation over splits next to the Inception Score; ours is an interval.
- prdc takes one k for all four figures, where the papers have 3 and 5; and returns density over k M as ours.
- The original code of improved precision counts a sample on the border of a ball as inside, prdc as outside; ours as
  prdc. On continuous features no sample lies there; on copies and constants it decides (tests/test_metrics_neighbours).
"""

from importlib import util
from pathlib import Path

import numpy as np
import pytest
import scipy.special

from gan_utils.metrics import coverage, frechet, inception_score, kernel, precision_recall

# what torchmetrics says of its memory, and PyTorch of the deviation of one split
pytestmark = pytest.mark.filterwarnings("ignore:Metric `:UserWarning", r"ignore:std\(\):UserWarning")
RANDOM = np.random.default_rng(0)
REAL = np.maximum(RANDOM.normal(size=(1500, 40)) @ RANDOM.normal(size=(40, 40)), 0)
FAKE = 1.1 * np.maximum(RANDOM.normal(size=(1500, 40)) @ RANDOM.normal(size=(40, 40)), 0) + 0.1


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="the reference extra is not installed")


def identity(torch, width):
    class Identity(torch.nn.Module):
        num_features = width

        def forward(self, x):
            return x.reshape(len(x), -1)

    return Identity()


def fed(metric, torch, *sets):
    metric.set_dtype(torch.float64)
    for values, real in sets:
        metric.update(torch.from_numpy(values), real=real)
    return metric


def test_frechet_distance_equals_torchmetrics(torch):
    image = pytest.importorskip("torchmetrics.image.fid")
    metric = image.FrechetInceptionDistance(feature=identity(torch, 40), input_img_size=(40,))
    found = float(fed(metric, torch, (REAL, True), (FAKE, False)).compute())
    assert frechet.frechet_distance(REAL, FAKE) == pytest.approx(found, rel=1e-6)


def test_kernel_distance_equals_torchmetrics(torch):
    image = pytest.importorskip("torchmetrics.image.kid")
    metric = image.KernelInceptionDistance(feature=identity(torch, 40), subsets=1, subset_size=1500)
    found = float(fed(metric, torch, (REAL, True), (FAKE, False)).compute()[0])
    assert kernel.kid(REAL, FAKE, subset_size=1500) == pytest.approx(found, rel=1e-6)


def test_kernel_distance_equals_torchmetrics_on_its_subsets(torch):
    image = pytest.importorskip("torchmetrics.image.kid")
    metric = image.KernelInceptionDistance(feature=identity(torch, 40), subsets=5, subset_size=300)
    fed(metric, torch, (REAL, True), (FAKE, False))
    torch.manual_seed(0)
    found = float(metric.compute()[0])
    torch.manual_seed(0)
    values = []
    for _ in range(5):
        rows = [torch.randperm(1500)[:300].numpy() for _ in range(2)]
        values.append(kernel.mmd2(REAL[rows[0]], FAKE[rows[1]]))
    assert np.mean(values) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("splits", [1, 10])
def test_inception_score_equals_torchmetrics(torch, splits):
    image = pytest.importorskip("torchmetrics.image.inception")
    logits = RANDOM.normal(size=(1000, 10)) * 3
    metric = image.InceptionScore(feature=identity(torch, 10), splits=splits)
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(logits))
    torch.manual_seed(0)
    found = float(metric.compute()[0])
    torch.manual_seed(0)
    shuffled = scipy.special.softmax(logits[torch.randperm(1000).numpy()], axis=1)
    assert inception_score.inception_score(shuffled, splits=splits, seed=None) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("m", [1500, 700])
def test_precision_recall_density_coverage_equal_prdc(k, m):
    prdc = pytest.importorskip("prdc", reason="the reference extra is not installed")
    fake = FAKE[:m] * 0.9
    found = prdc.compute_prdc(REAL, fake, nearest_k=k)
    ours = *precision_recall.precision_recall(REAL, fake, k=k), *coverage.density_coverage(REAL, fake, k=k)
    assert ours == pytest.approx([found[n] for n in ("precision", "recall", "density", "coverage")], abs=1e-9)
    assert min(ours) > 0 and min(ours[0], ours[1], ours[3]) < 1


def test_frechet_and_kernel_distance_equal_torch_fidelity(torch, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "benchmarks")
    import metrics as benchmark  # which imports torch-fidelity's formulas without what reads its images

    if util.find_spec("torch_fidelity") is None:
        pytest.skip("torch-fidelity is not installed")
    fid, kid = (benchmark.fidelity(name) for name in ("metric_fid", "metric_kid"))
    statistics = [fid.fid_features_to_statistics(torch.from_numpy(values)) for values in (REAL, FAKE)]
    found = fid.fid_statistics_to_metric(*statistics, verbose=False)[fid.KEY_METRIC_FID]
    assert frechet.frechet_distance(REAL, FAKE) == pytest.approx(found, rel=1e-6)
    settings = {"kid_subsets": 1, "kid_subset_size": 1500, "verbose": False, "rng_seed": 0}
    features = (torch.from_numpy(values) for values in (FAKE, REAL))
    found = kid.kid_features_to_metric(*features, **settings)[kid.KEY_METRIC_KID_MEAN]
    assert kernel.kid(REAL, FAKE, subset_size=1500) == pytest.approx(found, rel=1e-6)
