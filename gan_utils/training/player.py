"""Player: one side of the game."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_utils import checking
from gan_utils.runtime import keras, tf


@dataclass
class Player:
    """One side of the game.

    Attributes:
        name: unique within the model; its loss is logged as ``<name>_loss``.
        networks: the Keras models whose trainable variables this player, and nobody else, moves.
        optimizer: set here or in ``compile(<name>_optimizer=...)``; Adam(2e-4, beta_1=0.5) otherwise.
        steps: updates of this player a training step, each on a fresh real batch.
        ema: decay in (0, 1) of an exponential moving average of the networks' weights, BatchNorm's statistics
            included; none if not given. At update t the decay is min(ema, (1 + t) / (10 + t)).
        when: from what this move reports (name to scalar) to whether it is made; every move if not given. A move that
            is not made changes nothing: no weight, no optimizer, no average.
    """

    name: str
    networks: Sequence[keras.Model]
    optimizer: keras.optimizers.Optimizer | None = None
    steps: int = 1
    ema: float | None = None
    when: Callable[[Mapping[str, tf.Tensor]], tf.Tensor] | None = None

    def __post_init__(self) -> None:
        if not self.networks or not str(self.name).isidentifier():
            raise ValueError(f"player {self.name!r} has {len(self.networks)} networks; expected a name and at least 1.")
        odd = [network for network in self.networks if not isinstance(network, keras.Model)]
        if odd:
            raise ValueError(f"the {self.name} is {checking.shown(odd[0])}; expected a Keras model.")
        self.steps = checking.integer(f"{self.name}_steps", self.steps, 1)
        if self.when is not None and not callable(self.when):
            raise ValueError(f"when is {checking.shown(self.when)}; expected a function of what the move reports.")
        if self.ema is not None:
            self.ema = checking.real(
                "ema", self.ema, above=0.0, below=1.0, mend="Pass None for no average, or say 0.999."
            )

    @property
    def variables(self) -> list[keras.Variable]:
        """The trainable variables of this player's networks, each once."""
        return unique(v for network in self.networks for v in network.trainable_variables)

    @property
    def statistics(self) -> list[keras.Variable]:
        """The weights that move without a gradient, such as BatchNorm's averages, each once."""
        return unique(v for network in self.networks for v in network.non_trainable_weights)


def unique(items: Iterable[Any]) -> list[Any]:
    """Return items in their order, each once."""
    return list({id(item): item for item in items}.values())
