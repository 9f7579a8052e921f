"""What every benchmark shares: alternating rounds, ratios with an interval, and the record that says where and when."""

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"


def environment(*packages: str) -> dict[str, Any]:
    """Return date, hardware and versions, for a record."""
    from gan_utils import runtime  # a process that measures another library must not import this one first

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": {
            "cpu": cpu,
            "cores": len(os.sched_getaffinity(0)),
            "avx512_vnni": "avx512_vnni" in flags,
            "gpu": runtime.has_accelerator(),
        },
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}},
    }


def alternate(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each contender in each round; in a round each runs once, so slow spells hit all."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            seconds[name].append(run())
    return seconds


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, Any]:
    """Return the median of the rounds' ratios and its 95 % bootstrap interval (2,000 resamples, seed 0)."""
    pairs = np.array(slow) / np.array(fast)
    resampled = np.random.default_rng(0).choice(pairs, (2000, len(pairs)))
    low, high = np.percentile(np.median(resampled, axis=1), [2.5, 97.5])
    return {
        "median": round(statistics.median(pairs), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
        "all": [round(float(pair), 3) for pair in pairs],
    }


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
