r"""Losses of a GAN, as pure functions of logits, and `Loss`, which pairs them.

Every function takes ``(real_logits, fake_logits)``, two float tensors of shape (N, ...), and returns a scalar to be
*minimised*. Write :math:`\sigma` for the sigmoid and :math:`D = \sigma(\text{logit})`. All are computed from logits
with softplus, never from a probability and a logarithm.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gan_utils.runtime import keras

ops = keras.ops
_Tensor = Any  # a TensorFlow tensor


def minimax_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[\log D(x)] - E[\log(1 - D(G(z)))]`; log 4 at equilibrium.

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, equation 1.
    """
    return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))


def minimax_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`E[\log(1 - D(G(z)))]`; -log 2 at equilibrium. Its slope vanishes where D(G(z)) is near 0.

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, equation 1.
    """
    return -ops.mean(ops.softplus(fake_logits))


def non_saturating_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[\log D(G(z))]`; log 2 at equilibrium.

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, section 3.
    """
    return ops.mean(ops.softplus(-fake_logits))


def least_squares_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`\frac12 E[(d(x) - 1)^2] + \frac12 E[d(G(z))^2]` of raw outputs d; 1/4 at equilibrium.

    Reference:
        Mao et al. 2016, arXiv 1611.04076, equation 9 (a = 0, b = c = 1).
    """
    return 0.5 * ops.mean(ops.square(real_logits - 1.0)) + 0.5 * ops.mean(ops.square(fake_logits))


def least_squares_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`\frac12 E[(d(G(z)) - 1)^2]`; 1/8 at equilibrium.

    Reference:
        Mao et al. 2016, arXiv 1611.04076, equation 9.
    """
    return 0.5 * ops.mean(ops.square(fake_logits - 1.0))


def hinge_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`E[\max(0, 1 - d(x))] + E[\max(0, 1 + d(G(z)))]`; 2 at equilibrium.

    Reference:
        Lim and Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, equation 16.
    """
    return ops.mean(ops.relu(1.0 - real_logits)) + ops.mean(ops.relu(1.0 + fake_logits))


def wasserstein_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`E[f(G(z))] - E[f(x)]` of a critic f; 0 at equilibrium. Needs a Lipschitz constraint.

    Reference:
        Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875, equation 2.
    """
    return ops.mean(fake_logits) - ops.mean(real_logits)


def wasserstein_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[f(G(z))]`; defined up to the critic's additive constant. Hinge shares it.

    Reference:
        Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875, theorem 3.
    """
    return -ops.mean(fake_logits)


def relativistic_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[\log\sigma(d(x) - d(G(z)))]` over pairs; log 2 at equilibrium.

    Reference:
        Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.1 (RpGAN); used by Huang et al. 2025, arXiv 2501.05441.
    """
    return ops.mean(ops.softplus(fake_logits - real_logits))


def relativistic_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[\log\sigma(d(G(z)) - d(x))]` over pairs; log 2 at equilibrium.

    Reference:
        Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.1.
    """
    return ops.mean(ops.softplus(real_logits - fake_logits))


@dataclass(frozen=True)
class Loss:
    """A generator's and a discriminator's loss that belong together.

    Attributes:
        name: the loss's name.
        generator: function of (real_logits, fake_logits), minimised by the generator.
        discriminator: the same, minimised by the discriminator.
        generator_equilibrium: the generator's loss where p_g = p_data and the discriminator is optimal; None where the
            critic's additive constant leaves it free.
        discriminator_equilibrium: the same for the discriminator.
        probability: whether the sigmoid of a logit is the probability that a sample is real.
        generator_needs_real: whether the generator's loss depends on real logits.
    """

    name: str
    generator: Callable[[_Tensor, _Tensor], _Tensor]
    discriminator: Callable[[_Tensor, _Tensor], _Tensor]
    generator_equilibrium: float | None
    discriminator_equilibrium: float
    probability: bool = False
    generator_needs_real: bool = False


_LOG2 = math.log(2.0)
LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss("minimax", minimax_generator_loss, minimax_discriminator_loss, -_LOG2, 2 * _LOG2, True),
        Loss("non_saturating", non_saturating_generator_loss, minimax_discriminator_loss, _LOG2, 2 * _LOG2, True),
        Loss("least_squares", least_squares_generator_loss, least_squares_discriminator_loss, 0.125, 0.25),
        Loss("hinge", wasserstein_generator_loss, hinge_discriminator_loss, None, 2.0),
        Loss("wasserstein", wasserstein_generator_loss, wasserstein_discriminator_loss, None, 0.0),
        Loss("relativistic", relativistic_generator_loss, relativistic_discriminator_loss, _LOG2, _LOG2, False, True),
    )
}


def get(loss: str | Loss) -> Loss:
    """Return the `Loss` of that name, or the one given.

    Raises:
        ValueError: for an unknown name; the message lists the known ones.

    Example:
        >>> round(get("non_saturating").discriminator_equilibrium, 4)
        1.3863
    """
    if isinstance(loss, Loss):
        return loss
    if loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}; expected one of {', '.join(LOSSES)}, or a losses.Loss of your own.")
    return LOSSES[loss]
