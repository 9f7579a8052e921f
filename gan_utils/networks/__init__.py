"""Builders of generators and discriminators, plain Keras functional models with logits out, and what to ask of them."""

from gan_utils.networks import arithmetic, dcgan, dense, encoder_decoder, layers, structure, toy
from gan_utils.networks.guidelines import Finding, check_dcgan_guidelines

__all__ = [
    "Finding",
    "arithmetic",
    "check_dcgan_guidelines",
    "dcgan",
    "dense",
    "encoder_decoder",
    "layers",
    "structure",
    "toy",
]
