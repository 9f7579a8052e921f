"""The one training loop: players that take turns, and GAN, its two-player preset."""

from gan_utils.training import callbacks, doctor
from gan_utils.training.adversarial import Adversarial, Player
from gan_utils.training.gan import GAN
from gan_utils.training.replay import Replay

__all__ = ["GAN", "Adversarial", "Player", "Replay", "callbacks", "doctor"]
