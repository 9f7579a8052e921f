r"""Losses of a GAN, as pure functions of logits, and `Loss`, which pairs them.

Every function takes ``(real_logits, fake_logits)``, two float tensors of shape (N, ...), and returns a scalar to be
*minimised*. Write :math:`\sigma` for the sigmoid and :math:`D = \sigma(\text{logit})`. All are computed from logits
with softplus, never from a probability and a logarithm, and in float32 or wider, whatever the networks compute in.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gan_utils import checking
from gan_utils.runtime import keras, tf

ops = keras.ops
_Tensor = Any  # a TensorFlow tensor
_Function = Callable[[_Tensor, _Tensor], _Tensor]


def wide(*tensors: _Tensor) -> Any:
    """Return tensors in one type, float32 or wider, in which sums and squares neither overflow nor vanish.

    Args:
        *tensors: of any floating type; None stays None.

    Returns:
        The tensor, or a tuple for several: float64 if one of them is, else float32.

    Example:
        >>> wide(tf.ones(2, tf.float16)).dtype, wide(tf.ones(2), tf.ones(2, tf.float64))[0].dtype
        (tf.float32, tf.float64)
    """
    given = [None if tensor is None else tf.convert_to_tensor(tensor) for tensor in tensors]
    double = any(tensor is not None and tensor.dtype == tf.float64 for tensor in given)
    kind = tf.float64 if double else tf.float32
    found = tuple(None if tensor is None else tf.cast(tensor, kind) for tensor in given)
    return found if len(found) > 1 else found[0]


def same_shape(what: str, one: _Tensor, other: _Tensor) -> None:
    """Raise a ValueError unless two tensors have the same shape, which arithmetic would broadcast without a word.

    Args:
        what: the two, for the message, such as ``"real and fake logits"``.
        one: a tensor.
        other: another.
    """
    shapes = tf.TensorShape(one.shape), tf.TensorShape(other.shape)
    if not shapes[0].is_compatible_with(shapes[1]):
        raise ValueError(f"{what} have shapes {tuple(shapes[0])} and {tuple(shapes[1])}; expected one shape.")


def _in_wide_numbers(function: _Function) -> _Function:
    @functools.wraps(function)
    def wrapped(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
        return function(*wide(real_logits, fake_logits))

    return wrapped


def _in_pairs(function: _Function) -> _Function:
    @functools.wraps(function)
    def wrapped(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
        same_shape("real and fake logits", real_logits, fake_logits)
        return function(real_logits, fake_logits)

    return wrapped


@_in_wide_numbers
def minimax_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[\log D(x)] - E[\log(1 - D(G(z)))]`; log 4 at equilibrium.

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, equation 1.
    """
    return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))


@_in_wide_numbers
def minimax_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`E[\log(1 - D(G(z)))]`; -log 2 at equilibrium. Its slope vanishes where D(G(z)) is near 0.

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, equation 1.
    """
    return -ops.mean(ops.softplus(fake_logits))


@_in_wide_numbers
def non_saturating_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[\log D(G(z))]`; log 2 at equilibrium.

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661, section 3.
    """
    return ops.mean(ops.softplus(-fake_logits))


@_in_wide_numbers
def least_squares_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`\frac12 E[(d(x) - 1)^2] + \frac12 E[d(G(z))^2]` of raw outputs d; 1/4 at equilibrium.

    Reference:
        Mao et al. 2016, arXiv 1611.04076, equation 9 (a = 0, b = c = 1).
    """
    return 0.5 * ops.mean(ops.square(real_logits - 1.0)) + 0.5 * ops.mean(ops.square(fake_logits))


@_in_wide_numbers
def least_squares_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`\frac12 E[(d(G(z)) - 1)^2]`; 1/8 at equilibrium.

    Reference:
        Mao et al. 2016, arXiv 1611.04076, equation 9.
    """
    return 0.5 * ops.mean(ops.square(fake_logits - 1.0))


@_in_wide_numbers
def hinge_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`E[\max(0, 1 - d(x))] + E[\max(0, 1 + d(G(z)))]`; 2 at equilibrium.

    Reference:
        Lim and Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, equation 16.
    """
    return ops.mean(ops.relu(1.0 - real_logits)) + ops.mean(ops.relu(1.0 + fake_logits))


@_in_wide_numbers
def wasserstein_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`E[f(G(z))] - E[f(x)]` of a critic f; 0 at equilibrium. Needs a Lipschitz constraint.

    Reference:
        Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875, equation 2.
    """
    return ops.mean(fake_logits) - ops.mean(real_logits)


@_in_wide_numbers
def wasserstein_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[f(G(z))]`; defined up to the critic's additive constant. Hinge shares it.

    Reference:
        Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875, theorem 3.
    """
    return -ops.mean(fake_logits)


@_in_wide_numbers
@_in_pairs
def relativistic_discriminator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[\log\sigma(d(x) - d(G(z)))]` over pairs; log 2 at equilibrium.

    Reference:
        Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.1 (RpGAN); used by Huang et al. 2025, arXiv 2501.05441.
    """
    return ops.mean(ops.softplus(fake_logits - real_logits))


@_in_wide_numbers
@_in_pairs
def relativistic_generator_loss(real_logits: _Tensor, fake_logits: _Tensor) -> _Tensor:
    r"""Return :math:`-E[\log\sigma(d(G(z)) - d(x))]` over pairs; log 2 at equilibrium.

    Reference:
        Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.1.
    """
    return ops.mean(ops.softplus(real_logits - fake_logits))


@keras.saving.register_keras_serializable("gan_utils")
@dataclass(frozen=True)
class Loss:
    """A generator's and a discriminator's loss that belong together.

    With two functions of your own a model can be saved where both are registered with Keras
    (``keras.saving.register_keras_serializable``).

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

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss; Keras keeps a function by the name it is registered under."""
        functions = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _FUNCTIONS}
        return {**vars(self), **functions}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Loss":
        """Make a loss from `get_config`'s arguments."""
        functions = {name: keras.saving.deserialize_keras_object(config[name], safe_mode=True) for name in _FUNCTIONS}
        return cls(**{**config, **functions})


_FUNCTIONS = ("generator", "discriminator")
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
    if not isinstance(loss, str) or loss not in LOSSES:
        raise ValueError(
            f"loss is {checking.shown(loss)}; expected one of {', '.join(LOSSES)}, or a losses.Loss of your own."
        )
    return LOSSES[loss]
