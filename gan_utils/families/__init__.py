"""Families of GANs: thin classes over one training core, each of what its networks read and its losses."""

from gan_utils.families.conditional import ConditionalGAN
from gan_utils.families.translation import CycleGAN, Pix2Pix

__all__ = ["ConditionalGAN", "CycleGAN", "Pix2Pix"]
