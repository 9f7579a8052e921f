"""Generative adversarial networks in Keras 3: networks, losses, training, metrics, figures.

Sub-modules load on first use, so ``import gan_utils`` itself is cheap. Process-wide defaults that TensorFlow reads
only once, at its own import, are set here: import ``gan_utils`` before ``tensorflow`` or ``keras``.
"""

import importlib
import os
import sys
import warnings
from types import ModuleType

__version__ = "0.1.0"
__all__ = [
    "cli",
    "data",
    "families",
    "losses",
    "metrics",
    "networks",
    "plotting",
    "runtime",
    "scratch",
    "studies",
    "terms",
    "theory",
    "training",
    "widgets",
]

if "tensorflow" in sys.modules and os.environ.get("TF_ENABLE_ONEDNN_OPTS") is None:
    warnings.warn(
        "TensorFlow was imported before gan_utils, so oneDNN may be off and training slower. "
        "Import gan_utils first, or set TF_ENABLE_ONEDNN_OPTS=1 in the environment.",
        stacklevel=2,
    )
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"gan_utils.{name}")
    raise AttributeError(f"module 'gan_utils' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
