"""Residuals: what groups explain is gone, what they do not explain stays."""

import pytest
import torch

from sdm_lite import metrics


def grouped(shares: tuple[float, ...], num: int, seed: int, *, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features about the mean of their group, groups in the given shares."""
    g = torch.Generator().manual_seed(seed)
    groups = torch.multinomial(torch.tensor(shares), num, replacement=True, generator=g)
    return 10.0 * groups[:, None] + torch.randn(num, 3, generator=g) + shift, groups


def test_by_hand():
    reference, groups = torch.tensor([[1.0], [3.0], [10.0]]), torch.tensor([0, 0, 1])
    got = metrics.residuals(torch.tensor([[2.5], [9.0], [5.0]]), torch.tensor([0, 1, 2]), reference, groups)
    torch.testing.assert_close(got[:, 0], torch.tensor([0.5, -1.0, 5.0 - 14 / 3]).double())  # group 2: mean of all


def test_other_shares_of_groups_are_no_difference_and_a_shift_within_them_is():
    reference, reference_groups = grouped((0.5, 0.5), 4000, 0)
    target = metrics.residuals(reference, reference_groups, reference, reference_groups)
    other, groups = grouped((0.9, 0.1), 4000, 1)
    assert metrics.frechet_distance(other, reference) > 10
    assert metrics.frechet_distance(metrics.residuals(other, groups, reference, reference_groups), target) < 0.01
    shifted, groups = grouped((0.9, 0.1), 4000, 1, shift=0.5)
    distance = metrics.frechet_distance(metrics.residuals(shifted, groups, reference, reference_groups), target)
    assert distance == pytest.approx(3 * 0.5**2, rel=0.15)


def test_a_group_for_each_is_asked_for():
    one, groups = grouped((0.5, 0.5), 10, 0)
    with pytest.raises(ValueError, match=r"a group for each of 10 and 10 features, got \(9,\) and \(10,\)"):
        metrics.residuals(one, groups[1:], one, groups)
    with pytest.raises(ValueError, match=r"one dimension D, got \(10, 2\) and \(10, 3\)"):
        metrics.residuals(one[:, :2], groups, one, groups)
