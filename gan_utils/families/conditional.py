"""ConditionalGAN: samples of a class that is asked for."""

from typing import Any

from gan_utils import checking
from gan_utils.data import kinds
from gan_utils.runtime import keras
from gan_utils.training.gan import GAN


@keras.saving.register_keras_serializable("gan_utils")
class ConditionalGAN(GAN):
    """A GAN whose generator is told which class to make, and whose discriminator is told which class it looks at.

    A discriminator with a second output, logits of the classes (N, classes), becomes an auxiliary classifier with
    ``terms=[terms.AuxiliaryClassifier()]``.

    Args:
        generator: Keras model from ``[latents (N, latent_dim), labels (N,)]`` to samples.
        discriminator: Keras model from ``[samples, labels]`` to logits.
        classes: number of classes; labels are integers from 0 to ``classes - 1``.
        **kwargs: as in `GAN`; ``latent_dim`` is the size of the generator's first input if not given.

    Example:
        >>> import numpy as np
        >>> latents, label = keras.Input((4,)), keras.Input((), dtype="int32")
        >>> both = keras.layers.Concatenate()([latents, keras.layers.Embedding(3, 4)(label)])
        >>> generator = keras.Model([latents, label], keras.layers.Dense(2)(both))
        >>> sample, label = keras.Input((2,)), keras.Input((), dtype="int32")
        >>> both = keras.layers.Concatenate()([sample, keras.layers.Embedding(3, 2)(label)])
        >>> gan = ConditionalGAN(generator, keras.Model([sample, label], keras.layers.Dense(1)(both)), classes=3)
        >>> gan.compile()
        >>> data = {"real": np.zeros((8, 2), "float32"), "label": np.arange(8) % 3}
        >>> history = gan.fit(data, batch_size=4, verbose=0)
        >>> gan.generate(5, label=2).shape
        (5, 2)

    Reference:
        Mirza and Osindero 2014, arXiv 1411.1784, equation 2.
    """

    def __init__(self, generator: keras.Model, discriminator: keras.Model, *, classes: int = 10, **kwargs: Any) -> None:
        self.classes = checking.integer("classes", classes, 2)
        self.conditions = {"label": kinds.Labels(self.classes)}
        super().__init__(generator, discriminator, **kwargs)
