"""Builders of generators and discriminators, plain Keras functional models with logits out, and their layers."""

from gan_utils.networks import dcgan, dense, layers, toy

__all__ = ["dcgan", "dense", "layers", "toy"]
