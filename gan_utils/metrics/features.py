"""Feature extractors: what turns images into the vectors that a metric compares."""

from importlib import resources

import numpy as np

from gan_utils.runtime import keras

NAME = "fashion_mnist_v1"
FEATURES = 64


def fashion_mnist_classifier() -> keras.Model:
    """Build the small untrained Fashion-MNIST classifier whose last hidden layer serves as features.

    Returns:
        A Keras model from images (N, 28, 28, 1) in [-1, 1] to a pair: features (N, 64) and class logits (N, 10).
    """
    layers = keras.layers
    images = keras.Input((28, 28, 1), name="images")
    x = images
    for index, (width, strides) in enumerate([(32, 2), (64, 1), (96, 2), (128, 2)]):
        x = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False, name=f"conv_{index}")(x)
        x = layers.BatchNormalization(name=f"norm_{index}")(x)
        x = layers.ReLU(name=f"relu_{index}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.4, name="dropout")(x)
    features = layers.Dense(FEATURES, activation="relu", name="features")(x)
    logits = layers.Dense(10, name="logits")(features)
    return keras.Model(images, [features, logits], name=NAME)


def load_fashion_mnist() -> keras.Model:
    """Load the classifier with the weights that ship with the package (float16, trained by `train_fashion_mnist`).

    Returns:
        The model of `fashion_mnist_classifier`, trained.
    """
    model = fashion_mnist_classifier()
    with resources.files("gan_utils.metrics").joinpath(f"{NAME}.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        model.set_weights([stored[f"w{index}"].astype(np.float32) for index in range(len(model.weights))])
    return model


def extract(images: np.ndarray, *, batch_size: int = 500, model: keras.Model | None = None) -> np.ndarray:
    """Return the features of images under the shipped Fashion-MNIST extractor.

    Args:
        images: (N, 28, 28, 1) float in [-1, 1].
        batch_size: images a forward pass; the result does not depend on it beyond rounding.
        model: an extractor from `load_fashion_mnist`, loaded if not given.

    Returns:
        (N, 64) float64.

    Raises:
        ValueError: if the shape is another or a value is not finite.

    Reference:
        Features of a classifier of the same domain instead of Inception, as Heusel et al. 2017 (arXiv 1706.08500) use
        the latter; distances under different extractors cannot be compared.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != (28, 28, 1) or not len(images):
        raise ValueError(f"images have shape {images.shape}; expected (N, 28, 28, 1). Add the channel axis or resize.")
    if not np.isfinite(images).all():
        raise ValueError("images hold NaN or infinity; expected finite values in [-1, 1]. Look for a diverged run.")
    model = model or load_fashion_mnist()
    parts = [
        np.asarray(model(images[start : start + batch_size], training=False)[0], np.float64)
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)
