"""CC-FPSE: kernels predicted from the layout, a projection discriminator, a global latent."""

import pytest
import torch
from gans import (
    check_noise,
    check_pictures,
    check_posterior,
    drawn,
    form_of,
    made_generator,
    num_parameters,
    scene_layouts,
    scenes,
)
from torch.nn import functional as F

from sdm_lite.baselines.gan.cc_fpse import CC_FPSE, PictureEncoder, convolve_by
from sdm_lite.baselines.gan.losses import FeatureMatching
from sdm_lite.baselines.gan.system import Drawing, GeneratorStep, Layout, LayoutForm, draw_noise


@pytest.mark.parametrize("size, millions", [(32, (1.20, 0.25, 0.17)), (64, (1.52, 0.38, 0.26))])
def test_shapes_and_parameters(size, millions):
    generator, discriminator = made_generator(CC_FPSE, size), CC_FPSE.make_discriminator(form_of(size))
    encoder = PictureEncoder(form_of(size))
    for network, expected in zip((generator, discriminator, encoder), millions, strict=True):
        assert num_parameters(network) == pytest.approx(1e6 * expected, abs=1e4)
    check_pictures(CC_FPSE, size)
    check_posterior(CC_FPSE, size)
    scores = discriminator(scene_layouts(size), scenes(size).x0)
    strides = (2, 4) if size == 32 else (2, 4, 8)
    assert [s.logits.shape for s in scores] == [(4, 1, size // stride, size // stride) for stride in strides]
    assert [s.features[0].shape[-1] for s in scores] == [size // (2 * stride) for stride in strides]


@pytest.mark.parametrize("size", [32, 64])
def test_the_same_noise_the_same_picture_other_noise_another(size):
    check_noise(CC_FPSE, size)


def test_one_kernel_everywhere_is_a_convolution():
    torch.manual_seed(0)
    h, kernel = torch.randn(2, 5, 7, 6), torch.randn(5, 3, 3)
    everywhere = kernel.reshape(1, 45, 1, 1).expand(2, -1, 7, 6)
    expected = F.conv2d(h, kernel[:, None], padding=1, groups=5)
    assert torch.allclose(convolve_by(everywhere, h), expected, atol=1e-5)


def test_each_pixel_has_a_kernel_of_its_own():
    h = torch.arange(12.0).reshape(1, 1, 3, 4)
    kernels = torch.zeros(1, 9, 3, 4)
    kernels[0, 4] = 1  # itself
    kernels[0, :, 1, 1] = torch.tensor([0.0, 0, 0, 0, 0, 1, 0, 0, 0])  # at one pixel, its neighbour on the right
    expected = h.clone()
    expected[0, 0, 1, 1] = h[0, 0, 1, 2]
    assert torch.equal(convolve_by(kernels, h), expected)


def test_the_discriminator_scores_a_picture_by_its_layout():
    discriminator = CC_FPSE.make_discriminator(form_of(32)).eval()
    layout, picture = scene_layouts(32), scenes(32).x0
    other = Layout(*(tensor.flip(0) for tensor in layout))
    ours, theirs = discriminator(layout, picture), discriminator(other, picture)
    for one, two in zip(ours, theirs, strict=True):
        assert not torch.allclose(one.logits, two.logits)
        assert torch.equal(one.features[0], two.features[0])  # the stack sees the picture alone


def test_agreement_is_a_scalar_product_with_the_embedded_condition():
    # Linear in the condition: the scores of two layouts' mean are the mean of their scores.
    discriminator = CC_FPSE.make_discriminator(form_of(32)).eval()
    layout, picture = scene_layouts(32), scenes(32).x0
    turned = layout._replace(condition=layout.condition.flip(0))
    between = layout._replace(condition=(layout.condition + turned.condition) / 2)
    for one, two, mean in zip(*(discriminator(which, picture) for which in (layout, turned, between)), strict=True):
        assert torch.allclose((one.logits + two.logits) / 2, mean.logits, atol=1e-5)


def test_feature_matching_of_equal_pictures_is_zero():
    discriminator = CC_FPSE.make_discriminator(form_of(32)).eval()
    layout, picture = scene_layouts(32), scenes(32).x0
    scores, others = discriminator(layout, picture), discriminator(layout, -picture)
    assert FeatureMatching()(GeneratorStep(layout, picture, Drawing(picture), scores, scores)) == 0
    assert FeatureMatching()(GeneratorStep(layout, picture, Drawing(-picture), scores, others)) > 0


@pytest.mark.parametrize("size", [(40, 56), (96, 128)])
def test_sizes_whose_halves_are_odd(size):
    form = LayoutForm(size, 3, has_instances=False)
    form.check()
    classes = torch.zeros(1, *size, dtype=torch.int64)
    classes[:, : size[0] // 2] = 2
    layout = Layout(F.one_hot(classes, 3).movedim(-1, 1).float(), classes, classes)
    generator = CC_FPSE.make_generator(form).eval()
    image = drawn(generator, layout, draw_noise(generator, [0]))
    assert len(CC_FPSE.make_discriminator(form)(layout, image)) == form.num_doublings - 1
