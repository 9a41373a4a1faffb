"""Intervals over layouts and seeds cover as often as they say."""

import numpy as np
import pytest

from sdm_lite.metrics import layouts_and_seeds_interval
from sdm_lite.metrics.seeds import student_quantile


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("of_layouts, of_seeds", [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_coverage_is_near_its_level(groups, of_layouts, of_seeds):
    generator, covered, number = np.random.default_rng(1), 0, 400
    for _ in range(number):
        seeds = [generator.normal(0, of_seeds, 3) for _ in range(groups)]
        layouts = generator.normal(0, of_layouts)
        value = layouts + seeds[0].mean() - (seeds[1].mean() if groups == 2 else 0)
        replicates = value + generator.normal(0, of_layouts, 200)
        interval = layouts_and_seeds_interval(value, replicates, seeds, num_layouts=200)
        covered += interval.low <= 0 <= interval.high
    assert 0.92 <= covered / number <= 0.99  # of three seeds against three it is somewhat wide


def test_of_one_group_alone_it_is_student_s_interval():
    values = [1.0, 2.0, 4.0]
    interval = layouts_and_seeds_interval(np.mean(values), np.zeros(10), [values], num_layouts=7)
    half = 4.303 * np.std(values, ddof=1) / np.sqrt(3)  # Student's t, 2 degrees of freedom, 97.5 %
    assert interval[:2] == pytest.approx((np.mean(values) - half, np.mean(values) + half), rel=1e-3)
    assert interval.kind == "95 % over 7 layouts and 3 seeds"


@pytest.mark.parametrize("freedom, table", [(1, 12.706), (2, 4.303), (4, 2.776), (30, 2.042), (1e4, 1.960)])
def test_student_s_quantile_is_the_table_s(freedom, table):
    assert student_quantile(0.975, freedom) == pytest.approx(table, abs=2e-3)


def test_one_seed_says_nothing_of_others():
    with pytest.raises(ValueError, match=r"expected at least 2 seeds in each group, got \[3, 1\]"):
        layouts_and_seeds_interval(0.0, np.zeros(3), [[1.0, 2.0, 3.0], [1.0]], num_layouts=3)
    with pytest.raises(ValueError, match="level must be between 0 and 1, got 95"):
        layouts_and_seeds_interval(0.0, np.zeros(3), [[1.0, 2.0]], num_layouts=3, level=95)
