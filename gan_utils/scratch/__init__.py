"""The book's networks in NumPy alone, each layer with its forward and its backward pass. To be read, not to be fast.

Conventions are Keras's: images (N, H, W, C), kernels and defaults as there, so that weights can be exchanged.
"""

from gan_utils.scratch import losses, optimizers
from gan_utils.scratch.convolution import Conv2D, Conv2DTranspose
from gan_utils.scratch.layers import (
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    ReLU,
    Reshape,
    Sigmoid,
    Tanh,
)
from gan_utils.scratch.network import GAN, Sequential

__all__ = [
    "GAN",
    "BatchNorm",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "Dropout",
    "Flatten",
    "Layer",
    "LeakyReLU",
    "ReLU",
    "Reshape",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "losses",
    "optimizers",
]
