"""The one training loop: players that take turns, and GAN, its two-player preset."""

from gan_utils.training import callbacks, doctor
from gan_utils.training.adversarial import Adversarial, Player
from gan_utils.training.gan import GAN
from gan_utils.training.replay import Replay
from gan_utils.training.simultaneous import SimultaneousGAN

__all__ = ["GAN", "Adversarial", "Player", "Replay", "SimultaneousGAN", "callbacks", "doctor"]
