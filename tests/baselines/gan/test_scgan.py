"""SCGAN: weights sum to 1, norms start as batch norm, a mixture is that of its experts, the sketch teaches vectors."""

import pytest
import torch
from gans import check_deterministic, check_pictures, made_generator, made_layouts, num_parameters
from torch import nn

from sdm_lite.baselines.gan.blocks import conditions, initialise
from sdm_lite.baselines.gan.losses import PictureLoss
from sdm_lite.baselines.gan.scgan import NUM_EXPERTS, SCGAN, MixedConv, MixedNorm, Mixture, mixture_weights
from sdm_lite.baselines.gan.system import Drawing, GeneratorStep


def level(weights):
    return Mixture(torch.zeros(len(weights), 12, *weights.shape[2:]), weights)


def chosen(expert, batch_size=2, size=8):
    """All weight on one expert, everywhere."""
    weights = torch.zeros(batch_size, NUM_EXPERTS, size, size)
    weights[:, expert] = 1
    return level(weights)


@pytest.mark.parametrize("size, millions", [(32, 1.02), (64, 1.45)])
def test_pictures_and_parameters(size, millions):
    check_pictures(SCGAN, size)
    assert num_parameters(made_generator(SCGAN, size)) == pytest.approx(millions * 1e6, rel=0.06)


def test_deterministic():
    check_deterministic(SCGAN)


def test_weights_sum_to_1_at_every_pixel_of_every_level_and_differ_between_pixels_from_the_start():
    generator = initialise(made_generator(SCGAN))
    levels = conditions(made_layouts(), generator.form)
    for vectors, condition in zip(generator.vectors(levels), levels, strict=True):
        weights = mixture_weights(vectors)
        assert weights.shape == (2, NUM_EXPERTS, *condition.shape[2:]) and weights.min() > 0
        torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))
        assert weights.std((0, 2, 3)).min() > 0.01


def test_weights_are_the_softmax_of_means_of_groups_of_channels():
    vectors = torch.zeros(1, 6, 1, 1)
    vectors[0, 2:4] = torch.tensor([-0.1, 0.5]).view(2, 1, 1)  # the second of three groups, of mean 0.2
    wanted = torch.tensor([1, torch.tensor(10 * 0.2).exp(), 1])
    torch.testing.assert_close(mixture_weights(vectors).flatten(), wanted / wanted.sum())


def test_the_norm_is_plain_batch_norm_at_first():
    norm, plain, h = MixedNorm(6), nn.BatchNorm2d(6, affine=False), 3 * torch.randn(2, 6, 8, 8) + 2
    weights = level(torch.rand(2, NUM_EXPERTS, 8, 8).softmax(1))
    assert torch.equal(norm(h, weights), plain(h))
    assert torch.equal(norm.eval()(h, weights), plain.eval()(h))


def test_scale_and_shift_are_mixed_pixel_by_pixel():
    norm, h, weights = MixedNorm(6), torch.randn(2, 6, 8, 8), torch.rand(2, NUM_EXPERTS, 8, 8).softmax(1)
    nn.init.normal_(norm.experts)
    gamma, beta = torch.einsum("bnhw,nc->bchw", weights, norm.experts).chunk(2, 1)
    torch.testing.assert_close(norm(h, level(weights)), (1 + gamma) * norm.norm(h) + beta)


def test_all_weight_on_one_expert_is_its_convolution_and_equal_weights_are_the_mean():
    conv, h = MixedConv(4, 5, 3).eval(), torch.randn(2, 4, 8, 8)
    each = [conv(h, chosen(expert)) for expert in range(NUM_EXPERTS)]
    for ours, expert in zip(each, conv.experts, strict=True):
        torch.testing.assert_close(ours, nn.functional.conv2d(h, expert.weight, padding=1))
    assert not torch.allclose(each[0], each[1], atol=1e-2)
    equal = level(torch.full((2, NUM_EXPERTS, 8, 8), 1 / NUM_EXPERTS))
    torch.testing.assert_close(conv(h, equal), torch.stack(each).mean(0))


def test_the_weights_of_a_pixel_count_at_that_pixel_alone():
    conv, h = MixedConv(4, 5, 3).eval(), torch.randn(2, 4, 8, 8)
    weights = chosen(0).weights
    weights[:, :, 3, 4] = torch.tensor([0.0, 1.0, 0.0])
    changed = (conv(h, level(weights)) != conv(h, chosen(0))).any(1)
    assert changed.nonzero().tolist() == [[0, 3, 4], [1, 3, 4]]
    torch.testing.assert_close(conv(h, level(weights))[:, :, 3, 4], conv(h, chosen(1))[:, :, 3, 4])


def test_experts_are_under_spectral_norm():
    conv = MixedConv(16, 16, 3)
    for _ in range(30):  # iterations of the power method
        conv(torch.randn(1, 16, 8, 8), chosen(0, 1))
    for expert in conv.experts:
        assert torch.linalg.matrix_norm(expert.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_the_sketch_teaches_the_vectors_and_nothing_else():
    generator, layout = made_generator(SCGAN), made_layouts()
    drawing, real = generator.draw(layout), torch.rand(2, 3, 32, 32)
    (sketch,) = drawing.sketches
    assert sketch.shape == drawing.image.shape and sketch.abs().max() <= 1
    (loss,) = (loss for loss in SCGAN.generator_losses if isinstance(loss, PictureLoss))
    found = loss(GeneratorStep(layout, real, drawing, [], []))
    torch.testing.assert_close(found, 2 * (sketch - real).abs().mean())
    assert loss(GeneratorStep(layout, real, Drawing(real, (real,)), [], [])) == 0
    found.backward()
    taught = {name.split(".")[0] for name, weights in generator.named_parameters() if weights.grad is not None}
    assert taught == {"vectors"}


def test_the_picture_is_the_one_that_is_drawn():
    generator, layout = made_generator(SCGAN).eval(), made_layouts()
    assert torch.equal(generator(layout), generator.draw(layout).image)
