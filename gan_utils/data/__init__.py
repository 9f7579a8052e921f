"""Data: Fashion-MNIST with checked digests, the reader's own folder of images, points with known modes, `Source`."""

from gan_utils.data import images, kinds, toy
from gan_utils.data.folder import Folder, Pairs
from gan_utils.data.source import Source, Unpaired

__all__ = ["Folder", "Pairs", "Source", "Unpaired", "images", "kinds", "load", "toy"]
load = images.load
