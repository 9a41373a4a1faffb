"""SPADE: the layout alone decides the picture, and every norm reads it."""

import pytest
import torch
from tiny_gan import layouts

from sdm_lite.baselines.gan import SYSTEMS, LayoutForm, draw_noise
from sdm_lite.baselines.gan.blocks import SPADENorm, initialise
from sdm_lite.baselines.gan.runs import Gan, num_parameters

SPADE = SYSTEMS["spade"]


@pytest.mark.parametrize("size, millions", [((32, 32), 0.969), ((64, 64), 1.725), ((96, 128), 1.725)])
def test_shapes_and_parameters(size, millions):
    generator = SPADE.make_generator(LayoutForm(size, 11, True))
    assert num_parameters(generator) / 1e6 == pytest.approx(millions, abs=5e-4)
    layout = layouts(1, 128)
    layout = layout._replace(**{name: getattr(layout, name)[..., : size[0], : size[1]] for name in layout._fields})
    image = generator(layout, draw_noise(generator, [0]))
    assert image.shape == (1, 3, *size) and image.abs().max() <= 1


def test_every_seed_draws_the_same_picture():
    form = LayoutForm((32, 32), 11, True)
    gan = Gan(SPADE, form, initialise(SPADE.make_generator(form), gain=1.0).eval(), {})
    layout = layouts(2)
    assert draw_noise(gan.generator, [0, 1]) == ()
    assert torch.equal(gan(layout, [0, 1]), gan(layout, [7, 8]))


def test_the_norm_is_batch_norm_where_gamma_and_beta_are_zero_and_reads_each_pixel_where_not():
    norm, h, context = SPADENorm(3, 2), torch.randn(4, 3, 8, 8) * 5 + 2, torch.zeros(4, 2, 8, 8)
    torch.nn.init.zeros_(norm.gamma_beta.weight), torch.nn.init.zeros_(norm.gamma_beta.bias)
    found = norm(h, context)
    assert torch.allclose(found.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(found.var((0, 2, 3), unbiased=False), torch.ones(3), atol=1e-3)
    torch.nn.init.normal_(norm.gamma_beta.weight)
    other = context.clone()
    other[0, 0, 4, 4] = 1
    changed = (norm(h, other) != norm(h, context)).any(1)  # (4, 8, 8)
    assert changed[0, 2:7, 2:7].any() and not changed[1:].any() and not changed[0, :, 7].any()


def test_groups_do_not_mix():
    norm = initialise(SPADENorm(6, 4, hidden_channels=4, groups=2), gain=1.0).eval()
    h, context = torch.randn(1, 6, 8, 8), torch.randn(1, 4, 8, 8)
    other = context.clone()
    other[:, 2:] += 1  # what the second group reads
    changed = (norm(h, other) != norm(h, context)).flatten(2).any(2)[0]
    assert changed.tolist() == [False] * 3 + [True] * 3
