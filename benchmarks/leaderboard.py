"""The book's own models, scored alike: ``python benchmarks/leaderboard.py`` (half an hour on two cores; resumable).

Each model is trained as its source says, five times with another seed, for steps that two cores do in a minute or two,
and scored on 10,000 samples against the 10,000 test images. Beside them what anchors the scores: training images, and
generators before training.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import common
import numpy as np

from gan_utils import data, losses, metrics, runtime, training
from gan_utils.networks import dcgan, dense
from gan_utils.runtime import keras

RECORD = common.RESULTS / "leaderboard.json"
SEEDS = (0, 1, 2, 3, 4)
N = 10_000
METRICS = ("frechet", "kid", "inception_score", "mode_score", "precision", "recall", "density", "coverage")
MODELS = ("real", "untrained", "selu", "fashion", "dcgan")
MADE_BY = [f"gan_utils/{path}.py" for path in ("losses", "networks/*", "training/adversarial", "training/gan")]
STEPS = {"selu": (32, 7000), "fashion": (32, 7000), "dcgan": (256, 400)}  # batch, steps


def average(real_logits: Any, fake_logits: Any) -> Any:
    """Return the discriminator's loss with its two terms averaged, as the SELU GAN's source has it."""
    return losses.minimax_discriminator_loss(real_logits, fake_logits) / 2


def gan(model: str, seed: int) -> training.GAN:
    """Return an untrained GAN with its source's networks, loss and optimizers."""
    runtime.set_seed(seed)
    if model == "selu":
        loss = losses.Loss(
            "averaged", losses.non_saturating_generator_loss, average, np.log(2), np.log(2), probability=True
        )
        made = training.GAN(dense.selu_generator(), dense.selu_discriminator(), loss=loss, seed=seed)
        made.compile(generator_optimizer="rmsprop", discriminator_optimizer="rmsprop")
        return made
    if model == "dcgan":
        made, rates = training.GAN(dcgan.mnist_generator(), dcgan.mnist_discriminator(), seed=seed), (1e-4, 1e-4, 0.9)
    else:
        made = training.GAN(dense.fashion_generator(), dense.fashion_discriminator(), seed=seed)
        rates = (1e-4, 2e-4, 0.5)
    made.compile(
        generator_optimizer=keras.optimizers.Adam(rates[0], beta_1=rates[2]),
        discriminator_optimizer=keras.optimizers.Adam(rates[1], beta_1=rates[2]),
    )
    return made


def samples(model: str, seed: int, steps: int | None = None) -> tuple[np.ndarray, dict[str, Any]]:
    """Return 10,000 samples of a model and how they were made.

    Args:
        model: one of `MODELS`.
        seed: of weights, batches and latents.
        steps: fewer than the study's, for a quick look.
    """
    if model == "real":
        images = data.load("fashion_mnist").images
        return images[np.random.default_rng(seed).choice(len(images), N, replace=False)], {}
    if model == "untrained":
        return gan("fashion", seed).generate(N, seed=seed), {}
    batch, usual = STEPS[model]
    steps, start = steps or usual, time.perf_counter()
    made = gan(model, seed)
    made.fit(data.load("fashion_mnist").images, batch_size=batch, steps_per_epoch=steps, verbose=0)
    took = {"seconds": round(time.perf_counter() - start, 1)}
    return made.generate(N, seed=seed), {"batch": batch, "steps": steps, **took}


def scorer() -> metrics.Scorer:
    """Return what scores a row."""
    return metrics.Scorer(data.load("fashion_mnist", split="test").images, METRICS)


def models() -> dict[str, training.GAN]:
    """Return untrained models of the rows, one of each kind, for ``equal.py``."""
    return {name: gan(name, 0) for name in STEPS}


def main() -> None:
    """Train, score and keep the record, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--steps", type=int, help="fewer steps, for a quick look")
    arguments = parser.parse_args()
    score = scorer()
    header = {
        "what": "scores of 10,000 samples against the 10,000 test images of Fashion-MNIST",
        **common.environment("tensorflow", "keras"),
        "code": common.code_hash("benchmarks/leaderboard.py", *MADE_BY),
        "seeds": list(arguments.seeds),
    }

    def row(key: str) -> dict[str, Any]:
        model, seed = key.split()
        made, how = samples(model, int(seed), arguments.steps)
        return {"model": model, "training_seed": int(seed), **how, "scores": score(made).to_dict()}

    keys = [f"{model} {seed}" for model in arguments.models for seed in arguments.seeds]
    common.study(arguments.record, header, keys, row)


if __name__ == "__main__":
    main()
