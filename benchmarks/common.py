"""What every benchmark shares: alternating rounds, ratios with an interval, and the record that says where and when."""

import contextlib
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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


def peak_memory() -> float:
    """Return the most memory that this process has held, in MiB.

    Not `ru_maxrss` where the kernel tells more: a child's begins at what its parent held when it was started.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Process:
    """A contender in a process of its own: started as ``script --serve words``, then answers lines with JSON."""

    def __init__(self, script: str, *words: str) -> None:
        # without the variable, who imports TensorFlow before gan_utils gets the machine's own default
        environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        command = [sys.executable, script, "--serve", *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{' '.join(words)} did not start; run {' '.join(command)} to see why.")

    def ask(self, word: str) -> Any:
        """Send a line and return the answer."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


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


def code_hash(*patterns: str) -> str:
    """Return a digest of files of the repository, by patterns from its root."""
    root, total = RESULTS.parents[1], hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def study(path: Path, header: Mapping[str, Any], keys: Sequence[str], row: Callable[[str], Mapping[str, Any]]) -> None:
    """Compute the rows of a study that its record lacks, one after another, and write the record after each.

    Rows made by the same code are kept, whatever the keys; with none missing the file is left as it is. Of each run
    that adds rows the record says, under ``"runs"``, when and where it was and how many rows there were before. Several
    processes may complete one record at the same time, each with keys of its own.

    Args:
        path: the record.
        header: what the record says besides its rows; must hold ``"code"``, see `code_hash`.
        keys: the names of the rows wanted.
        row: makes one.
    """
    before = kept(path, header["code"])
    missing, run = [key for key in keys if key not in before["rows"]], _run(header, len(before["rows"]))
    for number, key in enumerate(missing):
        print(f"[{number + 1}/{len(missing)}] {key}", flush=True)
        made = row(key)
        with _alone(path.parent):
            now = kept(path, header["code"])
            runs = now["runs"] if run in now["runs"] else [*now["runs"], run]
            write(path, {**header, "runs": runs, "rows": {**now["rows"], key: made}})


def kept(path: Path, code: str) -> dict[str, Any]:
    """Return a record, or an empty one where there is none or its rows were made by other code."""
    record = read(path) if path.exists() else {}
    if record.get("code") != code:
        return {"runs": [], "rows": {}}
    return {"runs": [_run(record, 0)], **record}


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    import fcntl  # not on every system, and only a study needs it

    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def _run(header: Mapping[str, Any], rows_before: int) -> dict[str, Any]:
    kept = {name: header[name] for name in ("date", "hardware", "versions") if name in header}
    return {**kept, "rows_before": rows_before}


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record, whole or not at all; each of its rows on a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in record.get("rows", {}).items()]
    text = json.dumps({key: value for key, value in record.items() if key != "rows"}, indent=1)
    if "rows" in record:
        text = text.removesuffix("\n}") + ',\n "rows": {\n' + ",\n".join(rows) + "\n }\n}"
    whole = path.with_suffix(".partial")
    whole.write_text(text + "\n")
    whole.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Return a record."""
    return json.loads(path.read_text())
