import numpy as np
import pytest

from gan_utils.networks import dense


@pytest.mark.parametrize("name, latent_dim", [("dummy", 100), ("fashion", 100), ("selu", 30)])
def test_shapes_scale_and_logits(name, latent_dim):
    generator, discriminator = getattr(dense, f"{name}_generator")(), getattr(dense, f"{name}_discriminator")()
    images = np.asarray(generator(100 * np.random.default_rng(0).normal(size=(7, latent_dim)).astype("float32")))
    assert images.shape == (7, 28, 28, 1) and images.dtype == np.float32
    if name != "dummy":
        assert np.abs(images).max() <= 1.0 and images.min() < -0.9
    logits = np.asarray(discriminator(images))
    assert logits.shape == (7, 1) and discriminator.layers[-1].activation.__name__ == "linear"


def test_sizes_are_arguments():
    generator = dense.fashion_generator(8, widths=(16,), dropout=0.0)
    assert generator.count_params() == 8 * 16 + 16 + 16 * 784 + 784


def test_without_activation_the_dummy_images_have_the_rank_of_the_latent():
    latents = np.random.default_rng(0).normal(size=(50, 5)).astype("float32")
    ranks = [
        np.linalg.matrix_rank(np.asarray(dense.dummy_generator(5, activation=a)(latents)).reshape(50, -1), tol=1e-3)
        for a in (None, "relu")
    ]
    assert ranks[0] <= 5 < ranks[1]
