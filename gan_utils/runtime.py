"""What a result depends on besides its code: seed, budget, device.

Importing this module imports TensorFlow and Keras; TensorFlow's own start-up notices are kept off the notebook,
everything else that is written to standard error meanwhile is passed on.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from gan_utils import checking

_STARTUP_NOTICE = re.compile(
    r"^(WARNING: All log messages before absl::InitializeLog|[IWE]0000 .*(oneDNN|cuda|TensorRT|cpu_feature_guard)"
    r"|To enable the following instructions)"
)


@contextmanager
def _without_startup_notices() -> Iterator[None]:
    # TensorFlow writes these to the file descriptor before any log level that Python can set applies.
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error, so nothing to keep off it
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught.read().decode(errors="replace").splitlines():
                if sys.stderr is not None and not _STARTUP_NOTICE.match(line):
                    print(line, file=sys.stderr)


with _without_startup_notices():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices("GPU")  # its notice that there is no CUDA belongs to the start-up too

# Each model traces a training function of its own; TensorFlow takes them for one function traced again and again.
tf.get_logger().addFilter(lambda record: "multi_step_on_iterator" not in record.getMessage())

# Its fusion of a convolution with LeakyReLU fails in training and says so on standard error in the middle of a run;
# without it a step of the MNIST DCGAN takes as long (TensorFlow 2.21).
tf.config.optimizer.set_experimental_options({"remapping": False})

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"gan_utils needs Keras on TensorFlow, found the backend {keras.backend.backend()!r}. "
        "Set KERAS_BACKEND=tensorflow before Python starts."
    )


def check_settings() -> None:
    """Raise unless Keras's ``floatx``, from keras.json or set since, is one that networks can be trained in.

    Half precision is not a matter of ``floatx`` (Keras keeps learning rates and averages in it too), but of a policy.

    Raises:
        ValueError: for ``float16`` or ``bfloat16``.
    """
    floatx = keras.config.floatx()
    if floatx not in ("float32", "float64"):
        raise ValueError(
            f"Keras's floatx is {floatx}; expected float32 or float64. Set it in keras.json or by "
            "keras.config.set_floatx('float32'); for half precision use "
            "keras.config.set_dtype_policy('mixed_float16')."
        )


@contextmanager
def channels_last() -> Iterator[None]:
    """Within it, or in a function that it decorates, layers are made for images (N, H, W, C), as all of this library.

    What keras.json or ``keras.config.set_image_data_format`` says holds again afterwards.

    Example:
        >>> with channels_last():
        ...     layer = keras.layers.Flatten()
        >>> layer.data_format
        'channels_last'
    """
    check_settings()
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


_ONEDNN = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "0") == "1"  # as it was when TensorFlow was imported
_Value = TypeVar("_Value")
_seed = 0


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and Keras, and every model of ``gan_utils`` made afterwards.

    Args:
        seed: an integer in [0, 2**31), Python's or NumPy's.

    Raises:
        ValueError: if the seed is no such integer.

    Example:
        >>> set_seed(7); current_seed()
        7
        >>> set_seed(0)
    """
    global _seed
    _seed = checking.seed(seed)
    keras.utils.set_random_seed(_seed)


def current_seed() -> int:
    """Return the seed of the last `set_seed` (0 before the first)."""
    return _seed


def has_accelerator() -> bool:
    """Return whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def num_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def uses_onednn() -> bool:
    """Return whether oneDNN was asked for when TensorFlow started; without it results differ in their last bits."""
    return _ONEDNN


def strategy(devices: str | int | list[str] = "auto") -> tf.distribute.Strategy:
    """Return where to train. Make networks and model in its scope; ``fit`` then does the rest.

    Args:
        devices: ``"auto"`` (all GPUs, or else the CPU), ``"cpu"``, a number of GPUs, a list of devices such as
            ``["CPU:0", "CPU:1"]``, or ``"workers"`` (several machines, as the variable ``TF_CONFIG`` says; call it
            before any other use of TensorFlow).

    Raises:
        ValueError: for a number of GPUs that the machine does not have, or another text.

    Example:
        >>> with strategy("cpu").scope():
        ...     network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    """
    if devices == "workers":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if isinstance(devices, list):
        return tf.distribute.MirroredStrategy(devices)
    gpus = len(tf.config.list_logical_devices("GPU"))
    count = {"auto": gpus, "cpu": 0}.get(devices, devices) if isinstance(devices, str) else devices
    if not isinstance(count, int) or not 0 <= count <= gpus or (devices != "cpu" and devices != "auto" and count < 1):
        raise ValueError(
            f"devices is {devices!r} on a machine with {gpus} GPUs; expected 'auto', 'cpu', 'workers', a number of "
            "GPUs from 1 on, or a list of devices."
        )
    if count > 1:
        return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(count)])
    return tf.distribute.OneDeviceStrategy("CPU:0") if gpus and not count else tf.distribute.get_strategy()


def is_chief() -> bool:
    """Return whether this process is the one of several (see ``TF_CONFIG``) that writes files; true if it is alone."""
    found = json.loads(os.environ.get("TF_CONFIG") or "{}")
    task = found.get("task", {})
    first = task.get("type") == "worker" and not task.get("index") and "chief" not in found.get("cluster", {})
    return task.get("type", "chief") == "chief" or first


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Return whether a strategy spans several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


@dataclass(frozen=True)
class Budget:
    """How much work a chapter does: ``smoke`` (every line runs), ``cpu`` (two cores) or ``gpu`` (full scale).

    Example:
        >>> Budget("cpu").pick(smoke=2, cpu=100, gpu=1000)
        100
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in ("smoke", "cpu", "gpu"):
            raise ValueError(
                f"budget is {self.name!r}; expected smoke, cpu or gpu. Set GAN_BOOK_BUDGET to one of them."
            )

    def pick(self, *, smoke: _Value, cpu: _Value, gpu: _Value) -> _Value:
        """Return the value meant for this budget."""
        return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[self.name]

    @property
    def checks_quality(self) -> bool:
        """Whether claims about quality are asserted: not at ``smoke``, where nothing has been trained."""
        return self.name != "smoke"


def budget() -> Budget:
    """Return the budget named by ``GAN_BOOK_BUDGET``; without it ``gpu`` where there is one, else ``cpu``.

    Raises:
        ValueError: if the variable names no budget.
    """
    return Budget(os.environ.get("GAN_BOOK_BUDGET") or ("gpu" if has_accelerator() else "cpu"))
