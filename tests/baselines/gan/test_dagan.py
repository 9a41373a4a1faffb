"""DAGAN: SPADE plus two gates, each of which acts, one by place and one by channel."""

import pytest
import torch
from gans import check_deterministic, check_pictures, made_generator, made_layouts, num_parameters
from torch import nn

from sdm_lite.baselines.gan.dagan import DAGAN, DualAttention
from sdm_lite.baselines.gan.spade import SPADE_GAN


def zeroed(module):
    for weights in module.parameters():
        nn.init.zeros_(weights)
    return module


@pytest.fixture
def attention():
    """Both gates half open and nothing skipped: 1/2 y + 1/2 y."""
    torch.manual_seed(0)
    return zeroed(DualAttention(8, 4))


@pytest.fixture
def features():
    return torch.randn(2, 8, 16, 16), torch.rand(2, 4, 16, 16) + 0.5


@pytest.mark.parametrize("size, millions", [(32, 0.99), (64, 1.74)])
def test_pictures_and_parameters(size, millions):
    check_pictures(DAGAN, size)
    assert num_parameters(made_generator(DAGAN, size)) == pytest.approx(millions * 1e6, rel=0.01)


def test_deterministic():
    check_deterministic(DAGAN)


def test_it_is_spade_plus_gates():
    ours, theirs, layout = made_generator(DAGAN), made_generator(SPADE_GAN), made_layouts()
    added = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert added.unexpected_keys == [] and all(key.startswith("attention.") for key in added.missing_keys)
    ours.eval(), theirs.eval()
    assert not torch.allclose(ours(layout), theirs(layout), atol=1e-3)
    zeroed(ours.attention)  # half of one gate, half of the other, no skip
    torch.testing.assert_close(ours(layout), theirs(layout))


def test_the_gate_by_place_has_one_factor_a_pixel(attention, features):
    before, after = features
    nn.init.normal_(attention.spatial_gate.conv.weight)
    factors = attention(before, after) / after - 0.5  # less the other gate
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert factors[:, 0].std() > 0.05 and factors.min() > 0 and factors.max() < 1


def test_the_gate_by_place_reads_mean_and_largest_of_the_channels(attention, features):
    _, after = features
    for channel, wanted in ((0, after.mean(1)), (1, after.max(1).values)):
        zeroed(attention).spatial_gate.conv.weight.data[0, channel, 1, 1] = 1
        torch.testing.assert_close(attention.spatial_gate(after)[:, 0], wanted.sigmoid())


def test_the_gate_by_channel_has_one_factor_a_channel(attention, features):
    before, after = features
    for weights in attention.channel_gate.parameters():
        nn.init.normal_(weights)
    factors = attention(before, after) / after - 0.5
    torch.testing.assert_close(factors, factors[:, :, :1, :1].expand_as(factors))
    assert factors[:, :, 0, 0].std(1).min() > 0.05 and factors.min() > 0 and factors.max() < 1


def test_the_gate_by_channel_reads_the_means_of_what_is_skipped_and_of_what_is_not(attention, features):
    before, after = features
    for weights in attention.channel_gate.parameters():
        nn.init.normal_(weights)
    skipped = torch.rand(2, 4, 16, 16)
    factors = attention.channel_gate(skipped, after)
    shuffled = after.flatten(2)[:, :, torch.randperm(256)].view_as(after)
    torch.testing.assert_close(attention.channel_gate(skipped, shuffled), factors)
    assert not torch.allclose(attention.channel_gate(skipped + 1, after), factors, atol=1e-3)
    assert not torch.allclose(attention.channel_gate(skipped, after + 1), factors, atol=1e-3)


def test_the_skip_is_added_whole(attention, features):
    before, after = features
    nn.init.normal_(attention.skip.weight)
    torch.testing.assert_close(attention(before, after), after + attention.skip(before))


def test_all_else_is_that_of_spade():
    differ = [name for name, ours, theirs in zip(DAGAN._fields, DAGAN, SPADE_GAN, strict=True) if ours != theirs]
    measured = ["rate_factor"]  # for each system, on validation layouts
    assert differ == ["name", "title", "citation", "make_generator", *measured]
