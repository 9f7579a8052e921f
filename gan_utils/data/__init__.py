"""Data: Fashion-MNIST with checked digests, the reader's own folder of images, points with known modes, `Source`."""

from gan_utils.data import images, toy
from gan_utils.data.folder import Folder
from gan_utils.data.source import Source

__all__ = ["Folder", "Source", "images", "load", "toy"]
load = images.load
