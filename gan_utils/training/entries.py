"""What `fit` is given: its kind told in one place, each entry looked at before the first step and while it is read."""

import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from gan_utils import checking, runtime
from gan_utils.data.kinds import Kind
from gan_utils.data.source import Source
from gan_utils.runtime import tf

_TAKES = (
    "expected an array of samples (N, ...), a dict of arrays with the samples under 'real', a data.Source, or a "
    "tf.data.Dataset of batches"
)
Arrays = Mapping[str, np.ndarray]


def named(x: Any, leading: str = "real") -> dict[str, np.ndarray] | Source | tf.data.Dataset:
    """Return data as `fit` uses them: arrays by name, a source, or a dataset.

    Args:
        x: what was given.
        leading: the name of an array that stands alone.

    Raises:
        ValueError: for anything else, and for an entry that is no array of numbers, in a line that lists what fits; for
            a ``floatx`` that nothing can be trained in.
    """
    runtime.check_settings()
    if isinstance(x, Source | tf.data.Dataset):
        return x
    if isinstance(x, tuple):
        raise ValueError(
            f"data are a {type(x).__name__}; {_TAKES}. For labels: fit({{'real': images, 'label': labels}})."
        )
    entries = x if isinstance(x, Mapping) else {leading: x}
    arrays = {str(name): _array(str(name), value) for name, value in entries.items()}
    _check_leading(arrays, leading)
    return arrays


def _check_leading(arrays: Arrays, leading: str) -> None:
    if leading not in arrays:
        what = "the real samples" if leading == "real" else "samples"
        raise ValueError(f"data have the keys {sorted(arrays)}; expected {what} under {leading!r}.")


def _array(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except Exception:  # rows of several lengths, a tensor without a value
        array = np.empty(0, object)
    if array.dtype.kind not in "fiub" or not array.ndim:
        raise ValueError(f"{name!r} is {checking.shown(value)}; {_TAKES}.")
    return array


def check(
    arrays: Arrays, kinds: Mapping[str, Kind] = {}, *, leading: str = "real", unpaired: Collection[str] = ()
) -> None:
    """Raise a ValueError unless all entries can be trained on.

    Args:
        arrays: by name, (N, ...).
        kinds: what entries must be there, and of what kind; others must be numbers, finite, images in [-1, 1].
        leading: the samples.
        unpaired: entries that may have another number of samples than `leading`.
    """
    _check_leading(arrays, leading)
    if missing := [name for name in kinds if name not in arrays]:
        wanted = "; ".join(f"{name!r}: {kind}" for name, kind in kinds.items())
        raise ValueError(f"data have the keys {sorted(arrays)}, without {missing[0]!r}; expected {wanted}.")
    if empty := [name for name, array in arrays.items() if not len(array)]:
        raise ValueError(
            "there are no samples; expected at least one." if empty == [leading] else f"{empty[0]!r} has no samples."
        )
    lengths = {name: len(array) for name, array in arrays.items() if name not in unpaired or name == leading}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"arrays have lengths {lengths}; expected one length.")
    for name, array in arrays.items():
        if name in kinds:
            kinds[name].check(name, array)
        else:
            _check_entry("samples" if name == leading else repr(name), array, must_be_float=name == leading)


def _check_entry(name: str, array: np.ndarray, *, must_be_float: bool) -> None:
    if (must_be_float or array.dtype.kind not in "iub") and array.dtype != np.float32:
        raise ValueError(f"{name} have dtype {array.dtype}; expected float32. Convert with x.astype('float32').")
    if array.dtype.kind != "f" or not array.size:
        return
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{name} hold NaN or infinity; expected finite values. Find them with np.isfinite(x).")
    if array.ndim == 4 and (fault := checking.range_fault(low, high)):
        raise ValueError(fault if must_be_float else f"{name}: {fault}")


def doubt(real: np.ndarray) -> None:
    """Warn of images that can be trained on and are hardly what was meant: in [0, 1], or without contrast."""
    if real.ndim != 4:
        return
    low, high = float(real.min()), float(real.max())
    told = checking.range_doubt(low, high)
    if high - low < 1 / 16:
        told = f"all pixels lie in [{low:.3g}, {high:.3g}]: scaled twice? Expected [-1, 1]."
    if told:
        warnings.warn(told, stacklevel=4)


def first_of(source: Source, most: int) -> dict[str, np.ndarray]:
    """Return the first samples of a source.

    Raises:
        ValueError: for a source without samples, or one that reads something else than a dict of arrays.
    """
    count = min(most, len(source))
    if not count:
        raise ValueError(f"the {type(source).__name__} has no samples; expected at least one.")
    found = source.read(np.arange(count))
    if not isinstance(found, Mapping):
        raise ValueError(f"{type(source).__name__}.read returns {checking.shown(found)}; expected a dict of arrays.")
    return {name: _array(name, value) for name, value in found.items()}


def batches(
    dataset: tf.data.Dataset, leading: str = "real"
) -> tuple[tf.data.Dataset, dict[str, np.ndarray], int | None]:
    """Return a dataset of dicts, its first batch, and its number of samples where it knows it.

    What the dataset leaves open of its shapes is taken from the first batch.

    Raises:
        ValueError: if there is no batch of real samples.
    """

    def by_name(*element: Any) -> dict[str, tf.Tensor]:
        if len(element) == 1 and isinstance(element[0], Mapping):
            return dict(element[0])
        return dict(zip((leading, "label"), element, strict=False))

    dataset = dataset.map(by_name)
    first = next(iter(dataset.take(1).as_numpy_iterator()), None)
    if first is None or leading not in first or not np.ndim(first[leading]):
        raise ValueError(f"the dataset's first element is {checking.shown(first)}; expected a batch of real samples.")
    first = {name: _array(name, value) for name, value in first.items()}
    shapes = {name: (None, *value.shape[1:]) for name, value in first.items()}
    dataset = dataset.map(lambda batch: {name: tf.ensure_shape(batch[name], shape) for name, shape in shapes.items()})
    number = int(dataset.cardinality())
    return dataset, first, number * len(first[leading]) if number >= 0 else None


class Watch:
    """Looks at each batch that a source or a dataset gives while a run goes on.

    Args:
        check: raises a ValueError for a batch of named arrays that cannot be trained on.

    Attributes:
        error: what it raised; TensorFlow carries the text alone through its graph.
    """

    def __init__(self, check: Callable[[Arrays], None]) -> None:
        self._check = check
        self.error: ValueError | None = None

    def __call__(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return the same batch, inside a ``tf.data`` graph, once it has been looked at."""
        names = list(batch)

        def look(*values: np.ndarray) -> np.bool_:
            try:
                self._check(dict(zip(names, values, strict=True)))
            except ValueError as error:
                self.error = ValueError(f"a batch that came later cannot be used: {error}")
                raise
            return np.bool_(True)

        with tf.control_dependencies([tf.numpy_function(look, list(batch.values()), tf.bool)]):
            return {name: tf.identity(value) for name, value in batch.items()}
