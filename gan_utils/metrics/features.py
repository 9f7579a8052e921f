"""Feature extractors: what turns images into the vectors, and the class probabilities, that a metric compares."""

import contextlib
import functools
import hashlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.special
from PIL import Image
from tqdm import tqdm

from gan_utils import checking
from gan_utils.metrics import checks

if TYPE_CHECKING:  # TensorFlow starts only where a network is used
    from gan_utils.data import Source
    from gan_utils.runtime import keras

NAMES = ("fashion_mnist", "inception-v3-keras", "pixels", "identity")
VERSION = "fashion_mnist_v1"
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Features(NamedTuple):
    """What an extractor makes of N samples.

    Attributes:
        values: (N, D) float32 or float64.
        probabilities: (N, K) float64, or None where the extractor knows no classes.
    """

    values: np.ndarray
    probabilities: np.ndarray | None


@dataclass(frozen=True)
class Extractor:
    """From samples to `Features`, batch by batch; made by `get`.

    Attributes:
        name: what a score is named with; scores under different names cannot be compared.
        run: from prepared images (k, H, W, C) to features and class logits (or None).
        shape: (H, W, C) that `run` wants; None for any.
        batch_size: images a pass; results do not depend on it beyond rounding.
        network: the Keras model behind `run`, where there is one.
    """

    name: str
    run: Callable[[np.ndarray], tuple[Any, Any]] | None
    shape: tuple[int, int, int] | None = None
    batch_size: int = 250
    network: "keras.Model | None" = None

    @property
    def resize(self) -> str:
        """How images of another size are brought to this extractor's."""
        return "none" if self.shape is None else f"lanczos to {self.shape[0]}x{self.shape[1]}"

    def fingerprint(self) -> str:
        """Return a text that differs where the extractor does: name, weights, what it makes of a noise image."""
        digest = hashlib.sha256(f"{self.name} {self.resize} ".encode())
        if self.network is not None and self.run is not None:
            size = self.shape or (64, 64, self.network.input_shape[-1])
            outputs = self.run(np.random.default_rng(0).uniform(-1, 1, (1, *size)).astype(np.float32))
            for array in (*self.network.get_weights(), *(each for each in outputs if each is not None)):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def __call__(
        self, samples: "np.ndarray | Source", *, batch_size: int | None = None, progress: bool = False
    ) -> Features:
        """Extract.

        Args:
            samples: images (N, H, W[, 1 or 3]), uint8 or float in [-1, 1], in memory or memory-mapped; a
                `data.Source`; for ``"identity"`` an array (N, D). Only one batch is held besides the result.
            batch_size: another than the extractor's.
            progress: show a bar on standard error.

        Returns:
            `Features`.

        Raises:
            ValueError: for another shape, no sample, numbers that are no pixels, or values that are not finite.
        """
        samples = checks.samples(samples)
        if self.run is None:
            whole = samples if isinstance(samples, np.ndarray) else checks.read(samples, 0, len(samples))
            values, _ = checks.features(whole, whole)
            return Features(values, None)
        size = self.batch_size if batch_size is None else checking.integer("batch_size", batch_size, 1)
        total = len(samples)
        if not total:
            raise ValueError("images are 0; expected at least one.")
        features, logits = np.empty(0), []  # the first batch tells how wide
        seen = Seen(self.name, self.shape)
        with tqdm(total=total, desc=self.name, unit="image", disable=not progress, leave=False) as bar:
            for start in range(0, total, size):
                stop = min(start + size, total)
                batch = checks.read(samples, start, stop)
                prepared = prepare(batch, self.shape)
                found, classes = self.run(prepared)
                # a folder knows how its pictures looked before it brought them to a size
                seen.add(batch, prepared, getattr(samples, "original_shapes", None))
                found = np.asarray(found).reshape(stop - start, -1)
                if start == 0:
                    features = np.empty((total, found.shape[1]), found.dtype)
                features[start:stop] = found
                logits.append(classes)
                bar.update(stop - start)
        for doubt in seen.doubts():
            warnings.warn(doubt, stacklevel=2)
        checks.features(features, features)
        if logits[0] is None:
            return Features(features, None)
        return Features(features, scipy.special.softmax(np.concatenate(logits).astype(np.float64), axis=1))


class Seen:
    """What was seen of a set of images, batch by batch, and what is doubtful about it for an extractor.

    Args:
        name: of the extractor.
        shape: (H, W, C) that it wants; None for any.
    """

    def __init__(self, name: str, shape: tuple[int, int, int] | None) -> None:
        self._name, self._wanted = name, shape
        self._low, self._high = np.inf, -np.inf
        self._shapes: set[tuple[int, ...]] = set()

    def add(self, batch: np.ndarray, prepared: np.ndarray, original: set[tuple[int, int, int]] | None = None) -> None:
        """Take note of a batch, of what `prepare` made of it, and of the shapes of the pictures it was read from."""
        # bytes, and pictures that were bytes, have a range of their own
        known = batch.dtype == np.uint8 or original is not None
        self._low = min(self._low, -1.0 if known else float(prepared.min()))
        self._high = max(self._high, float(prepared.max()))
        colour = batch.ndim == 4 and batch.shape[-1] == 3 and not (batch == batch[..., :1]).all()
        self._shapes |= original or {(*batch.shape[1:3], 3 if colour else 1)}  # grey may come in three channels

    def doubts(self) -> list[str]:
        """Return what a user should be told, each a line."""
        doubt, found = checking.range_doubt(self._low, self._high), None
        unlike = sorted(shape for shape in self._shapes if shape[2] == 3)
        if self._wanted is not None and self._wanted[2] == 1 and unlike:
            found = "colour images, of which it sees the brightness only"
        if self._name == VERSION:
            unlike = sorted(shape for shape in self._shapes if shape != self._wanted)
            found = f"images of {'x'.join(map(str, unlike[0]))}" if unlike else None
        if found is not None:
            mend = "Use inception-v3-keras, pixels or a Keras model that was trained on such images."
            knows = "knows clothes in grey, 28x28, and gets" if self._name == VERSION else "gets"
            found = f"the extractor {self._name} {knows} {found}; its scores of them say little. {mend}"
        return [each for each in (doubt, found) if each is not None]


def get(
    extractor: "str | keras.Model | Extractor", *, layer: str | None = None, logits: str | None = None
) -> Extractor:
    """Return an extractor.

    - ``"fashion_mnist"``: 64 features and 10 classes of a small classifier that ships with the package (its full name
      has a version; trained by `train_fashion_mnist`). Of little use on anything but clothes, 28 × 28.
    - ``"inception-v3-keras"``: 2,048 pooled features and 1,000 classes of Keras's InceptionV3 with ImageNet weights
      (from Keras's cache, else downloaded), images scaled to [-1, 1] and 299 × 299. These are not the weights of the
      2015 graph that "FID" and published Inception Scores stand on, so its distance is not an FID.
    - ``"pixels"``: the flattened images. ``"identity"``: vectors (N, D) as they are.
    - a Keras model from images in [-1, 1], with the name of the layer whose output, flattened, is the features.

    Args:
        extractor: a name, a Keras model, or an `Extractor`, which is returned.
        layer: of a Keras model; its last if not given.
        logits: the layer of a Keras model that gives class logits (N, K), for the scores that need probabilities.

    Returns:
        An `Extractor`.

    Raises:
        ValueError: for an unknown name or layer.
        FileNotFoundError: if the Inception weights are neither in Keras's cache nor to be had.

    Example:
        >>> get("pixels")(np.zeros((3, 2, 2, 1), np.uint8)).values.tolist()[0]
        [-1.0, -1.0, -1.0, -1.0]

    Reference:
        Features of a classifier of the same domain instead of Inception: Xu et al. 2018, arXiv 1806.07755, section 3;
        what resizing does to a score: Parmar, Zhang and Zhu 2021, arXiv 2104.11222.
    """
    if isinstance(extractor, Extractor):
        return extractor
    if not isinstance(extractor, str):
        return _from_model(extractor, layer, logits)
    if extractor in ("fashion_mnist", VERSION):
        return _of_network(VERSION, load_fashion_mnist(), (28, 28, 1), 250)
    if extractor == "inception-v3-keras":
        return _of_network(extractor, _inception(), (299, 299, 3), 16)
    if extractor == "pixels":
        return Extractor(extractor, lambda images: (images.reshape(len(images), -1), None))
    if extractor == "identity":
        return Extractor(extractor, None)
    raise ValueError(f"extractor is {checking.shown(extractor)}; expected {', '.join(NAMES)} or a Keras model.")


def prepare(images: np.ndarray, shape: tuple[int, int, int] | None) -> np.ndarray:
    """Bring a batch of images to the scale, channels and size of an extractor.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), uint8 or float in [-1, 1].
        shape: (H, W, C) wanted, or None to leave size and channels. Grey is repeated into three channels, colour
            becomes luma; another size is resampled (Pillow's Lanczos in floating point, which filters when it shrinks).

    Returns:
        (N, H, W, C) float32 in about [-1, 1].

    Raises:
        ValueError: for another number of axes or channels, another type, values outside [-1, 1] or not finite.
    """
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise ValueError(
            f"images have shape {images.shape}; expected (N, H, W), (N, H, W, 1) or (N, H, W, 3). "
            "For vectors use the extractor 'identity'."
        )
    if images.dtype == np.uint8:
        images = images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    elif images.dtype.kind != "f":
        raise ValueError(f"images are of type {images.dtype}; expected uint8 or floats in [-1, 1].")
    checks.finite(images, "images")
    # resampling and linear generators overshoot a little
    fault = checking.range_fault(float(images.min()), float(images.max()), tolerance=0.01)
    if fault is not None:
        raise ValueError(fault)
    images = images.astype(np.float32, copy=False)
    if shape is None:
        return images
    if images.shape[-1] != shape[2]:
        images = np.repeat(images, 3, axis=-1) if shape[2] == 3 else (images @ _LUMA)[..., None]
    if images.shape[1:3] == shape[:2]:
        return images
    size = (shape[1], shape[0])
    resized = [
        [np.asarray(Image.fromarray(image[..., c]).resize(size, Image.Resampling.LANCZOS)) for c in range(shape[2])]
        for image in images
    ]
    return np.clip(np.moveaxis(np.array(resized, np.float32), 1, -1), -1.0, 1.0)


def fashion_mnist_classifier() -> "keras.Model":
    """Build the small untrained Fashion-MNIST classifier whose last hidden layer serves as features.

    Returns:
        A Keras model from images (N, 28, 28, 1) in [-1, 1] to a pair: features (N, 64) and class logits (N, 10).
    """
    from gan_utils.runtime import keras

    with _single_precision():
        return _classifier(keras)


def _classifier(keras: Any) -> "keras.Model":
    layers = keras.layers
    images = keras.Input((28, 28, 1), name="images")
    x = images
    for index, (width, strides) in enumerate([(32, 2), (64, 1), (96, 2), (128, 2)]):
        x = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False, name=f"conv_{index}")(x)
        x = layers.BatchNormalization(name=f"norm_{index}")(x)
        x = layers.ReLU(name=f"relu_{index}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.4, name="dropout")(x)
    features = layers.Dense(64, activation="relu", name="features")(x)
    logits = layers.Dense(10, name="logits")(features)
    return keras.Model(images, [features, logits], name=VERSION)


@functools.cache
def load_fashion_mnist(path: Path | None = None) -> "keras.Model":
    """Load the classifier with stored weights (float16, written by `train_fashion_mnist`).

    Args:
        path: another file than the one that ships with the package.

    Returns:
        The model of `fashion_mnist_classifier`, trained; one for the whole process.
    """
    model = fashion_mnist_classifier()
    source = resources.files("gan_utils.metrics").joinpath(f"{VERSION}.npz") if path is None else path
    with source.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        model.set_weights([stored[f"w{index}"].astype(np.float32) for index in range(len(model.weights))])
    return model


@contextlib.contextmanager
def _single_precision() -> Iterator[None]:
    # features of one name must not depend on the settings under which a GAN happens to be trained
    from gan_utils import runtime
    from gan_utils.runtime import keras

    before, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")  # of inputs
    try:
        with runtime.channels_last():
            yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(before)


def _inception() -> "keras.Model":
    from gan_utils.data.images import stall_limit
    from gan_utils.runtime import keras

    try:
        with stall_limit(), _single_precision():
            model = keras.applications.InceptionV3(weights="imagenet", classifier_activation=None)
    except Exception as error:  # Keras raises a bare Exception for HTTP and URL errors
        raise FileNotFoundError(
            "The ImageNet weights of InceptionV3 are not in Keras's cache and could not be downloaded "
            f"({' '.join(str(error).split())[:200] or type(error).__name__}). Connect once, or use the extractor "
            "fashion_mnist, pixels or a Keras model of your own."
        ) from error
    return keras.Model(model.inputs, [model.get_layer("avg_pool").output, model.outputs[0]])


def _from_model(model: Any, layer: str | None, logits: str | None) -> Extractor:
    from gan_utils.runtime import keras

    if not isinstance(model, keras.Model):
        raise ValueError(f"extractor is {type(model).__name__}; expected {', '.join(NAMES)} or a Keras model.")
    if not getattr(model, "outputs", None):
        raise ValueError(
            f"{model.name} is no functional model, so it has no layers' outputs to take; pass one network."
        )
    names = [each.name for each in model.layers]
    for name in (layer, logits):
        if name is not None and name not in names:
            raise ValueError(f"{model.name} has no layer {name!r}; it has {', '.join(names)}.")
    features = model.get_layer(layer).output if layer else model.outputs[0]
    classes = [model.get_layer(logits).output] if logits else []
    shape = model.input_shape[1:]
    if len(model.inputs) != 1 or len(shape) != 3 or shape[-1] not in (1, 3):
        raise ValueError(f"{model.name} takes {model.input_shape}; expected images (None, H, W, 1 or 3).")
    network = keras.Model(model.inputs, [features, *classes])
    return _of_network(f"{model.name}:{layer or names[-1]}", network, None if None in shape else shape, 64)


def _of_network(name: str, network: "keras.Model", shape: tuple[int, int, int] | None, batch_size: int) -> Extractor:
    from gan_utils.runtime import tf

    call = tf.function(lambda images: network(images, training=False), reduce_retracing=True)

    def run(images: np.ndarray) -> tuple[Any, Any]:
        outputs = [output.numpy() for output in tf.nest.flatten(call(tf.constant(images)))]
        return outputs[0], outputs[1] if len(outputs) > 1 else None

    return Extractor(name, run, shape, batch_size, network)
