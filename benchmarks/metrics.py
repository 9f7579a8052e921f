"""The metrics against what a reader would otherwise use: ``make bench``.

- The Fréchet distance of 10,000 × 2,048 raw features against the usual formula, `numpy.cov` and `scipy.linalg.sqrtm`.
- Precision, recall, density, coverage of 10,000 and 10,000 samples in 128 dimensions against `prdc` (extra
  ``reference``).
- 10,000 images through the extractor ``fashion_mnist``.
- A whole ``gan-utils score`` of 60,000 images against 60,000, in time and memory.

Contenders run in processes of their own that take turns; memory is the most a process held at once.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
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


CONTENDERS = {
    "frechet": {"gan_utils": frechet_ours, "sqrtm": frechet_sqrtm},
    "neighbours": {"gan_utils": neighbours_ours, "prdc": neighbours_prdc},
    "extraction": {"gan_utils": extraction},
}


def serve(case: str, contender: str, n: str) -> None:
    """Run when told to; answer with seconds, peak memory in MiB and the value."""
    run = CONTENDERS[case][contender](int(n))
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        value = run()
        took = time.perf_counter() - start
        print(json.dumps([took, common.peak_memory(), value]), flush=True)


def measure(case: str, rounds: int, n: int) -> dict[str, Any]:
    """Return one case's row."""
    names = [name for name in CONTENDERS[case] if name != "prdc" or importlib.util.find_spec("prdc")]
    processes = {name: common.Process(__file__, case, name, str(n)) for name in names}
    memory: dict[str, float] = {}
    values: dict[str, Any] = {}

    def turn(name: str) -> float:
        took, memory[name], values[name] = processes[name].ask("run")
        return took

    seconds = common.alternate({name: (lambda name=name: turn(name)) for name in names}, rounds)
    for process in processes.values():
        process.close()
    return {
        "n": n,
        "seconds": {name: round(statistics.median(seconds[name]), 3) for name in names},
        "speed_over": {name: common.ratio(seconds[name], seconds["gan_utils"]) for name in names[1:]},
        "peak_memory_mib": {name: round(peak) for name, peak in memory.items()},
        "values": values,
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
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--n", type=int, default=10_000, help="samples of each set, for a quick look")
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--serve", nargs=3, metavar=("CASE", "CONTENDER", "N"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    packages = ["tensorflow", "numpy", "scipy"] + (["prdc"] if importlib.util.find_spec("prdc") else [])
    record: dict[str, Any] = {
        "what": "seconds of a call, medians of rounds; 95 % intervals of the rounds' ratios; peak memory of a process",
        **common.environment("keras", *packages),
        "rounds": arguments.rounds,
        "cases": {},
    }
    for case in CONTENDERS:
        row = record["cases"][case] = measure(case, arguments.rounds, arguments.n)
        print(case, row["seconds"], "s, peak MiB", row["peak_memory_mib"])
        for name, found in row["speed_over"].items():
            print(f"  {found['median']:.2f} times as fast as {name} (95 %: {found['interval']})")
    record["cases"]["whole"] = row = whole(6 * arguments.n)
    print(f"gan-utils score of {row['n']:,} images: {row['seconds']} s, peak {row['peak_memory_mib']} MiB")
    common.write(arguments.record, record)


if __name__ == "__main__":
    main()
