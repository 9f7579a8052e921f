"""SimultaneousGAN: both players move at once, from one forward pass."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from gan_utils import terms
from gan_utils.runtime import keras, tf
from gan_utils.training import checkpoint
from gan_utils.training.adversarial import Player, dense, total_loss
from gan_utils.training.gan import GAN


class _Shared(threading.local):
    """What belongs to a step, besides `Adversarial`'s own; a strategy traces its replicas in threads."""

    def __init__(self) -> None:
        self.once: dict[Any, Any] | None = None
        self.drawn: dict[str, Any] = {}


@keras.saving.register_keras_serializable("gan_utils")
class SimultaneousGAN(GAN):
    r"""A GAN whose players both move from where they stand: simultaneous instead of alternating gradient descent.

    :math:`(\phi, \theta) \leftarrow (\phi - \eta_D \nabla_\phi L_D(\phi, \theta),\ \theta - \eta_G \nabla_\theta
    L_G(\phi, \theta))`. Both losses are taken on the same real batch and the same generated one, so what each network
    makes of them is computed once for both: a step costs less than `GAN`'s, where the generator answers the
    discriminator's move on latents of its own. Which of the two learns more a step is another question; in a bilinear
    game simultaneous moves spiral outwards where alternating ones circle (`theory.dynamics`).

    Args:
        *args: as in `GAN`.
        **kwargs: as in `GAN`; ``discriminator_steps`` is 1.

    Raises:
        ValueError: for another ``discriminator_steps``, and for networks in ``mixed_float16``, whose gradients would
            be taken before the loss is scaled (``mixed_bfloat16`` needs no scale).

    Example:
        >>> from gan_utils.networks import dense
        >>> gan = SimultaneousGAN(dense.selu_generator(), dense.selu_discriminator())
        >>> gan.compile()
        >>> images = tf.linspace(-tf.ones((28, 28, 1)), tf.ones((28, 28, 1)), 8).numpy()
        >>> history = gan.fit(images, batch_size=4, steps_per_epoch=2, verbose=0)
        >>> gan.step
        2

    Reference:
        Mescheder, Nowozin and Geiger 2017, arXiv 1705.10461, section 2.2.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._shared = _Shared()
        super().__init__(*args, **kwargs)
        steps = self.players[0].steps
        if steps != 1:
            raise ValueError(f"discriminator_steps is {steps}; expected 1, since both players move at once. Use GAN.")
        if any("mixed_float16" in checkpoint.policies(network) for network in self.networks):
            raise ValueError("networks are in mixed_float16; expected float32 or mixed_bfloat16. Use GAN.")

    def losses(self, player: Player, batch: Mapping[str, tf.Tensor], noise: Any) -> dict[str, tf.Tensor]:
        """Return the losses of one player, with the gradients that they had before either moved."""
        if self._turn.only_looking:
            return super().losses(player, batch, noise)
        if player is self.players[0]:
            self._shared.drawn = self._play(batch, noise)
        total, gradients, reported, statistics = self._shared.drawn[player.name]
        self._turn.reported |= reported
        for variable, value in statistics:
            variable.assign(value)
        return {"simultaneous": _scalar_with_gradients(total, gradients, [v.value for v in player.variables])}

    def _play(self, batch: Mapping[str, tf.Tensor], noise: Any) -> dict[str, Any]:
        totals, reports, moved = {}, {}, {}
        values = {player.name: [v.value for v in player.variables] for player in self.players}
        self._shared.once = {}
        try:
            with (
                tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape,
                keras.StatelessScope() as scope,
            ):
                tape.watch(values)
                for player in self.players:
                    totals[player.name] = total_loss(list(super().losses(player, batch, noise).values()))
                    reports[player.name], self._turn.reported = self._turn.reported, {}
                    own = [*player.statistics, *self._random_states]  # what the other's loss assigns does not count
                    states = [(variable, scope.get_current_value(variable)) for variable in own]
                    moved[player.name] = [(variable, value) for variable, value in states if value is not None]
        finally:
            self._shared.once = None
        gradients = {name: dense(tape.gradient(total, values[name])) for name, total in totals.items()}
        return {name: (totals[name], gradients[name], reports[name], moved[name]) for name in totals}

    # what both losses need is computed once

    def make(self, noise: Mapping[str, tf.Tensor], batch: Mapping[str, tf.Tensor], training: bool = True) -> Any:
        """Return generated samples (N, ...), the same for both players."""
        return self._once("make", lambda: super(SimultaneousGAN, self).make(noise, batch, training))

    def judge(self, samples: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> Any:
        """Return the discriminator's logits (N, ...), the same for both players."""
        compute: Callable[[], tf.Tensor] = lambda: super(SimultaneousGAN, self).judge(samples, batch)  # noqa: E731
        # looking ahead, the generator asks a discriminator with other weights
        return compute() if self.unrolled_steps else self._once(("judge", id(samples)), compute, samples)

    def _seen(self, samples: tf.Tensor, noise: Mapping[str, tf.Tensor], which: int) -> tf.Tensor:
        compute = lambda: super(SimultaneousGAN, self)._seen(samples, noise, which)  # noqa: E731
        return self._once(("seen", id(samples), which), compute, samples)

    def _term(self, term: terms.Term, outputs: terms.Outputs) -> tf.Tensor:
        known, self._shared.once = self._shared.once, None  # a term differentiates what it judges, so it judges anew
        try:
            return super()._term(term, outputs)
        finally:
            self._shared.once = known

    def _once(self, key: Any, compute: Callable[[], tf.Tensor], given: Any = None) -> tf.Tensor:
        known = self._shared.once
        if known is None:
            return compute()
        if key not in known:
            known[key] = given, compute()  # what was given is held, so that its id stays its own
        return known[key][1]


def _scalar_with_gradients(total: tf.Tensor, gradients: list[tf.Tensor], values: list[Any]) -> tf.Tensor:
    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def scalar(*_: tf.Tensor) -> Any:
        return total, lambda upstream: [None if gradient is None else upstream * gradient for gradient in gradients]

    return scalar(*map(tf.convert_to_tensor, values))
