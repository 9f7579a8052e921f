"""A network that needs more than a page's minutes, trained once: ``python benchmarks/networks.py`` (resumable).

The run is that of the DCGAN page: `dcgan.compact`, untouched, for `STEPS` steps in place of the page's first few, with
three seeds. Each seed's row has the Fréchet distance of the same `N` samples at every `EVERY` steps, as the page
computes it, so that a page which takes a slice of the run can say whether it lies among them. The first seed's averaged
generator is kept in half precision beside the record, and `gan_utils.studies.network` returns both. Steps are counted,
not seconds: 20 minutes of two cores, and a busy machine changes nothing.
"""

import argparse
from pathlib import Path
from typing import Any

import common
import dcgan
import numpy as np

from gan_utils import data, metrics, studies, training
from gan_utils.runtime import keras

RECORD = common.RESULTS / "networks" / "compact_dcgan.json"
MADE_BY = [
    "benchmarks/dcgan.py",
    *(f"gan_utils/{path}.py" for path in ("losses", "networks/dcgan", "training/adversarial", "training/gan")),
]
SEEDS, KEPT, STEPS, EVERY = (0, 1, 2), 0, 16_000, 500
N, LATENTS, EXTRACTOR = 2_500, 1, "fashion_mnist"  # what is scored: how many samples, of which seed, in which features


class Looks(keras.callbacks.Callback):
    """Keep the steps and the Fréchet distance after each epoch."""

    def __init__(self, distance: Any, n: int) -> None:
        super().__init__()
        self.distance, self.n = distance, n
        self.curve: list[dict[str, Any]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Score the samples of the averaged generator."""
        images = self.model.generate(self.n, seed=LATENTS)
        self.curve.append({"steps": self.model.step, "frechet": self.distance(images)[EXTRACTOR]})


def rounded(made: training.GAN) -> keras.Model:
    """Return a copy of the averaged generator whose weights are numbers of half precision."""
    with made._averaged_weights():
        weights = [keras.ops.convert_to_numpy(variable.value) for variable in made.generator.weights]
    copy = keras.models.clone_model(made.generator)
    copy.set_weights([values.astype(np.float16).astype(np.float32) for values in weights])
    return copy


def models() -> dict[str, training.GAN]:
    """Return untrained models of the rows, one of each kind, for ``equal.py``."""
    return {"compact": dcgan.compact(0)[0]}


def main() -> None:
    """Train, score and keep the record, row by row, and the network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record, and .npz beside it")
    parser.add_argument("--rows", nargs="*", default=[str(seed) for seed in SEEDS], help="only these seeds")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer steps, for a quick look")
    parser.add_argument("--n", type=int, default=N, help="samples scored")
    arguments = parser.parse_args()
    images, test = data.load("fashion_mnist").images, data.load("fashion_mnist", split="test").images
    distance = dcgan.distances({EXTRACTOR: metrics.features.get(EXTRACTOR)}, test)
    every = min(EVERY, arguments.steps)
    header = {
        "what": "the compact DCGAN's generator (average of the weights, half precision), and its run with three seeds",
        "study": "networks",
        "data": "Fashion-MNIST, the 60,000 training images (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747)",
        "licence": "MIT, of the data and of the weights",
        **common.environment("tensorflow", "keras"),
        "code": common.code_hash("benchmarks/networks.py", *MADE_BY),
        "seeds": list(SEEDS),
        "kept_seed": KEPT,
        "steps": arguments.steps,
        "settings": dcgan.COMPACT,
        "score": {"extractor": EXTRACTOR, "n_real": len(test), "n_fake": arguments.n, "latents_seed": LATENTS},
    }

    def row(key: str) -> dict[str, Any]:
        keras.utils.clear_session(free_memory=True)
        seed, looks = int(key), Looks(distance, arguments.n)
        made, batch_size = dcgan.compact(seed)
        run = {"batch_size": batch_size, "steps_per_epoch": every, "epochs": arguments.steps // every}
        made.fit(images, callbacks=[looks], verbose=0, **run)
        found = {"frechet": looks.curve[-1]["frechet"], "curve": looks.curve}
        if seed == KEPT:
            network = rounded(made)
            latents = np.random.default_rng(LATENTS).standard_normal((arguments.n, made.latent_dim), np.float32)
            scored = distance(network.predict(latents, batch_size=500, verbose=0))[EXTRACTOR]
            found["network"] = {
                **studies.keep_network(arguments.record.with_suffix(".npz"), network),
                "frechet": scored,
            }
        return found

    common.study(arguments.record, header, arguments.rows, row)
    for key, found in common.read(arguments.record)["rows"].items():
        print(f"seed {key}: Fréchet distance {found['frechet']} after {found['curve'][-1]['steps']:,} steps")


if __name__ == "__main__":
    main()
