"""Arrays that lie beside the step while a run goes on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gan_utils import runtime
from gan_utils.runtime import tf

_ALIGNED = 64  # bytes, to whose multiples TensorFlow wants a buffer that it takes as it is


def resident(array: np.ndarray) -> tf.Tensor:
    """Copy an array to the device; on the CPU once, where TensorFlow itself would copy it twice."""
    if runtime.has_accelerator() or array.dtype.kind == "b":
        return tf.constant(array)
    room = np.empty(array.nbytes + _ALIGNED, np.uint8)
    start = -room.ctypes.data % _ALIGNED
    own = room[start : start + array.nbytes].view(array.dtype.newbyteorder("=")).reshape(array.shape)
    own[...] = array
    return tf.experimental.dlpack.from_dlpack(own.__dlpack__())


def equal(tensor: tf.Tensor, array: np.ndarray) -> bool:
    """Return whether a resident tensor holds this array, to the bit; NaN equals nothing."""
    if tuple(tensor.shape) != array.shape or tensor.dtype.as_numpy_dtype != array.dtype:
        return False
    held = np.frombuffer(memoryview(tensor), array.dtype).reshape(array.shape)
    with ThreadPoolExecutor(runtime.num_cores()) as pool:
        return all(pool.map(lambda block: np.array_equal(held[block], array[block]), _blocks(array)))


def _blocks(array: np.ndarray) -> Iterator[slice]:
    rows = max(1, 2**23 // max(1, array[:1].nbytes))
    return (slice(start, start + rows) for start in range(0, len(array), rows))
