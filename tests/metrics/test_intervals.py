"""The bootstrap: widths, coverage, nonsense."""

import math

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
