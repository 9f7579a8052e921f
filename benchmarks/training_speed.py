"""Training speed on identical networks: ``python benchmarks/training_speed.py`` (three quarters of an hour).

Who: ``gan_utils`` (``GAN.fit``), and the same layers, batch and optimizers in

- ``keras``: a plain ``keras.Model`` with a ``train_step``, as Keras's guides write it; ``keras, tuned``;
- ``torch``: PyTorch (extra ``reference``); ``torch, tuned``; ``torch, compiled``: both losses under ``torch.compile``;
- ``jax``: JAX with optax, many steps in one compiled ``scan``; not on the MNIST DCGAN, where a step takes XLA minutes
  on a CPU;
- ``source``: the loop that the networks' source prints, called batch by batch, under TensorFlow's own defaults;
- ``source, oneDNN off``: on what TensorFlow's defaults are on a processor without AVX-512 VNNI or AMX;
- ``simultaneous``: ``SimultaneousGAN.fit``, the library's for the order of updates that the MNIST DCGAN's source has.

See ``rivals`` for what tuned means. All but `simultaneous` and that source take a discriminator step and then a
generator step on latents of its own. Contenders run in processes of their own that take turns, each for two to three
seconds. Speed is real images a second through the generator's steps; the share of the machine's matrix-product peak is
that of the counted operations of a step. Besides: ``fit`` as a whole against the sum of its steps; what callbacks and a
checkpoint a minute cost; the most memory each process held.

With ``--emulate`` they run as on a processor without AVX-512 (as far as it can be asked for), and the record is one of
its own. ``torch.compile`` is left out there: what it makes under that restriction does not come to an end.
"""

import argparse
import functools
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
import rivals

RECORD = common.RESULTS / "training_speed.json"
EMULATED = common.RESULTS / "training_speed_avx2.json"
AVX2 = {  # what oneDNN, OpenBLAS, PyTorch, MKL and XLA are asked not to use more than; TensorFlow's own kernels do not
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
RIVALS = ("keras", "keras, tuned", "torch", "torch, tuned", "torch, compiled", "jax")
OURS = ("gan_utils", "simultaneous")
CASES: dict[str, tuple[str, int, tuple[str, ...]]] = {  # networks, batch, who
    "fashion_32": ("fashion", 32, ("source", *RIVALS, "gan_utils")),
    "fashion_128": ("fashion", 128, (*RIVALS, "gan_utils")),
    "fashion_512": ("fashion", 512, (*RIVALS, "gan_utils")),
    "selu_32": ("selu", 32, ("source", *RIVALS, "gan_utils")),
    "compact_32": ("compact", 32, (*RIVALS, "gan_utils")),
    "mnist_128": ("mnist", 128, (*RIVALS[:-1], "gan_utils")),
    "mnist_256": ("mnist", 256, ("source", "source, oneDNN off", *RIVALS[:-1], "gan_utils", "simultaneous")),
}
SECONDS = 2.5  # of a contender's turn
FOLDER = "GAN_BENCHMARK_FOLDER"  # holds what rivals need, so that PyTorch's process need not import TensorFlow


def images() -> Any:
    """Return the training images."""
    return np.load(Path(os.environ[FOLDER]) / "images.npy")


def case_of(kind: str, batch: int) -> rivals.Case:
    """Return what the rivals train."""
    layers = json.loads((Path(os.environ[FOLDER]) / f"{kind}.json").read_text())
    compiles = kind in ("fashion", "selu")
    return rivals.Case(*layers, batch, rivals.OPTIMIZERS[kind], images(), rivals.GROUPS[kind], compiles)


# the contenders: each a function from a case to one that takes steps and waits until they are done


def library(kind: str, batch: int, *, simultaneous: bool = False) -> rivals.Run:
    """Return ``fit``."""
    gan, real = rivals.gan(kind, simultaneous=simultaneous), images()
    return lambda steps: gan.fit(real, batch_size=batch, steps_per_epoch=steps, verbose=0)


def source(kind: str, batch: int) -> rivals.Run:
    """Return the loop that the networks' source prints."""
    tf = importlib.import_module("tensorflow")  # before gan_utils, so that the defaults are TensorFlow's
    import sources

    tf.config.optimizer.set_experimental_options({"remapping": True})  # which gan_utils switches off
    loop, _ = {"fashion": sources.fashion_loop, "selu": sources.selu_loop, "mnist": sources.mnist_loop}[kind](images())
    assert batch == {"fashion": 32, "selu": 32, "mnist": 256}[kind]
    return loop


def keras_model(kind: str, batch: int, *, tuned: bool = False) -> rivals.Run:
    """Return Keras's ``fit``; tuned, under the same oneDNN as the library."""
    if not tuned:
        importlib.import_module("tensorflow")  # before gan_utils, so that the defaults are TensorFlow's
    pair = rivals.networks(kind)
    return rivals.keras_model(case_of(kind, batch), pair, tuned=tuned)


CONTENDERS: dict[str, Callable[[str, int], rivals.Run]] = {
    "source": source,
    "source, oneDNN off": source,
    "keras": keras_model,
    "keras, tuned": functools.partial(keras_model, tuned=True),
    "torch": lambda kind, batch: rivals.torch_loop(case_of(kind, batch), tuned=False),
    "torch, tuned": lambda kind, batch: rivals.torch_loop(case_of(kind, batch), tuned=True),
    "torch, compiled": lambda kind, batch: rivals.torch_loop(case_of(kind, batch), tuned=True, compiled=True),
    "jax": lambda kind, batch: rivals.jax_loop(case_of(kind, batch)),
    "gan_utils": library,
    "simultaneous": functools.partial(library, simultaneous=True),
}
VARIABLES = {"source, oneDNN off": {"TF_ENABLE_ONEDNN_OPTS": "0"}}


# what only the library is asked


def step_flops(generator: Any, discriminator: Any, *, simultaneous: bool = False) -> float:
    """Return the floating-point operations of one real image's part of a step, counted from the networks' kernels.

    A layer with a kernel costs 2 MACs forward, as much for its kernel's gradient and as much for its input's. The
    discriminator's step runs the generator forward once, the discriminator forward and backward twice (no gradient for
    images); the generator's runs both forward and backward once (none for the discriminator's kernels or for latents).
    Simultaneous steps run each forward once for both.
    """
    from gan_utils.networks import structure

    totals = []
    for network in (generator, discriminator):
        layers = [row.layer for row in structure.rows(network)]  # in the order of computation
        costs = [2.0 * structure.multiplications(layer) for layer in layers if hasattr(layer, "kernel")]
        totals.append((sum(costs), costs[0]))
    (made, first_made), (judged, first_judged) = totals
    once = 3 * made - first_made + 2 * (3 * judged - first_judged) + judged
    return once if simultaneous else once + made + judged


def overheads(rounds: int, scale: float = 1.0) -> dict[str, Any]:
    """Return fit against the sum of its steps, and with callbacks against without, for the Fashion GAN at batch 32.

    An epoch has 50 steps; a run has 1,000 or 100.
    """
    from gan_utils import training
    from gan_utils.runtime import keras
    from gan_utils.training import callbacks

    gan, real = training.GAN(*rivals.networks("fashion")), images()
    gan.compile()

    class Sum(keras.callbacks.Callback):
        seconds = 0.0

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.start = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seconds += time.perf_counter() - self.start

    def fit(epochs: int, *given: Any) -> float:
        run = dict(batch_size=32, steps_per_epoch=max(2, round(50 * scale)), epochs=epochs, verbose=0)
        return common.seconds_of(lambda: gan.fit(real, callbacks=list(given), **run))

    fit(2)
    found: dict[str, Any] = {"fit_over_its_steps": {}}
    for steps in (1000, 100):
        whole, parts = [], []
        for _ in range(rounds):
            total = Sum()
            whole.append(fit(steps // 50, total))
            parts.append(total.seconds)
        found["fit_over_its_steps"][str(steps)] = common.ratio(whole, parts)
    bare, watched, saving = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            bare.append(fit(20))
            run = Path(folder) / str(number)
            resume = callbacks.Resume(run, every_seconds=60)  # one file, at the end of the run
            history = callbacks.HistoryFile(run / "history.json")
            with open(os.devnull, "w") as nowhere:
                kept, sys.stdout = sys.stdout, nowhere
                watched.append(fit(20, callbacks.Progress(20), history, resume))
                sys.stdout = kept
            saving.append(common.seconds_of(functools.partial(gan.save, run / "again.keras")))
    return found | {
        "callbacks_and_a_file_over_bare": common.ratio(watched, bare),
        "seconds_of_a_bare_fit": round(statistics.median(bare), 2),
        "seconds_of_a_checkpoint": round(statistics.median(saving), 3),
    }


def turn(run: Callable[[int], object], steps: int, unit: int) -> Callable[[], int]:
    """Return what takes so many steps and says how many; for 0, as many as take `SECONDS`.

    The first call only traces, among other processes that do the same; the second finds the number, alone.

    Args:
        run: takes steps.
        steps: how many, or 0.
        unit: steps come in multiples of it, so that ``fit`` groups them alike and is not traced again.
    """
    number, first = steps, True

    def take() -> int:
        nonlocal number, first
        if first:
            first = False
            run(number or unit)
            return number or unit
        number = number or as_many(run, unit)
        run(number)
        return number

    return take


def as_many(run: Callable[[int], object], unit: int) -> int:
    """Return the multiple of `unit` steps that takes about `SECONDS`."""
    steps, took = unit // 2, 0.0
    while took < SECONDS / 4:
        steps *= 2
        run(steps)  # traced for as many
        took = common.seconds_of(functools.partial(run, steps))
    return max(1, round(steps * SECONDS / took / unit)) * unit


def contenders_of(case: str, emulated: bool) -> list[str]:
    """Return who competes in a case; on an emulated machine without ``torch.compile``."""
    return [name for name in CASES[case][2] if not (emulated and name == "torch, compiled")]


def measure(case: str, rounds: int, steps: int | None, who: list[str]) -> dict[str, Any]:
    """Return one case's row, of these contenders."""
    kind, batch, _ = CASES[case]
    contenders = {
        name: functools.partial(
            common.Process, __file__, name, case, str(steps or 0), variables=VARIABLES.get(name, {})
        )
        for name in who
    }
    found = common.race(contenders, rounds)
    machine, taken = found["machine"], found["values"]
    seconds = {name: [s / taken[name] for s in turns] for name, turns in found["seconds"].items()}  # of a step
    row: dict[str, Any] = {
        "batch": batch,
        "steps_a_round": taken,
        "images_per_second": {name: round(batch / statistics.median(s)) for name, s in seconds.items()},
        "interval": {name: common.interval([batch / each for each in s]) for name, s in seconds.items()},
        "speed_over": {},
        "share_of_sgemm": {},
        "peak_memory_mib": found["peak_memory_mib"],
        "not_run": found["not_run"],
        "machine": {name: round(statistics.median(values), 1) for name, values in machine.items()},
        "mflop_an_image": {},
    }
    for ours in [name for name in OURS if name in seconds]:
        others = {name: s for name, s in seconds.items() if name not in OURS}
        row["speed_over"][ours] = {name: common.ratio(s, seconds[ours]) for name, s in others.items()}
        flops = step_flops(*rivals.networks(kind), simultaneous=ours == "simultaneous")
        reached = [flops * batch / s / 1e9 for s in seconds[ours]]
        row["share_of_sgemm"][ours] = common.ratio(reached, machine["sgemm_gflops"])
        row["mflop_an_image"][ours] = round(flops / 1e6, 1)
    return row


def main() -> None:
    """Measure, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, help="steps a round, for a quick look")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--who", nargs="*", choices=list(CONTENDERS), help="only these contenders")
    parser.add_argument("--emulate", action="store_true", help="as on a processor without AVX-512")
    common.add_record(parser, RECORD)
    parser.add_argument("--serve", nargs=3, metavar=("CONTENDER", "CASE", "STEPS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        contender, case, steps = arguments.serve
        kind, batch, _ = CASES[case]
        common.serve(lambda: turn(CONTENDERS[contender](kind, batch), int(steps), rivals.GROUPS[kind]))
        return
    if arguments.emulate:
        os.environ.update(AVX2)  # before TensorFlow is imported
        arguments.whole_record = EMULATED
    from gan_utils import data

    record: dict[str, Any] = {
        "what": "real images a second through the generator's steps; medians of rounds, 95 % intervals of their ratios",
        **common.environment("tensorflow", "keras", "numpy", *common.installed("torch", "jax", "optax")),
        "emulated": AVX2 if arguments.emulate else {},
        "rounds": arguments.rounds,
        "cases": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER] = folder
        np.save(Path(folder) / "images.npy", data.load("fashion_mnist").images)
        for kind in {CASES[case][0] for case in arguments.cases}:
            layers = [rivals.describe(network) for network in rivals.networks(kind)]
            (Path(folder) / f"{kind}.json").write_text(json.dumps(layers))
        for case in arguments.cases:
            who = [n for n in contenders_of(case, arguments.emulate) if not arguments.who or n in arguments.who]
            row = record["cases"][case] = measure(case, arguments.rounds, arguments.steps, who)
            print(case, "  ".join(f"{n} {rate:,} images/s" for n, rate in row["images_per_second"].items()))
            for ours, others in row["speed_over"].items():
                for name, found in others.items():
                    low, high = found["interval"]
                    print(f"  {ours} is {found['median']:.2f} times as fast as {name} (95 %: {low:.2f} to {high:.2f})")
                share, peak = row["share_of_sgemm"][ours]["median"], row["machine"]["sgemm_gflops"]
                print(
                    f"  {ours}: {row['mflop_an_image'][ours]} MFLOP an image, {share:.0%} of {peak:.0f} GFLOP/s sgemm"
                )
            print(f"  peak memory, MiB: {row['peak_memory_mib']}")
            for name, reason in row["not_run"].items():
                print(f"  not run: {name}: {reason}")
        if not arguments.who:
            record["overheads"] = found = overheads(arguments.rounds, 0.1 if arguments.steps else 1.0)
            for number, over in found["fit_over_its_steps"].items():
                print(f"fit of {number} steps over the sum of them {over['median']:.3f}")
            print(f"callbacks and a file a run {found['callbacks_and_a_file_over_bare']['median']:.3f}", end=" ")
            print(f"of {found['seconds_of_a_bare_fit']} s; a checkpoint takes {found['seconds_of_a_checkpoint']} s")
    common.keep(arguments, record, whole=arguments.cases == list(CASES) and not (arguments.who or arguments.steps))


if __name__ == "__main__":
    main()
