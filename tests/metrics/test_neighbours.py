"""Precision, recall, density, coverage: on a line by hand, and by the definitions written out pair by pair."""

import math

import pytest
import torch

from sdm_lite.metrics import neighbours
from sdm_lite.metrics.neighbours import Neighbourhoods, neighbourhoods


def by_definition(real, samples, k_precision, k_density):
    """Every ball, every point: loops over plain numbers."""
    real, samples = real.tolist(), samples.tolist()

    def radius(points, i, k):
        return sorted(math.dist(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]

    def inside(point, points, k):
        return sum(math.dist(point, centre) <= radius(points, i, k) for i, centre in enumerate(points))

    return Neighbourhoods(
        precision=sum(inside(s, real, k_precision) > 0 for s in samples) / len(samples),
        recall=sum(inside(r, samples, k_precision) > 0 for r in real) / len(real),
        density=sum(inside(s, real, k_density) for s in samples) / (k_density * len(samples)),
        coverage=sum(any(math.dist(s, r) <= radius(real, i, k_density) for s in samples) for i, r in enumerate(real))
        / len(real),
    )


@pytest.mark.parametrize("rows", [3, 1024])
@pytest.mark.parametrize("shift, spread", [(0, 1), (1, 1), (0, 0.3), (0, 2)])
def test_it_is_the_definition(monkeypatch, rows, shift, spread):
    monkeypatch.setattr(neighbours, "ROWS", rows)
    generator = torch.Generator().manual_seed(1)
    real = torch.randn(23, 4, generator=generator, dtype=torch.float64) + 100
    samples = spread * torch.randn(17, 4, generator=generator, dtype=torch.float64) + shift + 100
    got = neighbourhoods(real, samples, precision_neighbours=2, density_neighbours=4)
    assert got == pytest.approx(by_definition(real, samples, 2, 4))


def test_a_case_by_hand():
    # On a line, k = 1. Balls of the true pictures: [-1, 1], [0, 2], [9, 11], [10, 12].
    real = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
    samples = torch.tensor([[0.5], [0.75], [30.0], [40.0]])
    got = neighbourhoods(real, samples, precision_neighbours=1, density_neighbours=1)
    # 0.5 and 0.75 lie in the balls of 0 and of 1; 30 and 40 in none.
    assert got.precision == 0.5 and got.density == (2 + 2) / 4
    # Balls of the samples: [0.25, 0.75], [0.5, 1], [20, 40], [30, 50]: 1 lies on a border, the rest nowhere.
    assert got.recall == 0.25 and got.coverage == 0.5


def test_what_each_of_the_four_is_for():
    generator = torch.Generator().manual_seed(2)
    real, same = torch.randn(2, 200, 3, generator=generator)
    # One mode in place of many: what is drawn is true to life, and most of what there is, is never drawn.
    narrow = neighbourhoods(real, 0.1 * same)
    assert narrow.precision > 0.95 and narrow.density > 1 and narrow.recall < 0.1 and narrow.coverage < 0.3
    # Everything there is, and as much beside: half of what is drawn is wrong.
    beside = torch.cat([same[:100], same[100:] + 50])
    assert neighbourhoods(real, beside).precision < 0.55 and neighbourhoods(real, beside).recall > 0.8


def test_copies_count_as_at_distance_zero():
    real = torch.randn(1, 8, generator=torch.Generator().manual_seed(3)).repeat(6, 1) * 1e3
    assert neighbourhoods(real, real.clone()) == Neighbourhoods(1.0, 1.0, 6 / 5, 1.0)
    other = real + 1e-3
    assert neighbourhoods(real, other) == Neighbourhoods(0.0, 0.0, 0.0, 0.0)


def test_one_outlier_of_the_truth_lets_everything_be_precise_and_density_sees_it():
    """The weakness of precision that Naeem et al. (2020) start from."""
    generator = torch.Generator().manual_seed(4)
    real = torch.cat([torch.randn(100, 2, generator=generator), torch.tensor([[1000.0, 0.0]])])
    nonsense = 100 * torch.randn(100, 2, generator=generator) + torch.tensor([500.0, 0.0])
    got = neighbourhoods(real, nonsense)
    assert got.precision > 0.95 and got.density < 0.5


@pytest.mark.parametrize(
    "real, samples, message",
    [
        (torch.randn(5, 2), torch.randn(9, 2), "got 3 and 5 of 5 true pictures and 9 samples"),
        (torch.randn(9, 2), torch.randn(4, 2), "got 3 and 5 of 9 true pictures and 4 samples"),
        (torch.randn(9, 2), torch.randn(9, 3), "one dimension D"),
        (torch.full((9, 2), math.nan), torch.randn(9, 2), "finite, got 18"),
    ],
)
def test_what_cannot_be_compared_is_refused(real, samples, message):
    with pytest.raises(ValueError, match=message):
        neighbourhoods(real, samples)
