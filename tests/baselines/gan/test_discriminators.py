"""The patch pyramid: its scales, what a score sees, what it costs."""

import pytest
import torch
from tiny_gan import layouts

from sdm_lite.baselines.gan.discriminators import PatchPyramid
from sdm_lite.baselines.gan.system import LayoutForm


def receptive_field(discriminator, size):
    """How many pixels of a row the middle score of the full size depends on."""
    layout = layouts(1, size)
    image = torch.zeros(1, 3, size, size, requires_grad=True)
    for module in discriminator.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.forward = lambda h: h  # whose statistics are of the whole picture
    logits = discriminator(layout, image)[0].logits
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    return int((image.grad[0].abs().sum((0, 1)) > 0).sum())


@pytest.mark.parametrize("size, field, millions", [(32, 16, 0.174), (64, 34, 0.767)])
def test_scales_fields_and_weights(size, field, millions):
    discriminator = PatchPyramid(LayoutForm((size, size), 11, True))
    scores = discriminator(layouts(2, size), torch.zeros(2, 3, size, size))
    assert len(scores) == 2 and all(len(one.features) == len(discriminator.scales[0].layers) for one in scores)
    assert min(min(feature.shape[2:]) for one in scores for feature in one.features) >= 4  # of a norm over pixels
    assert sum(weight.numel() for weight in discriminator.parameters()) / 1e6 == pytest.approx(millions, abs=5e-4)
    assert receptive_field(discriminator, size) == field


def test_the_second_scale_sees_half_the_size_and_the_layout_too():
    layout, image = layouts(2), torch.randn(2, 3, 32, 32)
    discriminator = PatchPyramid(LayoutForm((32, 32), 11, True))
    scores = discriminator(layout, image)
    assert scores[1].logits.shape[2] < scores[0].logits.shape[2]
    other = layout._replace(condition=layout.condition.roll(1, 0))
    assert all(not torch.equal(a.logits, b.logits) for a, b in zip(scores, discriminator(other, image), strict=True))


def test_halves_are_the_two_batches():
    layout, image = layouts(2), torch.randn(2, 3, 32, 32)
    discriminator = PatchPyramid(LayoutForm((32, 32), 11, True)).eval()  # whose spectral norms then stand still
    both = discriminator(layout.twice(), torch.cat([image, -image]))
    for one, of_image, of_other in zip(both, discriminator(layout, image), discriminator(layout, -image), strict=True):
        first, second = one.halves()
        assert torch.allclose(first.logits, of_image.logits, atol=1e-5)
        assert torch.allclose(second.features[-1], of_other.features[-1], atol=1e-5)
