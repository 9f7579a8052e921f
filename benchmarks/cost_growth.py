"""How costs grow: ``python benchmarks/cost_growth.py`` (five minutes on two cores).

A training step with the batch, the width and the resolution; the metrics with the number of images and of features.
Each is timed at several sizes that take turns, round after round; the slope of a line through the logarithms of
medians is the exponent, with a 95 % interval from resampled rounds. Beside it what theory says: the slope that the
counted operations have over the same sizes.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import common
import numpy as np
import training_speed

from gan_utils import runtime, training
from gan_utils.metrics import frechet, kernel, neighbours, sliced_wasserstein
from gan_utils.networks import dense, encoder_decoder
from gan_utils.runtime import keras

RECORD = common.RESULTS / "cost_growth.json"
Made = tuple[Callable[[], float], float]  # what gives the seconds of one, and the operations of one


@dataclass(frozen=True)
class Question:
    """What grows with what.

    Attributes:
        cost: what is timed.
        grows_with: whose size is changed.
        sizes: the sizes.
        make: returns, for a size, what is timed, with all that it needs made before, and its operations.
        formula: how operations are counted.
    """

    cost: str
    grows_with: str
    sizes: Sequence[int]
    make: Callable[[int], Made]
    formula: str


def step(generator: keras.Model, discriminator: keras.Model, batch: int, steps: int = 5) -> Made:
    """Return what times steps, a long fit less a short one, and the operations of a step."""
    runtime.set_seed(0)
    gan = training.GAN(generator, discriminator)
    gan.compile()
    real = np.linspace(-np.ones(generator.output_shape[1:]), 1, 512, dtype=np.float32)

    fit = lambda steps: gan.fit(real, batch_size=batch, steps_per_epoch=steps, verbose=0)  # noqa: E731
    operations = batch * training_speed.step_flops(generator, discriminator)
    return lambda: common.seconds_a_step(fit, steps), operations


def batches(size: int) -> Made:
    """Return steps of the MNIST DCGAN, half as wide, on batches of a size."""
    from gan_utils.networks import dcgan

    return step(dcgan.mnist_generator(widths=(128, 64, 32)), dcgan.mnist_discriminator(widths=(32, 64)), size)


def widths(size: int) -> Made:
    """Return steps of the Fashion GAN with hidden layers of a width."""
    hidden = (size // 4, size // 2, size)
    return step(dense.fashion_generator(widths=hidden), dense.fashion_discriminator(widths=(size // 2, size // 4)), 256)


def resolutions(size: int) -> Made:
    """Return steps of the 128 × 128 pair, an eighth as wide, at a resolution."""
    made = encoder_decoder.generator(size=size, widths=(16, 32, 64))
    return step(made, encoder_decoder.discriminator(size=size, widths=(16, 32, 64)), 8)


def points(n: int, dimensions: int) -> list[np.ndarray]:
    """Return two sets of normal points."""
    random = np.random.default_rng(0)
    return [random.normal(size=(n, dimensions)).astype(np.float32) + shift for shift in (0, 0.05)]


def frechet_images(n: int) -> Made:
    """Return the distance of n features of 256 dimensions."""
    real, fake = points(n, 256)
    return lambda: common.seconds_of(lambda: frechet.frechet_distance(real, fake)), 4.0 * n * 256**2 + 8 / 3 * 256**3


def frechet_features(dimensions: int) -> Made:
    """Return the distance of 5,000 features of so many dimensions."""
    real, fake = points(5000, dimensions)
    operations = 4.0 * 5000 * dimensions**2 + 8 / 3 * dimensions**3
    return lambda: common.seconds_of(lambda: frechet.frechet_distance(real, fake)), operations


def kernel_images(n: int) -> Made:
    """Return the kernel distance of n features: ten subsets of 1,000, whatever n."""
    real, fake = points(n, 256)
    return lambda: common.seconds_of(lambda: kernel.kid(real, fake, subsets=10)), 10 * 3 * 2.0 * 1000**2 * 256


def neighbours_images(n: int) -> Made:
    """Return precision, recall, density and coverage of n points in 64 dimensions."""
    real, fake = points(n, 64)
    return lambda: common.seconds_of(lambda: neighbours.count(real, fake, k_manifold=3, k_balls=5)), 3 * 2.0 * n**2 * 64


def sliced_images(n: int) -> Made:
    """Return the sliced Wasserstein distance of n points in 64 dimensions."""
    real, fake = points(n, 64)
    operations = 2 * 128 * n * (2 * 64 + np.log2(n))
    return lambda: common.seconds_of(lambda: sliced_wasserstein.sliced_wasserstein(real, fake)), operations


QUESTIONS = {
    "step, batch": Question("a training step", "batch", (64, 128, 256, 512), batches, "counted from the kernels"),
    "step, width": Question("a training step", "width", (512, 1024, 2048, 4096), widths, "counted from the kernels"),
    "step, resolution": Question(
        "a training step", "resolution", (64, 128, 256), resolutions, "counted from the kernels"
    ),
    "frechet, images": Question(
        "Fréchet distance", "images", (8_000, 16_000, 32_000, 64_000), frechet_images, "4 n d² + 8/3 d³"
    ),
    "frechet, features": Question(
        "Fréchet distance", "features", (256, 512, 1024, 2048), frechet_features, "4 n d² + 8/3 d³"
    ),
    "kid, images": Question("kernel distance", "images", (2_000, 4_000, 8_000, 16_000), kernel_images, "6 S m² d"),
    "neighbours, images": Question(
        "precision, recall, density, coverage", "images", (2_000, 4_000, 8_000, 16_000), neighbours_images, "6 n² d"
    ),
    "sliced Wasserstein, images": Question(
        "sliced Wasserstein", "images", (4_000, 8_000, 16_000, 32_000), sliced_images, "2 L n (2 d + log n)"
    ),
}


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the exponent b of the power law a size^b that fits best in logarithms.

    Example:
        >>> slope([1, 2, 4], [3, 12, 48])
        2.0
    """
    return round(float(np.polyfit(np.log(sizes), np.log(costs), 1)[0]), 3) + 0.0  # no -0.0


def measure(name: str, rounds: int, parts: int | None = None) -> dict[str, Any]:
    """Return a question's row.

    Args:
        name: of the question.
        rounds: how often each size is timed.
        parts: only that many of its sizes, the smallest.
    """
    question = QUESTIONS[name]
    sizes = list(question.sizes)[:parts]
    made = {size: question.make(size) for size in sizes}

    for size in sizes:
        made[size][0]()  # traced
    table = np.array(list(common.alternate({str(size): made[size][0] for size in sizes}, rounds).values()))
    random = np.random.default_rng(0)
    drawn = [np.median(table[:, random.integers(0, rounds, rounds)], axis=1) for _ in range(2000)]
    low, high = np.percentile([slope(sizes, medians) for medians in drawn], [2.5, 97.5])
    medians = [statistics.median(values) for values in table.tolist()]
    return {
        "cost": question.cost,
        "grows_with": question.grows_with,
        "sizes": sizes,
        "seconds": [round(value, 5) for value in medians],
        "slope": slope(sizes, medians),
        "interval": [round(float(low), 3), round(float(high), 3)],
        "operations": [made[size][1] for size in sizes],
        "operations_slope": slope(sizes, [made[size][1] for size in sizes]),
        "formula": question.formula,
    }


def main() -> None:
    """Measure, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", nargs="*", choices=list(QUESTIONS), default=list(QUESTIONS))
    parser.add_argument("--parts", type=int, help="only that many sizes of each, for a quick look")
    common.add_record(parser, RECORD)
    arguments = parser.parse_args()
    record = {
        "what": "seconds at several sizes, medians of rounds; the slope in logarithms, its 95 % interval, and that of "
        "the counted operations",
        **common.environment("tensorflow", "keras", "numpy", "scipy"),
        "rounds": arguments.rounds,
        "rows": {},
    }
    for name in arguments.questions:
        row = record["rows"][name] = measure(name, arguments.rounds, arguments.parts)
        low, high = row["interval"]
        print(f"{name:<28} {row['slope']:6.2f} ({low:.2f} to {high:.2f}), operations {row['operations_slope']:.2f}")
    common.keep(arguments, record, whole=arguments.questions == list(QUESTIONS) and not arguments.parts)


if __name__ == "__main__":
    main()
