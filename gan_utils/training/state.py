"""What a run depends on: the configuration that makes its model again, and every variable besides the weights."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from gan_utils.runtime import keras, tf
from gan_utils.training import checkpoint, settings
from gan_utils.training.player import Player, unique


class Stateful(keras.Model):
    """A model of several players that can be made again with all that a run of it depends on.

    `Adversarial` has what is read here.
    """

    players: tuple[Player, ...]
    networks: list[keras.Model]
    jit_compile: Any
    _averages: dict[str, list[tuple[keras.Variable, tf.Variable]]]
    _chooses_xla: bool
    _step: tf.Variable

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained model, from the attributes of their names.

        Raises:
            NotImplementedError: where an argument has no such attribute; define get_config then.
        """
        return self._own_arguments({})

    def _own_arguments(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the constructor takes: of these, and of attributes for the arguments that a family adds."""
        parameters = inspect.signature(type(self).__init__).parameters.values()
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)][1:]
        passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters)
        missing = [name for name in named if name not in known and not hasattr(self, name)]
        if missing or "players" in named:
            raise NotImplementedError(
                f"{type(self).__name__} has no attribute {', '.join(missing) or 'players'} that its constructor could "
                "be given again; keep each argument under its name, or define get_config."
            )
        own = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in named if name not in known}
        return {name: value for name, value in known.items() if passes_on or name in named} | own

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make a model from `get_config`'s arguments; networks may be given as they are."""
        return cls(**{name: _deserialized(value, custom_objects) for name, value in config.items()})

    def save(self, filepath: str | Path, overwrite: bool = True, **kwargs: Any) -> None:
        """Write everything a run depends on into one ``.keras`` file, whole or not at all.

        Networks, optimizers, averages, replay, random states and step are in it, with the flags they were made under;
        `load` or ``keras.saving.load_model`` makes the model again.

        Args:
            filepath: ends in ``.keras``.
            overwrite: whether an existing file may be replaced.

        Raises:
            ValueError: for another ending; for a loss, term or optimizer of your own that Keras could not make again;
                for weights that hold NaN where a file would be replaced.
            FileExistsError: for an existing file with overwrite=False.
        """
        path = Path(filepath)
        if path.suffix != ".keras":
            raise ValueError(f"path is {path}; expected one that ends in .keras.")
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists; give another name, or overwrite=True.")
        self._check_can_be_saved("save")
        if path.exists() and (bad := checkpoint.not_finite(self)):
            raise ValueError(f"{bad} holds NaN or infinity; expected finite weights. {path} stays as it was.")
        checkpoint.write(self, path)

    @classmethod
    def load(cls, path: str | Path, **networks: keras.Model) -> Self:
        """Make the model that `save` wrote; no code in the file is run.

        Args:
            path: the file.
            **networks: networks by their constructor names, for those that Keras cannot make again from the file
                (subclassed and not registered).

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is truncated, not of this library, of another format, or of another class.
        """
        return checkpoint.read(cls, Path(path), networks)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return what `compile` was given; Keras stores it beside the configuration."""
        if not self.compiled:
            return None
        optimizers = {f"{p.name}_optimizer": keras.optimizers.serialize(p.optimizer) for p in self.players}
        jit_compile = None if self._chooses_xla else self.jit_compile
        return {"jit_compile": jit_compile, "run_eagerly": self.run_eagerly, **optimizers}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` says."""
        config = dict(config)
        optimizers = {n: keras.optimizers.deserialize(config.pop(n)) for n in list(config) if n.endswith("_optimizer")}
        self.compile(**config, **optimizers)

    def state(self) -> dict[str, Any]:
        """Return every variable besides the networks' weights, by name, in a fixed order."""
        found: dict[str, Any] = {"step": self._step}
        for player in self.players:
            if player.optimizer is not None:
                found |= {f"{player.name}_optimizer_{i}": v for i, v in enumerate(player.optimizer.variables)}
            found |= {f"{player.name}_average_{i}": v for i, (_, v) in enumerate(self._averages.get(player.name, []))}
        found |= {f"random_{i}": v for i, v in enumerate(self._random_states)}
        return found

    def save_own_variables(self, store: Any) -> None:
        """Keep `state` in Keras's archive."""
        for name, variable in self.state().items():
            store[name] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take `state` from Keras's archive.

        Raises:
            ValueError: naming what is missing or has another shape.
        """
        state = self.state()
        if set(state) != set(store.keys()):
            odd = sorted(set(state) ^ set(store.keys()))
            raise ValueError(
                f"file and model differ in {', '.join(odd[:5])}; expected the same players and optimizers."
            )
        for name, variable in state.items():
            value = np.asarray(store[name])
            if value.shape != tuple(variable.shape):
                raise ValueError(f"{name} has shape {value.shape} in the file, {tuple(variable.shape)} in the model.")
            variable.assign(value)

    def _check_can_be_saved(self, who: str) -> None:
        if reason := settings.obstacle(self):
            raise ValueError(f"{who} cannot save this model: {reason}")

    @property
    def _random_states(self) -> list[keras.Variable]:
        weights = {id(w) for network in self.networks for w in network.weights}
        return unique(v for network in self.networks for v in network.variables if id(v) not in weights)


def _deserialized(value: Any, custom_objects: Any) -> Any:
    if isinstance(value, list):
        return [_deserialized(entry, custom_objects) for entry in value]
    if isinstance(value, dict):
        return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects, safe_mode=True)
    return value
