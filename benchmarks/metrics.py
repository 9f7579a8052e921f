"""The metrics against what a reader would otherwise use: ``python benchmarks/metrics.py`` (six minutes on two cores).

- The Fréchet distance of 10,000 × 2,048 raw features against the usual formula, `numpy.cov` and `scipy.linalg.sqrtm`,
  and against torch-fidelity.
- The kernel distance of the same features, 100 subsets of 1,000, against torch-fidelity.
- Precision, recall, density, coverage of 10,000 and 10,000 samples in 128 dimensions against `prdc` (extra
  ``reference``).
- 10,000 images through the extractor ``fashion_mnist``.
- A whole ``gan-utils score`` of 60,000 images against 60,000, in time and memory.

Contenders run in processes of their own that take turns; memory is the most a process held at once. Of torch-fidelity
only the formulas are imported, since the package itself wants torchvision to read images, which the pinned PyTorch has
no match for: ``pip install --no-deps --target FOLDER torch-fidelity``, then ``PYTHONPATH=FOLDER`` before the command.
"""

import argparse
import functools
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np

RECORD = common.RESULTS / "metrics.json"


def inception_like(n: int) -> list[np.ndarray]:
    """Return two sets of correlated features, float32, non-negative as pooled ReLUs are."""
    random, dimensions = np.random.default_rng(0), min(2048, n // 4)
    mixing = random.normal(size=(dimensions, dimensions)) * np.exp(-np.arange(dimensions) / dimensions) / 45
    sets = [random.normal(size=(n, dimensions)) @ mixing, 1.1 * random.normal(size=(n, dimensions)) @ mixing + 0.05]
    return [np.maximum(values + 0.3, 0).astype(np.float32) for values in sets]


def normal(n: int) -> list[np.ndarray]:
    """Return two sets of points in 128 dimensions."""
    random = np.random.default_rng(0)
    return [random.normal(size=(n, 128)), random.normal(size=(n, 128)) * 1.02]


def frechet_ours(n: int) -> Callable[[], Any]:
    """Return `frechet_distance` on features."""
    from gan_utils.metrics import frechet

    real, fake = inception_like(n)
    return lambda: frechet.frechet_distance(real, fake)


def frechet_sqrtm(n: int) -> Callable[[], Any]:
    """Return the usual formula on the same features."""
    import scipy.linalg

    real, fake = inception_like(n)

    def run() -> float:
        shift = real.mean(axis=0, dtype=np.float64) - fake.mean(axis=0, dtype=np.float64)
        one, other = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
        root = scipy.linalg.sqrtm(one @ other).real
        return float(shift @ shift + np.trace(one) + np.trace(other) - 2 * np.trace(root))

    return run


def fidelity(name: str) -> Any:
    """Return a module of torch-fidelity without running its package's ``__init__`` and what reads images."""
    if "torch_fidelity" not in sys.modules:
        found = importlib.util.find_spec("torch_fidelity")
        if found is None:
            raise ModuleNotFoundError("No module named 'torch_fidelity'")
        package, readers = types.ModuleType("torch_fidelity"), types.ModuleType("torch_fidelity.utils")
        package.__path__ = list(found.submodule_search_locations or [])
        readers.__getattr__ = lambda name: None  # type: ignore[method-assign]  # imported by name, not called here
        sys.modules.update({"torch_fidelity": package, "torch_fidelity.utils": readers})
    return importlib.import_module(f"torch_fidelity.{name}")


def frechet_fidelity(n: int) -> Callable[[], Any]:
    """Return torch-fidelity's distance of the same features."""
    import torch

    metric_fid = fidelity("metric_fid")
    sets = [torch.from_numpy(values) for values in inception_like(n)]

    def run() -> float:
        statistics = [metric_fid.fid_features_to_statistics(values) for values in sets]
        return float(metric_fid.fid_statistics_to_metric(*statistics, verbose=False)[metric_fid.KEY_METRIC_FID])

    return run


def kid_ours(n: int) -> Callable[[], Any]:
    """Return `kernel.kid` on features."""
    from gan_utils.metrics import kernel

    real, fake = inception_like(n)
    return lambda: kernel.kid(real, fake)


def kid_fidelity(n: int) -> Callable[[], Any]:
    """Return torch-fidelity's kernel distance of the same features, as many subsets of the same size."""
    import torch

    metric_kid = fidelity("metric_kid")
    real, fake = (torch.from_numpy(values) for values in inception_like(n))
    settings = {"kid_subsets": 100, "kid_subset_size": min(1000, n), "verbose": False, "rng_seed": 0}
    return lambda: float(metric_kid.kid_features_to_metric(fake, real, **settings)[metric_kid.KEY_METRIC_KID_MEAN])


def neighbours_ours(n: int) -> Callable[[], Any]:
    """Return the four figures in one pass."""
    from gan_utils import metrics

    real, fake = normal(n)
    names = ["precision", "recall", "density", "coverage"]
    scorer = metrics.Scorer(real, names, extractor="identity", with_intervals=False)
    return lambda: [estimate.value for estimate in scorer(fake).metrics.values()]


def neighbours_prdc(n: int) -> Callable[[], Any]:
    """Return prdc's four figures, for the k of density and coverage."""
    import contextlib
    import io

    import prdc

    real, fake = normal(n)

    def run() -> list[float]:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints
            found = prdc.compute_prdc(real, fake, nearest_k=5)
        return [float(found[name]) for name in ("precision", "recall", "density", "coverage")]

    return run


def extraction(n: int) -> Callable[[], Any]:
    """Return the pass of images through the shipped classifier."""
    from gan_utils import data
    from gan_utils.metrics import features

    images, extractor = data.load(split="test").images[:n], features.get("fashion_mnist")
    return lambda: float(extractor(images).values.mean())


CONTENDERS: dict[str, dict[str, Callable[[int], Callable[[], Any]]]] = {
    "frechet": {"gan_utils": frechet_ours, "sqrtm": frechet_sqrtm, "torch-fidelity": frechet_fidelity},
    "kid": {"gan_utils": kid_ours, "torch-fidelity": kid_fidelity},
    "neighbours": {"gan_utils": neighbours_ours, "prdc": neighbours_prdc},
    "extraction": {"gan_utils": extraction},
}


def measure(case: str, rounds: int, n: int) -> dict[str, Any]:
    """Return one case's row."""
    starts = {name: functools.partial(common.Process, __file__, case, name, str(n)) for name in CONTENDERS[case]}
    found = common.race(starts, rounds)
    seconds = found.pop("seconds")
    return {
        "n": n,
        "seconds": {name: round(statistics.median(values), 3) for name, values in seconds.items()},
        "speed_over": {
            name: common.ratio(values, seconds["gan_utils"]) for name, values in seconds.items() if name != "gan_utils"
        },
        **found,
        "machine": {name: round(statistics.median(values), 1) for name, values in found["machine"].items()},
    }


def whole(n: int) -> dict[str, Any]:
    """Return seconds and peak memory of the command on n images against n others (the same, mirrored), from files."""
    from gan_utils import data

    images = ((data.load().images[:n] + 1) * 127.5).round().astype(np.uint8)
    names = "frechet,kid,inception_score,mode_score,precision,recall,density,coverage,ndb,sliced_wasserstein"
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/{name}.npy" for name in ("real", "fake")]
        for path, values in zip(paths, (images, images[:, :, ::-1]), strict=True):
            np.save(path, values)
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import common; "
        code += "from gan_utils import cli; cli.main(sys.argv[1:]); print(common.peak_memory())"
        start = time.perf_counter()
        command = [sys.executable, "-c", code, "score", *paths, "--metrics", names, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found, peak = done.stdout.splitlines()
    return {
        "n": n,
        "seconds": round(time.perf_counter() - start, 1),
        "peak_memory_mib": round(float(peak)),
        "metrics": sorted(json.loads(found)["metrics"]),
    }


def main() -> None:
    """Measure, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="samples of each set, for a quick look")
    parser.add_argument("--cases", nargs="*", choices=list(CONTENDERS), default=list(CONTENDERS))
    common.add_record(parser, RECORD)
    parser.add_argument("--serve", nargs=3, metavar=("CASE", "CONTENDER", "N"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        case, contender, n = arguments.serve
        common.serve(lambda: CONTENDERS[case][contender](int(n)))
        return
    packages = ["tensorflow", "numpy", "scipy", *common.installed("prdc", "torch", "torch-fidelity")]
    record: dict[str, Any] = {
        "what": "seconds of a call, medians of rounds; 95 % intervals of the rounds' ratios; peak memory of a process",
        **common.environment("keras", *packages),
        "rounds": arguments.rounds,
        "cases": {},
    }
    for case in arguments.cases:
        row = record["cases"][case] = measure(case, arguments.rounds, arguments.n)
        print(case, row["seconds"], "s, peak MiB", row["peak_memory_mib"])
        for name, found in row["speed_over"].items():
            print(f"  {found['median']:.2f} times as fast as {name} (95 %: {found['interval']})")
        for name, reason in row["not_run"].items():
            print(f"  not run: {name}: {reason}")
    record["cases"]["whole"] = row = whole(6 * arguments.n)
    print(f"gan-utils score of {row['n']:,} images: {row['seconds']} s, peak {row['peak_memory_mib']} MiB")
    common.keep(arguments, record, whole=arguments.cases == list(CONTENDERS) and arguments.n == 10_000)


if __name__ == "__main__":
    main()
