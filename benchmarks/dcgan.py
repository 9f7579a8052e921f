"""Networks on Fashion-MNIST under one wall clock: ``python benchmarks/dcgan.py`` (an hour on two cores; resumable).

"model": the book's compact DCGAN against the dense and convolutional GANs of its sources, 150 seconds each, building
and compiling included. The Fashion GAN trains by its own published loop. "ablation": the compact DCGAN with one
guideline broken or one choice changed, 30 seconds each. Each with three seeds, the scores of 10,000 samples against the
10,000 test images, under two classifiers that were trained apart. Nothing is trained on features of either.

Give the machine nothing else to do meanwhile.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import common
import leaderboard
import numpy as np
import training_step

from gan_utils import data, metrics, runtime, training
from gan_utils.networks import dcgan
from gan_utils.runtime import keras

RECORD = common.RESULTS / "dcgan.json"
MADE_BY = [
    *(f"benchmarks/{name}.py" for name in ("dcgan", "leaderboard", "training_step")),
    *(f"gan_utils/{path}.py" for path in ("losses", "networks/dcgan", "networks/dense")),
    *(f"gan_utils/training/{name}.py" for name in ("adversarial", "gan")),
]
SEEDS, N = (0, 1, 2), 10_000
MARKS: dict[str, tuple[float, ...]] = {"model": (10, 20, 40, 75, 150), "ablation": (30,)}
MODELS = ("compact", "fashion", "selu", "dcgan")
COMPACT = {"learning_rate": 2e-3, "beta_1": 0.5, "batch_size": 32, "ema": 0.998}
ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {  # what differs, by whom it concerns
    "as it is": {},
    "pooling, nearest neighbours": {
        "generator": {"upsampling": "nearest"},
        "discriminator": {"downsampling": "pooled"},
    },
    "no BatchNorm": {"generator": {"batch_norm": "none"}, "discriminator": {"batch_norm": "none"}},
    "BatchNorm everywhere": {"generator": {"batch_norm": "everywhere"}, "discriminator": {"batch_norm": "everywhere"}},
    "dense hidden layers": {"generator": {"hidden_units": 256}, "discriminator": {"hidden_units": 256}},
    "LeakyReLU in the generator": {"generator": {"activation": "leaky_relu"}},
    "ReLU in the discriminator": {"discriminator": {"negative_slope": 0.0}},
    "kernels 5 × 5": {"generator": {"kernel_size": 5}, "discriminator": {"kernel_size": 5}},
    "twice the channels": {"generator": {"widths": (128, 64)}, "discriminator": {"widths": (64, 128)}},
    "rate 2e-4": {"options": {"learning_rate": 2e-4}},
    "batches of 128": {"options": {"batch_size": 128}},
    "no average": {"options": {"ema": None}},
}


def compact(seed: int, change: Mapping[str, Mapping[str, Any]] = {}) -> tuple[training.GAN, int]:
    """Return the compact DCGAN, untrained, and its batch size.

    Args:
        seed: of weights, batches and latents.
        change: a value of `ABLATIONS`.
    """
    options = COMPACT | dict(change.get("options", {}))
    runtime.set_seed(seed)
    generator = dcgan.compact_generator(**change.get("generator", {}))
    discriminator = dcgan.compact_discriminator(**change.get("discriminator", {}))
    made = training.GAN(generator, discriminator, ema=options["ema"], seed=seed)
    adam = lambda: keras.optimizers.Adam(options["learning_rate"], beta_1=options["beta_1"])  # noqa: E731
    made.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    return made, options["batch_size"]


class Deadline(keras.callbacks.Callback):
    """End training at a time of ``time.perf_counter``, after the group of steps that is under way."""

    def __init__(self, end: float) -> None:
        super().__init__()
        self.end = end

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the clock."""
        if time.perf_counter() >= self.end:
            self.model.stop_training = True


def train(made: training.GAN, images: np.ndarray, batch_size: int, seconds: float) -> int:
    """Train for that many seconds and return the steps taken so far."""
    deadline = Deadline(time.perf_counter() + seconds)
    made.fit(images, batch_size=batch_size, steps_per_epoch=100_000, callbacks=[deadline], verbose=0)
    return made.step


def contender(key: str, images: np.ndarray) -> tuple[Callable[[float], int], Callable[[int], np.ndarray]]:
    """Return what trains a row's network for some seconds (and says the steps so far), and what samples from it."""
    kind, name, number = key.split("/")
    seed = int(number)
    if name == "fashion":
        loop, generator = training_step.published_loop(images, seed)
        taken = 0

        def advance(seconds: float) -> int:
            nonlocal taken
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                loop(5)
                taken += 5
            return taken

        def sample(n: int) -> np.ndarray:
            latents = np.random.default_rng(seed).standard_normal((n, 100), np.float32)
            return generator.predict(latents, batch_size=500, verbose=0)

        return advance, sample
    if kind == "ablation" or name == "compact":
        made, batch_size = compact(seed, ABLATIONS.get(name, {}))
    else:
        made, batch_size = leaderboard.gan(name, seed), leaderboard.STEPS[name][0]
    return lambda seconds: train(made, images, batch_size, seconds), lambda n: made.generate(n, seed=seed)


def second_classifier(seed: int = 1, epochs: int = 4) -> tuple[metrics.features.Extractor, float]:
    """Return an extractor trained apart from the shipped one, of another shape, and its test accuracy."""
    runtime.set_seed(seed)
    train_set, test = data.load("fashion_mnist"), data.load("fashion_mnist", split="test")
    network = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(16, 5, strides=2, activation="relu")])
    for layer in (
        keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu", name="features"),
        keras.layers.Dense(10, name="logits"),
    ):
        network.add(layer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    network.fit(train_set.images, train_set.labels, batch_size=128, epochs=epochs, verbose=0)
    accuracy = network.evaluate(test.images, test.labels, batch_size=500, verbose=0)[1]
    return metrics.features.get(network, layer="features", logits="logits"), float(accuracy)


def distances(
    extractors: Mapping[str, metrics.features.Extractor], test: np.ndarray
) -> Callable[[np.ndarray], dict[str, float]]:
    """Return what gives the Fréchet distances of images from the test images, by extractor."""
    real = {name: metrics.frechet.moments(extract(test).values) for name, extract in extractors.items()}

    def measure(images: np.ndarray) -> dict[str, float]:
        found = {name: metrics.frechet.moments(extract(images).values) for name, extract in extractors.items()}
        return {name: round(metrics.frechet.frechet_distance(real[name], found[name]), 3) for name in extractors}

    return measure


def looks(advance: Callable[[float], int], start: float, marks: Sequence[float]) -> Iterator[tuple[float, int]]:
    """Train from mark to mark and yield seconds and steps; what happens between two of them does not count.

    Args:
        advance: trains for some seconds and returns the steps so far.
        start: when building began, of ``time.perf_counter``.
        marks: seconds, increasing.
    """
    used = time.perf_counter() - start
    for mark in marks:
        begin = time.perf_counter()
        steps = advance(mark - used)
        used += time.perf_counter() - begin
        yield used, steps


def keys() -> list[str]:
    """Return the names of all rows: kind, network and seed."""
    found = [f"model/{model}/{seed}" for seed in SEEDS for model in MODELS]
    return found + [f"ablation/{name}/{seed}" for seed in SEEDS for name in ABLATIONS]


def summary(record: Mapping[str, Any]) -> str:
    """Return the medians of the models' distances at the last mark, and what part of the Fashion GAN's each is."""
    lines = []
    for extractor in record["extractors"]:
        at = {}
        for model in MODELS:
            rows = [row for key, row in record["rows"].items() if key.startswith(f"model/{model}/")]
            if rows:
                at[model] = statistics.median(row["frechet"][extractor] for row in rows)
        lines += [
            f"{extractor:<15}{model:<9}{value:8.1f}  {value / at.get('fashion', np.nan):.3f} of the Fashion GAN's"
            for model, value in at.items()
        ]
    return "\n".join(lines)


def models() -> dict[str, training.GAN]:
    """Return untrained models of the rows, one of each kind, for ``equal.py``."""
    own = {name: compact(0, change)[0] for name, change in ABLATIONS.items()}
    return own | {name: leaderboard.gan(name, 0) for name in ("selu", "fashion", "dcgan")}


def main() -> None:
    """Train, score and keep the record, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--rows", nargs="*", help="only these, for example model/compact/0")
    parser.add_argument("--scale", type=float, default=1.0, help="of all times, for a quick look")
    parser.add_argument("--n", type=int, default=N, help="samples scored")
    arguments = parser.parse_args()
    images, test = data.load("fashion_mnist").images, data.load("fashion_mnist", split="test").images
    second, accuracy = second_classifier(epochs=4 if arguments.scale == 1.0 else 1)
    measure = distances({"fashion_mnist": metrics.features.get("fashion_mnist"), "second": second}, test)
    header = {
        "what": "Fréchet distance of 10,000 samples from the test images of Fashion-MNIST after seconds of training",
        **common.environment("tensorflow", "keras"),
        "code": common.code_hash(*MADE_BY),
        "seeds": list(SEEDS),
        "marks": MARKS,
        "extractors": {"fashion_mnist": None, "second": {"test_accuracy": round(accuracy, 4)}},
    }

    def row(key: str) -> dict[str, Any]:
        keras.utils.clear_session(free_memory=True)
        start, curve = time.perf_counter(), []
        advance, sample = contender(key, images)
        marks = [mark * arguments.scale for mark in MARKS[key.split("/")[0]]]
        for seconds, steps in looks(advance, start, marks):
            curve.append({"seconds": round(seconds, 2), "steps": steps, "frechet": measure(sample(arguments.n))})
        return {**curve[-1], "curve": curve}

    common.study(arguments.record, header, arguments.rows or keys(), row)
    print(summary(common.read(arguments.record)))


if __name__ == "__main__":
    main()
