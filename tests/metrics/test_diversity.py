"""Diversity and shares."""

import pytest
import torch

from sdm_lite import metrics


def test_pairwise_diversity_is_the_mean_over_all_pairs_once():
    calls = []

    def distance(a, b):
        calls.append(len(a))
        return (a - b).abs().mean((1, 2, 3))

    levels = torch.tensor([0.0, 1.0, 3.0, 7.0])
    samples = levels[:, None, None, None].expand(4, 3, 2, 2)
    expected = (1 + 3 + 7 + 2 + 6 + 4) / 6
    assert metrics.pairwise_diversity(distance, samples) == pytest.approx(expected)
    assert sum(calls) == 6
    assert metrics.pairwise_diversity(distance, samples[:2]) == 1
    with pytest.raises(ValueError, match="at least 2 samples of a layout, got 1"):
        metrics.pairwise_diversity(distance, samples[:1])


def test_total_variation():
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.3, 0.5])
    assert metrics.total_variation(p, q) == pytest.approx(0.3)
    assert metrics.total_variation(p, p) == 0
    assert metrics.total_variation(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == 1
    for factor in (2, 0.5):
        with pytest.raises(ValueError, match="q must be >= 0 and sum to 1"):
            metrics.total_variation(p, factor * q)
    with pytest.raises(ValueError, match="got 3 and 2 outcomes"):
        metrics.total_variation(p, torch.tensor([0.5, 0.5]))
