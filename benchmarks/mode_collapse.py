"""Which remedy helps against mode collapse: ``python benchmarks/mode_collapse.py`` (hours on two cores; resumable).

Ten methods on three mixtures whose modes can be counted. All have the same networks, batches, steps and data, and the
same effort of tuning: for each target a method gets four settings (two learning rates, two values of what is its own),
each tried with a seed that is not used again, for `TUNING_STEPS`; the best `effective_share` is kept. All methods
play on "easy" and "ring"; on "grid" plain and the four that were best on "ring", by their mean `effective_share`. What
is PacGAN's (arXiv 1712.04086, section 4.1): the targets "ring" and "grid", 100,000 training points, batches of 100, and
the scoring of 2,500 samples. What is not: the networks (three hidden layers of 64 in both players), Adam's rates, and
the steps, 50,000 in place of 400,000.

Networks this small keep one core busy, so two processes with methods of their own may share the record; the grid waits
until the ring is complete.
"""

import argparse
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np

from gan_utils import data, metrics, runtime, terms, training
from gan_utils.networks import layers, toy
from gan_utils.runtime import keras, tf

RECORD = common.RESULTS / "mode_collapse.json"
MADE_BY = [
    "benchmarks/mode_collapse.py",
    *(f"gan_utils/{path}.py" for path in ("losses", "terms", "data/toy", "networks/toy", "networks/layers")),
    *(f"gan_utils/{path}.py" for path in ("training/adversarial", "training/gan", "training/replay")),
    "gan_utils/metrics/mixtures.py",
]
TARGETS = {"easy": data.toy.ring(sigma=0.1), "ring": data.toy.ring(), "grid": data.toy.grid()}
STEPS = {"easy": 3_000, "ring": 50_000, "grid": 50_000}
TUNING_STEPS = {"easy": 3_000, "ring": 10_000, "grid": 10_000}
SEEDS = {"easy": range(10), "ring": range(5), "grid": range(5)}
RATES = (2e-4, 1e-3)
OWN: dict[str, tuple[Any, Any]] = {  # what each method may choose besides its learning rate
    "plain": (0.5, 0.9),  # Adam's beta_1; 0.5 for all other methods
    "unrolled": (2, 5),  # steps looked ahead
    "minibatch_discrimination": (8, 16),  # kernels
    "feature_matching": (True, False),  # in place of the adversarial loss, or beside it
    "replay": (0.25, 0.5),  # share of a batch
    "packing_2": (0.5, 0.9),  # Adam's beta_1
    "packing_4": (0.5, 0.9),
    "wgan_gp": (0.1, 10.0),  # the penalty's weight; five critic steps, as published
    "spectral_norm": (1.0, 10.0),  # the critic's Lipschitz constant
    "r3gan": (0.1, 1.0),  # gamma of R1 and of R2
}
METHODS = tuple(OWN)
TUNING_SEED, POINTS, BATCH, SAMPLES, WIDTHS, LOOKS = 100, 100_000, 100, 2_500, (64, 64, 64), 10


def settings(method: str) -> list[dict[str, Any]]:
    """Return the four settings that a method is given to choose from."""
    return [{"learning_rate": rate, "own": own} for rate, own in itertools.product(RATES, OWN[method])]


def discriminator(method: str, own: Any) -> keras.Model:
    """Return the discriminator of a method: the same three hidden layers, with what the method adds."""
    if method.startswith("packing"):
        return toy.discriminator(2 * int(method[-1]), widths=WIDTHS, activation="leaky_relu")
    if method not in ("minibatch_discrimination", "spectral_norm"):
        return toy.discriminator(widths=WIDTHS, activation="leaky_relu")
    bound = layers.SpectralNormalization if method == "spectral_norm" else lambda layer: layer
    x = points = keras.Input((2,))
    for width in WIDTHS:
        x = keras.layers.LeakyReLU(negative_slope=0.2)(bound(keras.layers.Dense(width))(x))
    if method == "minibatch_discrimination":
        x = layers.MinibatchDiscrimination(own, 4)(x)
    x = bound(keras.layers.Dense(1))(x)
    return keras.Model(points, keras.layers.Rescaling(own)(x) if method == "spectral_norm" else x)


def gan(method: str, seed: int, setting: Mapping[str, Any]) -> training.GAN:
    """Return an untrained GAN.

    Args:
        method: one of `METHODS`.
        seed: of weights, batches and latents.
        setting: one of `settings`.
    """
    runtime.set_seed(seed)
    own, rate = setting["own"], setting["learning_rate"]
    options: dict[str, Any] = {
        "unrolled": lambda: {"unrolled_steps": own, "unrolled_learning_rate": rate},
        "feature_matching": lambda: {"terms": [terms.FeatureMatching(replaces_loss=own)]},
        "replay": lambda: {"replay": training.Replay(share=own)},
        "packing_2": lambda: {"packing": 2},
        "packing_4": lambda: {"packing": 4},
        "wgan_gp": lambda: {"loss": "wasserstein", "terms": [terms.GradientPenalty(own)], "discriminator_steps": 5},
        "r3gan": lambda: {"loss": "relativistic", "terms": [terms.R1(own), terms.R2(own)]},
    }.get(method, dict)()
    made = training.GAN(toy.generator(widths=WIDTHS), discriminator(method, own), seed=seed, **options)
    beta = own if method in ("plain", "packing_2", "packing_4") else 0.5
    adam = lambda: keras.optimizers.Adam(rate, beta_1=beta)  # noqa: E731
    made.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    return made


def effective_share(covered: metrics.mixtures.Modes) -> float:
    r"""Return the high-quality share times :math:`e^{-\mathrm{KL}(q\Vert w)}`, the effective share of the modes."""
    return covered.high_quality * math.exp(-covered.reverse_kl)


def run(target: str, method: str, seed: int, setting: Mapping[str, Any], steps: int | None = None) -> dict[str, Any]:
    """Train one GAN and return its row: the scores at the end, and at ten looks, evenly spaced.

    Args:
        target: one of `TARGETS`.
        method: one of `METHODS`.
        seed: of data, weights, batches and latents.
        setting: one of `settings`.
        steps: of the generator; the study's if not given.
    """
    mixture, steps, start = TARGETS[target], steps or STEPS[target], time.process_time()
    points, made, looks = mixture.sample(POINTS, seed=seed), gan(method, seed, setting), []
    for _ in range(LOOKS):
        history = made.fit(points, batch_size=BATCH, steps_per_epoch=max(1, steps // LOOKS), verbose=0).history
        samples = made.generate(SAMPLES, seed=made.step)
        found = metrics.mixtures.Modes(0, 0.0, math.inf, math.log(len(mixture.means)))  # of a run that has diverged
        if np.isfinite(samples).all():
            found = metrics.mixtures.modes(samples, mixture.means, sigma=mixture.sigma)
        scores = {**found._asdict(), "effective_share": effective_share(found)}
        losses = {name: history[name][-1] for name in ("generator_loss", "discriminator_loss")}
        looks.append({"step": made.step, **scores, **losses})
    columns = {name: [_rounded(look[name]) for look in looks] for name in looks[0]}
    last = {name: values[-1] for name, values in columns.items()}
    return {**last, "setting": dict(setting), "cpu_seconds": round(time.process_time() - start, 1), "looks": columns}


def _rounded(value: Any) -> Any:
    # JSON has no infinity
    if not isinstance(value, float):
        return value
    return round(value, 5) if math.isfinite(value) else None


def tuned(rows: Mapping[str, Any], target: str, method: str) -> dict[str, Any]:
    """Return the best of a method's four settings on a target, as the record's tuning rows say."""
    tried = [rows[f"{target} {method} tuning {number}"] for number in range(len(settings(method)))]
    return max(tried, key=lambda row: row["effective_share"])["setting"]


def keys(target: str, methods: Sequence[str] = METHODS, seeds: Sequence[int] | None = None) -> list[str]:
    """Return the names of a target's rows, in the order in which they are made."""
    tuning = [f"{target} {method} tuning {number}" for method in methods for number in range(len(settings(method)))]
    wanted = SEEDS[target] if seeds is None else seeds
    return tuning + [f"{target} {method} {seed}" for seed in wanted for method in methods]


def finalists(rows: Mapping[str, Any]) -> list[str]:
    """Return the methods that play on the grid: plain, and the four others that were best on the ring.

    Raises:
        KeyError: while rows of the ring are missing.
    """
    mean = {m: np.mean([rows[f"ring {m} {seed}"]["effective_share"] for seed in SEEDS["ring"]]) for m in METHODS}
    return ["plain", *sorted((m for m in METHODS if m != "plain"), key=lambda m: -mean[m])[:4]]


def models() -> dict[str, training.GAN | np.ndarray]:
    """Return untrained models of the rows, one of each kind, and their data and scores, for ``equal.py``."""
    made: dict[str, training.GAN | np.ndarray] = {name: gan(name, 0, settings(name)[-1]) for name in METHODS}
    for target, mixture in TARGETS.items():
        points = mixture.sample(1000, seed=1)
        spread = [points, points * np.float32(1.1), points[:9], points + np.float32(3 * mixture.sigma)]
        scores = [metrics.mixtures.modes(each, mixture.means, sigma=mixture.sigma) for each in spread]
        made[f"gan_utils/data/toy.py: {target}"] = points
        made[f"gan_utils/metrics/mixtures.py: {target}"] = np.array(scores, np.float64)
    return made


def main() -> None:
    """Train, score and keep the record, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=tuple(TARGETS))
    parser.add_argument("--methods", nargs="*", choices=METHODS, help="only these")
    parser.add_argument("--seeds", type=int, nargs="*", help="fewer seeds, for a quick look")
    parser.add_argument("--steps", type=int, help="fewer steps, for a quick look")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    header = {
        "what": "modes covered, share of high quality and divergences of 2,500 samples; mixtures with known modes",
        **common.environment("tensorflow", "keras"),
        "code": common.code_hash(*MADE_BY),
    }

    def row(key: str) -> dict[str, Any]:
        keras.utils.clear_session(free_memory=True)
        target, method, *rest = key.split()
        if rest[0] == "tuning":
            steps = arguments.steps or TUNING_STEPS[target]
            return run(target, method, TUNING_SEED, settings(method)[int(rest[1])], steps)
        setting = tuned(common.read(arguments.record)["rows"], target, method)
        return run(target, method, int(rest[0]), setting, arguments.steps)

    for target in arguments.targets:
        methods = arguments.methods or METHODS
        if target == "grid" and not arguments.methods:
            methods = finalists(common.kept(arguments.record, header["code"])["rows"])
        common.study(arguments.record, header, keys(target, methods, arguments.seeds), row)


if __name__ == "__main__":
    main()
