"""SPADE is a group norm, and its scale and shift are the two halves of a small network on the condition."""

import torch

from sdm_lite.pyramid import Level
from sdm_lite.spade import SPADE


def test_spade_scales_and_shifts_the_normalised_features():
    torch.manual_seed(0)
    spade = SPADE(8, condition_channels=3, hidden_channels=4, num_groups=4)
    h, condition = torch.randn(2, 8, 6, 6), torch.rand(2, 3, 6, 6)
    modulation = spade.read(Level(condition))
    group = h.view(2, 4, -1)
    normalised = (
        (group - group.mean(-1, keepdim=True)) / (group.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    ).view_as(h)
    torch.testing.assert_close(spade(h, modulation), normalised * modulation.scale + modulation.shift)
    gamma = spade.gamma_beta(torch.relu(spade.shared(condition)))[:, :8]
    torch.testing.assert_close(modulation.scale, 1 + gamma)


def test_unless_told_otherwise_it_is_the_published_one():
    spade = SPADE(64, condition_channels=3)
    assert spade.shared.weight.shape == (128, 3, 3, 3) and spade.gamma_beta.weight.shape == (128, 128, 3, 3)
    assert spade.num_groups == 32 and spade.level == 0
