"""The dense hidden layer by halves: ``python benchmarks/halves.py`` (five minutes on two cores; resumable).

The compact DCGAN with a dense hidden layer in its generator, in its discriminator, or in both, each with three seeds
for `STEPS` steps. The Fréchet distance is that of `networks`, whose record has the same seeds without such a layer.
Steps are counted, not seconds, so a busy machine changes nothing.
"""

import argparse
from pathlib import Path
from typing import Any

import common
import dcgan
import networks

from gan_utils import data, metrics, training
from gan_utils.runtime import keras

RECORD = common.RESULTS / "halves.json"
MADE_BY = ["benchmarks/networks.py", *networks.MADE_BY]
SEEDS, STEPS = (0, 1, 2), 1_000
HIDDEN = {"hidden_units": 256}
HALVES = {
    "generator": {"generator": HIDDEN},
    "discriminator": {"discriminator": HIDDEN},
    "both": {"generator": HIDDEN, "discriminator": HIDDEN},
}


def models() -> dict[str, training.GAN]:
    """Return untrained models of the rows, one of each kind, for ``equal.py``."""
    return {name: dcgan.compact(0, change)[0] for name, change in HALVES.items()}


def main() -> None:
    """Train, score and keep the record, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--rows", nargs="*", help="only these, for example both/0")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer steps, for a quick look")
    parser.add_argument("--n", type=int, default=networks.N, help="samples scored")
    arguments = parser.parse_args()
    images, test = data.load("fashion_mnist").images, data.load("fashion_mnist", split="test").images
    distance = dcgan.distances({networks.EXTRACTOR: metrics.features.get(networks.EXTRACTOR)}, test)
    header = {
        "what": "Fréchet distance of the compact DCGAN with a dense hidden layer in one network or both, by steps",
        **common.environment("tensorflow", "keras"),
        "code": common.code_hash("benchmarks/halves.py", *MADE_BY),
        "seeds": list(SEEDS),
        "steps": arguments.steps,
        "n": arguments.n,
    }

    def row(key: str) -> dict[str, Any]:
        keras.utils.clear_session(free_memory=True)
        name, seed = key.split("/")
        made, batch_size = dcgan.compact(int(seed), HALVES[name])
        looks, every = networks.Looks(distance, arguments.n), min(networks.EVERY, arguments.steps)
        run = {"batch_size": batch_size, "steps_per_epoch": every, "epochs": arguments.steps // every}
        made.fit(images, callbacks=[looks], verbose=0, **run)
        return {"frechet": looks.curve[-1]["frechet"], "curve": looks.curve}

    keys = [f"{name}/{seed}" for seed in SEEDS for name in HALVES]
    common.study(arguments.record, header, arguments.rows or keys, row)
    for key, found in common.read(arguments.record)["rows"].items():
        print(f"{key}: {found['frechet']}")


if __name__ == "__main__":
    main()
