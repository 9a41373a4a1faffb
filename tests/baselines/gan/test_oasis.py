"""OASIS: a global latent, a discriminator that segments, class weights, LabelMix."""

import math

import pytest
import torch
from gans import check_noise, check_pictures, drawn, form_of, made_generator, num_parameters, scene_layouts, scenes
from torch import nn

from sdm_lite.baselines.gan.discriminators import Segmenting
from sdm_lite.baselines.gan.losses import LabelMix, SegmentationLoss, class_weights
from sdm_lite.baselines.gan.oasis import OASIS
from sdm_lite.baselines.gan.system import DiscriminatorStep, Drawing, GeneratorStep, Layout, Scores, draw_noise


@pytest.mark.parametrize("size, generator_millions, discriminator_millions", [(32, 1.03, 0.66), (64, 1.80, 1.02)])
def test_shapes_and_parameters(size, generator_millions, discriminator_millions):
    generator, discriminator = made_generator(OASIS, size), OASIS.make_discriminator(form_of(size))
    assert num_parameters(generator) == pytest.approx(1e6 * generator_millions, abs=1e4)
    assert num_parameters(discriminator) == pytest.approx(1e6 * discriminator_millions, abs=1e4)
    check_pictures(OASIS, size)
    (scores,) = discriminator(scene_layouts(size), scenes(size).x0)
    assert scores.logits.shape == (4, 12, size, size) and scores.features == ()


@pytest.mark.parametrize("size", [32, 64])
def test_the_same_noise_the_same_picture_other_noise_another(size):
    check_noise(OASIS, size)


def test_a_vector_is_the_same_everywhere():
    generator = made_generator(OASIS, 32)
    (z,) = draw_noise(generator, [5])
    field = z[..., None, None].expand(-1, -1, 32, 32).clone()
    image = drawn(generator, scene_layouts(32, 1), (z,))
    assert torch.equal(drawn(generator, scene_layouts(32, 1), (field,)), image)
    field[..., :16] = -field[..., :16]
    changed = (drawn(generator, scene_layouts(32, 1), (field,)) - image).abs().amax(1)[0]
    assert changed[:, :16].mean() > 1.5 * changed[:, 16:].mean()


def test_the_generator_does_not_read_the_edges():
    generator = made_generator(OASIS, 32)
    layout, noise = scene_layouts(32), draw_noise(generator, range(4))
    condition = layout.condition.clone()
    condition[:, -1] = 1 - condition[:, -1]
    image = drawn(generator, layout, noise)
    assert torch.equal(drawn(generator, layout._replace(condition=condition), noise), image)


def test_the_discriminator_is_not_shown_the_layout():
    discriminator = OASIS.make_discriminator(form_of(32)).eval()
    layout, picture = scene_layouts(32), scenes(32).x0
    other = Layout(*(tensor.flip(0) for tensor in layout))
    assert torch.equal(discriminator(layout, picture)[0].logits, discriminator(other, picture)[0].logits)


@pytest.mark.parametrize("size", [32, 64])
def test_a_verdict_sees_the_whole_picture(size):
    discriminator = Segmenting(form_of(size)).eval()
    picture = scenes(size).x0[:1].requires_grad_()
    discriminator(scene_layouts(size, 1), picture)[0].logits[0, 3, size // 2, size // 2].backward()
    assert (picture.grad.abs().sum(1) > 0).float().mean() > 0.9


def test_class_weights_average_to_one_and_make_classes_equal():
    condition = scene_layouts(32).condition[:, :11]
    weights, counts = class_weights(condition, cap=math.inf), condition.sum((0, 2, 3))
    assert (weights * counts).sum() == pytest.approx(counts.sum().item(), rel=1e-5)
    shares = (weights * counts)[counts > 0]
    assert torch.allclose(shares, shares[:1].expand_as(shares))
    assert (weights[counts == 0] == 0).all()


def test_class_weights_are_capped():
    condition = torch.zeros(1, 3, 10, 10)
    condition[:, 0], condition[0, :, 0, 0] = 1, torch.tensor([0.0, 1.0, 0.0])
    assert torch.allclose(class_weights(condition, cap=math.inf), torch.tensor([100 / 198, 50.0, 0.0]))
    assert torch.allclose(class_weights(condition, cap=20.0), torch.tensor([100 / 198, 20.0, 0.0]))


def said(classes, is_real):
    """Logits of a discriminator that is sure of each pixel: of its class, or that it is fake."""
    target = classes + 1 if is_real else torch.zeros_like(classes)
    return Scores(50 * nn.functional.one_hot(target, 12).movedim(-1, 1).float())


@pytest.mark.parametrize("real_is_right, fake_is_right", [(True, True), (True, False), (False, True)])
def test_targets_are_fake_for_drawn_pixels_and_the_class_plus_one_for_true_ones(real_is_right, fake_is_right):
    layout, loss = scene_layouts(32), SegmentationLoss()
    right_real, right_fake = said(layout.classes, True), said(layout.classes, False)
    real, fake = (right_real if real_is_right else right_fake), (right_fake if fake_is_right else right_real)
    picture = scenes(32).x0
    step = DiscriminatorStep(layout, picture, picture, [real], [fake], None, torch.Generator())
    expected = 50.0 * (not real_is_right) + 50.0 * (not fake_is_right)  # the real pixels' weights average to 1
    assert loss.discriminator_loss(step).item() == pytest.approx(expected, abs=1e-3)
    fooled = GeneratorStep(layout, picture, Drawing(picture), [], [fake])
    assert loss.generator_loss(fooled).item() == pytest.approx(50.0 * fake_is_right, abs=1e-3)


def test_chance_is_the_loss_of_one_who_says_nothing():
    layout, silent = scene_layouts(32), Scores(torch.zeros(4, 12, 32, 32))
    picture = scenes(32).x0
    step = DiscriminatorStep(layout, picture, picture, [silent], [silent], None, torch.Generator())
    assert SegmentationLoss().discriminator_loss(step).item() == pytest.approx(SegmentationLoss().chance, rel=1e-3)


class Pointwise(nn.Module):
    """A discriminator that looks at `kernel_size` pixels around each."""

    def __init__(self, kernel_size):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 12, kernel_size, padding=kernel_size // 2)
        )

    def forward(self, layout, image):
        return [Scores(self.net(image))]


def mixed(discriminator, layout, seed=0):
    """LabelMix of true pictures and their negatives."""
    real = scenes(32).x0
    scores = discriminator(layout, real), discriminator(layout, -real)
    stream = torch.Generator().manual_seed(seed)
    return LabelMix()(DiscriminatorStep(layout, real, -real, *scores, discriminator, stream))


def test_label_mix_is_zero_where_a_verdict_looks_at_its_own_pixel_and_else_not():
    torch.manual_seed(0)
    assert mixed(Pointwise(1), scene_layouts(32)) == 0
    assert mixed(Pointwise(3), scene_layouts(32)) > 1e-3


def test_label_mix_is_a_function_of_its_stream_and_gives_every_class_a_fair_coin():
    torch.manual_seed(0)
    discriminator, layout = Pointwise(3), scene_layouts(32)
    assert mixed(discriminator, layout) == mixed(discriminator, layout)
    seen = []

    def remember(layout, image):
        seen.append(image)
        return [Scores(torch.zeros(4, 12, 32, 32))]

    for seed in range(200):
        mixed(remember, layout, seed)
    pictures = torch.stack(seen[2::3])  # (200, B, 3, H, W): each call's third is the mixed one
    is_real = (pictures == scenes(32).x0).all(2).float().mean(0)  # how often each pixel was true, (B, H, W)
    assert (is_real[layout.classes == 0].mean() - 0.5).abs() < 0.1  # class 0: a quarter with coins written in order
    assert ((is_real - 0.5).abs() < 0.15).all()
