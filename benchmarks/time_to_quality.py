"""Time to quality: ``python benchmarks/time_to_quality.py`` (half an hour on two cores; resumable).

The GANs of the book's sources, each by the loop that its source prints, for 150 seconds, and the book's own models for
30: Fréchet distance of 10,000 samples from the 10,000 test images, in features of the shipped classifier, against
seconds of training, building and compiling included. Three seeds each.

- ``S2``, ``S4``, ``S5``: the Fashion GAN, the SELU GAN and the MNIST DCGAN, see ``sources``;
- ``compact``: the book's DCGAN of chapter 4;
- ``compact, hidden``: the same with a dense hidden layer of 256 units in each network, against a guideline;
- ``compact, hidden, simultaneous``: that one with both players moving at once, from one forward pass.

Give the machine nothing else to do meanwhile.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import common
import dcgan
import numpy as np
import sources

from gan_utils import data, metrics, training
from gan_utils.runtime import keras

RECORD = common.RESULTS / "time_to_quality.json"
MADE_BY = [
    *dcgan.MADE_BY,
    *(f"benchmarks/{name}.py" for name in ("sources", "time_to_quality")),
    "gan_utils/training/simultaneous.py",
]
SEEDS, N = (0, 1, 2), 10_000
LOOPS = {"S2": sources.fashion_loop, "S4": sources.selu_loop, "S5": sources.mnist_loop}
AT_ONCE = {"S2": 5, "S4": 20, "S5": 1}  # steps between two looks at the clock
HIDDEN = {"generator": {"hidden_units": 256}, "discriminator": {"hidden_units": 256}}
MODELS = ("compact", "compact, hidden", "compact, hidden, simultaneous")
MARKS = {"source": (10.0, 20.0, 40.0, 75.0, 150.0), "book": (5.0, 10.0, 15.0, 20.0, 30.0)}


def marks(name: str) -> tuple[float, ...]:
    """Return the seconds at which a contender is looked at."""
    return MARKS["source" if name in LOOPS else "book"]


def keys() -> list[str]:
    """Return the names of all rows: contender and seed."""
    return [f"{name}/{seed}" for seed in SEEDS for name in (*LOOPS, *MODELS)]


def gan(name: str, seed: int) -> tuple[training.GAN, int]:
    """Return one of the book's models, untrained, and its batch size."""
    made, batch_size = dcgan.compact(seed, HIDDEN if "hidden" in name else {})
    if "simultaneous" not in name:
        return made, batch_size
    both = training.SimultaneousGAN(made.generator, made.discriminator, ema=made.players[1].ema, seed=seed)
    rate, beta = dcgan.COMPACT["learning_rate"], dcgan.COMPACT["beta_1"]
    adam = lambda: keras.optimizers.Adam(rate, beta_1=beta)  # noqa: E731
    both.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    return both, batch_size


def contender(key: str, images: np.ndarray) -> tuple[Callable[[float], int], Callable[[int], np.ndarray]]:
    """Return what trains a row's networks for some seconds (and says the steps so far), and what samples from it."""
    name, number = key.split("/")
    seed = int(number)
    if name not in LOOPS:
        made, batch_size = gan(name, seed)
        return lambda seconds: dcgan.train(made, images, batch_size, seconds), lambda n: made.generate(n, seed=seed)
    loop, generator = LOOPS[name](images, seed)
    taken = 1  # each loop takes one to be traced

    def advance(seconds: float) -> int:
        nonlocal taken
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            loop(AT_ONCE[name])
            taken += AT_ONCE[name]
        return taken

    def sample(n: int) -> np.ndarray:
        latents = np.random.default_rng(seed).standard_normal((n, generator.input_shape[-1]), np.float32)
        return generator.predict(latents, batch_size=500, verbose=0)

    return advance, sample


def reached(curve: list[Mapping[str, Any]], target: float) -> float | None:
    """Return after how many seconds a curve is at or below a distance, None if it never is."""
    return next((look["seconds"] for look in curve if look["frechet"] <= target), None)


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the best source by its median at the end, that median, and each contender's median and seconds to it.

    ``best``, ``target``; ``rows``: by contender, the median distance at its last mark and, by seed, the seconds until
    it was at the target (None if it never was).
    """
    rows: dict[str, list[Any]] = {}
    for key, row in record["rows"].items():
        rows.setdefault(key.split("/")[0], []).append(row)
    at_end = {name: statistics.median(row["frechet"] for row in found) for name, found in rows.items()}
    best = min((name for name in LOOPS if name in at_end), key=lambda name: at_end[name], default=None)
    target = at_end.get(best, float("nan"))
    return {
        "best": best,
        "target": target,
        "rows": {
            name: {"frechet": at_end[name], "seconds": [reached(row["curve"], target) for row in found]}
            for name, found in rows.items()
        },
    }


def models() -> dict[str, training.GAN]:
    """Return untrained models of the rows, one of each kind, for ``equal.py``."""
    return {name: gan(name, 0)[0] for name in MODELS}


def main() -> None:
    """Train, score and keep the record, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, help=f"where to write the record; {RECORD.name} if nothing is changed")
    parser.add_argument("--rows", nargs="*", help="only these, for example compact/0")
    parser.add_argument("--scale", type=float, default=1.0, help="of all times, for a quick look")
    parser.add_argument("--n", type=int, default=N, help="samples scored")
    arguments = parser.parse_args()
    if (arguments.scale, arguments.n) != (1.0, N) and not arguments.record:
        parser.error("another scale or n needs a record of its own: --record")
    images, test = data.load("fashion_mnist").images, data.load("fashion_mnist", split="test").images
    measure = dcgan.distances({"fashion_mnist": metrics.features.get("fashion_mnist")}, test)
    header = {
        "what": "Fréchet distance of 10,000 samples from the test images of Fashion-MNIST after seconds of training",
        **common.environment("tensorflow", "keras"),
        "code": common.code_hash(*MADE_BY),
        "seeds": list(SEEDS),
        "marks": MARKS,
    }

    def row(key: str) -> dict[str, Any]:
        keras.utils.clear_session(free_memory=True)
        machine = common.machine()()
        start, curve = time.perf_counter(), []
        advance, sample = contender(key, images)
        for seconds, steps in dcgan.looks(advance, start, [arguments.scale * m for m in marks(key.split("/")[0])]):
            distance = measure(sample(arguments.n))["fashion_mnist"]
            curve.append({"seconds": round(seconds, 2), "steps": steps, "frechet": distance})
        return {**curve[-1], "machine": {name: round(value, 1) for name, value in machine.items()}, "curve": curve}

    path = arguments.record or RECORD
    common.study(path, header, arguments.rows or keys(), row)
    found = summary(common.read(path))
    print(
        f"the best source after its time is {found['best']}, at {found['target']:.1f}; seconds to reach that, by seed:"
    )
    for name, values in found["rows"].items():
        print(f"{name:<32}{values['frechet']:8.1f} at the end   {values['seconds']}")


if __name__ == "__main__":
    main()
