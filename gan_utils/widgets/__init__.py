"""Experiments that move, in the notebook and in the static page alike."""

from gan_utils.widgets.explore import Explore, explore

__all__ = ["Explore", "explore"]
