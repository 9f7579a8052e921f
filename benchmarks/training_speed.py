"""Training speed on identical networks: ``python benchmarks/training_speed.py`` (25 minutes on two cores).

Who: ``gan_utils`` (``GAN.fit``), and the same networks, batch and optimizers in

- ``source``: the loop that their source prints, called batch by batch (S2: ``predict`` and three ``train_on_batch``;
  S4: ``train_on_batch`` on the joined batch, then on the stacked model; S5: a compiled step, both networks from one
  forward pass), under TensorFlow's own defaults;
- ``source, oneDNN off``: S5's on what TensorFlow's defaults are on a processor without AVX-512 VNNI or AMX;
- ``keras``: a plain ``keras.Model`` with a ``train_step``, as Keras's guides write it, everything at its default;
- ``torch``, ``torch.compile``: PyTorch (extra ``reference``), with what saves it work: no graph for the fakes of the
  discriminator's step, no gradients of the discriminator's weights in the generator's;
- ``simultaneous``: ``SimultaneousGAN.fit``, the library's for the order of updates that S5 has.

All but `simultaneous` and S5's take a discriminator step and then a generator step on latents of its own. Contenders
run in processes of their own that take turns, each for about four seconds. Speed is real images a second through the
generator's steps; the share of the machine's matrix-product peak is that of the counted operations of a step. Besides:
``fit`` as a whole against the sum of its steps; what callbacks and a checkpoint a minute cost; the most memory each
process held.
"""

import argparse
import functools
import importlib
import itertools
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

RECORD = common.RESULTS / "training_speed.json"
_KERAS = ("keras", "torch", "torch.compile", "gan_utils")
CASES: dict[str, tuple[str, int, tuple[str, ...]]] = {  # networks, batch, who
    "fashion_32": ("fashion", 32, ("source", *_KERAS)),
    "fashion_512": ("fashion", 512, _KERAS),
    "selu_32": ("selu", 32, ("source", *_KERAS)),
    "mnist_256": ("mnist", 256, ("source", "source, oneDNN off", *_KERAS, "simultaneous")),
}
ADAM = {"fashion": (1e-4, 2e-4, 0.5), "mnist": (1e-4, 1e-4, 0.9)}  # the generator's rate, the discriminator's, beta_1
SECONDS = 4.0  # of a contender's turn
IMAGES = "GAN_BENCHMARK_IMAGES"  # names the file, so that PyTorch's process need not import TensorFlow to read them


def networks(kind: str) -> tuple[Any, Any]:
    """Return generator and discriminator, as published."""
    from gan_utils.networks import dcgan, dense

    if kind == "mnist":
        return dcgan.mnist_generator(), dcgan.mnist_discriminator()
    if kind == "selu":
        return dense.selu_generator(), dense.selu_discriminator()
    return dense.fashion_generator(), dense.fashion_discriminator()


def optimizers(kind: str) -> tuple[Any, Any]:
    """Return the generator's and the discriminator's optimizer, as published."""
    import keras

    if kind == "selu":
        return keras.optimizers.RMSprop(1e-3), keras.optimizers.RMSprop(1e-3)
    *rates, beta = ADAM[kind]
    generator, discriminator = (keras.optimizers.Adam(rate, beta_1=beta) for rate in rates)
    return generator, discriminator


def images() -> Any:
    """Return the training images."""
    return np.load(os.environ[IMAGES])


# the contenders: each a function from a case to one that takes steps and waits until they are done


def library(kind: str, batch: int, *, simultaneous: bool = False) -> Callable[[int], object]:
    """Return ``fit``."""
    from gan_utils import runtime, training

    runtime.set_seed(0)
    gan = (training.SimultaneousGAN if simultaneous else training.GAN)(*networks(kind))
    generator, discriminator = optimizers(kind)
    gan.compile(generator_optimizer=generator, discriminator_optimizer=discriminator)
    real = images()
    return lambda steps: gan.fit(real, batch_size=batch, steps_per_epoch=steps, verbose=0)


def source(kind: str, batch: int) -> Callable[[int], object]:
    """Return the loop that the networks' source prints."""
    tf = importlib.import_module("tensorflow")  # before gan_utils, so that the defaults are TensorFlow's
    import sources

    tf.config.optimizer.set_experimental_options({"remapping": True})  # which gan_utils switches off
    loop, _ = {"fashion": sources.fashion_loop, "selu": sources.selu_loop, "mnist": sources.mnist_loop}[kind](images())
    assert batch == {"fashion": 32, "selu": 32, "mnist": 256}[kind]
    return loop


def plain_keras(kind: str, batch: int) -> Callable[[int], object]:
    """Return ``fit`` of a model with a ``train_step`` of its own, written as in Keras's guides."""
    import keras
    import tensorflow as tf

    generator, discriminator = networks(kind)
    tf.config.optimizer.set_experimental_options({"remapping": True})  # which gan_utils switches off
    latent_dim = generator.input_shape[-1]
    loss = keras.losses.BinaryCrossentropy(from_logits=True)

    class Plain(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator, self.discriminator = generator, discriminator
            self.losses_seen = [keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")]

        def compile(self, g_optimizer: Any, d_optimizer: Any) -> None:
            super().compile()
            self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer

        def train_step(self, real: Any) -> dict[str, Any]:
            size = tf.shape(real)[0]
            fake = self.generator(tf.random.normal((size, latent_dim)), training=True)
            with tf.GradientTape() as tape:
                real_logits, fake_logits = (self.discriminator(x, training=True) for x in (real, fake))
                d_loss = loss(tf.ones_like(real_logits), real_logits) + loss(tf.zeros_like(fake_logits), fake_logits)
            variables = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, variables), variables, strict=True))
            with tf.GradientTape() as tape:
                logits = self.discriminator(self.generator(tf.random.normal((size, latent_dim)), training=True))
                g_loss = loss(tf.ones_like(logits), logits)
            variables = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, variables), variables, strict=True))
            for metric, value in zip(self.losses_seen, (d_loss, g_loss), strict=True):
                metric.update_state(value)
            return {metric.name: metric.result() for metric in self.losses_seen}

    model, real = Plain(), images()
    model.compile(*optimizers(kind))
    dataset = tf.data.Dataset.from_tensor_slices(real).shuffle(1024).repeat().batch(batch)
    return lambda steps: model.fit(dataset, steps_per_epoch=steps, verbose=0)


def torch(kind: str, batch: int, *, compiled: bool = False) -> Callable[[int], object]:
    """Return a loop in PyTorch, eager or with both networks under ``torch.compile``."""
    import torch
    from torch import nn

    generator, discriminator = torch_networks(kind)
    if kind == "selu":
        chosen = [torch.optim.RMSprop(n.parameters(), 1e-3, alpha=0.9) for n in (generator, discriminator)]
    else:
        *rates, beta = ADAM[kind]
        pairs = zip((generator, discriminator), rates, strict=True)
        chosen = [torch.optim.Adam(n.parameters(), rate, betas=(beta, 0.999), eps=1e-7) for n, rate in pairs]
    judged = discriminator
    if compiled:
        generator, discriminator = torch.compile(generator), torch.compile(discriminator)
    latent_dim = {"selu": 30}.get(kind, 100)
    cross_entropy = nn.BCEWithLogitsLoss()
    real = torch.from_numpy(images()).permute(0, 3, 1, 2).contiguous()
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)

    def run(steps: int) -> None:
        for _ in range(steps):
            shown = real[torch.randint(len(real), (batch,))]
            judged.requires_grad_(True)
            with torch.no_grad():
                fake = generator(torch.randn(batch, latent_dim))
            chosen[1].zero_grad()
            (cross_entropy(discriminator(shown), ones) + cross_entropy(discriminator(fake), zeros)).backward()
            chosen[1].step()
            judged.requires_grad_(False)
            chosen[0].zero_grad()
            cross_entropy(discriminator(generator(torch.randn(batch, latent_dim))), ones).backward()
            chosen[0].step()

    return run


def torch_networks(kind: str) -> tuple[Any, Any]:
    """Return the same layers in PyTorch."""
    from torch import nn

    def body(widths: tuple[int, ...], *after: Callable[[], Any]) -> list[Any]:
        return [
            layer
            for size, width in itertools.pairwise(widths)
            for layer in (nn.Linear(size, width), *(make() for make in after))
        ]

    if kind == "mnist":
        up = functools.partial(nn.ConvTranspose2d, kernel_size=5, padding=2, bias=False)
        down = functools.partial(nn.Conv2d, kernel_size=5, stride=2, padding=2)
        return nn.Sequential(
            *(nn.Linear(100, 12544, bias=False), nn.BatchNorm1d(12544), nn.ReLU(), nn.Unflatten(1, (256, 7, 7))),
            *(up(256, 128), nn.BatchNorm2d(128), nn.ReLU()),
            *(up(128, 64, stride=2, output_padding=1), nn.BatchNorm2d(64), nn.ReLU()),
            *(up(64, 1, stride=2, output_padding=1), nn.Tanh()),
        ), nn.Sequential(
            *(down(1, 64), nn.LeakyReLU(0.3), nn.Dropout(0.3), down(64, 128), nn.LeakyReLU(0.3), nn.Dropout(0.3)),
            *(nn.Flatten(), nn.Linear(6272, 1)),
        )
    shape = nn.Unflatten(1, (1, 28, 28))
    if kind == "selu":

        class Rescale(nn.Module):
            def forward(self, x: Any) -> Any:
                return 2 * x - 1

        generator = [*body((30, 100, 150), nn.SELU), nn.Linear(150, 784), nn.Sigmoid(), Rescale(), shape]
        return nn.Sequential(*generator), nn.Sequential(
            nn.Flatten(), *body((784, 150, 100), nn.SELU), nn.Linear(100, 1)
        )
    hidden = body((100, 256, 512, 1024), lambda: nn.LeakyReLU(0.2), lambda: nn.Dropout(0.3))
    judge = body((784, 512, 256), lambda: nn.LeakyReLU(0.2))
    return nn.Sequential(*hidden, nn.Linear(1024, 784), nn.Tanh(), shape), nn.Sequential(
        nn.Flatten(), *judge, nn.Linear(256, 1)
    )


CONTENDERS: dict[str, Callable[[str, int], Callable[[int], object]]] = {
    "source": source,
    "source, oneDNN off": source,
    "keras": plain_keras,
    "torch": torch,
    "torch.compile": functools.partial(torch, compiled=True),
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
        run = dict(batch_size=32, steps_per_epoch=steps // 20, epochs=20, verbose=0, callbacks=list(given))
        return common.seconds_of(lambda: gan.fit(real, **run))

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
            saving.append(common.seconds_of(functools.partial(gan.save, run / "again.keras")))
    return {
        "steps": steps,
        "fit_over_its_steps": common.ratio(whole, parts),
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
        took = common.seconds_of(functools.partial(run, steps))
    return max(1, round(steps * SECONDS / took / unit)) * unit


def measure(case: str, rounds: int, steps: int | None, who: list[str] | None) -> dict[str, Any]:
    """Return one case's row."""
    kind, batch, names = CASES[case]
    contenders = {
        name: functools.partial(
            common.Process, __file__, name, case, str(steps or 0), variables=VARIABLES.get(name, {})
        )
        for name in names
        if not who or name in who
    }
    found = common.race(contenders, rounds)
    machine, taken = found["machine"], found["values"]
    seconds = {name: [s / taken[name] for s in turns] for name, turns in found["seconds"].items()}  # of a step
    row: dict[str, Any] = {
        "batch": batch,
        "steps_a_round": taken,
        "images_per_second": {name: round(batch / statistics.median(s)) for name, s in seconds.items()},
        "speed_over": {},
        "share_of_sgemm": {},
        "peak_memory_mib": found["peak_memory_mib"],
        "not_run": found["not_run"],
        "machine": {name: round(statistics.median(values), 1) for name, values in machine.items()},
        "mflop_an_image": {},
    }
    for ours in [name for name in ("gan_utils", "simultaneous") if name in seconds]:
        others = {name: s for name, s in seconds.items() if name not in ("gan_utils", "simultaneous")}
        row["speed_over"][ours] = {name: common.ratio(s, seconds[ours]) for name, s in others.items()}
        flops = step_flops(*networks(kind), simultaneous=ours == "simultaneous")
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
    common.add_record(parser, RECORD)
    parser.add_argument("--serve", nargs=3, metavar=("CONTENDER", "CASE", "STEPS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        contender, case, steps = arguments.serve
        kind, batch, _ = CASES[case]
        common.serve(lambda: turn(CONTENDERS[contender](kind, batch), int(steps), 10 if kind == "mnist" else 50))
        return
    from gan_utils import data

    record: dict[str, Any] = {
        "what": "real images a second through the generator's steps; medians of rounds, 95 % intervals of their ratios",
        **common.environment("tensorflow", "keras", "numpy", *common.installed("torch")),
        "rounds": arguments.rounds,
        "cases": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ[IMAGES] = f"{folder}/images.npy"
        np.save(os.environ[IMAGES], data.load("fashion_mnist").images)
        for case in arguments.cases:
            row = record["cases"][case] = measure(case, arguments.rounds, arguments.steps, arguments.who)
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
        record["overheads"] = found = overheads(arguments.rounds, 20 * (arguments.steps or 60))
        print(f"fit over the sum of its steps {found['fit_over_its_steps']['median']:.3f}")
        print(f"callbacks and a file a run {found['callbacks_and_a_file_over_bare']['median']:.3f}", end=" ")
        print(f"of {found['seconds_of_a_bare_fit']} s; a checkpoint takes {found['seconds_of_a_checkpoint']} s")
    common.keep(arguments, record, whole=arguments.cases == list(CASES) and not (arguments.who or arguments.steps))


if __name__ == "__main__":
    main()
