"""Scores of generated samples: feature extractors, then pure float64 functions of features, then all in one call.

`score` and `Scorer` are what most users want. Nothing here starts TensorFlow until an extractor needs a network.
"""

import importlib
from types import ModuleType

from gan_utils.metrics import (
    bins,
    coverage,
    features,
    frechet,
    inception_score,
    intervals,
    kernel,
    memorisation,
    mixtures,
    mode_score,
    precision_recall,
    sliced_wasserstein,
    smoothness,
)
from gan_utils.metrics.scoring import METRICS, Scorer, Scores, over_seeds, score

__all__ = [
    "METRICS",
    "Scorer",
    "Scores",
    "bins",
    "coverage",
    "features",
    "frechet",
    "inception_score",
    "intervals",
    "kernel",
    "memorisation",
    "mixtures",
    "mode_score",
    "over_seeds",
    "precision_recall",
    "score",
    "sliced_wasserstein",
    "smoothness",
]


def __getattr__(name: str) -> ModuleType:
    if name == "streaming":  # the Keras metric, and with it TensorFlow
        return importlib.import_module("gan_utils.metrics.streaming")
    raise AttributeError(f"module 'gan_utils.metrics' has no attribute {name!r}")
