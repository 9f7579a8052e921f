"""The arithmetic of convolutions: sizes, overlaps, receptive fields, and the matrix that a convolution is."""

from collections.abc import Sequence

import numpy as np

from gan_utils.networks import structure
from gan_utils.runtime import keras
from gan_utils.scratch import convolution


def output_size(size: int, kernel: int, stride: int = 1, padding: int | str = "valid") -> int:
    r"""Return how many positions a kernel has along an axis.

    .. math:: \lfloor (n + 2p - k)/s \rfloor + 1 \text{ with } p \text{ zeros on each side},\qquad
        \lceil n/s\rceil \text{ with "same"}

    Args:
        size: n, of the input.
        kernel: k.
        stride: s.
        padding: zeros on each side, ``"valid"`` (none) or ``"same"``.

    Raises:
        ValueError: for a number below 1 (padding: below 0), another word, or a kernel that does not fit.

    Example:
        >>> output_size(28, 5, 2, "same"), output_size(1, 3, padding=1)
        (14, 1)

    Reference:
        Dumoulin and Visin 2016, arXiv 1603.07285, relationship 6.
    """
    pad = _checked(size, kernel, stride, padding)
    if pad is None:
        return -(-size // stride)
    if size + 2 * pad < kernel:
        raise ValueError(f"a kernel of {kernel} does not fit into {size} + 2 · {pad}; pad more or use a smaller one.")
    return (size + 2 * pad - kernel) // stride + 1


def transposed_output_size(size: int, kernel: int, stride: int = 1, padding: int | str = "valid") -> int:
    r"""Return the size that a transposed convolution makes.

    .. math:: (n-1)s + \max(k, s) - 2p,\qquad n\,s \text{ with "same"}

    (For k < s Keras fills up to n·s.)

    Args:
        size: n, of the input.
        kernel: k.
        stride: s.
        padding: cut off on each side, ``"valid"`` (nothing) or ``"same"``.

    Raises:
        ValueError: as `output_size`, or if nothing is left.

    Example:
        >>> transposed_output_size(7, 5, 2, "same"), transposed_output_size(7, 5, 2)
        (14, 17)

    Reference:
        Dumoulin and Visin 2016, arXiv 1603.07285, relationship 13.
    """
    pad = _checked(size, kernel, stride, padding)
    grown = size * stride if pad is None else (size - 1) * stride + max(kernel, stride) - 2 * pad
    if grown < 1:
        raise ValueError(f"nothing is left of {size} with padding {padding}; expected less padding.")
    return grown


def convolution_matrix(kernel: np.ndarray, size: int, stride: int = 1, padding: int | str = "valid") -> np.ndarray:
    """Return the matrix C of a convolution of one channel: flattened output = C @ flattened image.

    Its transpose is the transposed convolution with the same kernel, stride and padding, to the full size of the image
    (`transposed_output_size` tells less where the stride leaves a remainder).

    Args:
        kernel: (k, k).
        size: height and width of the image.
        stride: s.
        padding: zeros on each side, ``"valid"`` or ``"same"`` (TensorFlow's, which pads more at the end).

    Returns:
        (outputs², size²) float64.

    Raises:
        ValueError: as `output_size`, or for a kernel that is not square.

    Example:
        >>> convolution_matrix(np.ones((3, 3)), 4).shape
        (4, 16)

    Reference:
        Dumoulin and Visin 2016, arXiv 1603.07285, section 4.1.
    """
    kernel = np.asarray(kernel, np.float64)
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"kernel has shape {kernel.shape}; expected (k, k).")
    k = len(kernel)
    output_size(size, k, stride, padding)
    pad = _checked(size, k, stride, padding)
    sides = convolution.padding(size, k, stride) if pad is None else (pad, pad)
    pixels = np.eye(size * size).reshape(-1, size, size, 1)  # an image for each pixel: it alone is 1
    patches = convolution.im2col(np.pad(pixels, [(0, 0), sides, sides, (0, 0)]), k, stride)
    return (patches @ kernel.ravel()).reshape(size * size, -1).T


def overlaps(size: int, kernel: int, stride: int) -> np.ndarray:
    """Return how many kernel positions of a "same" transposed convolution reach each output pixel.

    Inside, the counts are equal exactly if the stride divides the kernel. (Random kernels show a checkerboard even so:
    see the book's page on convolution.)

    Args:
        size: height and width of the input.
        kernel: k.
        stride: s.

    Returns:
        (size * stride, size * stride) integers.

    Raises:
        ValueError: for a number below 1.

    Example:
        >>> overlaps(7, 5, 2)[6:8, 6:8].tolist()
        [[4, 6], [6, 9]]

    Reference:
        Odena, Dumoulin and Olah 2016, Deconvolution and checkerboard artifacts, doi 10.23915/distill.00003.
    """
    grown = transposed_output_size(size, kernel, stride, "same")
    line = np.zeros(grown, int)
    start = -convolution.padding(grown, kernel, stride)[0]
    for position in range(size):
        line[max(0, start + position * stride) : start + position * stride + kernel] += 1
    return np.outer(line, line)


def receptive_field(layers: keras.Model | Sequence[tuple[int, int]]) -> tuple[int, int]:
    r"""Return how wide a stretch of the input one output sees, and how far apart two neighbours' stretches begin.

    From layer to layer :math:`r \leftarrow r + (k-1)j` and :math:`j \leftarrow j\,s`, from r = j = 1.

    Args:
        layers: (kernel, stride) of each, or a Keras model: a chain of convolutions and poolings, read up to the first
            layer that sees everything (Flatten, Dense, global pooling).

    Returns:
        Size and step, in input pixels.

    Raises:
        ValueError: for a number below 1, or a model that grows the image or holds no convolution.

    Example:
        >>> receptive_field([(5, 2), (5, 2)])
        (13, 4)

    Reference:
        Araujo, Norris and Sim 2019, Computing receptive fields of convolutional neural networks,
        doi 10.23915/distill.00021, equation 2.
    """
    pairs = structure.kernels_and_strides(layers) if isinstance(layers, keras.Model) else list(layers)
    if not pairs or min(min(pair) for pair in pairs) < 1:
        raise ValueError(f"layers are {pairs}; expected at least one (kernel, stride), each 1 or more.")
    size = step = 1
    for kernel, stride in pairs:
        size, step = size + (kernel - 1) * step, step * stride
    return size, step


def _checked(size: int, kernel: int, stride: int, padding: int | str) -> int | None:
    if min(size, kernel, stride) < 1:
        raise ValueError(f"size, kernel, stride are {size}, {kernel}, {stride}; expected 1 or more of each.")
    if padding in ("same", "valid"):
        return None if padding == "same" else 0
    if isinstance(padding, str) or padding < 0:
        raise ValueError(f"padding is {padding!r}; expected 'same', 'valid' or a number of zeros on each side.")
    return padding
