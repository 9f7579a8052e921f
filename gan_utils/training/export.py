"""A trained generator for use without this library: Keras, SavedModel or ONNX, with a model card beside it."""

import contextlib
import datetime
import shutil
import sys
import uuid
from collections.abc import Iterator
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
generator = keras.saving.load_model({name!r})
latents = np.random.default_rng(0).standard_normal((16, {latent}), np.float32)
samples = np.asarray(generator(latents, training=False))""",
    "tf_saved_model": """import numpy as np, tensorflow as tf
generator = tf.saved_model.load({name!r})
latents = np.random.default_rng(0).standard_normal((16, {latent}), np.float32)
samples = generator.serve(latents).numpy()""",
    "onnx": """import numpy as np, onnxruntime
generator = onnxruntime.InferenceSession({name!r})
latents = np.random.default_rng(0).standard_normal((16, {latent}), np.float32)
samples = generator.run(None, {{generator.get_inputs()[0].name: latents}})[0]""",
}
_SAVED_MODEL = {"saved_model.pb", "variables", "assets", "fingerprint.pb", "keras_metadata.pb"}
_MARK = "<!-- a model card of gan_utils -->"
_FORMATS = {".keras": "keras", ".onnx": "onnx", "": "tf_saved_model"}


def export(model: Any, path: str | Path, *, scores: Scores | None = None, data: str = "", notes: str = "") -> Path:
    """Write a GAN's generator, and beside it, under its name with ``.md`` behind, a model card.

    The generator is the averaged one where there is an average, as in `GAN.generate`. Its input is (N, latent_dim)
    float32, standard normal; it runs in inference mode. Layers of one's own must be registered where a ``.keras`` is
    loaded (the card names them); SavedModel and ONNX do without.

    Args:
        model: a `GAN`.
        path: ``x.keras`` for Keras, ``x.onnx`` for ONNX (extra ``onnx``), ``x`` for a folder with a SavedModel. A file
            or SavedModel of this name is replaced once the new one is whole.
        scores: what `metrics.score` found for its samples.
        data: what it was trained on.
        notes: what else a user of the samples must know.

    Returns:
        The card's path.

    Raises:
        ValueError: for another ending; for weights that are not finite; for a name where something lies that is not to
            be replaced (a saved run, a folder that is more than a SavedModel, a text that is no card); for a generator
            of several inputs, or one in half precision for ONNX.
        ImportError: for ONNX without its packages.

    Reference:
        Mitchell et al. 2019, arXiv 1810.03993 (what a card says).
    """
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise ValueError(f"path is {path}; expected x.keras, x.onnx, or a name without ending for a SavedModel.")
    kind, written = _FORMATS[path.suffix], path.with_name(path.name + ".md")
    _check_what_is_there(path, kind, written)
    inputs = getattr(model.generator, "inputs", None) or [None]
    if len(inputs) != 1:
        raise ValueError(f"the generator has {len(inputs)} inputs; expected one, the latents.")
    if kind == "onnx":
        _check_onnx(model.generator)
    if scores is not None and not isinstance(scores, Scores):
        raise ValueError(f"scores is {checking.shown(scores)}; expected what metrics.score returned, or None.")
    text = card(model, path, scores=scores, data=data, notes=notes)
    with checkpoint.whole(written) as temporary_card, _averages_in_place(model), _whole(path) as temporary:
        _check_finite(model.generator)
        temporary_card.write_text(text, encoding="utf-8", errors="backslashreplace")  # a name may be no UTF-8
        if kind == "keras":
            model.generator.save(temporary)
        else:
            signature = [keras.InputSpec(shape=(None, model.latent_dim), dtype="float32")]
            with contextlib.redirect_stdout(sys.stderr):
                model.generator.export(temporary, format=kind, input_signature=signature, verbose=False)
    return written


def card(model: Any, path: Path, *, scores: Scores | None = None, data: str = "", notes: str = "") -> str:
    """Return the text of a model card, in Markdown; see `export`."""
    told = checkpoint.flags(model)
    versions = ", ".join(f"{name} {told[name]}" for name in ("gan_utils", "tensorflow", "keras", "numpy"))
    shape = " × ".join(map(str, model.sample_shape))
    players = "; ".join(
        f"{p.name}: {sum(int(n.count_params()) for n in p.networks):,} parameters, {_optimizer(p)}, {p.steps} a step"
        for p in model.players
    )
    terms = ", ".join(f"{term.weight:g} × {term.name}" for term in model.terms) or "none"
    classes = {type(layer) for layer in model.generator._flatten_layers()}
    own = sorted(f"`{c.__module__}.{c.__qualname__}`" for c in classes if c.__module__.split(".")[0] != "keras")
    needs = (
        f"\n\nIt loads where these classes are registered: {', '.join(own)}." if own and path.suffix == ".keras" else ""
    )
    average = "an average of its weights over the steps" if model.players[1].ema else "its last weights"
    return f"""{_MARK}
# {path.name}

A generator of samples, {shape}, from {model.latent_dim} standard normal latents; exported with {average}.

## How it was made

- Data: {data or "not said"}
- Loss: {model.adversarial_loss.name}; terms: {terms}
- Players: {players}
- Steps: {model.step:,}; seed: {model.seed}
- Versions: {versions}; precision {", ".join(told["precision"])}; oneDNN {"on" if told["onednn"] else "off"}
- Written: {datetime.date.today().isoformat()}

## How good it is

{f"```text{chr(10)}{scores}{chr(10)}```" if scores else "Not scored."}

## How to use it

```python
{_USE[_FORMATS[path.suffix]].format(name=path.name, latent=model.latent_dim)}
```{needs}

Samples have the range of the training data (for images of this library −1 to 1; show `(samples + 1) / 2`).

## What to beware of

- It imitates its data, with their errors, gaps and biases, and may repeat single training samples: score `memorisation`
  before you publish samples. Who may use the data decides who may use the samples.
- {notes or "Latents of another size or distribution than above give samples that no score speaks of."}
"""


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


def _check_finite(generator: keras.Model) -> None:
    bad = [weight.path for weight in generator.weights if not np.isfinite(weight.numpy().astype(np.float64)).all()]
    if bad:
        raise ValueError(
            f"the generator's {bad[0]} holds NaN or infinity; expected finite weights. Use an earlier file."
        )


def _check_onnx(generator: keras.Model) -> None:
    missing = [name for name in ("tf2onnx", "onnx") if util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"ONNX needs {' and '.join(missing)}: install the extra onnx, in a clone pip install '.[onnx]'."
        )
    precision = checkpoint.policies(generator) - {"float32"}
    if precision:
        raise ValueError(f"the generator computes in {', '.join(sorted(precision))}; expected float32 for ONNX.")


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
