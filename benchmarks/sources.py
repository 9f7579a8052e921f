"""The loops that the book's sources print, each with its own networks, optimizers and batch.

Every function returns what takes that many steps, and the generator that it trains. The Fashion GAN's is in
``training_step``, whose code the study ``dcgan`` records.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from training_step import published_loop as fashion_loop

from gan_utils import runtime
from gan_utils.networks import dcgan, dense
from gan_utils.runtime import keras, tf

__all__ = ["fashion_loop", "mnist_loop", "selu_loop"]
Loop = Callable[[int], None]


def _batches(images: np.ndarray, size: int, seed: int) -> Any:
    dataset = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images), seed=seed).repeat().batch(size)
    return iter(dataset.prefetch(1))


def selu_loop(images: np.ndarray, seed: int = 0, batch: int = 32) -> tuple[Loop, keras.Model]:
    """Return the SELU GAN's two phases a batch: the discriminator on fakes and reals joined, then the stacked model.

    The discriminator is traced before it is frozen, as in ``training_step``.
    """
    runtime.set_seed(seed)
    generator, discriminator = dense.selu_generator(), dense.selu_discriminator()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    batches = _batches(images, batch, seed)
    labels = tf.constant([[0.0]] * batch + [[1.0]] * batch)
    ones = tf.ones((batch, 1))
    discriminator.compile(optimizer="rmsprop", loss=loss)
    discriminator.train_on_batch(tf.concat([images[:batch], images[:batch]], axis=0), labels)
    discriminator.trainable = False
    stacked = keras.Sequential([generator, discriminator])
    stacked.compile(optimizer="rmsprop", loss=loss)

    def run(steps: int) -> None:
        for _ in range(steps):
            fake = generator(tf.random.normal((batch, 30)))
            discriminator.train_on_batch(tf.concat([fake, next(batches)], axis=0), labels)
            stacked.train_on_batch(tf.random.normal((batch, 30)), ones)

    before = discriminator.get_weights()[0].copy()
    run(1)
    assert np.any(before != discriminator.get_weights()[0]), "it must train"
    return run, generator


def mnist_loop(images: np.ndarray, seed: int = 0, batch: int = 256) -> tuple[Loop, keras.Model]:
    """Return the MNIST DCGAN's compiled step: both networks updated from one forward pass, Adam 1e-4."""
    runtime.set_seed(seed)
    generator, discriminator = dcgan.mnist_generator(), dcgan.mnist_discriminator()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    optimizers = [keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)]
    batches = _batches(images, batch, seed)

    @tf.function
    def step(real: tf.Tensor) -> None:
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake = generator(tf.random.normal((batch, 100)), training=True)
            real_logits, fake_logits = discriminator(real, training=True), discriminator(fake, training=True)
            generator_loss = loss(tf.ones_like(fake_logits), fake_logits)
            discriminator_loss = loss(tf.ones_like(real_logits), real_logits)
            discriminator_loss += loss(tf.zeros_like(fake_logits), fake_logits)
        for tape, value, network, optimizer in (
            (generator_tape, generator_loss, generator, optimizers[0]),
            (discriminator_tape, discriminator_loss, discriminator, optimizers[1]),
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))

    def run(steps: int) -> None:
        for _ in range(steps):
            step(next(batches))
        generator.trainable_variables[0].numpy()  # wait for the last step

    run(1)
    return run, generator
