"""Data: Fashion-MNIST with checked digests, the reader's own folder of images, and the source under both kinds."""

from gan_utils.data import images
from gan_utils.data.folder import Folder
from gan_utils.data.source import Source

__all__ = ["Folder", "Source", "images", "load"]
load = images.load
