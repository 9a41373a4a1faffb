"""pix2pixHD: edges are read, the discriminators see a pyramid of averages, least squares are summed over scales."""

import pytest
import torch
from gans import check_deterministic, check_pictures, form_of, made_generator, made_layouts, num_parameters
from gans import with_edges_moved as moved
from torch import nn

from sdm_lite.baselines.gan.pix2pixhd import PIX2PIXHD, LocalEnhancer
from sdm_lite.baselines.gan.system import DiscriminatorStep, Drawing, GeneratorStep, Scores


@pytest.mark.parametrize("size, millions", [(32, 1.39), (64, 1.46)])
def test_pictures_and_parameters(size, millions):
    check_pictures(PIX2PIXHD, size)
    assert num_parameters(made_generator(PIX2PIXHD, size)) == pytest.approx(millions * 1e6, rel=0.01)


def test_deterministic():
    check_deterministic(PIX2PIXHD)


def test_edges_are_read():
    generator, layout = made_generator(PIX2PIXHD), made_layouts()
    assert not torch.allclose(generator(layout), generator(moved(layout)), atol=1e-3)


def test_instance_norm_a_picture_does_not_depend_on_its_batch():
    generator, layout = made_generator(PIX2PIXHD).train(), made_layouts(3)
    alone = generator(type(layout)(*(tensor[1:2] for tensor in layout)))
    torch.testing.assert_close(generator(layout)[1:2], alone, rtol=1e-4, atol=1e-5)


def test_the_enhancer_adds_to_features_of_half_the_size():
    enhancer = made_generator(PIX2PIXHD, 64).features
    assert isinstance(enhancer, LocalEnhancer)
    seen = []
    enhancer.inner.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    condition = made_layouts(2, 64).condition
    features = enhancer(condition)
    (half, inner), *none = seen
    assert none == [] and half.shape == (2, 12, 32, 32)
    # A pixel is the mean of the three by three around it; at the border of those that there are.
    torch.testing.assert_close(half[:, :, 5, 7], condition[:, :, 9:12, 13:16].mean((2, 3)))
    torch.testing.assert_close(half[:, :, 0, 0], condition[:, :, :2, :2].mean((2, 3)))
    torch.testing.assert_close(features, enhancer.up(enhancer.down(condition) + inner))


def test_no_enhancer_at_32_pixels():
    assert not isinstance(made_generator(PIX2PIXHD, 32).features, LocalEnhancer)


def test_discriminators_on_a_pyramid_of_averages():
    discriminator, layout = PIX2PIXHD.make_discriminator(form_of(32)), made_layouts()
    image, seen = torch.rand(2, 3, 32, 32), []
    for scale in discriminator.scales:
        scale.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    discriminator(layout, image)
    full, half = seen
    assert {tuple(layout.condition.shape), tuple(image.shape)} == {(2, 12, 32, 32), (2, 3, 32, 32)}
    assert full.shape == (2, 15, 32, 32) and half.shape == (2, 15, 16, 16)
    torch.testing.assert_close(half[:, :, 5, 7], full[:, :, 9:12, 13:16].mean((2, 3)))
    torch.testing.assert_close(half[:, :, 0, 0], full[:, :, :2, :2].mean((2, 3)))


def test_instance_norm_and_no_spectral_norm_in_the_discriminators():
    modules = [*PIX2PIXHD.make_discriminator(form_of(32)).modules()]
    assert any(isinstance(module, nn.InstanceNorm2d) for module in modules)
    assert not any(hasattr(module, "parametrizations") for module in modules)


def test_least_squares_summed_over_scales():
    layout, image = made_layouts(), torch.zeros(2, 3, 32, 32)

    def says(*values: float) -> list[Scores]:
        return [Scores(torch.full((2, 1, 4 // n, 4 // n), float(value))) for n, value in enumerate(values, start=1)]

    def loses(real: list[Scores], fake: list[Scores]) -> tuple[float, float]:
        game, stream = PIX2PIXHD.adversarial, torch.Generator()
        step = DiscriminatorStep(layout, image, image, real, fake, None, stream)
        of_generator = game.generator_loss(GeneratorStep(layout, image, Drawing(image), real, fake))
        return float(game.discriminator_loss(step)), float(of_generator)

    assert loses(says(1, 1), says(0, 0)) == (0, 2)
    assert loses(says(0, 0), says(3, 2)) == (0.5 * (1 + 1 + 9 + 4), 4 + 1)
    assert loses(says(0.5, 0.5), says(0.5, 0.5))[0] == PIX2PIXHD.adversarial.chance
