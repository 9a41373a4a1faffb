"""Frechet and kernel distance: closed forms, explicit sums, what is no set of features."""

import math

import pytest
import torch

from sdm_lite import metrics
from sdm_lite.metrics.frechet import Moments, frechet_distance_of_moments


def exact_samples(mean: torch.Tensor, covariance: torch.Tensor, num: int = 400) -> torch.Tensor:
    """Samples whose mean and covariance are the given ones exactly, not only on average."""
    noise = torch.randn(num, len(mean), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = noise - noise.mean(0)
    whitened = noise @ torch.linalg.inv(torch.linalg.cholesky(noise.T @ noise / (num - 1))).T
    return whitened @ torch.linalg.cholesky(covariance).T + mean


def random_covariance(dimension: int, seed: int) -> torch.Tensor:
    root = torch.randn(dimension, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.T + 0.1 * torch.eye(dimension, dtype=torch.float64)


def test_moments_follow_from_sums():
    features = 3 + torch.randn(2, 20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = metrics.moments_of_sums(features.sum(1), features.mT @ features, 20)
    for mean, covariance, one in zip(*found, features, strict=True):
        torch.testing.assert_close(Moments(mean, covariance), metrics.feature_moments(one))


def test_frechet_distance_of_commuting_gaussians_is_the_closed_form():
    mean_a, mean_b = torch.tensor([0.0, 1.0, -2.0]), torch.tensor([1.0, 1.0, 0.5])
    std_a, std_b = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([3.0, 2.0, 0.1])
    a = exact_samples(mean_a.double(), torch.diag(std_a.double() ** 2))
    b = exact_samples(mean_b.double(), torch.diag(std_b.double() ** 2))
    expected = ((mean_a - mean_b) ** 2).sum() + ((std_a - std_b) ** 2).sum()
    assert metrics.frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-6)


def test_frechet_distance_of_general_gaussians_uses_the_root_of_the_product():
    covariance_a, covariance_b = random_covariance(5, 1), random_covariance(5, 2)
    zero = torch.zeros(5, dtype=torch.float64)
    # S_a S_b is not symmetric, but its eigenvalues are those of the symmetric form, real and positive.
    trace_of_root = torch.linalg.eigvals(covariance_a @ covariance_b).real.sqrt().sum()
    expected = covariance_a.trace() + covariance_b.trace() - 2 * trace_of_root
    got = metrics.frechet_distance(exact_samples(zero, covariance_a), exact_samples(zero, covariance_b))
    assert got == pytest.approx(expected.item(), rel=1e-6)


def test_frechet_distance_is_a_distance_also_with_fewer_samples_than_dimensions():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(10, 32, generator=generator), torch.randn(12, 32, generator=generator)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert metrics.frechet_distance(a, b) == pytest.approx(metrics.frechet_distance(b, a), rel=1e-6)
    assert metrics.frechet_distance(a, b + 3) > metrics.frechet_distance(a, b) + 100


def test_many_pairs_at_once_are_each_pair_and_none_is_negative():
    means = torch.randn(20, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    many = Moments(means, torch.stack([random_covariance(5, seed) for seed in range(20)]))
    one = Moments(many.mean[0], many.covariance[0])
    each = torch.stack([frechet_distance_of_moments(Moments(*pair), one) for pair in zip(*many, strict=True)])
    torch.testing.assert_close(frechet_distance_of_moments(many, one), each)
    same = frechet_distance_of_moments(many, many)  # zero, which rounding leaves on either side
    assert same.min() == 0 and same.max() < 1e-9


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.randn(1, 4), r"N >= 2, got \(1, 4\)"),
        (torch.randn(5), r"got \(5,\)"),
        (torch.randn(5, 3), r"one dimension D, got \(5, 3\) and \(6, 4\)"),
        (torch.full((5, 4), math.nan), "finite, got 20"),
    ],
)
@pytest.mark.parametrize("function", [metrics.frechet_distance, metrics.kernel_distance])
def test_distances_reject_unusable_features(function, bad, message):
    with pytest.raises(ValueError, match=message if bad.ndim == 2 else "features must"):
        function(bad, torch.randn(6, 4))


def test_kernel_distance_by_explicit_sums():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(4, 3, generator=generator).double(), torch.randn(5, 3, generator=generator).double()

    def k(x, y):
        return (float(x @ y) / 3 + 1) ** 3

    expected = sum(k(a[i], a[j]) for i in range(4) for j in range(4) if i != j) / 12
    expected += sum(k(b[i], b[j]) for i in range(5) for j in range(5) if i != j) / 20
    expected -= 2 * sum(k(x, y) for x in a for y in b) / 20
    assert metrics.kernel_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_has_no_bias_and_sees_a_shift():
    generator = torch.Generator().manual_seed(0)
    same = [metrics.kernel_distance(*torch.randn(2, 20, 4, generator=generator)) for _ in range(300)]
    same = torch.tensor(same)
    assert same.mean().abs() < 3 * same.std() / math.sqrt(len(same))
    assert (same < 0).any()  # as an estimator without bias must be, now and then
    a, b = torch.randn(2, 200, 4, generator=generator)
    assert metrics.kernel_distance(a, b + 1) > 1


@pytest.mark.parametrize("rows", [2, 1000])
def test_kernel_distance_of_groups_leaves_out_pairs_of_one_group(monkeypatch, rows):
    monkeypatch.setattr("sdm_lite.metrics.kernel.ROWS", rows)
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(4, 3, generator=generator).double(), torch.randn(5, 3, generator=generator).double()
    of_a, of_b = torch.tensor([0, 1, 1, 2]), torch.tensor([1, 0, 3, 3, 4])

    def mean(x, y, of_x, of_y):
        pairs = [(i, j) for i in range(len(x)) for j in range(len(y)) if of_x[i] != of_y[j]]
        return sum((float(x[i] @ y[j]) / 3 + 1) ** 3 for i, j in pairs) / len(pairs)

    expected = mean(a, a, of_a, of_a) + mean(b, b, of_b, of_b) - 2 * mean(a, b, of_a, of_b)
    assert metrics.kernel_distance_of_groups(a, b, of_a, of_b) == pytest.approx(expected, rel=1e-12)
    alone = torch.arange(4), torch.arange(4, 9)
    assert metrics.kernel_distance_of_groups(a, b, *alone) == pytest.approx(metrics.kernel_distance(a, b), rel=1e-12)


def test_copies_of_one_map_are_at_no_distance_where_pairs_of_one_group_are_left_out():
    """Half of the variance is the map's, in both sets: with its pairs the distance is far below 0, without it is 0."""
    generator = torch.Generator().manual_seed(1)
    paired, fresh = [], []
    for _ in range(200):
        maps = torch.randn(20, 4, generator=generator)
        a, b = maps + torch.randn(2, 20, 4, generator=generator)
        paired.append(metrics.kernel_distance(a, b))
        fresh.append(metrics.kernel_distance_of_groups(a, b, torch.arange(20), torch.arange(20)))
    paired, fresh = torch.tensor(paired), torch.tensor(fresh)
    assert fresh.mean().abs() < 3 * fresh.std() / math.sqrt(200)
    assert paired.mean() < -10 * paired.std() / math.sqrt(200)


@pytest.mark.parametrize("numbers", [(5, 9), (9, 5), (2, 2)])
def test_few_pictures_of_many_features_have_the_distance_of_their_moments(numbers):
    generator = torch.Generator().manual_seed(3)
    a, b = (torch.randn(n, 40, generator=generator).double() * (1 + n) + n for n in numbers)
    expected = metrics.frechet_distance_of_moments(metrics.feature_moments(a), metrics.feature_moments(b)).item()
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_kernel_distance_is_the_same_whatever_is_held_at_a_time(monkeypatch, rows):
    a, b = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0))
    expected = metrics.kernel_distance(a, b)
    monkeypatch.setattr("sdm_lite.metrics.kernel.ROWS", rows)
    assert metrics.kernel_distance(a, b) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1e41, 1e200, 1e300])
@pytest.mark.parametrize("num", [3, 40])  # by the small matrix, and by the covariances
def test_features_too_large_to_be_squared_are_told(scale, num):
    features = torch.randn(num, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for distance in (metrics.frechet_distance, metrics.kernel_distance):
        with pytest.raises(ValueError, match=r"features must be at most 1e\+40, got one of .*: scale them down"):
            distance(features, scale * features)
        assert math.isfinite(distance(features, 1e38 * features)), "no float32 is too large"
    with pytest.raises(ValueError, match="moments must be finite"):
        frechet_distance_of_moments(
            Moments(torch.zeros(2), torch.full((2, 2), math.inf)), Moments(*torch.ones(3, 2).split([1, 2]))
        )
