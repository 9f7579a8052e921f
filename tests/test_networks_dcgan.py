"""The convolutional GANs: layers by hand count, the compact one keeps the guidelines and each option breaks its own."""

import pytest

from gan_utils.networks import check_dcgan_guidelines, dcgan
from gan_utils.runtime import keras


def broken(network):
    return [name for name, found in check_dcgan_guidelines(network).items() if not found.holds]


def test_the_compact_networks_keep_the_guidelines_and_have_the_weights_of_a_hand_count():
    generator, discriminator = dcgan.compact_generator(), dcgan.compact_discriminator()
    assert broken(generator) == broken(discriminator) == []
    dense, norm = 64 * 49 * 64, 4 * 49 * 64
    assert generator.count_params() == dense + norm + 16 * 64 * 32 + 4 * 32 + 16 * 32 * 1 + 1
    convolutions = 16 * 1 * 32 + 32 + 16 * 32 * 64 + 64
    assert discriminator.count_params() == convolutions + 4 * 64 + 49 * 64 + 1
    assert generator.output_shape == (None, 28, 28, 1) and discriminator.output_shape == (None, 1)


@pytest.mark.parametrize(
    ("build", "option", "guideline"),
    [
        (dcgan.compact_generator, {"batch_norm": "none"}, "batch normalisation"),
        (dcgan.compact_generator, {"batch_norm": "everywhere"}, "batch normalisation"),
        (dcgan.compact_generator, {"upsampling": "nearest"}, "strided convolutions"),
        (dcgan.compact_generator, {"hidden_units": 10}, "no hidden dense layers"),
        (dcgan.compact_generator, {"activation": "leaky_relu"}, "activations"),
        (dcgan.compact_discriminator, {"batch_norm": "none"}, "batch normalisation"),
        (dcgan.compact_discriminator, {"batch_norm": "everywhere"}, "batch normalisation"),
        (dcgan.compact_discriminator, {"downsampling": "pooled"}, "strided convolutions"),
        (dcgan.compact_discriminator, {"hidden_units": 10}, "no hidden dense layers"),
    ],
)
def test_an_option_breaks_one_guideline(build, option, guideline):
    assert broken(build(**option)) == [guideline]


def test_relu_in_the_discriminator_is_an_option():
    slopes = [
        layer.negative_slope
        for layer in dcgan.compact_discriminator(negative_slope=0.0).layers
        if isinstance(layer, keras.layers.LeakyReLU)
    ]
    assert slopes == [0.0, 0.0]


@pytest.mark.parametrize(
    ("build", "option"),
    [
        (dcgan.compact_generator, {"batch_norm": "some"}),
        (dcgan.compact_generator, {"upsampling": "strided"}),
        (dcgan.compact_discriminator, {"batch_norm": True}),
        (dcgan.compact_discriminator, {"downsampling": "max"}),
    ],
)
def test_an_unknown_option_is_refused(build, option):
    with pytest.raises(ValueError, match="expected one of"):
        build(**option)


@pytest.mark.parametrize(
    ("shape", "generator_widths", "discriminator_widths"),
    [((64, 64, 3), (64, 32, 16), (16, 32, 64)), ((32, 48, 1), (8,), (8,)), ((16, 16, 3), (8, 8, 8, 8), (8, 8, 8, 8))],
)
def test_images_of_another_shape(shape, generator_widths, discriminator_widths):
    generator = dcgan.compact_generator(shape=shape, widths=generator_widths)
    discriminator = dcgan.compact_discriminator(shape=shape, widths=discriminator_widths)
    assert generator.output_shape == (None, *shape) and discriminator.input_shape == (None, *shape)
    assert broken(generator) == broken(discriminator) == []


@pytest.mark.parametrize("build", [dcgan.compact_generator, dcgan.compact_discriminator])
@pytest.mark.parametrize("wrong", [{"shape": (30, 28, 1)}, {"widths": (8, 8, 8)}, {"shape": (28, 28)}, {"widths": ()}])
def test_a_shape_that_cannot_be_halved_so_often_is_refused(build, wrong):
    with pytest.raises(ValueError, match=r"multiples of .* Resize the images or change the widths"):
        build(**wrong)
