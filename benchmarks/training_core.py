"""The training core against what a reader would otherwise write: ``make bench``.

Same networks, batch, optimizers and order of updates (a discriminator step, then a generator step on latents of its
own), in three processes that take turns, a round after another:

- ``gan_utils``: ``GAN.fit``;
- ``plain``: a ``tf.function`` step in a Python loop over a ``tf.data`` set, TensorFlow's defaults (oneDNN as it comes);
- ``torch``: PyTorch, eager, its default flags; left out where PyTorch is not installed (extra ``reference``).

Speed is real images a second through the generator's steps. Besides: the share of the machine's sgemm peak, measured in
the same run, that the DCGAN's step reaches by its counted FLOPs; ``fit`` as a whole against the sum of its steps; what
callbacks and a checkpoint a minute cost; peak memory.
"""

import argparse
import functools
import importlib.util
import itertools
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

RECORD = common.RESULTS / "training_core.json"
CASES = {  # networks, batch, steps a round
    "mnist_dcgan_128": ("mnist", 128, 32),
    "fashion_32": ("fashion", 32, 600),
    "fashion_512": ("fashion", 512, 200),
}


# the contenders, each a function from a case to a function that takes steps


def networks(kind: str) -> tuple[Any, Any]:
    """Return generator and discriminator, as published."""
    from gan_utils.networks import dcgan, dense

    if kind == "mnist":
        return dcgan.mnist_generator(), dcgan.mnist_discriminator()
    return dense.fashion_generator(), dense.fashion_discriminator()


def images() -> np.ndarray:
    """Return the training images."""
    from gan_utils import data

    return data.load("fashion_mnist").images


def library(kind: str, batch: int) -> Callable[[int], None]:
    """Return ``GAN.fit``."""
    from gan_utils import runtime, training

    runtime.set_seed(0)
    gan, real = training.GAN(*networks(kind)), images()
    gan.compile()
    return lambda steps: gan.fit(real, batch_size=batch, steps_per_epoch=steps, verbose=0)


def plain(kind: str, batch: int) -> Callable[[int], None]:
    """Return the loop of a tutorial: a compiled step, called for each batch of a shuffled dataset."""
    import keras
    import tensorflow as tf

    generator, discriminator = networks(kind)
    tf.config.optimizer.set_experimental_options({"remapping": True})  # which gan_utils switches off
    optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)]
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    data = iter(tf.data.Dataset.from_tensor_slices(images()).shuffle(60_000).repeat().batch(batch))

    @tf.function
    def step(real: Any) -> None:
        fake = generator(tf.random.normal((batch, 100)), training=True)
        with tf.GradientTape() as tape:
            real_logits, fake_logits = discriminator(real, training=True), discriminator(fake, training=True)
            loss = cross_entropy(tf.ones_like(real_logits), real_logits)
            loss += cross_entropy(tf.zeros_like(fake_logits), fake_logits)
        variables = discriminator.trainable_variables
        optimizers[0].apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        with tf.GradientTape() as tape:
            logits = discriminator(generator(tf.random.normal((batch, 100)), training=True), training=True)
            loss = cross_entropy(tf.ones_like(logits), logits)
        variables = generator.trainable_variables
        optimizers[1].apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def run(steps: int) -> None:
        for _ in range(steps):
            step(next(data))
        generator.trainable_variables[0].numpy()  # wait for the last step

    return run


def torch(kind: str, batch: int) -> Callable[[int], None]:
    """Return the loop of PyTorch's own tutorial, eager."""
    import torch
    from torch import nn

    if kind == "mnist":
        generator = nn.Sequential(
            nn.Linear(100, 12544, bias=False),
            nn.BatchNorm1d(12544),
            nn.ReLU(),
            nn.Unflatten(1, (256, 7, 7)),
            nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False),
            nn.Tanh(),
        )
        discriminator = nn.Sequential(
            nn.Conv2d(1, 64, 5, 2, 2),
            nn.LeakyReLU(0.3),
            nn.Dropout(0.3),
            nn.Conv2d(64, 128, 5, 2, 2),
            nn.LeakyReLU(0.3),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(6272, 1),
        )
    else:
        widths, body = (100, 256, 512, 1024), []
        for size, width in itertools.pairwise(widths):
            body += [nn.Linear(size, width), nn.LeakyReLU(0.2), nn.Dropout(0.3)]
        generator = nn.Sequential(*body, nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
        discriminator = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 512),
            nn.LeakyReLU(0.2),
            nn.Linear(512, 256),
            nn.LeakyReLU(0.2),
            nn.Linear(256, 1),
        )
    optimizers = [torch.optim.Adam(n.parameters(), 2e-4, betas=(0.5, 0.999)) for n in (discriminator, generator)]
    cross_entropy = nn.BCEWithLogitsLoss()
    real = torch.from_numpy(images()).permute(0, 3, 1, 2).contiguous()
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)

    def run(steps: int) -> None:
        for _ in range(steps):
            chosen = real[torch.randint(len(real), (batch,))]
            fake = generator(torch.randn(batch, 100)).detach()
            optimizers[0].zero_grad()
            (cross_entropy(discriminator(chosen), ones) + cross_entropy(discriminator(fake), zeros)).backward()
            optimizers[0].step()
            optimizers[1].zero_grad()
            cross_entropy(discriminator(generator(torch.randn(batch, 100))), ones).backward()
            optimizers[1].step()

    return run


CONTENDERS = {"gan_utils": library, "plain": plain, "torch": torch}


# what only the library is asked


def step_flops(batch: int) -> float:
    """Return the floating-point operations of one step of the MNIST DCGAN, counted from its layers.

    A layer with a kernel costs 2 MACs forward, as much for its kernel's gradient and as much for its input's. The
    discriminator's step runs the generator forward once, the discriminator forward and backward twice (no gradient for
    images); the generator's runs both forward and backward once (none for the discriminator's kernels or for latents).
    """
    from gan_utils.networks import structure

    totals = []
    for network in networks("mnist"):
        costs = [2.0 * structure.multiplications(layer) for layer in network.layers if hasattr(layer, "kernel")]
        totals.append((sum(costs), costs[0]))
    (generator, first), (discriminator, first_of_discriminator) = totals
    own = generator + 2 * (3 * discriminator - first_of_discriminator)
    other = 3 * generator - first + 2 * discriminator
    return batch * float(own + other)


def sgemm_peak() -> float:
    """Return the best of ten products of 2048 × 2048 matrices, in operations a second."""
    import tensorflow as tf

    a, best = tf.random.normal((2048, 2048)), float("inf")
    for _ in range(10):
        start = time.perf_counter()
        (a @ a)[0, 0].numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best


def overheads(rounds: int, steps: int) -> dict[str, Any]:
    """Return fit against the sum of its steps, and with callbacks against without, for the Fashion GAN at batch 32."""
    from gan_utils import runtime, training
    from gan_utils.runtime import keras
    from gan_utils.training import callbacks

    runtime.set_seed(0)
    gan, real = training.GAN(*networks("fashion")), images()
    gan.compile()

    class Sum(keras.callbacks.Callback):
        seconds = 0.0

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.start = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seconds += time.perf_counter() - self.start

    def fit(*given: Any) -> float:
        start = time.perf_counter()
        gan.fit(real, batch_size=32, steps_per_epoch=steps // 20, epochs=20, verbose=0, callbacks=list(given))
        return time.perf_counter() - start

    fit()
    whole, parts, bare, watched, saving = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            total = Sum()
            whole.append(fit(total))
            parts.append(total.seconds)
            bare.append(fit())
            run = Path(folder) / str(number)
            resume = callbacks.Resume(run, every_seconds=60)  # one file, at the end of the run
            history = callbacks.HistoryFile(run / "history.json")
            with open(os.devnull, "w") as nowhere:
                kept, sys.stdout = sys.stdout, nowhere
                watched.append(fit(callbacks.Progress(20), history, resume))
                sys.stdout = kept
            start = time.perf_counter()
            gan.save(run / "again.keras")
            saving.append(time.perf_counter() - start)
    return {
        "steps": steps,
        "fit_over_its_steps": common.ratio(whole, parts),
        "callbacks_and_a_file_over_bare": common.ratio(watched, bare),
        "seconds_of_a_bare_fit": round(statistics.median(bare), 2),
        "seconds_of_a_checkpoint": round(statistics.median(saving), 3),
    }


# the processes


def serve(contender: str, case: str) -> None:
    """Take steps when told to: a number of steps a line, answered by seconds and peak memory in MiB."""
    kind, batch, steps = CASES[case]
    run = CONTENDERS[contender](kind, batch)
    run(steps)
    print("ready", flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "peak":
            print(json.dumps(sgemm_peak()), flush=True)
            continue
        start = time.perf_counter()
        run(int(word))
        print(json.dumps([time.perf_counter() - start, common.peak_memory()]), flush=True)


def measure(case: str, rounds: int, steps: int | None = None) -> dict[str, Any]:
    """Return one case's row."""
    kind, batch, usual = CASES[case]
    number = steps or usual
    names = [name for name in CONTENDERS if name != "torch" or importlib.util.find_spec("torch")]
    processes = {name: common.Process(__file__, name, case) for name in names}
    memory: dict[str, float] = {}

    def steps_of(name: str) -> float:
        took, memory[name] = processes[name].ask(str(number))
        return took

    runs: dict[str, Callable[[], float]] = {name: functools.partial(steps_of, name) for name in names}
    peaks: list[float] = []
    if kind == "mnist":
        runs["peak"] = lambda: peaks.append(processes["gan_utils"].ask("peak")) or 0.0
    seconds = common.alternate(runs, rounds)
    row: dict[str, Any] = {
        "batch": batch,
        "steps_a_round": number,
        "images_per_second": {n: round(batch * number / statistics.median(seconds[n])) for n in names},
        "speed_over": {n: common.ratio(seconds[n], seconds["gan_utils"]) for n in names if n != "gan_utils"},
        "peak_memory_mib": {name: round(peak) for name, peak in memory.items()},
    }
    for process in processes.values():
        process.close()
    if kind == "mnist":
        flops = step_flops(batch)
        reached = [flops * number / s for s in seconds["gan_utils"]]
        row |= {
            "gflop_a_step": round(flops / 1e9, 1),
            "sgemm_gflops": round(statistics.median(peaks) / 1e9),
            "share_of_sgemm": common.ratio(reached, peaks),
        }
    return row


def main() -> None:
    """Measure, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, help="steps a round, for a quick look")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--serve", nargs=2, metavar=("CONTENDER", "CASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    packages = ["tensorflow", "keras"] + (["torch"] if importlib.util.find_spec("torch") else [])
    record: dict[str, Any] = {
        "what": "real images a second through the generator's steps; medians of rounds, 95 % intervals of their ratios",
        **common.environment(*packages),
        "rounds": arguments.rounds,
        "cases": {},
    }
    for case in arguments.cases:
        row = record["cases"][case] = measure(case, arguments.rounds, arguments.steps)
        print(case, "  ".join(f"{n} {rate:,} images/s" for n, rate in row["images_per_second"].items()))
        for name, found in row["speed_over"].items():
            low, high = found["interval"]
            print(f"  {found['median']:.2f} times as fast as {name} (95 %: {low:.2f} to {high:.2f})")
        if "share_of_sgemm" in row:
            share = row["share_of_sgemm"]["median"]
            print(f"  {row['gflop_a_step']} GFLOP a step, {share:.0%} of {row['sgemm_gflops']} GFLOP/s sgemm")
        print(f"  peak memory, MiB: {row['peak_memory_mib']}")
    record["overheads"] = found = overheads(min(arguments.rounds, 7), 20 * (arguments.steps or 60))
    print(f"fit over the sum of its steps {found['fit_over_its_steps']['median']:.3f}")
    print(f"callbacks and a file a run {found['callbacks_and_a_file_over_bare']['median']:.3f}", end=" ")
    print(f"of {found['seconds_of_a_bare_fit']} s; a checkpoint takes {found['seconds_of_a_checkpoint']} s")
    common.write(arguments.record, record)


if __name__ == "__main__":
    main()
