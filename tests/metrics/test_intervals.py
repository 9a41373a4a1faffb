"""The bootstrap: widths, coverage, nonsense; what an interval allows to be said."""

import math

import numpy as np
import pytest
import torch

from sdm_lite import metrics


def test_bootstrap_interval_of_a_mean_has_the_width_of_its_standard_error():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high, kind = metrics.bootstrap_interval(
        lambda i: values[i].mean(), len(values), items="pictures", num_resamples=2000
    )
    assert kind == f"95 % percentile bootstrap over {len(values)} pictures"
    half_width = 1.96 * values.std().item() / math.sqrt(len(values))
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * half_width, rel=0.1)


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    generator = torch.Generator().manual_seed(1)
    hits = 0
    for _ in range(200):
        values = torch.randn(40, generator=generator) + 5
        low, high, _ = metrics.bootstrap_interval(
            lambda i, values=values: values[i].mean(), 40, num_resamples=200, level=0.8
        )
        hits += low < 5 < high
    assert 0.70 < hits / 200 < 0.88


def test_bootstrap_is_reproducible_and_rejects_nonsense():
    values = torch.arange(10.0)
    first = metrics.bootstrap(lambda i: values[i].mean(), 10, num_resamples=5, seed=3)
    again = metrics.bootstrap(lambda i: values[i].mean(), 10, num_resamples=5, seed=3)
    other = metrics.bootstrap(lambda i: values[i].mean(), 10, num_resamples=5, seed=4)
    assert (first == again).all() and (first != other).any()
    with pytest.raises(ValueError, match="level must be between 0 and 1, got 95"):
        metrics.bootstrap_interval(lambda i: 0.0, 10, level=95)
    with pytest.raises(ValueError, match="got 0 and 1000"):
        metrics.bootstrap(lambda i: 0.0, 0)


def test_centred_bootstrap_is_the_value_of_all_items_with_the_spread_of_resamples_about_it():
    values = torch.randn(50, generator=torch.Generator().manual_seed(2))

    def largest(i):  # which resampling can only lower
        return values[i].max().item()

    value, interval = metrics.centred_bootstrap(largest, 50, of="50 layouts", num_resamples=200, seed=4)
    replicates = metrics.bootstrap(largest, 50, num_resamples=200, seed=4)
    assert value == values.max().item() > replicates.mean()
    assert interval == metrics.centred_interval(value, replicates, of="50 layouts")


def test_a_resample_is_as_many_of_the_items_and_all_statistics_see_the_same():
    seen = []

    def statistics(indices):
        seen.append(indices)
        return float(indices.sum()), float(indices.sum()) + 1

    values = metrics.bootstrap(statistics, 7, num_resamples=300)
    assert values.shape == (300, 2) and values.dtype == np.float64 and (values[:, 1] - values[:, 0] == 1).all()
    assert all(len(indices) == 7 for indices in seen) and set(torch.cat(seen).tolist()) == set(range(7))
    counts = torch.bincount(torch.cat(seen))
    assert (counts / 300 - 1).abs().max() < 4 * (1 / 300) ** 0.5
    assert metrics.bootstrap(lambda i: float(i), 1, num_resamples=1).tolist() == [0.0]


def test_a_centred_interval_is_the_spread_of_the_replicates_about_the_value():
    replicates = np.append(np.arange(1000.0, 1101.0) ** 2, np.nan)  # far from the value, skewed, one without a number
    low, high, kind = metrics.centred_interval(3.0, replicates, of="5 layouts", level=0.9)
    mean = np.mean(np.arange(1000.0, 1101.0) ** 2)
    assert (low, high) == pytest.approx((3 + 1005**2 - mean, 3 + 1095**2 - mean))
    assert kind == "90 % centred bootstrap over 5 layouts"
    assert metrics.centred_interval(3.0, replicates, of="layouts").kind.startswith("95 %")
    for level in (0, 1):
        with pytest.raises(ValueError, match="level must be between 0 and 1"):
            metrics.centred_interval(3.0, replicates, of="layouts", level=level)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.1, 0.1, "as good"),
        (0.05, 0.15, "as good"),  # real, and too little to matter
        (-0.15, -0.05, "as good"),
        (-0.3, -0.1, "better"),
        (0.1, 0.3, "worse"),
        (-0.3, 0.1, "undecided"),
        (-0.1, 0.3, "undecided"),
        (-0.5, 0.5, "undecided"),
        (-0.2, 0.1, "undecided"),  # as far as the margin is not within it
        (-0.1, 0.2, "undecided"),
        (-0.5, 0.0, "undecided"),  # nor does touching 0 exclude it
        (0.0, 0.5, "undecided"),
    ],
)
def test_what_an_interval_of_a_difference_allows_to_be_said(low, high, said):
    assert metrics.verdict(metrics.Interval(low, high, "95 %"), margin=0.2) == said


@pytest.mark.parametrize("margin", [0.0, -0.2, math.nan])
def test_a_margin_that_is_none_is_told(margin):
    with pytest.raises(ValueError, match="margin must be positive"):
        metrics.verdict(metrics.Interval(0.1, 0.2, "95 %"), margin=margin)
