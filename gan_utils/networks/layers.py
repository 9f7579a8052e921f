"""Layers that GANs need and Keras lacks: mini-batch discrimination, mini-batch standard deviation, spectral norm."""

from typing import Any

from gan_utils import checking
from gan_utils.losses import wide
from gan_utils.runtime import keras, tf

_register = keras.saving.register_keras_serializable("gan_utils")


@_register
class MinibatchDiscrimination(keras.layers.Layer):
    r"""Append to each sample how close it lies to the others of its batch, so that a collapsed batch shows.

    With :math:`M_i = f_i T \in R^{B \times C}`, feature b of sample i is
    :math:`o_{i,b} = \sum_{j \ne i} \exp(-\lVert M_{i,b} - M_{j,b}\rVert_1)`.

    Args:
        kernels: B, the number of features appended.
        dimensions: C, the size of the space in which distances are taken.

    Raises:
        ValueError: if either is below 1.

    Example:
        >>> MinibatchDiscrimination(3)(tf.zeros((4, 5))).shape
        TensorShape([4, 8])

    Reference:
        Salimans et al. 2016, arXiv 1606.03498, section 3.2. Differs in that a sample's distance to itself, which adds
        the constant 1, is left out.
    """

    def __init__(self, kernels: int = 32, dimensions: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernels = checking.integer("kernels", kernels, 1)
        self.dimensions = checking.integer("dimensions", dimensions, 1)

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make T, (features, kernels * dimensions)."""
        if len(input_shape) != 2:
            raise ValueError(f"input has shape {tuple(input_shape)}; expected (N, features). Put a Flatten before it.")
        shape = (input_shape[-1], self.kernels * self.dimensions)
        self.tensor = self.add_weight(shape=shape, initializer="glorot_uniform", name="tensor")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return (N, features + kernels)."""
        projected = wide(tf.reshape(inputs @ tf.convert_to_tensor(self.tensor), (-1, self.kernels, self.dimensions)))
        distance = tf.reduce_sum(tf.abs(projected[:, None] - projected[None]), axis=-1)
        closeness = tf.reduce_sum(tf.exp(-distance), axis=1) - 1.0
        return tf.concat([inputs, tf.cast(closeness, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (N, features + kernels)."""
        return (input_shape[0], input_shape[1] + self.kernels)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "kernels": self.kernels, "dimensions": self.dimensions}


@_register
class MinibatchStandardDeviation(keras.layers.Layer):
    """Append one feature: the standard deviation over the batch, averaged over all elements.

    A batch of equal samples gives 0 (up to the epsilon of 1e-8 under the root).

    Args:
        group_size: samples in each group over which the deviation is taken; the whole batch if not given. It must
            divide the batch; a batch that is smaller is one group.

    Raises:
        ValueError: for a group of fewer than two samples; when called, for a batch that the groups do not divide.

    Example:
        >>> MinibatchStandardDeviation()(tf.ones((4, 8, 8, 3))).shape
        TensorShape([4, 8, 8, 4])

    Reference:
        Karras et al. 2017, arXiv 1710.10196, section 3; groups as in the authors' published settings (4 there).
    """

    def __init__(self, group_size: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group_size = None if group_size is None else checking.integer("group_size", group_size, 2)

    def __call__(self, inputs: tf.Tensor, *args: Any, **kwargs: Any) -> tf.Tensor:
        """Return `call`'s result for a batch that the groups divide; Keras would wrap an error in many lines."""
        count, group = inputs.shape[0], self.group_size
        if count and group and count > group and count % group:
            raise ValueError(f"the batch has {count} samples, group_size is {group}; expected a multiple, or fewer.")
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return (..., channels + 1)."""
        shape, group = tf.shape(inputs), self.group_size
        count = shape[0] if inputs.shape[0] is None else inputs.shape[0]
        size = count if group is None else min(group, count) if isinstance(count, int) else tf.minimum(group, count)
        grouped = tf.reshape(wide(inputs), tf.concat([[size, count // size], shape[1:]], axis=0))
        deviation = tf.sqrt(tf.math.reduce_variance(grouped, axis=0) + 1e-8)
        mean = tf.reduce_mean(deviation, axis=list(range(1, len(inputs.shape))))  # one a group
        feature = tf.reshape(tf.tile(mean, [size]), [-1] + [1] * (len(inputs.shape) - 1))
        feature = tf.broadcast_to(feature, tf.concat([shape[:-1], [1]], axis=0))
        return tf.concat([inputs, tf.cast(feature, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (..., channels + 1)."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "group_size": self.group_size}


@_register
class SpectralNormalization(keras.layers.Wrapper):
    r"""Divide a layer's kernel by its largest singular value, with the gradient through that value.

    The kernel is taken as a matrix W (all axes but the last, last axis); :math:`\sigma = v^T W u`, where u and v come
    from power iteration, one round a training step, and are constants for the gradient. Keras's own layer of this name
    assigns the divided kernel, so no gradient flows through sigma.

    Args:
        layer: a layer with a ``kernel``, such as Dense or Conv2D.
        power_iterations: rounds a training step.

    Raises:
        ValueError: for power_iterations < 1, or a layer without a kernel.

    Example:
        >>> SpectralNormalization(keras.layers.Dense(3))(tf.ones((2, 4))).shape
        TensorShape([2, 3])

    Reference:
        Miyato, Kataoka, Koyama and Yoshida 2018, arXiv 1802.05957, equations 8 and 12, algorithm 1.
    """

    def __init__(self, layer: keras.layers.Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = checking.integer("power_iterations", power_iterations, 1)

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Build the layer and the vector u that power iteration carries along."""
        super().build(input_shape)
        if not hasattr(self.layer, "kernel"):
            raise ValueError(f"layer {self.layer.name!r} has no kernel; expected one such as Dense or Conv2D.")
        self.u = self.add_weight(
            shape=(self.layer.kernel.shape[-1],),
            initializer=keras.initializers.RandomNormal(seed=0),
            trainable=False,
            aggregation="only_first_replica",
            name="u",
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the layer's output with the divided kernel."""
        kernel = wide(self.layer.kernel.value)
        matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
        held, u = tf.stop_gradient(matrix), tf.cast(self.u.value, kernel.dtype)
        for _ in range(self.power_iterations if training else 1):
            v = tf.math.l2_normalize(tf.linalg.matvec(held, u))
            turned = tf.math.l2_normalize(tf.linalg.matvec(held, v, transpose_a=True))
            u = turned if training else u
        if training:
            self.u.assign(tf.cast(u, self.u.dtype))
        sigma = tf.tensordot(tf.stop_gradient(v), tf.linalg.matvec(matrix, tf.stop_gradient(turned)), 1)
        sigma = tf.where(tf.equal(sigma, 0.0), tf.ones_like(sigma), sigma)  # a kernel of zeros stays one
        # a scope hides the one around it, so it names the layer's other variables as they are seen here
        others = [(v, v.value) for v in self.layer.variables if v is not self.layer.kernel]
        with keras.StatelessScope([*others, (self.layer.kernel, kernel / sigma)]):
            return self.layer(inputs)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the layer's output shape."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "power_iterations": self.power_iterations}


@keras.saving.register_keras_serializable("gan_utils")
class DepthToSpace(keras.layers.Layer):
    """Turn channels into pixels: (N, H, W, b² C) to (N, b H, b W, C), the sub-pixel convolution's last step.

    Args:
        block: b, pixels in height and width that one pixel becomes.

    Raises:
        ValueError: if block < 1, or for channels that b² does not divide.

    Example:
        >>> DepthToSpace(2)(keras.ops.reshape(keras.ops.arange(4.0), (1, 1, 1, 4)))[0, :, :, 0].numpy().tolist()
        [[0.0, 1.0], [2.0, 3.0]]

    Reference:
        Shi et al. 2016, arXiv 1609.05158, section 3.2.
    """

    def __init__(self, block: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = checking.integer("block", block, 1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (N, b H, b W, C)."""
        batch, rows, cols, channels = input_shape
        if channels is None or channels % self.block**2:
            raise ValueError(f"{channels} channels; expected a multiple of block² = {self.block**2}.")
        grown = [None if n is None else n * self.block for n in (rows, cols)]
        return (batch, *grown, channels // self.block**2)

    def call(self, inputs: Any) -> Any:
        """Return the rearranged pixels."""
        self.compute_output_shape(inputs.shape)
        return tf.nn.depth_to_space(inputs, self.block) if self.block > 1 else inputs

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "block": self.block}
