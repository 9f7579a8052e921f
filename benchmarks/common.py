"""What every benchmark shares: alternating rounds, ratios with an interval, and the record that says where and when.

Run as a script it is a contender itself, `machine`: what the hardware gives, measured among the others.
"""

import argparse
import contextlib
import functools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
ROUNDS = 9  # the interval of a median of nine, from the second to the eighth, holds it with 96 %; of seven, with 88 %
MODELS = "models"  # the function by which a study registers with ``equal.py``
PEAK = 2048  # rows of the matrices whose product is the machine's peak


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
            "cores": runtime.num_cores(),
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


class NotRun(Exception):
    """A contender cannot run here; the message says why, and the record keeps it."""


class Process:
    """A contender in a process of its own, started as ``script --serve words``, that answers lines with JSON.

    The other side is `serve`. Without the variable ``TF_ENABLE_ONEDNN_OPTS`` whoever imports TensorFlow before
    gan_utils gets the machine's own default, as a reader would. Several may be started before the first is asked; then
    they get ready at the same time.

    Args:
        script: the benchmark's file.
        *words: what its ``--serve`` takes.
        variables: of the environment, for this contender.
    """

    def __init__(self, script: str, *words: str, variables: Mapping[str, str] = {}) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", **variables}
        command = [sys.executable, script, "--serve", *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.command, self.is_ready = command, False
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)

    def wait(self) -> None:
        """Wait until it is ready.

        Raises:
            NotRun: if it says that it cannot, in one line.
            RuntimeError: if it ends before it is ready.
        """
        if self.is_ready:
            return
        answer = self.process.stdout.readline().strip()
        if answer.startswith("not run: "):
            self.close()
            raise NotRun(answer.removeprefix("not run: "))
        if answer != "ready":
            self.close()
            raise RuntimeError(f"a contender did not start; run {' '.join(self.command)} to see why.")
        self.is_ready = True

    def ask(self) -> tuple[float, float, Any]:
        """Let it run once; return seconds, its peak memory in MiB, and the value. Raises as `wait`."""
        self.wait()
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.close()
            raise RuntimeError(f"a contender ended in the middle; run {' '.join(self.command)} to see why.")
        seconds, memory, value = json.loads(answer)
        return seconds, memory, value

    def close(self) -> None:
        """End the process, by force if it is in the middle of something."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def serve(make: Callable[[], Callable[[], Any]]) -> None:
    """Be a contender: make what is measured, warm it up, then run it for each line that comes.

    Each answer is ``[seconds, peak memory in MiB, value]``.

    Args:
        make: returns what is run.
    """
    try:
        run = make()
        run()
    except Exception as fault:  # whatever another library lacks here: a package, a compiler
        print(f"not run: {type(fault).__name__}:", " ".join(str(fault).split())[:300], flush=True)
        return
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        value = run()
        print(json.dumps([time.perf_counter() - start, peak_memory(), value]), flush=True)


def race(contenders: Mapping[str, Callable[[], Process]], rounds: int, needed: str = "gan_utils") -> dict[str, Any]:
    """Let contenders take turns, a round after another, with the machine's own peaks among them.

    Args:
        contenders: by name, what starts each.
        rounds: how often each runs.
        needed: whose failure is an error; of the others it is recorded.

    Returns:
        ``seconds``, by contender, of all rounds; ``peak_memory_mib``; the last ``values``; ``not_run``, by contender,
        the reason; ``machine``, what its matrix products and copies reached in the same rounds.
    """
    size = PEAK if rounds >= ROUNDS else PEAK // 2  # a quick look need not know the last percents
    processes = {"machine": Process(__file__, str(size)), **{name: start() for name, start in contenders.items()}}
    not_run: dict[str, str] = {}
    last: dict[str, Any] = {}
    peaks: list[dict[str, float]] = []

    def turn(name: str) -> float:
        took, memory, value = processes[name].ask()
        last[name] = memory, value
        if name == "machine":
            peaks.append(value)
        return took

    with together(processes.values()):
        for name, process in processes.items():
            try:
                process.wait()
            except NotRun as reason:
                if name in ("machine", needed):
                    raise RuntimeError(f"{name} did not run: {reason}") from reason
                not_run[name] = str(reason)
        ready = [name for name in processes if name not in not_run]
        for name in ready:
            processes[name].ask()  # a rehearsal, alone
        seconds = alternate({name: functools.partial(turn, name) for name in ready}, rounds)
    del seconds["machine"], last["machine"]
    return {
        "seconds": seconds,
        "peak_memory_mib": {name: round(memory) for name, (memory, _) in last.items()},
        "values": {name: value for name, (_, value) in last.items()},
        "not_run": not_run,
        "machine": {name: [peak[name] for peak in peaks] for name in peaks[0]},
    }


@contextlib.contextmanager
def together(processes: Iterable[Process]) -> Iterator[None]:
    """Leave no process behind, whatever happens inside."""
    try:
        yield
    finally:
        for process in processes:
            process.close()


def machine(size: int = PEAK) -> Callable[[], dict[str, float]]:
    """Return what measures this machine: its best product of two matrices and its best copy, of five each.

    ``sgemm_gflops``: size × size float32 in 1e9 operations a second, the better of TensorFlow with oneDNN and NumPy's
    BLAS. ``copy_gb``: 128 MB with a thread for each core, in 1e9 bytes read and written a second.
    """
    from gan_utils import runtime
    from gan_utils.runtime import tf

    cores = runtime.num_cores()
    random = np.random.default_rng(0)
    left, right = random.random((2, size, size), np.float32)
    product, tensors = np.empty_like(left), [tf.constant(left), tf.constant(right)]
    source, target = np.ones(2**25, np.float32), np.zeros(2**25, np.float32)
    pool = ThreadPoolExecutor(cores)
    pieces = list(zip(np.array_split(target, cores), np.array_split(source, cores), strict=True))

    def best(run: Callable[[], object]) -> float:
        return min(seconds_of(run) for _ in range(5))

    def measure() -> dict[str, float]:
        gemm = min(
            best(lambda: tf.linalg.matmul(*tensors)[0, 0].numpy()), best(lambda: np.matmul(left, right, out=product))
        )
        copy = best(lambda: list(pool.map(lambda piece: np.copyto(*piece), pieces)))
        return {"sgemm_gflops": 2 * size**3 / gemm / 1e9, "copy_gb": 2 * source.nbytes / copy / 1e9}

    return measure


def seconds_of(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def seconds_a_step(take: Callable[[int], object], steps: int) -> float:
    """Return the seconds of a step: those of thrice as many steps less those of so many, so that no set-up is in it."""
    return (-seconds_of(lambda: take(steps)) + seconds_of(lambda: take(3 * steps))) / (2 * steps)


def alternate(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each contender in each round.

    In a round each runs once, so slow spells hit all; every other round has the reverse order, so none is always later.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            seconds[name].append(contenders[name]())
    return seconds


def installed(*packages: str) -> list[str]:
    """Return those of the packages that can be imported, for `environment`."""
    return [name for name in packages if util.find_spec(name.replace("-", "_"))]


def add_record(parser: argparse.ArgumentParser, path: Path) -> None:
    """Give a benchmark the options ``--rounds`` and ``--record``; see `keep`."""
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--record", type=Path, help=f"where to write the record; {path.name} if all of it was measured")
    parser.set_defaults(whole_record=path)


def keep(arguments: argparse.Namespace, record: Mapping[str, Any], *, whole: bool) -> None:
    """Write a record where it was asked for, or to its own place; not there if it is a part, or has too few rounds."""
    path = arguments.record or (arguments.whole_record if whole and arguments.rounds >= ROUNDS else None)
    if path:
        write(path, record)


def interval(values: Sequence[float]) -> list[float]:
    """Return the 95 % bootstrap interval of a median (2,000 resamples, seed 0)."""
    resampled = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.percentile(np.median(resampled, axis=1), [2.5, 97.5])
    return [round(float(low), 3), round(float(high), 3)]


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, Any]:
    """Return the median of the rounds' ratios and its `interval`."""
    pairs = np.array(slow) / np.array(fast)
    return {
        "median": round(statistics.median(pairs), 3),
        "interval": interval(pairs),
        "all": [round(float(pair), 3) for pair in pairs],
    }


def code_hash(*patterns: str, root: Path = RESULTS.parents[1]) -> str:
    """Return a digest of files of the repository, or of another tree of it, by patterns from its root.

    Words do not count (see `studies.code_hash`), nor does the function `MODELS`: what it returns trains only there.
    """
    from gan_utils import studies  # not above: as in `environment`

    return studies.code_hash((path for pattern in patterns for path in root.glob(pattern)), root, besides=MODELS)


def is_made_by(record: Mapping[str, Any], code: str) -> bool:
    """Return whether a record's rows were made by this code, or by one that ``equal.py`` found to compute the same."""
    known, pairs = {record["code"]}, read(RESULTS / "equal.json")["pairs"] if (RESULTS / "equal.json").exists() else []
    for _ in pairs:
        known |= {code for pair in pairs if known & set(pair["codes"]) for code in pair["codes"]}
    return code in known


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
    if not record or not is_made_by(record, code):
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


if __name__ == "__main__":
    serve(functools.partial(machine, int(sys.argv[-1])))
