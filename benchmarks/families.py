"""What a family's step costs: ``python benchmarks/families.py`` (five minutes on two cores), seconds over plain ones.

- *conditional* over a plain `GAN`: the same networks, which read a class besides, through an embedding;
- *auxiliary* over the same plain `GAN`: the discriminator classifies besides, with a second output;
- *unpaired* over *paired*: a CycleGAN whose collections have an order each, over one that draws pairs.

A step's seconds are those of a long fit less those of a short one, so that nothing is in it that is paid once.
"""

import argparse
import functools
from collections.abc import Callable
from typing import Any

import common
import numpy as np

from gan_utils import families, runtime, terms, training
from gan_utils.networks import dcgan
from gan_utils.runtime import keras

RECORD = common.RESULTS / "families.json"
layers = keras.layers
CLASSES, LATENTS = 10, 100


def dense(width: int, start: Any, label: Any = None) -> Any:
    """Return two hidden layers behind an input and, where there is one, the embedding of a label."""
    x = layers.Flatten()(start)
    if label is not None:
        x = layers.Concatenate()([x, layers.Embedding(CLASSES, 10)(label)])
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Dense(width)(x))
    return x


def dense_gan(*, told: bool = False, classifies: bool = False) -> training.GAN:
    """Return a GAN of dense networks for 28 × 28 pixels."""
    labels = [keras.Input((), dtype="int32") if told else None for _ in range(2)]
    latents, sample = keras.Input((LATENTS,)), keras.Input((28, 28, 1))
    made = layers.Reshape((28, 28, 1))(layers.Dense(784, "tanh")(dense(128, latents, labels[0])))
    seen = dense(128, sample, labels[1])
    outputs = [layers.Dense(1)(seen), *([layers.Dense(CLASSES)(seen)] if classifies else [])]
    networks = [
        keras.Model([start, label] if told else start, end[0] if len(end) == 1 else end)
        for start, label, end in ((latents, labels[0], [made]), (sample, labels[1], outputs))
    ]
    return _gan(networks, told, classifies)


def convolutional_gan(*, told: bool = False, classifies: bool = False) -> training.GAN:
    """Return the compact DCGAN; told a class, latents are joined with its embedding, and features projected on one."""
    generator, discriminator = dcgan.compact_generator(), dcgan.compact_discriminator()
    if not (told or classifies):
        return _gan([generator, discriminator], told, classifies)
    latents, sample = keras.Input((64,)), keras.Input((28, 28, 1))
    labels = [keras.Input((), dtype="int32") for _ in range(2)]
    x = layers.Concatenate()([latents, layers.Embedding(CLASSES, 16)(labels[0])])
    made = keras.Model([latents, labels[0]], generator(layers.Dense(64)(x)))
    features = keras.Model(discriminator.inputs, discriminator.layers[-2].output)(sample)
    score = layers.Dense(1)(features)
    product = layers.Multiply()([features, layers.Embedding(CLASSES, features.shape[-1])(labels[1])])
    projected = keras.ops.sum(product, axis=1, keepdims=True)
    outputs = [layers.Add()([score, projected]), *([layers.Dense(CLASSES)(features)] if classifies else [])]
    judge = keras.Model([sample, labels[1]], outputs if classifies else outputs[0])
    return _gan([made, judge], told, classifies)


def _gan(networks: list[keras.Model], told: bool, classifies: bool) -> training.GAN:
    if not told:
        gan = training.GAN(*networks)
    else:
        more = [terms.AuxiliaryClassifier()] if classifies else []
        gan = families.ConditionalGAN(*networks, classes=CLASSES, terms=more)
    gan.compile()
    return gan


def translator() -> keras.Model:
    """Return a small network from a picture to a picture."""
    x = start = keras.Input((28, 28, 1))
    x = layers.ReLU()(layers.Conv2D(16, 3, padding="same")(x))
    return keras.Model(start, layers.Conv2D(1, 3, padding="same", activation="tanh")(x))


class Paired(families.CycleGAN):
    """A CycleGAN that draws both collections by one index."""

    unpaired = ()


def cycle(kind: type) -> training.Adversarial:
    """Return a CycleGAN of small networks."""
    judges = [keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(16, 4, strides=2), layers.Conv2D(1, 4)])] * 1
    judges += [keras.models.clone_model(judges[0])]
    model = kind(translator(), translator(), *judges)
    model.compile()
    return model


CASES = {
    "dense, batch 64": {
        "plain": dense_gan,
        "conditional": functools.partial(dense_gan, told=True),
        "auxiliary": functools.partial(dense_gan, told=True, classifies=True),
    },
    "compact DCGAN, batch 64": {
        "plain": convolutional_gan,
        "conditional": functools.partial(convolutional_gan, told=True),
        "auxiliary": functools.partial(convolutional_gan, told=True, classifies=True),
    },
    "CycleGAN, batch 8": {
        "paired": functools.partial(cycle, Paired),
        "unpaired": functools.partial(cycle, families.CycleGAN),
    },
}
STEPS = {"dense, batch 64": 1000, "compact DCGAN, batch 64": 40, "CycleGAN, batch 8": 100}


def contender(case: str, make: Callable[[], training.Adversarial]) -> Callable[[], float]:
    """Return what gives the seconds of a step."""
    runtime.set_seed(0)
    model, steps, random = make(), STEPS[case], np.random.default_rng(0)
    real = random.uniform(-1, 1, (4096, 28, 28, 1)).astype(np.float32)
    given = (
        {"a": real, "b": real[::-1].copy()} if "Cycle" in case else {"real": real, "label": np.arange(4096) % CLASSES}
    )
    if type(model) is training.GAN:
        given = {"real": real}
    batch = int(case.split()[-1])
    take = functools.partial(_fit, model, given, batch)
    take(steps), take(3 * steps)
    return lambda: common.seconds_a_step(take, steps)


def _fit(model: training.Adversarial, given: dict[str, np.ndarray], batch: int, steps: int) -> None:
    model.fit(given, batch_size=batch, steps_per_epoch=steps, verbose=0)


def main() -> None:
    """Measure, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    common.add_record(parser, RECORD)
    arguments = parser.parse_args()
    found = {}
    for case in arguments.cases:
        runs = {name: contender(case, make) for name, make in CASES[case].items()}
        seconds = common.alternate(runs, arguments.rounds)
        first, *others = seconds
        ratios = {name: common.ratio(seconds[name], seconds[first]) for name in others}
        found[case] = {"seconds": seconds, "over": first, "ratios": ratios}
        for name, ratio in ratios.items():
            print(f"{case:<26}{name:<12} {ratio['median']:.3f} {ratio['interval']} of {first}", flush=True)
    what = "seconds of a training step of a family over those of a plainer one; medians of rounds, 95 % intervals"
    record = {"what": what, **common.environment("tensorflow", "keras"), "rounds": arguments.rounds, "cases": found}
    common.keep(arguments, record, whole=list(found) == list(CASES))


if __name__ == "__main__":
    main()
