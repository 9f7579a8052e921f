"""Train the shipped feature extractor: ``python -m gan_utils.metrics.train_fashion_mnist weights.npz``.

Everything was chosen on 5,000 images held out of the training set; the test set is scored once, at the end. The
shipped weights (seed 0) get 93.15 % of it; the same seed on another processor 93.09 %, seed 1 92.80 %.
"""

import argparse
from pathlib import Path

import numpy as np

from gan_utils import data, runtime
from gan_utils.metrics import features
from gan_utils.runtime import keras

EPOCHS, BATCH, HELD_OUT = 14, 128, 5_000


def main() -> None:
    """Train, print validation and test accuracy, write the weights as float16."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help=f"an .npz file; the shipped one is {features.VERSION}.npz")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    runtime.set_seed(options.seed)
    train, test = data.load("fashion_mnist"), data.load("fashion_mnist", split="test")
    images, labels = train.images[HELD_OUT:], train.labels[HELD_OUT:]
    model = features.fashion_mnist_classifier()
    classifier = keras.Model(model.inputs, model.outputs[1])
    steps = EPOCHS * -(-len(images) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    classifier.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    random = np.random.default_rng(options.seed)
    for epoch in range(EPOCHS):
        flip = random.random(len(images)) < 0.5
        batch = np.where(flip[:, None, None, None], images[:, :, ::-1], images)
        classifier.fit(
            batch,
            labels,
            batch_size=BATCH,
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=2,
            validation_data=(train.images[:HELD_OUT], train.labels[:HELD_OUT]),
        )
    stored = {f"w{i}": weight.astype(np.float16) for i, weight in enumerate(model.get_weights())}
    np.savez_compressed(options.output, **stored)
    logits = np.asarray(features.load_fashion_mnist(options.output).predict(test.images, batch_size=500, verbose=0)[1])
    print(f"test accuracy of the stored weights: {np.mean(logits.argmax(-1) == test.labels):.4f}")


if __name__ == "__main__":
    main()
