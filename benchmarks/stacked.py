"""A thousand modes: ``python benchmarks/stacked.py`` (a quarter of an hour on two cores; resumable).

Three random Fashion-MNIST images as the channels of one: 10 × 10 × 10 kinds, which a classifier of the channels counts.
The construction, the 26,000 samples and the two scores are those of the stacked MNIST of the literature (PacGAN, arXiv
1712.04086, section 4.2, after Metz et al., arXiv 1611.02163); the data, the networks (the compact DCGAN with three
channels) and the budget, 60 seconds on two cores, are ours. Beside the methods what real images get.

Give the machine nothing else to do meanwhile.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import common
import dcgan as convolutional
import numpy as np

from gan_utils import data, metrics, runtime, terms, training
from gan_utils.networks import dcgan
from gan_utils.runtime import keras

RECORD = common.RESULTS / "stacked.json"
MADE_BY = [
    *(f"benchmarks/{name}.py" for name in ("dcgan", "stacked")),
    *(f"gan_utils/{path}.py" for path in ("losses", "terms", "networks/dcgan")),
    *(f"gan_utils/training/{name}.py" for name in ("adversarial", "gan")),
]
SEEDS, STACKS, SAMPLES, SECONDS, LOOKS = (0, 1, 2), 25_600, 26_000, 60.0, 2
METHODS = ("plain", "packing_2", "r3gan")
ROWS = ("real", *METHODS)


def stacks(images: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return n pictures (n, 28, 28, 3) of three random images each."""
    index = np.random.default_rng(seed).integers(len(images), size=(n, 3))
    return np.concatenate([images[column] for column in index.T], axis=-1)


def networks(packing: int, penalised: bool) -> tuple[keras.Model, keras.Model]:
    """Return the compact DCGAN's networks with three channels; a penalised discriminator has no BatchNorm."""
    grey = dcgan.compact_generator()
    x = keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(grey.layers[-3].output)
    generator = keras.Model(grey.input, x)
    colour = images = keras.Input((28, 28, 3 * packing))
    body = dcgan.compact_discriminator(**({"batch_norm": "none"} if penalised else {})).layers
    colour = keras.layers.Conv2D(32, 4, strides=2, padding="same")(colour)  # in place of the one for grey pictures
    for layer in body[2:]:
        colour = layer(colour)
    return generator, keras.Model(images, colour)


def gan(method: str, seed: int) -> training.GAN:
    """Return an untrained GAN, one of `METHODS`."""
    runtime.set_seed(seed)
    packing = 2 if method == "packing_2" else 1
    options: dict[str, Any] = {"packing": packing}
    if method == "r3gan":
        options |= {"loss": "relativistic", "terms": [terms.R1(1.0), terms.R2(1.0)]}
    made = training.GAN(*networks(packing, method == "r3gan"), ema=convolutional.COMPACT["ema"], seed=seed, **options)
    adam = lambda: keras.optimizers.Adam(convolutional.COMPACT["learning_rate"], beta_1=0.5)  # noqa: E731
    made.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    return made


def count(samples: np.ndarray) -> dict[str, Any]:
    """Return how many of the 1,000 modes have a sample, and KL(generated‖uniform) over them in nats."""
    extract = metrics.features.get("fashion_mnist")
    digits = [extract(samples[..., channel : channel + 1]).probabilities.argmax(axis=1) for channel in range(3)]
    shares = np.bincount(digits[0] * 100 + digits[1] * 10 + digits[2], minlength=1000) / len(samples)
    found = shares[shares > 0]
    return {"modes": len(found), "reverse_kl": round(float(np.sum(found * np.log(1000 * found))), 5)}


def models() -> dict[str, training.GAN]:
    """Return untrained models of the rows, one of each kind, for ``equal.py``."""
    return {name: gan(name, 0) for name in METHODS}


def main() -> None:
    """Train, count and keep the record, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--rows", nargs="*", help="only these, for example 'plain 0'")
    parser.add_argument("--scale", type=float, default=1.0, help="of all times, for a quick look")
    parser.add_argument("--n", type=int, default=SAMPLES, help="samples counted")
    arguments = parser.parse_args()
    images, test = data.load("fashion_mnist").images, data.load("fashion_mnist", split="test").images
    header = {
        "what": "modes of 1,000 and KL(generated‖uniform) of 26,000 samples of stacked Fashion-MNIST after 60 seconds",
        **common.environment("tensorflow", "keras"),
        "code": common.code_hash(*MADE_BY),
        "seeds": list(SEEDS),
    }

    def row(key: str) -> dict[str, Any]:
        keras.utils.clear_session(free_memory=True)
        method, seed = key.split()[0], int(key.split()[1])
        if method == "real":
            return count(stacks(test, arguments.n, seed))
        real, curve = stacks(images, STACKS, seed), []
        start = time.perf_counter()
        made = gan(method, seed)
        advance = lambda seconds: convolutional.train(made, real, 32, seconds)  # noqa: E731
        marks = [arguments.scale * SECONDS * look / LOOKS for look in range(1, LOOKS + 1)]
        for seconds, steps in convolutional.looks(advance, start, marks):
            found = count(made.generate(arguments.n, seed=seed))
            curve.append({"seconds": round(seconds, 2), "steps": steps, **found})
        return {**curve[-1], "curve": curve}

    common.study(arguments.record, header, arguments.rows or [f"{row} {seed}" for seed in SEEDS for row in ROWS], row)


if __name__ == "__main__":
    main()
