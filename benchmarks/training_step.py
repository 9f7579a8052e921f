"""Real images a second through ``GAN.fit`` against the published Fashion GAN's own loop, in one run: ``make bench``.

The published step is ``generator.predict`` for the fakes, ``train_on_batch`` on the real batch, on the fake batch and
on the stacked model. Same networks, batch of 32, optimizers and machine. Its discriminator is traced before it is
frozen: as published it would not train at all under Keras 3, and the comparison would flatter neither.

Rounds of both alternate, so that a slow spell of the machine hits both; medians are reported. Tracing and compilation
are reported apart, since they are paid once.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np

from gan_utils import data, runtime, training
from gan_utils.networks import dense
from gan_utils.runtime import keras

BATCH = 32
RECORD = common.RESULTS / "training_step.json"


def optimizers() -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
    """Return the published settings of the generator's and the discriminator's optimizer."""
    return keras.optimizers.Adam(1e-4, beta_1=0.5), keras.optimizers.Adam(2e-4, beta_1=0.5)


def published_loop(images: np.ndarray, seed: int = 0) -> tuple[Callable[[int], None], keras.Model]:
    """Return a function that takes that many steps of the published loop, and the generator that it trains."""
    runtime.set_seed(seed)
    generator, discriminator = dense.fashion_generator(), dense.fashion_discriminator()
    generator_optimizer, discriminator_optimizer = optimizers()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    ones, zeros, random = np.ones((BATCH, 1)), np.zeros((BATCH, 1)), np.random.default_rng(seed)
    discriminator.compile(optimizer=discriminator_optimizer, loss=loss)
    discriminator.train_on_batch(images[:BATCH], ones)  # traced while it is still trainable
    discriminator.trainable = False
    stacked = keras.Sequential([generator, discriminator])
    stacked.compile(optimizer=generator_optimizer, loss=loss)

    def run(steps: int) -> None:
        for _ in range(steps):
            real = images[random.integers(0, len(images), BATCH)]
            fake = generator.predict(random.standard_normal((BATCH, 100), np.float32), verbose=0)
            discriminator.train_on_batch(real, ones)
            discriminator.train_on_batch(fake, zeros)
            stacked.train_on_batch(random.standard_normal((BATCH, 100), np.float32), ones)

    before = [weights.copy() for weights in discriminator.get_weights()]
    run(1)
    assert any(np.any(a != b) for a, b in zip(before, discriminator.get_weights(), strict=True)), "it must train"
    return run, generator


def library(images: np.ndarray, steps: int) -> Callable[[int], None]:
    """Return a function that takes that many steps of ``GAN.fit``."""
    runtime.set_seed(0)
    gan = training.GAN(dense.fashion_generator(), dense.fashion_discriminator())
    generator_optimizer, discriminator_optimizer = optimizers()
    gan.compile(generator_optimizer=generator_optimizer, discriminator_optimizer=discriminator_optimizer)

    def run(steps: int) -> None:
        gan.fit(images, batch_size=BATCH, steps_per_epoch=steps, verbose=0)

    run(steps)
    return run


def measure(steps: int, rounds: int) -> dict[str, object]:
    """Time both and return the record."""
    images = data.load("fashion_mnist").images
    first = {}
    start = time.perf_counter()
    runs = {"published loop": published_loop(images)[0]}
    first["published loop"] = time.perf_counter() - start
    start = time.perf_counter()
    runs["GAN.fit"] = library(images, steps)
    first["GAN.fit"] = time.perf_counter() - start

    def timed(run: Callable[[int], None]) -> float:
        start = time.perf_counter()
        run(steps)
        return time.perf_counter() - start

    seconds = common.alternate({name: lambda run=run: timed(run) for name, run in runs.items()}, rounds)
    return {
        "what": "real images a second through the generator's steps, Fashion GAN, batch 32; median of rounds; first = "
        "building, tracing and compiling",
        **common.environment("tensorflow", "keras"),
        "steps_a_round": steps,
        "rounds": rounds,
        "images_per_second": {n: round(BATCH * steps / statistics.median(values)) for n, values in seconds.items()},
        "first_seconds": {name: round(value, 1) for name, value in first.items()},
        "ratio": common.ratio(seconds["published loop"], seconds["GAN.fit"]),
    }


def main() -> None:
    """Measure, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="steps a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    arguments = parser.parse_args()
    record = measure(arguments.steps, arguments.rounds)
    common.write(arguments.record, record)
    for name, rate in record["images_per_second"].items():
        print(f"{name:<16}{rate:>8} images a second   (first: {record['first_seconds'][name]} s)")
    print(f"GAN.fit is {record['ratio']['median']} times as fast; rounds: {record['ratio']['all']}")


if __name__ == "__main__":
    main()
