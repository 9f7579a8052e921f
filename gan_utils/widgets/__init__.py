"""Experiments that move, in the notebook and in the static page alike."""

from gan_utils.widgets.experiment_panel import ExperimentPanel, plane_gan
from gan_utils.widgets.explore import Explore, explore
from gan_utils.widgets.explorer import Explorer
from gan_utils.widgets.latent_explorer import LatentExplorer
from gan_utils.widgets.playground import Playground

__all__ = ["ExperimentPanel", "Explore", "Explorer", "LatentExplorer", "Playground", "explore", "plane_gan"]
