"""Kernel distance over label maps that each have several pictures: explicit sums, no bias, resampling."""

import pytest
import torch

from sdm_lite import metrics


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_pair_kernel_by_explicit_sums():
    a, b = noise(3, 2, 5, seed=0), noise(3, 4, 5, seed=1)
    pairs = metrics.pair_kernel(a, b)

    def k(x, y):
        return sum(float((u @ v / 5 + 1) ** 3) for u in x for v in y) / (len(x) * len(y))

    for i in range(3):
        for j in range(3):
            expected = k(a[i], a[j]) + k(b[i], b[j]) - k(a[i], b[j]) - k(b[i], a[j])
            assert pairs[i, j].item() == pytest.approx(expected, rel=1e-9)


def test_resampled_pairs_leave_out_a_map_with_itself_and_its_copies():
    pairs = torch.tensor([[100.0, 1.0, 2.0], [1.0, 100.0, 4.0], [2.0, 4.0, 100.0]]).double()
    assert metrics.kernel_distance_of_pairs(pairs, torch.arange(3)) == pytest.approx(7 / 3)
    for drawn, expected in (([0, 0, 2], 2), ([0, 0, 1, 2], (2 * 1 + 2 * 2 + 4) / 5)):  # two copies are no pair
        assert metrics.kernel_distance_of_pairs(pairs, torch.tensor(drawn)) == pytest.approx(expected)


def test_samples_that_are_like_the_true_pictures_of_their_own_map_are_no_bias():
    """Maps far apart, their pictures close together: the mean over many sets is 0, and a shift is not."""
    values, shifted, crossed = [], [], []
    for seed in range(200):
        maps = noise(12, 1, 3, seed=seed)
        a, b = maps + 0.3 * noise(12, 2, 3, seed=1000 + seed), maps + 0.3 * noise(12, 4, 3, seed=2000 + seed)
        values.append(metrics.kernel_distance_of_pairs(metrics.pair_kernel(a, b), torch.arange(12)))
        shifted.append(metrics.kernel_distance_of_pairs(metrics.pair_kernel(a + 0.5, b), torch.arange(12)))
        crossed.append(metrics.kernel_distance(a.flatten(0, 1), b.flatten(0, 1)))
    values = torch.tensor(values)
    assert abs(values.mean()) < 4 * values.std() / 200**0.5
    assert torch.tensor(shifted).mean() > 10 * values.std() / 200**0.5
    assert torch.tensor(crossed).mean().abs() > 10 * values.std() / 200**0.5, "which compares pictures of one map"


def test_pair_kernel_refuse_other_maps():
    with pytest.raises(ValueError, match=r"one L >= 2, got \(3, 1, 4\) and \(2, 1, 4\)"):
        metrics.pair_kernel(torch.zeros(3, 1, 4), torch.zeros(2, 1, 4))
    with pytest.raises(ValueError, match="one dimension D"):
        metrics.pair_kernel(torch.zeros(3, 1, 4), torch.zeros(3, 1, 5))
    with pytest.raises(ValueError, match="finite, got 12"):
        metrics.pair_kernel(torch.full((3, 1, 4), torch.nan), torch.zeros(3, 1, 4))
