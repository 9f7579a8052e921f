"""Data sets: real images with checked digests."""

from gan_utils.data import images

__all__ = ["images", "load"]
load = images.load
