"""Builders of generators and discriminators: plain Keras functional models, logits out."""

from gan_utils.networks import dense

__all__ = ["dense"]
