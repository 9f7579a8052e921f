"""Convolution as one matrix product over patches, and transposed convolution as its transpose: no loop over pixels."""

import numpy as np

from gan_utils.scratch.layers import Layer, glorot


def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after an axis that make the output ceil(size / stride), as TensorFlow's "same".

    Args:
        size: of the input.
        kernel: size of the kernel.
        stride: step of the kernel.

    Example:
        >>> padding(28, 5, 2), padding(1, 3, 1)
        ((1, 2), (1, 1))
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def im2col(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """Return the patch under each position of the kernel as a row of numbers.

    Args:
        x: images (N, H, W, C), padded.
        kernel: k.
        stride: s.

    Returns:
        (N, H', W', k * k * C), with H' = (H - k) // s + 1; a row runs over kernel row, kernel column, channel.

    Example:
        >>> im2col(np.arange(9.0).reshape(1, 3, 3, 1), 2, 1)[0, 0, 0].tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], -1)


def col2im(columns: np.ndarray, size: tuple[int, int], kernel: int, stride: int) -> np.ndarray:
    """Add each row of patches back to where `im2col` took it from: the transpose of `im2col`, not its inverse.

    Args:
        columns: (N, H', W', k * k * C).
        size: H and W of the (padded) image.
        kernel: k.
        stride: s.

    Returns:
        (N, H, W, C). A pixel under several patches gets their sum.

    Example:
        >>> x = np.ones((1, 3, 3, 1))
        >>> col2im(im2col(x, 2, 1), (3, 3), 2, 1)[0, :, :, 0].tolist()
        [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    n, rows, cols, _ = columns.shape
    patches = columns.reshape(n, rows, cols, kernel, kernel, -1)
    image = np.zeros((n, *size, patches.shape[-1]), columns.dtype)
    for i in range(kernel):
        for j in range(kernel):
            image[:, i : i + stride * rows : stride, j : j + stride * cols : stride] += patches[:, :, :, i, j]
    return image


def _product(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    # one product of two matrices; NumPy would make one for each row of each image
    return (rows.reshape(-1, rows.shape[-1]) @ matrix).reshape(*rows.shape[:-1], -1)


class _Kernel(Layer):
    transposed = False  # a transposed convolution's kernel has the output's channels first

    def __init__(
        self,
        inputs: int,
        filters: int,
        kernel: int,
        *,
        stride: int = 1,
        same: bool = True,
        bias: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.same = kernel, stride, same
        channels = (filters, inputs) if self.transposed else (inputs, filters)
        fans = kernel**2 * (inputs + filters)
        self.weights["kernel"] = glorot(np.random.default_rng(seed), (kernel, kernel, *channels), fans)
        if bias:
            self.weights["bias"] = np.zeros(filters, np.float32)

    def matrix(self) -> np.ndarray:
        """Return the kernel with its first three axes as one."""
        kernel = self.weights["kernel"]
        return kernel.reshape(-1, kernel.shape[-1])

    def pads(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return the padding of a convolution of an image of this size."""
        if not self.same:
            return [(0, 0), (0, 0)]
        return [padding(size, self.kernel, self.stride) for size in (height, width)]

    def patches(self, x: np.ndarray, pads: list[tuple[int, int]]) -> np.ndarray:
        """Return the rows of `im2col` of the padded image."""
        return im2col(np.pad(x, [(0, 0), *pads, (0, 0)]), self.kernel, self.stride)

    def unpatch(self, columns: np.ndarray, size: tuple[int, int], pads: list[tuple[int, int]]) -> np.ndarray:
        """Return `col2im`, of this size without the padding."""
        (top, bottom), (left, right) = pads
        whole = (size[0] + top + bottom, size[1] + left + right)
        return col2im(columns, whole, self.kernel, self.stride)[:, top : top + size[0], left : left + size[1]]

    def add_bias(self, y: np.ndarray) -> np.ndarray:
        """Return y plus the bias, if there is one."""
        return y + self.weights["bias"] if "bias" in self.weights else y

    def keep(self, kernel_gradient: np.ndarray, gradient: np.ndarray) -> None:
        """Store the gradients of the weights."""
        self.gradients["kernel"] = kernel_gradient.reshape(self.weights["kernel"].shape)
        if "bias" in self.weights:
            self.gradients["bias"] = gradient.sum((0, 1, 2))


class Conv2D(_Kernel):
    r"""Convolution (in truth a correlation, as everywhere in deep learning).

    With P the patches of x as rows: :math:`y = PW`, so :math:`dW = P^Tdy` and :math:`dP = dy\,W^T`, which `col2im` adds
    back into dx.

    Args:
        inputs: channels of x.
        filters: channels of y.
        kernel: size of the square kernel.
        stride: its step.
        same: "same" padding if true, else none ("valid").
        bias: whether a number is added to each channel.
        seed: of the kernel, Glorot-uniform.

    Example:
        >>> Conv2D(1, 8, 5, stride=2).forward(np.ones((3, 28, 28, 1), np.float32)).shape
        (3, 14, 14, 8)

    Reference:
        Chellapilla, Puri and Simard 2006 (convolution as a matrix product); Dumoulin and Visin 2016, arXiv 1603.07285.
    """

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return (N, H', W', filters)."""
        self.size = (x.shape[1], x.shape[2])
        self.columns = self.patches(x, self.pads(*self.size))
        return self.add_bias(_product(self.columns, self.matrix()))

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return dx, of x's shape."""
        flat = gradient.reshape(-1, gradient.shape[-1])
        self.keep(self.columns.reshape(len(flat), -1).T @ flat, gradient)
        return self.unpatch(_product(gradient, self.matrix().T), self.size, self.pads(*self.size))


class Conv2DTranspose(_Kernel):
    r"""Transposed convolution: forward is what `Conv2D` does backward, and the reverse.

    It restores the *shape* that a convolution took away, not the values.

    Args:
        inputs: channels of x.
        filters: channels of y.
        kernel: size of the square kernel.
        stride: the factor by which the image grows.
        same: output exactly stride times the input if true, else ("valid") (H - 1) * stride + kernel.
        bias: whether a number is added to each channel.
        seed: of the kernel, Glorot-uniform.

    Example:
        >>> Conv2DTranspose(8, 1, 5, stride=2).forward(np.ones((3, 14, 14, 8), np.float32)).shape
        (3, 28, 28, 1)

    Reference:
        Dumoulin and Visin 2016, arXiv 1603.07285, chapter 4.
    """

    transposed = True

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Return (N, H', W', filters)."""
        self.x = x
        extra = 0 if self.same else max(self.kernel - self.stride, 0)
        grown = (x.shape[1] * self.stride + extra, x.shape[2] * self.stride + extra)
        self.out_pads = self.pads(*grown)
        return self.add_bias(self.unpatch(_product(x, self.matrix().T), grown, self.out_pads))

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Return dx, of x's shape."""
        columns = self.patches(gradient, self.out_pads)
        flat = self.x.reshape(-1, self.x.shape[-1])
        self.keep(columns.reshape(len(flat), -1).T @ flat, gradient)
        return _product(columns, self.matrix())
