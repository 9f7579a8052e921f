"""Scores of generated samples: feature extractors, then pure float64 functions of features."""

from gan_utils.metrics import coverage, features, frechet, memorisation

__all__ = ["coverage", "features", "frechet", "memorisation"]
