"""What a reader would otherwise train with, tuned as its users would: Keras, PyTorch, JAX.

Each function takes a `Case` and returns what takes that many steps and waits until they are done. A step is one of the
discriminator and then one of the generator on latents of its own, with the same layers, losses, optimizers and batch
as the library's model (`gan`), and real images drawn at random. The networks come as a list of layers (`describe`), so
that nobody trains others, and PyTorch's and JAX's processes need not import TensorFlow.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Run = Callable[[int], object]
Layers = list[dict[str, Any]]
OPTIMIZERS = {  # the generator's and the discriminator's: name, rate, beta_1
    "fashion": (("adam", 1e-4, 0.5), ("adam", 2e-4, 0.5)),
    "selu": (("rmsprop", 1e-3, 0.0), ("rmsprop", 1e-3, 0.0)),
    "compact": (("adam", 2e-3, 0.5), ("adam", 2e-3, 0.5)),
    "mnist": (("adam", 1e-4, 0.9), ("adam", 1e-4, 0.9)),
}
GROUPS = {"fashion": 50, "selu": 50, "compact": 10, "mnist": 2}  # steps between two returns to Python


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        generator: its layers, see `describe`.
        discriminator: its layers.
        batch: real images a step.
        optimizers: of generator and discriminator: ``(name, rate, beta_1)``, ``"adam"`` or ``"rmsprop"``.
        images: (N, H, W, C) float32 in [-1, 1].
        group: steps between two returns to Python, where a rival takes several.
        compiles: whether XLA is a help: for dense networks, not for convolutions on a CPU.
    """

    generator: Layers
    discriminator: Layers
    batch: int
    optimizers: tuple[tuple[str, float, float], tuple[str, float, float]]
    images: np.ndarray
    group: int
    compiles: bool

    @property
    def latent_dim(self) -> int:
        """Size of the latent."""
        return int(self.generator[0]["input"][0])


def networks(kind: str) -> tuple[Any, Any]:
    """Return generator and discriminator of one of `OPTIMIZERS`, as published; ``compact`` is the book's own."""
    from gan_utils.networks import dcgan, dense

    return {
        "fashion": lambda: (dense.fashion_generator(), dense.fashion_discriminator()),
        "selu": lambda: (dense.selu_generator(), dense.selu_discriminator()),
        "compact": lambda: (dcgan.compact_generator(), dcgan.compact_discriminator()),
        "mnist": lambda: (dcgan.mnist_generator(), dcgan.mnist_discriminator()),
    }[kind]()


def gan(kind: str, *, simultaneous: bool = False, seed: int = 0) -> Any:
    """Return the library's model of these networks, compiled."""
    from gan_utils import runtime, training

    runtime.set_seed(seed)
    made = (training.SimultaneousGAN if simultaneous else training.GAN)(*networks(kind), seed=seed)
    generator, discriminator = (_keras_optimizer(*each) for each in OPTIMIZERS[kind])
    made.compile(generator_optimizer=generator, discriminator_optimizer=discriminator)
    return made


def _keras_optimizer(name: str, rate: float, beta: float) -> Any:
    import keras

    return keras.optimizers.Adam(rate, beta_1=beta) if name == "adam" else keras.optimizers.RMSprop(rate)


def describe(network: Any) -> Layers:
    """Return a Keras network's layers in the order of computation: kind, shapes without the batch, settings."""
    from gan_utils.networks import structure

    kept = ("units", "filters", "use_bias", "kernel_size", "strides", "rate", "negative_slope", "scale", "offset")
    found = []
    for row in structure.rows(network):
        config = row.layer.get_config()
        shapes = {"input": list(row.layer.input.shape[1:]), "output": list(row.layer.output.shape[1:])}
        settings = {name: config[name] for name in kept if name in config}
        activation = {"ReLU": "relu", "LeakyReLU": "leaky_relu"}.get(type(row.layer).__name__, config.get("activation"))
        found.append({"kind": type(row.layer).__name__, "activation": activation, **shapes, **settings})
    return [layer for layer in found if layer["kind"] != "InputLayer"]


# Keras


def keras_model(case: Case, networks: tuple[Any, Any], *, tuned: bool) -> Run:
    """Return ``fit`` of a model with a ``train_step`` of its own, as Keras's guides write it.

    Tuned: XLA where it helps, many steps an execution, images cached and batches prepared ahead, no automatic tuning
    of the pipeline.
    """
    import keras
    import tensorflow as tf

    generator, discriminator = networks
    tf.config.optimizer.set_experimental_options({"remapping": True})  # which gan_utils switches off
    loss, latent_dim = keras.losses.BinaryCrossentropy(from_logits=True), case.latent_dim

    class Plain(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator, self.discriminator = generator, discriminator
            self.seen = [keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")]

        def compile(self, g_optimizer: Any, d_optimizer: Any, **settings: Any) -> None:
            super().compile(optimizer=None, **settings)
            self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer

        def train_step(self, real: Any) -> dict[str, Any]:
            size = tf.shape(real)[0]
            fake = self.generator(tf.random.normal((size, latent_dim)), training=True)
            with tf.GradientTape() as tape:
                real_logits, fake_logits = (self.discriminator(x, training=True) for x in (real, fake))
                d_loss = loss(tf.ones_like(real_logits), real_logits) + loss(tf.zeros_like(fake_logits), fake_logits)
            variables = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, variables), variables, strict=True))
            with tf.GradientTape() as tape:
                logits = self.discriminator(self.generator(tf.random.normal((size, latent_dim)), training=True))
                g_loss = loss(tf.ones_like(logits), logits)
            variables = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, variables), variables, strict=True))
            for metric, value in zip(self.seen, (d_loss, g_loss), strict=True):
                metric.update_state(value)
            return {metric.name: metric.result() for metric in self.seen}

    model, dataset = Plain(), tf.data.Dataset.from_tensor_slices(case.images)
    settings = {"jit_compile": case.compiles, "steps_per_execution": case.group} if tuned else {}
    model.compile(*(_keras_optimizer(*each) for each in case.optimizers), **settings)
    if not tuned:
        dataset = dataset.shuffle(1024).repeat().batch(case.batch)
    else:
        options = tf.data.Options()
        options.autotune.enabled = False
        dataset = dataset.cache().shuffle(1024).repeat().batch(case.batch, drop_remainder=True)
        dataset = dataset.prefetch(16).with_options(options)
    return lambda steps: model.fit(dataset, steps_per_epoch=steps, shuffle=False, verbose=0)


# PyTorch


def torch_loop(case: Case, *, tuned: bool, compiled: bool = False) -> Run:
    """Return a loop in PyTorch; no graph is kept of the fakes of the discriminator's step.

    Tuned: fused Adam, images with channels last, no gradients of the discriminator's weights in the generator's step.
    Compiled: besides, both players' losses are functions under ``torch.compile``.
    """
    torch = importlib.import_module("torch")
    generator, discriminator = (_torch_network(layers) for layers in (case.generator, case.discriminator))
    real = torch.from_numpy(case.images).permute(0, 3, 1, 2).contiguous()
    if tuned:
        generator, discriminator = (n.to(memory_format=torch.channels_last) for n in (generator, discriminator))
        real = real.to(memory_format=torch.channels_last)

    def optimizer(network: Any, name: str, rate: float, beta: float) -> Any:
        if name == "rmsprop":
            return torch.optim.RMSprop(network.parameters(), rate, alpha=0.9, eps=1e-7)
        return torch.optim.Adam(network.parameters(), rate, betas=(beta, 0.999), eps=1e-7, fused=tuned)

    g_optimizer, d_optimizer = (
        optimizer(n, *each) for n, each in zip((generator, discriminator), case.optimizers, strict=True)
    )
    cross_entropy = torch.nn.BCEWithLogitsLoss()
    batch, latent_dim = case.batch, case.latent_dim
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)

    def d_loss(shown: Any, latents: Any) -> Any:
        with torch.no_grad():
            fake = generator(latents)
        return cross_entropy(discriminator(shown), ones) + cross_entropy(discriminator(fake), zeros)

    def g_loss(latents: Any) -> Any:
        return cross_entropy(discriminator(generator(latents)), ones)

    if compiled:
        d_loss, g_loss = torch.compile(d_loss), torch.compile(g_loss)

    def run(steps: int) -> None:
        for _ in range(steps):
            shown = real[torch.randint(len(real), (batch,))]
            if tuned:
                discriminator.requires_grad_(True)
            d_optimizer.zero_grad()
            d_loss(shown, torch.randn(batch, latent_dim)).backward()
            d_optimizer.step()
            if tuned:
                discriminator.requires_grad_(False)
            g_optimizer.zero_grad()
            g_loss(torch.randn(batch, latent_dim)).backward()
            g_optimizer.step()

    return run


def _torch_network(layers: Layers) -> Any:
    nn = importlib.import_module("torch").nn

    class Rescale(nn.Module):
        def __init__(self, scale: float, offset: float) -> None:
            super().__init__()
            self.scale, self.offset = scale, offset

        def forward(self, x: Any) -> Any:
            return self.scale * x + self.offset

    def moved(shape: list[int]) -> tuple[int, ...]:  # channels come first in PyTorch
        return (shape[-1], *shape[:-1])

    def made(layer: dict[str, Any]) -> Any:
        kind, inputs, outputs = layer["kind"], layer["input"], layer["output"]
        if kind == "Dense":
            return nn.Linear(inputs[0], layer["units"], bias=layer["use_bias"])
        if kind in ("Conv2D", "Conv2DTranspose"):
            size, stride = layer["kernel_size"][0], layer["strides"][0]
            padding = math.ceil((size - stride) / 2)
            settings = {"stride": stride, "padding": padding, "bias": layer["use_bias"]}
            if kind == "Conv2D":
                return nn.Conv2d(inputs[-1], layer["filters"], size, **settings)
            settings["output_padding"] = stride - size + 2 * padding
            return nn.ConvTranspose2d(inputs[-1], layer["filters"], size, **settings)
        if kind == "BatchNormalization":
            normalisation = nn.BatchNorm1d if len(inputs) == 1 else nn.BatchNorm2d
            return normalisation(inputs[-1], eps=1e-3, momentum=0.01)
        if kind == "Dropout":
            return nn.Dropout(layer["rate"])
        if kind == "Flatten":
            return nn.Flatten()
        if kind == "Reshape":
            return nn.Unflatten(1, moved(outputs))
        if kind == "Rescaling":
            return Rescale(layer["scale"], layer["offset"])
        return nn.Identity()

    activations = {
        "relu": nn.ReLU,
        "selu": nn.SELU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "leaky_relu": lambda: nn.LeakyReLU(layer["negative_slope"]),
    }
    modules = []
    for layer in layers:
        modules.append(made(layer))
        if layer["activation"] not in (None, "linear"):
            modules.append(activations[layer["activation"]]())
    return nn.Sequential(*[module for module in modules if not isinstance(module, nn.Identity)])


# JAX


def jax_loop(case: Case) -> Run:
    """Return groups of steps in JAX, each one compiled ``scan`` over steps, with optax's optimizers."""
    jax, optax = importlib.import_module("jax"), importlib.import_module("optax")
    jnp = jax.numpy
    real, batch = jnp.asarray(case.images), case.batch

    def optimizer(name: str, rate: float, beta: float) -> Any:
        return optax.adam(rate, b1=beta, eps=1e-7) if name == "adam" else optax.rmsprop(rate, decay=0.9, eps=1e-7)

    g_optimizer, d_optimizer = (optimizer(*each) for each in case.optimizers)
    g_key, d_key, key = jax.random.split(jax.random.key(0), 3)
    g, generator = _jax_network(case.generator, g_key)
    d, discriminator = _jax_network(case.discriminator, d_key)

    def cross_entropy(logits: Any, label: float) -> Any:
        return optax.sigmoid_binary_cross_entropy(logits, jnp.full_like(logits, label)).mean()

    def step(state: Any, key: Any) -> tuple[Any, Any]:
        g, d, g_moments, d_moments, averages = state
        keys = jax.random.split(key, 8)
        shown = real[jax.random.randint(keys[0], (batch,), 0, len(real))]
        fake, _ = generator(g, jax.random.normal(keys[1], (batch, case.latent_dim)), keys[2])

        def d_loss(d: Any) -> Any:
            (on_real, _), (on_fake, statistics) = discriminator(d, shown, keys[3]), discriminator(d, fake, keys[4])
            return cross_entropy(on_real, 1.0) + cross_entropy(on_fake, 0.0), statistics

        (d_value, d_seen), gradient = jax.value_and_grad(d_loss, has_aux=True)(d)
        change, d_moments = d_optimizer.update(gradient, d_moments, d)
        d = optax.apply_updates(d, change)

        def g_loss(g: Any) -> Any:
            fake, statistics = generator(g, jax.random.normal(keys[5], (batch, case.latent_dim)), keys[6])
            return cross_entropy(discriminator(d, fake, keys[7])[0], 1.0), statistics

        (g_value, g_seen), gradient = jax.value_and_grad(g_loss, has_aux=True)(g)
        change, g_moments = g_optimizer.update(gradient, g_moments, g)
        g = optax.apply_updates(g, change)
        averages = jax.tree.map(lambda average, value: 0.99 * average + 0.01 * value, averages, (g_seen, d_seen))
        return (g, d, g_moments, d_moments, averages), (d_value, g_value)

    @jax.jit
    def group(state: Any, key: Any) -> Any:
        state, losses = jax.lax.scan(step, state, jax.random.split(key, case.group))
        return state, [values.mean() for values in losses]

    seen = (generator(g, jnp.zeros((batch, case.latent_dim)), key)[1], discriminator(d, real[:batch], key)[1])
    state = (g, d, g_optimizer.init(g), d_optimizer.init(d), jax.tree.map(jnp.zeros_like, seen))

    def run(steps: int) -> None:
        nonlocal state, key
        for _ in range(steps // case.group):
            key, own = jax.random.split(key)
            state, _ = group(state, own)
        jax.block_until_ready(state)

    return run


def _jax_network(layers: Layers, key: Any) -> tuple[Any, Callable[[Any, Any, Any], Any]]:
    """Return first weights, and a function of weights, inputs and a key to outputs and the batch's statistics."""
    jax = importlib.import_module("jax")
    jnp, lax = jax.numpy, jax.lax
    numbers = ("NHWC", "HWIO", "NHWC")
    weights = []
    for layer, own in zip(layers, jax.random.split(key, len(layers)), strict=True):
        kind, channels = layer["kind"], layer["input"][-1]
        shape = {
            "Dense": lambda layer: (layer["input"][0], layer["units"]),
            "Conv2D": lambda layer: (*layer["kernel_size"], layer["input"][-1], layer["filters"]),
            "Conv2DTranspose": lambda layer: (*layer["kernel_size"], layer["input"][-1], layer["filters"]),
        }.get(kind)
        if shape:
            kernel = 0.05 * jax.random.normal(own, shape(layer))
            weights.append({"kernel": kernel, "bias": jnp.zeros(kernel.shape[-1] if layer["use_bias"] else 0)})
        elif kind == "BatchNormalization":
            weights.append({"scale": jnp.ones(channels), "shift": jnp.zeros(channels)})
        else:
            weights.append({})

    def activated(layer: dict[str, Any], x: Any) -> Any:
        name = layer["activation"]
        if name == "leaky_relu":
            return jax.nn.leaky_relu(x, layer["negative_slope"])
        return x if name in (None, "linear") else getattr(jax.nn, name)(x)

    def apply(weights: Any, x: Any, key: Any) -> Any:
        statistics = []
        for layer, own, drawn in zip(layers, weights, jax.random.split(key, len(layers)), strict=True):
            kind, strides = layer["kind"], layer.get("strides")
            if kind == "Dense":
                x = x @ own["kernel"]
            elif kind == "Conv2D":
                x = lax.conv_general_dilated(x, own["kernel"], strides, "SAME", dimension_numbers=numbers)
            elif kind == "Conv2DTranspose":
                x = lax.conv_transpose(x, own["kernel"], strides, "SAME", dimension_numbers=numbers)
            elif kind == "BatchNormalization":
                axes = tuple(range(x.ndim - 1))
                mean, variance = x.mean(axes), x.var(axes)
                x = (x - mean) * (own["scale"] * lax.rsqrt(variance + 1e-3)) + own["shift"]
                statistics += [mean, variance]
            elif kind == "Dropout":
                kept = jax.random.bernoulli(drawn, 1 - layer["rate"], x.shape)
                x = jnp.where(kept, x / (1 - layer["rate"]), 0.0)
            elif kind in ("Flatten", "Reshape"):
                x = x.reshape(len(x), *layer["output"])
            elif kind == "Rescaling":
                x = layer["scale"] * x + layer["offset"]
            x = activated(layer, x + own["bias"] if layer.get("use_bias") else x)
        return x, statistics

    return weights, apply
