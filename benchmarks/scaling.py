"""Scaling: ``python benchmarks/scaling.py`` (four minutes on two cores), and what a formula makes of it.

Weak scaling on this machine, a batch for each core: one process on one core; two processes of a core each, over the
loopback interface (`MultiWorkerMirroredStrategy`); one process with two replicas (`MirroredStrategy`), which share both
cores. Besides, what a reader would do without replicas: one process on both cores with the joined batch. A step's
seconds are those of a long fit less those of a short one. Efficiency is one core's seconds over the others'.

The two processes' all-reduce is timed alone, for several sizes; a line through its seconds gives a latency and a
bandwidth. `predict` adds to a step the all-reduce of both players' gradients, in a ring, and is held here against the
measured step of two processes.
"""

import argparse
import functools
import json
import os
import socket
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import common
import numpy as np

RECORD = common.RESULTS / "scaling.json"
CASES = {"fashion": 256, "compact": 128}  # batch of a replica
STEPS = 5  # of the short fit
LAYOUTS = ("one core", "two cores", "two replicas", "two processes")
SIZES = (2**10, 2**14, 2**17, 2**19, 2**21)  # float32 numbers of an all-reduce


def model(case: str) -> Any:
    """Return the case's GAN, compiled without XLA, as replicas cannot use it."""
    from gan_utils import runtime, training
    from gan_utils.networks import dcgan, dense

    runtime.set_seed(0)
    if case == "compact":
        gan = training.GAN(dcgan.compact_generator(), dcgan.compact_discriminator())
    else:
        gan = training.GAN(dense.fashion_generator(), dense.fashion_discriminator())
    gan.compile(jit_compile=False)
    return gan


def alone(number: int) -> None:
    """Leave this process one of its cores."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[number]})


def step_of(case: str, batch: int, strategy: Any, steps: int) -> Callable[[], float]:
    """Return what gives the seconds of a step on this global batch, from fits of so many steps and thrice as many."""
    with strategy.scope():
        gan = model(case)
    real = np.linspace(-np.ones((28, 28, 1)), 1, 2048, dtype=np.float32)

    fit = lambda steps: gan.fit(real, batch_size=batch, steps_per_epoch=steps, verbose=0)  # noqa: E731
    fit(steps), fit(3 * steps)  # traced for both
    return lambda: common.seconds_a_step(fit, steps)


def layout(name: str, case: str, steps: int) -> Callable[[], float]:
    """Return what gives the seconds of a step in one of `LAYOUTS`."""
    if name == "two processes":
        return two_processes(case, steps)
    if name == "one core":
        alone(0)
    from gan_utils import runtime
    from gan_utils.runtime import tf

    if name == "two replicas":
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    devices: Any = ["CPU:0", "CPU:1"] if name == "two replicas" else "cpu"
    return step_of(case, CASES[case] * (1 if name == "one core" else 2), runtime.strategy(devices), steps)


def two_processes(case: str, steps: int) -> Callable[[], Any]:
    """Return what asks two workers at once, and gives the first one's answer."""
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    settings = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}) for i in range(2)]
    pool = ThreadPoolExecutor(2)
    workers = [
        common.Process(__file__, f"worker {i}", case, str(steps), variables={"TF_CONFIG": setting})
        for i, setting in enumerate(settings)
    ]

    def ask() -> Any:
        answers = [pool.submit(worker.ask) for worker in workers]
        done, waiting = wait(answers, timeout=300, return_when=FIRST_EXCEPTION)
        if waiting or any(answer.exception() for answer in done):
            for worker in workers:  # the other would wait for ever
                worker.close()
        return answers[0].result()[2]

    return ask


def worker(number: int, case: str, steps: int) -> Callable[[], Any]:
    """Return a worker's part: a step, or for the case ``all-reduce`` the seconds of each of `SIZES`."""
    alone(number)
    from gan_utils import runtime
    from gan_utils.runtime import tf

    strategy = runtime.strategy("workers")
    if case != "all-reduce":
        return step_of(case, 2 * CASES[case], strategy, steps)

    def reduction(size: int) -> Callable[[], Any]:
        def add() -> Any:
            values = tf.fill((size,), tf.random.uniform(()))
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)[0]

        return tf.function(lambda: strategy.run(add))

    reductions = [reduction(size) for size in SIZES]

    def once(reduce: Callable[[], Any]) -> float:
        return common.seconds_of(lambda: float(reduce()))

    return lambda: [statistics.median(once(reduce) for _ in range(5)) for reduce in reductions]


def gradients(case: str) -> list[int]:
    """Return the bytes of each player's gradients."""
    return [sum(4 * int(np.prod(v.shape)) for v in player.variables) for player in model(case).players]


def line(sizes: list[int], seconds: list[float]) -> tuple[float, float]:
    """Return latency in seconds and bandwidth in bytes a second of ``seconds = latency + bytes / bandwidth``.

    Each size counts alike, so the sum of squared relative errors is least.
    """
    sides = np.array([[1.0, size] for size in sizes]) / np.array(seconds)[:, None]
    (latency, per_byte), *_ = np.linalg.lstsq(sides, np.ones(len(sizes)), rcond=None)
    return float(latency), float(1 / per_byte)


def all_reduce(number: int, size: float, *, latency: float, bandwidth: float) -> float:
    """Return the seconds in which `number` devices add up `size` bytes in a ring.

    Each sends :math:`2 (N - 1) / N` times the bytes in :math:`2 (N - 1)` rounds, as little as any way can.

    Args:
        number: of devices.
        size: bytes.
        latency: seconds of a round.
        bandwidth: bytes a second between two devices.

    Reference:
        Patarasuk and Yuan 2009, doi 10.1016/j.jpdc.2008.09.002.

    Example:
        >>> all_reduce(4, 8e6, latency=1e-3, bandwidth=1e9)
        0.018
    """
    return 2 * (number - 1) * (latency + size / number / bandwidth)


def predict(number: int, step: float, sizes: list[int], **network: Any) -> float:
    """Return the efficiency of weak scaling: one device's step over that step with every player's `all_reduce`."""
    return step / (step + sum(all_reduce(number, size, **network) for size in sizes))


def main() -> None:
    """Measure, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--layouts", nargs="*", choices=LAYOUTS, default=LAYOUTS, help="besides one core")
    common.add_record(parser, RECORD)
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of the short fit, for a quick look")
    parser.add_argument("--serve", nargs=3, metavar=("LAYOUT", "CASE", "STEPS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        name, case, steps = arguments.serve
        make = (
            functools.partial(worker, int(name[-1])) if name.startswith("worker") else functools.partial(layout, name)
        )
        common.serve(lambda: make(case, int(steps)))
        return
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("scaling needs two cores")
    record: dict[str, Any] = {
        "what": "weak scaling of a training step over two cores, medians of rounds with 95 % intervals of ratios; the "
        "all-reduce of two processes",
        **common.environment("tensorflow", "keras"),
        "rounds": arguments.rounds,
        "cases": {},
    }
    steps = str(arguments.steps)
    pair = common.Process(__file__, "two processes", "all-reduce", steps)
    with common.together([pair]):
        seconds = np.median([pair.ask()[2] for _ in range(arguments.rounds)], axis=0).tolist()
    whole, bandwidth = line([4 * size for size in SIZES], seconds)
    latency = whole / 2  # between two there are two rounds
    record["all_reduce"] = {
        "bytes": [4 * size for size in SIZES],
        "seconds": [round(value, 6) for value in seconds],
        "latency": latency,
        "bandwidth": bandwidth,
    }
    print(f"all-reduce of two processes: {whole * 1e3:.2f} ms + bytes / {bandwidth / 1e6:.0f} MB a second")
    for case in arguments.cases:
        chosen = [name for name in LAYOUTS if name == "one core" or name in arguments.layouts]
        processes = {name: common.Process(__file__, name, case, steps) for name in chosen}
        turn = lambda process: process.ask()[2]  # noqa: E731
        with common.together(processes.values()):
            for process in processes.values():
                process.wait()
            found = common.alternate({n: functools.partial(turn, p) for n, p in processes.items()}, arguments.rounds)
        one, sizes = found["one core"], [*gradients(case), 16]  # and the means that are logged
        row = record["cases"][case] = {
            "batch_of_a_replica": CASES[case],
            "gradient_bytes": sizes,
            "seconds_a_step": {name: round(statistics.median(values), 5) for name, values in found.items()},
            "efficiency": {name: common.ratio(one, values) for name, values in found.items() if name != "one core"},
            "predicted": round(predict(2, statistics.median(one), sizes, latency=latency, bandwidth=bandwidth), 3),
        }
        for name, values in row["efficiency"].items():
            print(f"{case}: efficiency of {name} {values['median']:.2f} ({values['interval']})")
        print(f"{case}: the model says {row['predicted']:.2f} for two processes")
    everything = arguments.cases == list(CASES) and tuple(arguments.layouts) == LAYOUTS
    common.keep(arguments, record, whole=everything and arguments.steps >= STEPS)


if __name__ == "__main__":
    main()
