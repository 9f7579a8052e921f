"""Say in one line what kind of machine this is: its processor, its cores, AVX-512 or not, how fast it multiplies."""

import os
import platform
import time
from pathlib import Path

import numpy as np

SLOW = ("ONEDNN_MAX_CPU_ISA", "XLA_FLAGS", "OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY")


def sgemm(size: int = 2048, rounds: int = 7) -> float:
    """Return the best of some products of float32 matrices by NumPy, in 1e9 operations per second."""
    left, right = np.random.default_rng(0).random((2, size, size), np.float32)
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - begun)
    return 2 * size**3 / min(seconds) / 1e9


def main() -> None:
    """Print the line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    told = dict(tuple(part.strip() for part in line.split(":", 1)) for line in reversed(lines) if ":" in line)
    cpu = told.get("model name") or platform.processor() or platform.machine()
    avx = "with" if "avx512f" in told.get("flags", "").split() else "without"
    emulated = ", ".join(f"{name}={os.environ[name]}" for name in SLOW if name in os.environ)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cpu}, {cores} cores, {avx} AVX-512, sgemm {sgemm():.0f} GFLOP/s" + (f" ({emulated})" if emulated else ""))


if __name__ == "__main__":
    main()
