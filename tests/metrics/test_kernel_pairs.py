"""Kernel distance over items that each have several pictures: explicit sums, no bias, resampling."""

import pytest
import torch

from sdm_lite import metrics


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_contrasts_by_explicit_sums():
    a, b = noise(3, 2, 5, seed=0), noise(3, 4, 5, seed=1)
    contrasts = metrics.kernel_contrasts(a, b)

    def k(x, y):
        return sum(float((u @ v / 5 + 1) ** 3) for u in x for v in y) / (len(x) * len(y))

    for i in range(3):
        for j in range(3):
            expected = k(a[i], a[j]) + k(b[i], b[j]) - k(a[i], b[j]) - k(b[i], a[j])
            assert contrasts[i, j].item() == pytest.approx(expected, rel=1e-9)


def test_mean_over_pairs_leaves_out_an_item_with_itself_and_its_copies():
    contrasts = torch.tensor([[100.0, 1.0, 2.0], [1.0, 100.0, 4.0], [2.0, 4.0, 100.0]]).double()
    assert metrics.mean_over_pairs(contrasts) == pytest.approx(7 / 3)
    assert metrics.mean_over_pairs(contrasts, torch.tensor([0, 0, 2])) == pytest.approx(2)  # two copies are no pair
    assert metrics.mean_over_pairs(contrasts, torch.tensor([0, 0, 1, 2])) == pytest.approx((2 * 1 + 2 * 2 + 4) / 5)


def test_pictures_of_one_item_that_are_alike_are_no_bias():
    """Items far apart, their pictures close together: the mean over many sets is 0, and a shift is not."""
    values, shifted = [], []
    for seed in range(200):
        items = noise(12, 1, 3, seed=seed)
        a, b = items + 0.3 * noise(12, 2, 3, seed=1000 + seed), items + 0.3 * noise(12, 4, 3, seed=2000 + seed)
        values.append(metrics.mean_over_pairs(metrics.kernel_contrasts(a, b)))
        shifted.append(metrics.mean_over_pairs(metrics.kernel_contrasts(a + 0.5, b)))
    values = torch.tensor(values)
    assert abs(values.mean()) < 4 * values.std() / 200**0.5
    assert torch.tensor(shifted).mean() > 10 * values.std() / 200**0.5


def test_contrasts_refuse_other_items():
    with pytest.raises(ValueError, match=r"same L >= 2 items, got \(3, 1, 4\) and \(2, 1, 4\)"):
        metrics.kernel_contrasts(torch.zeros(3, 1, 4), torch.zeros(2, 1, 4))
    with pytest.raises(ValueError, match="one dimension D"):
        metrics.kernel_contrasts(torch.zeros(3, 1, 4), torch.zeros(3, 1, 5))
    with pytest.raises(ValueError, match="finite, got 12"):
        metrics.kernel_contrasts(torch.full((3, 1, 4), torch.nan), torch.zeros(3, 1, 4))
