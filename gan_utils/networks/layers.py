"""Layers that GANs need and Keras lacks: mini-batch discrimination, mini-batch standard deviation, spectral norm."""

from typing import Any

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
        if min(kernels, dimensions) < 1:
            raise ValueError(f"kernels is {kernels} and dimensions {dimensions}; expected 1 or more of each.")
        self.kernels, self.dimensions = kernels, dimensions

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make T, (features, kernels * dimensions)."""
        if len(input_shape) != 2:
            raise ValueError(f"input has shape {tuple(input_shape)}; expected (N, features). Put a Flatten before it.")
        shape = (input_shape[-1], self.kernels * self.dimensions)
        self.tensor = self.add_weight(shape=shape, initializer="glorot_uniform", name="tensor")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return (N, features + kernels)."""
        projected = tf.reshape(inputs @ tf.convert_to_tensor(self.tensor), (-1, self.kernels, self.dimensions))
        distance = tf.reduce_sum(tf.abs(projected[:, None] - projected[None]), axis=-1)
        closeness = tf.reduce_sum(tf.exp(-distance), axis=1) - 1.0
        return tf.concat([inputs, closeness], axis=-1)

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
            divide the batch.

    Example:
        >>> MinibatchStandardDeviation()(tf.ones((4, 8, 8, 3))).shape
        TensorShape([4, 8, 8, 4])

    Reference:
        Karras et al. 2017, arXiv 1710.10196, section 3; groups as in the authors' published settings (4 there).
    """

    def __init__(self, group_size: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if group_size is not None and group_size < 2:
            raise ValueError(f"group_size is {group_size}; expected None or 2 or more.")
        self.group_size = group_size

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return (..., channels + 1)."""
        count, shape = tf.shape(inputs)[0], tf.shape(inputs)
        size = self.group_size or count
        grouped = tf.reshape(tf.cast(inputs, tf.float32), tf.concat([[size, count // size], shape[1:]], axis=0))
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
        if power_iterations < 1:
            raise ValueError(f"power_iterations is {power_iterations}; expected 1 or more.")
        self.power_iterations = power_iterations

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
        kernel = tf.convert_to_tensor(self.layer.kernel.value)
        matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
        held, u = tf.stop_gradient(matrix), tf.cast(self.u.value, kernel.dtype)
        for _ in range(self.power_iterations if training else 1):
            v = tf.math.l2_normalize(tf.linalg.matvec(held, u))
            turned = tf.math.l2_normalize(tf.linalg.matvec(held, v, transpose_a=True))
            u = turned if training else u
        if training:
            self.u.assign(tf.cast(u, self.u.dtype))
        sigma = tf.tensordot(tf.stop_gradient(v), tf.linalg.matvec(matrix, tf.stop_gradient(turned)), 1)
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
