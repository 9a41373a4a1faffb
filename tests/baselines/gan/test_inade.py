"""INADE: instances draw their own scale and shift; an encoder that looks at one instance at a time."""

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

from sdm_lite.baselines.gan.inade import (
    INADE,
    DrawnNorm,
    Draws,
    InstanceConv,
    InstanceEncoder,
    members_of,
    num_places,
)
from sdm_lite.baselines.gan.system import LayoutForm, draw_noise, layout_of


@pytest.mark.parametrize("size, millions", [(32, (1.07, 0.25)), (64, (1.70, 0.25))])
def test_shapes_and_parameters(size, millions):
    generator = made_generator(INADE, size)
    encoder = InstanceEncoder(form_of(size))
    for network, expected in zip((generator, encoder), millions, strict=True):
        assert num_parameters(network) == pytest.approx(1e6 * expected, abs=1e4)
    assert generator.noise_shapes == ((32, 16), (32, 16), (64,))
    check_pictures(INADE, size)
    check_posterior(INADE, size)


@pytest.mark.parametrize("size", [32, 64])
def test_the_same_noise_the_same_picture_other_noise_another(size):
    check_noise(INADE, size)


def draws_of(layout, u, v):
    return Draws(layout.condition[:, :11], layout.condition[:, 11:], members_of(layout.instances, 32), u, v)


def redrawn(noise, instance):
    """The same noise, but for u and v of one instance."""
    u, v, z = (part.clone() for part in noise)
    u[:, instance], v[:, instance] = -u[:, instance], -v[:, instance]
    return u, v, z


def test_a_norm_changes_inside_the_redrawn_instance_and_nowhere_else():
    torch.manual_seed(0)
    layout, norm = scene_layouts(32), DrawnNorm(6, form_of(32)).eval()
    h, (u, v, z) = torch.randn(4, 6, 32, 32), draw_noise(made_generator(INADE, 32), range(4))
    before, after = norm(h, draws_of(layout, u, v)), norm(h, draws_of(layout, *redrawn((u, v, z), 2)[:2]))
    assert before.shape == (4, 7, 32, 32)  # the edges are the last
    inside = layout.instances == 2
    assert inside.any() and torch.equal((before != after).any(1), inside)


def test_an_instance_redrawn_changes_inside_more_than_outside():
    generator = made_generator(INADE, 32)
    layout, noise = scene_layouts(32), draw_noise(generator, range(4))
    image, instance = drawn(generator, layout, noise), 2
    change = (drawn(generator, layout, redrawn(noise, instance)) - image).abs().mean(1)
    inside = layout.instances == instance
    assert change[inside].mean() > 2 * change[~inside].mean()


def test_two_instances_of_a_class_differ_and_one_is_the_same_throughout():
    # Scale and shift of a constant picture: one value a class and instance.
    torch.manual_seed(0)
    norm = DrawnNorm(3, LayoutForm((32, 32), 2, has_instances=True)).eval()
    classes = torch.zeros(1, 32, 32, dtype=torch.int64)
    classes[:, 16:] = 1
    instances = classes.clone()
    instances[:, 16:, 16:] = 2
    layout = layout_of(classes, 2, instances)
    u, v = torch.randn(2, 1, 32, 16)
    draws = Draws(layout.condition[:, :2], layout.condition[:, 2:], members_of(instances, 32), u, v)
    out = norm(torch.ones(1, 3, 32, 32), draws)[0, :3]
    values = [out[:, instances[0] == instance] for instance in range(3)]
    assert all((value == value[:, :1]).all() for value in values)
    assert not torch.allclose(values[1][:, 0], values[2][:, 0])


def test_a_norm_is_the_formula():
    torch.manual_seed(0)
    layout, norm = scene_layouts(32, 1), DrawnNorm(6, form_of(32)).eval()
    torch.nn.init.normal_(norm.tables)
    h, u, v = torch.randn(1, 6, 32, 32), torch.randn(1, 32, 16), torch.randn(1, 32, 16)
    out = norm(h, draws_of(layout, u, v))
    a, b, d, e = norm.tables.view(4, 6, 11)
    row, column = 20, 7
    c, j = layout.classes[0, row, column], layout.instances[0, row, column]
    r, q = norm.draw(u[0, j]), norm.draw(v[0, j])
    expected = h[0, :, row, column] * (a[:, c] * r + b[:, c]) + d[:, c] * q + e[:, c]
    assert torch.allclose(out[0, :6, row, column], expected, atol=1e-4)  # eval: batch norm divides by sqrt(1 + 1e-5)


def test_an_instance_convolution_looks_at_no_other_instance():
    torch.manual_seed(0)
    layout, conv = scene_layouts(32), InstanceConv(3, 5)
    picture = scenes(32).x0
    inside = layout.instances == 1
    elsewhere = torch.where(inside[:, None], picture, -picture)
    assert torch.equal(
        conv(picture, layout.instances) == conv(elsewhere, layout.instances), inside[:, None].expand(-1, 5, -1, -1)
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_with_one_instance_it_is_a_convolution(stride):
    torch.manual_seed(0)
    conv, h = InstanceConv(3, 5, stride=stride), torch.randn(2, 3, 16, 12)
    expected = F.conv2d(h, conv.conv.weight, conv.conv.bias, stride=stride, padding=1)
    assert torch.allclose(conv(h, torch.zeros(2, 16, 12, dtype=torch.int64)), expected, atol=1e-5)


def test_what_is_not_there_keeps_the_prior():
    torch.manual_seed(0)
    layout, noise = scene_layouts(32), draw_noise(made_generator(INADE, 32), range(4))
    posterior = InstanceEncoder(form_of(32))(layout, scenes(32).x0)
    absent = ~(layout.instances.flatten(1)[:, None] == torch.arange(32)[:, None]).any(2)  # (B, J)
    sample = posterior.sample(noise)
    assert torch.equal(sample[2], noise[2])
    for encoded, prior in zip(sample[:2], noise[:2], strict=True):
        assert torch.equal((encoded == prior).all(2), absent)


def test_classes_are_the_instances_where_there_are_none():
    form = LayoutForm((32, 32), 40, has_instances=False)
    assert num_places(form) == 40
    generator = INADE.make_generator(form).eval()
    classes = torch.full((1, 32, 32), 39)
    classes[:, 16:] = 7
    drawn(generator, layout_of(classes, 40), draw_noise(generator, [0]))


def test_instances_beyond_the_last_place_share_it():
    members = members_of(torch.tensor([[[0, 31, 40]]]), 32)
    assert torch.equal(members.argmax(1), torch.tensor([[0, 31, 31]])) and torch.equal(members.sum(1), torch.ones(1, 3))
