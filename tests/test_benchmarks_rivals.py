"""The benchmark's rivals train the library's networks: the same layers, sizes and outputs (extra `reference`)."""

import math
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def speed(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import training_speed

    return training_speed


def case(speed, kind, batch=8):
    layers = [speed.rivals.describe(network) for network in speed.rivals.networks(kind)]
    images = np.random.default_rng(0).uniform(-1, 1, (64, 28, 28, 1)).astype(np.float32)
    return speed.rivals.Case(
        *layers, batch, speed.rivals.OPTIMIZERS[kind], images, 5, compiles=kind in ("fashion", "selu")
    )


def trained(network):
    return sum(math.prod(v.shape) for v in network.trainable_variables)


@pytest.mark.parametrize("kind", ["fashion", "selu", "compact", "mnist"])
def test_pytorchs_networks_are_the_librarys(speed, kind):
    torch = pytest.importorskip("torch", reason="the reference extra is not installed")
    described = case(speed, kind)
    generator, discriminator = (speed.rivals._torch_network(n) for n in (described.generator, described.discriminator))
    for ours, theirs in zip(speed.rivals.networks(kind), (generator, discriminator), strict=True):
        assert sum(p.numel() for p in theirs.parameters()) == trained(ours)
    images = generator(torch.zeros(3, described.latent_dim))
    assert images.shape == (3, 1, 28, 28) and discriminator(images).shape == (3, 1)


@pytest.mark.parametrize("kind", ["fashion", "selu", "compact", "mnist"])
def test_jaxs_networks_are_the_librarys(speed, kind):
    jax = pytest.importorskip("jax", reason="the reference extra is not installed")
    described = case(speed, kind)
    found = [speed.rivals._jax_network(n, jax.random.key(0)) for n in (described.generator, described.discriminator)]
    for ours, (weights, _) in zip(speed.rivals.networks(kind), found, strict=True):
        assert sum(leaf.size for leaf in jax.tree.leaves(weights)) == trained(ours)
    (g, generator), (d, discriminator) = found
    images, _ = generator(g, np.zeros((3, described.latent_dim), np.float32), jax.random.key(1))
    assert images.shape == (3, 28, 28, 1) and discriminator(d, images, jax.random.key(2))[0].shape == (3, 1)


@pytest.mark.parametrize("rival", ["keras", "keras, tuned", "torch", "torch, tuned", "jax"])
def test_a_rival_takes_steps(speed, rival):
    if rival.split(",")[0] in ("torch", "jax"):
        pytest.importorskip(rival.split(",")[0], reason="the reference extra is not installed")
    made = case(speed, "selu")
    run = {
        "keras": lambda: speed.rivals.keras_model(made, speed.rivals.networks("selu"), tuned=False),
        "keras, tuned": lambda: speed.rivals.keras_model(made, speed.rivals.networks("selu"), tuned=True),
        "torch": lambda: speed.rivals.torch_loop(made, tuned=False),
        "torch, tuned": lambda: speed.rivals.torch_loop(made, tuned=True),
        "jax": lambda: speed.rivals.jax_loop(made),
    }[rival]()
    run(5)
