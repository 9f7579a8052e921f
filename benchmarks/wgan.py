"""DCGAN, WGAN and WGAN-GP under one wall clock: ``python benchmarks/wgan.py`` (half an hour on two cores; resumable).

The compact DCGAN's networks on Fashion-MNIST, 100 seconds each, building and compiling included, three seeds. Each
method has the same effort of tuning: four settings, 30 seconds each with a seed that is not used again; the least
Fréchet distance is kept. The two with a Wasserstein loss have no BatchNorm in the critic, which the gradient penalty
forbids. On the way ten looks: Fréchet distance of 10,000 samples, and the loss as its reader sees it, the mean since
the look before.

Give the machine nothing else to do meanwhile.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import common
import dcgan as convolutional
import numpy as np

from gan_utils import data, metrics, runtime, terms, training
from gan_utils.networks import dcgan
from gan_utils.runtime import keras

RECORD = common.RESULTS / "wgan.json"
MADE_BY = [
    *(f"benchmarks/{name}.py" for name in ("dcgan", "wgan")),
    *(f"gan_utils/{path}.py" for path in ("losses", "terms", "networks/dcgan")),
    *(f"gan_utils/training/{name}.py" for name in ("adversarial", "gan")),
]
SEEDS, TUNING_SEED, TUNING_SECONDS = (0, 1, 2), 100, 30.0
MARKS = (5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0)
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "DCGAN": [{"rate": rate} for rate in (5e-4, 1e-3, 2e-3, 4e-3)],
    "WGAN": [{"rate": rate, "critic_steps": steps} for rate in (5e-5, 5e-4) for steps in (1, 5)],
    "WGAN-GP": [{"rate": rate, "critic_steps": steps} for rate in (2e-4, 1e-3) for steps in (1, 5)],
}
METHODS = tuple(SETTINGS)


def gan(method: str, seed: int, setting: Mapping[str, Any]) -> training.GAN:
    """Return an untrained GAN.

    Args:
        method: one of `METHODS`.
        seed: of weights, batches and latents.
        setting: one of its `SETTINGS`.
    """
    runtime.set_seed(seed)
    rate, generator = setting["rate"], dcgan.compact_generator()
    if method == "DCGAN":
        made = training.GAN(generator, dcgan.compact_discriminator(), ema=0.998, seed=seed)
        adam = lambda: keras.optimizers.Adam(rate, beta_1=0.5)  # noqa: E731
        made.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
        return made
    made = training.GAN(
        generator,
        dcgan.compact_discriminator(batch_norm="none"),
        loss="wasserstein",
        terms=[terms.WeightClipping(0.01) if method == "WGAN" else terms.GradientPenalty(10.0)],
        discriminator_steps=setting["critic_steps"],
        ema=0.998,
        seed=seed,
    )
    if method == "WGAN":  # as published: no momentum
        optimizer = lambda: keras.optimizers.RMSprop(rate)  # noqa: E731
    else:
        optimizer = lambda: keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9)  # noqa: E731
    made.compile(generator_optimizer=optimizer(), discriminator_optimizer=optimizer())
    return made


def loss_of(method: str, history: Mapping[str, Any]) -> float:
    """Return what a reader watches: the discriminator's loss, or the critic's estimate of the Wasserstein distance."""
    if method == "DCGAN":
        return float(history["discriminator_loss"][-1])
    return float(history["d_real"][-1] - history["d_fake"][-1])


def tuned(rows: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the best of a method's settings, as the record's tuning rows say."""
    tried = [rows[f"{method} tuning {number}"] for number in range(len(SETTINGS[method]))]
    finite = [row for row in tried if row["frechet"] is not None]  # none of a run that has diverged
    return min(finite, key=lambda row: row["frechet"])["setting"]


def keys() -> list[str]:
    """Return the names of all rows, in the order in which they are made."""
    tuning = [f"{method} tuning {number}" for method in METHODS for number in range(len(SETTINGS[method]))]
    return tuning + [f"{method} {seed}" for seed in SEEDS for method in METHODS]


def models() -> dict[str, training.GAN]:
    """Return untrained models of the rows, one of each kind, for ``equal.py``."""
    return {name: gan(name, 0, SETTINGS[name][-1]) for name in METHODS}


def main() -> None:
    """Train, score and keep the record, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--rows", nargs="*", help="only these, for example 'WGAN tuning 0'")
    parser.add_argument("--scale", type=float, default=1.0, help="of all times, for a quick look")
    parser.add_argument("--n", type=int, default=convolutional.N, help="samples scored")
    arguments = parser.parse_args()
    images, test = data.load("fashion_mnist").images, data.load("fashion_mnist", split="test").images
    measure = convolutional.distances({"frechet": metrics.features.get("fashion_mnist")}, test)
    header = {
        "what": "Fréchet distance of 10,000 samples from the test images of Fashion-MNIST, and losses, on the way",
        **common.environment("tensorflow", "keras"),
        "code": common.code_hash(*MADE_BY),
        "seeds": list(SEEDS),
        "marks": MARKS,
    }

    def row(key: str) -> dict[str, Any]:
        keras.utils.clear_session(free_memory=True)
        start, curve = time.perf_counter(), []
        method, *rest = key.split()
        tuning = rest[0] == "tuning"
        setting = SETTINGS[method][int(rest[1])] if tuning else tuned(common.read(arguments.record)["rows"], method)
        made, history = gan(method, TUNING_SEED if tuning else int(rest[0]), setting), {}

        def advance(seconds: float) -> int:
            deadline = convolutional.Deadline(time.perf_counter() + seconds)
            options = {"batch_size": 32, "steps_per_epoch": 100_000, "callbacks": [deadline], "verbose": 0}
            history.update(made.fit(images, **options).history)
            return made.step

        marks = [mark * arguments.scale for mark in ((TUNING_SECONDS,) if tuning else MARKS)]
        for seconds, steps in convolutional.looks(advance, start, marks):
            samples = made.generate(arguments.n, seed=steps)
            found = measure(samples)["frechet"] if np.isfinite(samples).all() else None
            loss = loss_of(method, history)
            curve.append({"seconds": round(seconds, 2), "steps": steps, "frechet": found, "loss": round(loss, 5)})
        return {**curve[-1], "setting": setting, "curve": curve}

    common.study(arguments.record, header, arguments.rows or keys(), row)


if __name__ == "__main__":
    main()
