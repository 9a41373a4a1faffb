"""CLADE: a class's row of a table is an affine batch norm; a pixel's class changes that pixel alone."""

import pytest
import torch
from gans import NUM_CLASSES, check_deterministic, check_pictures, made_generator, made_layouts, num_parameters
from gans import with_edges_moved as moved
from torch import nn

from sdm_lite.baselines.gan import clade, spade
from sdm_lite.baselines.gan.blocks import SPADENorm
from sdm_lite.baselines.gan.clade import CLADE, ClassNorm
from sdm_lite.baselines.gan.spade import SPADE_GAN


def made_norm(channels=6, *, has_instances=False):
    torch.manual_seed(1)
    norm = ClassNorm(channels, NUM_CLASSES, has_instances=has_instances)
    nn.init.normal_(norm.shift)
    return norm


def one_hot(classes):
    return nn.functional.one_hot(classes, NUM_CLASSES).movedim(-1, 1).float()


@pytest.mark.parametrize("size, millions", [(32, 0.91), (64, 1.49)])
def test_pictures_and_parameters(size, millions):
    check_pictures(CLADE, size)
    assert num_parameters(made_generator(CLADE, size)) == pytest.approx(millions * 1e6, rel=0.01)


def test_deterministic():
    check_deterministic(CLADE)


def test_on_a_map_of_one_class_it_is_affine_batch_norm():
    norm, affine, h = made_norm(), nn.BatchNorm2d(6), 3 * torch.randn(4, 6, 8, 8) + 2
    with torch.no_grad():
        affine.weight.copy_(norm.scale[7])
        affine.bias.copy_(norm.shift[7])
    condition = one_hot(torch.full((4, 8, 8), 7))
    torch.testing.assert_close(norm(h, condition), affine(h))
    torch.testing.assert_close(norm.eval()(h, condition), affine.eval()(h))


def test_scale_and_shift_are_those_of_each_pixels_class():
    norm, h = made_norm(), torch.randn(2, 6, 8, 8)
    classes = torch.randint(NUM_CLASSES, (2, 8, 8))
    wanted = norm.norm(h) * norm.scale[classes].movedim(-1, 1) + norm.shift[classes].movedim(-1, 1)
    torch.testing.assert_close(norm(h, one_hot(classes)), wanted)


def test_the_class_of_a_pixel_changes_that_pixel_alone_where_spade_changes_its_surroundings():
    h, classes = torch.randn(1, 6, 8, 8), torch.zeros(1, 8, 8, dtype=torch.long)
    other = classes.clone()
    other[0, 4, 4] = 5

    def num_changed(norm):
        return int((norm(h, one_hot(classes)) != norm(h, one_hot(other))).any(1).sum())

    assert num_changed(made_norm()) == 1
    assert num_changed(SPADENorm(6, NUM_CLASSES)) == 25


def test_tables_start_between_0_and_1_and_at_0():
    norm = ClassNorm(200, NUM_CLASSES, has_instances=False)
    assert 0 <= norm.scale.min() < 0.05 and 0.95 < norm.scale.max() <= 1 and abs(norm.scale.mean() - 0.5) < 0.05
    assert not norm.shift.any()


def test_edges_are_a_channel_more_and_change_no_other():
    norm, h, layout = made_norm(has_instances=True), torch.randn(2, 6, 32, 32), made_layouts()
    out, other = norm(h, layout.condition), norm(h, moved(layout).condition)
    assert out.shape == (2, 7, 32, 32)
    assert torch.equal(out[:, :6], other[:, :6])
    torch.testing.assert_close(
        out[:, 6:], norm.edge.weight * layout.condition[:, -1:] + norm.edge.bias.view(1, 1, 1, 1)
    )
    assert made_norm()(h, layout.condition[:, :-1]).shape == (2, 6, 32, 32)


def test_edges_are_read():
    generator, layout = made_generator(CLADE), made_layouts()
    assert not torch.allclose(generator(layout), generator(moved(layout)), atol=1e-3)


def test_at_the_widths_of_spade_it_has_half_the_parameters(monkeypatch):
    monkeypatch.setattr(clade, "SMALL", spade.SMALL)
    ratio = num_parameters(made_generator(CLADE)) / num_parameters(made_generator(SPADE_GAN))
    assert ratio == pytest.approx(0.5, abs=0.02)


def test_all_else_is_that_of_spade():
    differ = [name for name, ours, theirs in zip(CLADE._fields, CLADE, SPADE_GAN, strict=True) if ours != theirs]
    assert differ == ["name", "title", "citation", "make_generator"]
