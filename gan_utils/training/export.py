"""A trained generator for use without this library: Keras, SavedModel or ONNX, with a model card beside it."""

import contextlib
import datetime
import shutil
import sys
import uuid
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from gan_utils import checking
from gan_utils.metrics.scoring import Scores
from gan_utils.runtime import keras
from gan_utils.training import checkpoint

#: format to how a program without this library makes samples
_USE = {
    "keras": """import keras, numpy as np
network = keras.saving.load_model({name!r})
{inputs}
samples = np.asarray(network({call}, training=False){first})""",
    "tf_saved_model": """import numpy as np, tensorflow as tf
network = tf.saved_model.load({name!r})
{inputs}
samples = network.serve({call}){first}.numpy()""",
    "onnx": """import numpy as np, onnxruntime
network = onnxruntime.InferenceSession({name!r})
{inputs}
samples = network.run(None, dict(zip([i.name for i in network.get_inputs()], [{names}])))[0]""",
}
_SAVED_MODEL = {"saved_model.pb", "variables", "assets", "fingerprint.pb", "keras_metadata.pb"}
_MARK = "<!-- a model card of gan_utils -->"
_FORMATS = {".keras": "keras", ".onnx": "onnx", "": "tf_saved_model"}


@dataclass(frozen=True)
class _Input:
    """One of a network's inputs: its name, what it is, and code that makes sixteen of it."""

    name: str
    words: str
    code: str


def export(
    model: Any,
    path: str | Path,
    *,
    network: str = "generator",
    scores: Scores | None = None,
    data: str = "",
    notes: str = "",
) -> Path:
    """Write a trained network, and beside it, under its name with ``.md`` behind, a model card.

    It has the averaged weights where there is an average, as in `GAN.generate`, and runs in inference mode. Its inputs
    are what the card says: of a `GAN` the latents, standard normal, then its conditions. Layers of one's own must be
    registered where a ``.keras`` is loaded (the card names them); SavedModel and ONNX do without.

    Args:
        model: a `GAN`, or another `Adversarial`.
        path: ``x.keras`` for Keras, ``x.onnx`` for ONNX (extra ``onnx``), ``x`` for a folder with a SavedModel. A file
            or SavedModel of this name is replaced once the new one is whole.
        network: the attribute of the model that holds the network.
        scores: what `metrics.score` found for its samples.
        data: what it was trained on.
        notes: what else a user of the samples must know.

    Returns:
        The card's path.

    Raises:
        ValueError: for another ending; for weights that are not finite; for a name where something lies that is not to
            be replaced (a saved run, a folder that is more than a SavedModel, a text that is no card); for a network
            that the model does not have, whose inputs are not known, or in half precision for ONNX.
        ImportError: for ONNX without its packages.

    Reference:
        Mitchell et al. 2019, arXiv 1810.03993 (what a card says).
    """
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise ValueError(f"path is {path}; expected x.keras, x.onnx, or a name without ending for a SavedModel.")
    kind, written = _FORMATS[path.suffix], path.with_name(path.name + ".md")
    _check_what_is_there(path, kind, written)
    exported = _network(model, network)
    if not getattr(exported, "inputs", None):
        raise ValueError(f"the {network} does not tell its inputs; expected a functional or sequential Keras model.")
    if kind == "onnx":
        _check_onnx(exported)
    if scores is not None and not isinstance(scores, Scores):
        raise ValueError(f"scores is {checking.shown(scores)}; expected what metrics.score returned, or None.")
    if told := _beyond_the_network(model, network):
        warnings.warn(told, stacklevel=3)
    text = card(model, path, network=network, scores=scores, data=data, notes=notes)
    with checkpoint.whole(written) as temporary_card, _averages_in_place(model), _whole(path) as temporary:
        _check_finite(exported)
        temporary_card.write_text(text, encoding="utf-8", errors="backslashreplace")  # a name may be no UTF-8
        if kind == "keras":
            exported.save(temporary)
        else:
            several = [keras.InputSpec(shape=(None, *t.shape[1:]), dtype=t.dtype) for t in exported.inputs]
            signature = several if len(several) == 1 else [several]
            with contextlib.redirect_stdout(sys.stderr):
                exported.export(temporary, format=kind, input_signature=signature, verbose=False)
    return written


def card(
    model: Any,
    path: Path,
    *,
    network: str = "generator",
    scores: Scores | None = None,
    data: str = "",
    notes: str = "",
) -> str:
    """Return the text of a model card, in Markdown; see `export`."""
    told, exported = checkpoint.flags(model), _network(model, network)
    versions = ", ".join(f"{name} {told[name]}" for name in ("gan_utils", "tensorflow", "keras", "numpy"))
    outputs = exported.outputs if getattr(exported, "outputs", None) else [exported]
    made = model.sample_shape if network == "generator" else tuple(outputs[0].shape[1:])
    shape = " × ".join("any" if n is None else str(n) for n in made)
    players = "; ".join(
        f"{p.name}: {sum(int(n.count_params()) for n in p.networks):,} parameters, {_optimizer(p)}, {p.steps} a step"
        for p in model.players
    )
    terms = ", ".join(_weighted(term) for term in getattr(model, "terms", [])) or "none"
    classes = {type(layer) for layer in exported._flatten_layers()}
    own = sorted(f"`{c.__module__}.{c.__qualname__}`" for c in classes if c.__module__.split(".")[0] != "keras")
    needs = (
        f"\n\nIt loads where these classes are registered: {', '.join(own)}." if own and path.suffix == ".keras" else ""
    )
    has_average = any(p.ema for p in model.players if any(n is exported for n in p.networks))
    average = "an average of its weights over the steps" if has_average else "its last weights"
    inputs = _inputs(model, network, exported)
    names = ", ".join(each.name for each in inputs)
    use = _USE[_FORMATS[path.suffix]].format(
        name=path.name,
        inputs="\n".join(each.code for each in inputs),
        names=names,
        call=names if len(inputs) == 1 else f"[{names}]",
        first="" if len(outputs) == 1 else "[0]",
    )
    told_too = filter(None, (_beyond_the_network(model, network), _before_the_network(model, network)))
    cautions = "".join(f"- {caution}\n" for caution in told_too)
    loss = getattr(model, "adversarial_loss", None)
    own_name = f"The network `{network}` of a {type(model).__name__}, which makes {shape}"
    what = f"A generator of samples, {shape}" if network == "generator" else own_name
    return f"""{_MARK}
# {path.name}

{what}, from {" and ".join(each.words for each in inputs)}; exported with {average}.

## How it was made

- Data: {data or "not said"}
- Loss: {loss.name if loss else "its own"}; terms: {terms}
- Players: {players}
- Steps: {model.step:,}; seed: {model.seed}
- Versions: {versions}; precision {", ".join(told["precision"])}; oneDNN {"on" if told["onednn"] else "off"}
- Written: {datetime.date.today().isoformat()}

## How good it is

{f"```text{chr(10)}{scores}{chr(10)}```" if scores else "Not scored."}

## How to use it

```python
{use}
```{needs}

Samples have the range of the training data (for images of this library −1 to 1; show `(samples + 1) / 2`).

## What to beware of

- It imitates its data, with their errors, gaps and biases, and may repeat single training samples: score `memorisation`
  before you publish samples. Who may use the data decides who may use the samples.
{cautions}- {notes or "Inputs of another size or distribution than above give samples that no score speaks of."}
"""


def _beyond_the_network(model: Any, name: str) -> str:
    """Return what a family does to make samples besides running its generator, in a sentence, or nothing."""
    own, who = getattr(type(model), "make", None), type(model).__name__
    if name != "generator" or own is None or own.__module__.startswith("gan_utils.training"):
        return ""
    return (
        f"{who}.make does more than this network, which is exported alone, so samples differ from those of generate; "
        "what must hold for an exported model belongs in the generator's layers."
    )


def _before_the_network(model: Any, name: str) -> str:
    """Return how a family computes what its generator is called with, in a sentence, or nothing."""
    if name != "generator" or not hasattr(type(model), "inputs") or _inputs_are_known(model):
        return ""
    latents = " and ".join(each.words for each in _latents(model)) or "its data"
    return f"In training {type(model).__name__}.inputs computes what this network is called with, from {latents}."


def _inputs_are_known(model: Any) -> bool:
    return getattr(type(model).inputs, "__module__", "") == "gan_utils.training.gan"


def _latents(model: Any) -> list[_Input]:
    """Return the latents of a `GAN`, by name."""
    sizes = model.latent_dim if isinstance(model.latent_dim, Mapping) else {"latents": (model.latent_dim,)}
    found = []
    for word, shape in sizes.items() if model.latent_dim else ():
        extents, told = ", ".join(map(str, shape)), " × ".join(map(str, shape))
        words = f"{told} standard normal {'latents' if word == 'latents' else word}"
        code = f"{word} = np.random.default_rng(0).standard_normal((16, {extents}), np.float32)"
        found.append(_Input(word, words, code))
    return found


def _network(model: Any, name: str) -> keras.Model:
    known = {n: v for n, v in vars(model).items() if isinstance(v, keras.Model)}
    if name not in known:
        raise ValueError(f"this model has no {name!r}; expected network=... with one of {', '.join(sorted(known))}.")
    return known[name]


def _inputs(model: Any, name: str, network: keras.Model) -> list[_Input]:
    """Return what a network is called with: of a generator what `GAN.inputs` gives, where no family changes it."""
    tensors = list(network.inputs)
    if name == "generator" and hasattr(type(model), "inputs") and _inputs_are_known(model):
        found = _latents(model)
        for (word, kind), tensor in zip(model.conditions.items(), tensors[len(found) :], strict=True):
            found.append(_Input(word, f"{word}, {kind}", kind.code(word, tensor.dtype)))
        return found
    found = []
    reads = model.reads() if callable(getattr(model, "reads", None)) else {}
    for number, tensor in enumerate(tensors):
        shape = tuple(n or 1 for n in tensor.shape[1:])
        word = tensor.name if tensor.name.isidentifier() else f"input_{number}"
        kind = reads.get(word)
        extents = " × ".join("any" if n is None else str(n) for n in tensor.shape[1:])
        words = f"{word}, {kind or f'{tensor.dtype} ({extents})'}"
        found.append(_Input(word, words, f"{word} = np.zeros({(16, *shape)}, np.{tensor.dtype})"))
    return found


def _weighted(term: Any) -> str:
    return f"{'scheduled' if callable(term.weight) else format(term.weight, 'g')} × {term.name}"


def _optimizer(player: Any) -> str:
    optimizer = getattr(player.optimizer, "inner_optimizer", player.optimizer)  # mixed precision wraps it
    return type(optimizer).__name__ if optimizer else "no optimizer"


def _check_what_is_there(path: Path, kind: str, written: Path) -> None:
    if written.exists() and _MARK not in written.read_text(encoding="utf-8", errors="replace"):
        raise ValueError(f"{written} exists and is no model card; give another name.")
    if kind == "tf_saved_model" and path.exists():
        inside = {each.name for each in path.iterdir()} if path.is_dir() else {path.name}
        if "saved_model.pb" not in inside or inside - _SAVED_MODEL:
            raise ValueError(f"{path} exists and is no SavedModel, or more than one; give another name.")
    if kind == "keras" and checkpoint.is_run(path):
        raise ValueError(f"{path} is a saved run, which goes on with all its state; give the generator another name.")


def _check_finite(network: keras.Model) -> None:
    bad = [weight.path for weight in network.weights if not np.isfinite(weight.numpy().astype(np.float64)).all()]
    if bad:
        raise ValueError(f"the network's {bad[0]} holds NaN or infinity; expected finite weights. Use an earlier file.")


def _check_onnx(network: keras.Model) -> None:
    missing = [name for name in ("tf2onnx", "onnx") if util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"ONNX needs {' and '.join(missing)}: install the extra onnx, in a clone pip install '.[onnx]'."
        )
    precision = checkpoint.policies(network) - {"float32"}
    if precision:
        raise ValueError(f"the network computes in {', '.join(sorted(precision))}; expected float32 for ONNX.")


@contextlib.contextmanager
def _averages_in_place(model: Any) -> Iterator[None]:
    """Let the networks' own variables hold their averages; afterwards they hold what they held."""
    pairs = [pair for found in model._averages.values() for pair in found]
    own = [variable.numpy() for variable, _ in pairs]
    try:
        for variable, average in pairs:
            variable.assign(average)
        yield
    finally:
        for (variable, _), value in zip(pairs, own, strict=True):
            variable.assign(value)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give another name to write a file or a folder under, which takes its own name at the end, or is gone."""
    if path.suffix:
        with checkpoint.whole(path) as temporary:
            yield temporary
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (path.with_name(f".exporting-{uuid.uuid4().hex}-{path.name}") for _ in range(2))
    try:
        yield temporary
        if path.exists():
            path.rename(old)
        temporary.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
