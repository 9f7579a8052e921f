"""What a run is, in names and values that two runs are compared by: class, optimizers, loss, terms, networks."""

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

from gan_utils.runtime import keras

_NETWORK_WORDS = ("name", "dtype", "layers", "input_layers", "output_layers", "build_config", "compile_config")


def describe(model: Any) -> dict[str, Any]:
    """Return what decides a run besides its data and flags, as nested dicts that JSON can hold.

    The optimizers are told as they were when `compile` got them: a callback may change the current learning rate.

    Args:
        model: a compiled `Adversarial`.
    """
    found = {"class": keras.saving.get_registered_name(type(model)), **_own(model), **model.configured}
    for player in model.players:
        layers = [layer for network in player.networks for layer in network._flatten_layers()]
        leaves = [each for each in layers if not isinstance(each, keras.Model | keras.layers.InputLayer)]
        found[f"{player.name}_layers"] = [_layer(layer) for layer in leaves]
    return json.loads(json.dumps(found, default=repr))


def optimizers(model: Any) -> dict[str, Any]:
    """Return the optimizers' configurations, by the name under which `compile` takes each."""
    return {f"{p.name}_optimizer": keras.optimizers.serialize(p.optimizer) for p in model.players}


def differences(found: Mapping[str, Any], expected: Mapping[str, Any], accept: Iterable[str] = ()) -> dict[str, Any]:
    """Return what differs between two runs, as a dict from a name to both values.

    Args:
        found: of one run; nested dicts, whose names are joined with dots.
        expected: of the other.
        accept: names that may differ, with all that is below them.
    """
    one, other = _flat("", found), _flat("", expected)
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return {name: (one.get(name), other.get(name)) for name in names if not is_below(name, accept)}


def is_below(name: str, roots: Iterable[str]) -> bool:
    """Return whether a name is one of others, or joined to one of them with a dot."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def in_words(differing: Mapping[str, Any], most: int = 5) -> str:
    """Return differences in a line: each name with its two values."""
    told = [
        f"{name} {_told(there)} there and {_told(here)} here" for name, (there, here) in [*differing.items()][:most]
    ]
    return ", ".join(told) + (f" and {len(differing) - most} more" if len(differing) > most else "")


def _told(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def obstacle(model: Any) -> str:
    """Return in a line why a model could not be made again from a file; empty if it could.

    The networks are left out, since `load` takes those that Keras cannot make.
    """
    try:
        parts = {**_own(model), **(optimizers(model) if model.compiled else {})}
    except Exception as error:  # Keras raises what it likes for what it cannot write
        return _why("its configuration", error)
    before = random.getstate()  # what Keras makes anew draws its seeds from here
    try:
        for name, value in parts.items():
            try:
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, dict):
                        keras.saving.deserialize_keras_object(json.loads(json.dumps(each)), safe_mode=True)
            except Exception as error:  # and for what it cannot read
                return _why(name, error)
    finally:
        random.setstate(before)
    return ""


def _why(what: str, error: Exception) -> str:
    return (
        f"{what} could not be made again from a file ({' '.join(str(error).split())[:200]}). Register each class and "
        "function of your own with @keras.saving.register_keras_serializable()."
    )


def _own(model: Any) -> dict[str, Any]:
    """Return the constructor's arguments besides networks and seed."""
    try:
        config = model.get_config()
    except NotImplementedError:  # a family that does not say how it is made
        return {f"{p.name}_{word}": getattr(p, word) for p in model.players for word in ("steps", "ema")}
    return {n: v for n, v in config.items() if n != "seed" and not _is_network(v, getattr(model, n, None))}


def _is_network(told: Any, attribute: Any) -> bool:
    return isinstance(attribute, keras.Model) or (
        isinstance(told, Mapping) and isinstance(told.get("config"), Mapping) and "layers" in told["config"]
    )


def _layer(layer: keras.layers.Layer) -> dict[str, Any]:
    try:
        config = layer.get_config()
    except NotImplementedError:
        config = {}
    # names differ each time a network is made, and weights are loaded, however they began
    told = {n: v for n, v in config.items() if n not in _NETWORK_WORDS and not n.endswith("_initializer")}
    return {"class_name": type(layer).__name__, "config": told}


def _flat(name: str, value: Any) -> dict[str, Any]:
    below = f"{name}." if name else ""
    if isinstance(value, Mapping) and {"class_name", "config"} <= set(value):
        inside = value["config"]
        if not isinstance(inside, Mapping):  # a function
            return {name: inside}
        return {name: value["class_name"], **_flat(name, {n: v for n, v in inside.items() if n != "name"})}
    if isinstance(value, Mapping):
        return {each: v for n, inner in value.items() for each, v in _flat(f"{below}{n}", inner).items()}
    if isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        return {each: v for i, entry in enumerate(value) for each, v in _flat(f"{below}{i}", entry).items()}
    return {name: value}
