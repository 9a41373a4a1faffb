"""Subsets without replacement: the standard error of a mean is the textbook's, and what belongs together stays so."""

import math

import numpy as np
import pytest
import torch

from sdm_lite.metrics import neighbourhoods, normal_interval, share_interval, subset_errors


def names(prefix, number):
    return [f"{prefix}{i}" for i in range(number)]


@pytest.mark.parametrize("most", [500, 20])  # half of the pictures, and a tenth
def test_the_error_of_a_mean_is_the_textbook_s(most):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(200, generator=generator), 3 * torch.randn(200, generator=generator)
    (got, of_a) = subset_errors(
        lambda i, j: (a[i].mean() - b[j].mean(), a[i].mean()), names("a", 200), names("b", 200),
        most=most, num_subsets=2000,
    )  # fmt: skip
    assert got == pytest.approx(math.sqrt(a.var() / 200 + b.var() / 200), rel=0.08)
    assert of_a == pytest.approx(math.sqrt(a.var() / 200), rel=0.08)


def test_pictures_of_one_name_go_together():
    """A true picture and the sample of its label map are chosen together, so a paired difference has a paired error."""
    generator = torch.Generator().manual_seed(1)
    a = torch.randn(100, generator=generator)
    b = a.repeat_interleave(3) + 1e-6 * torch.randn(300, generator=generator)
    one, three = names("map", 100), [name for name in names("map", 100) for _ in range(3)]
    (paired,) = subset_errors(lambda i, j: (a[i].mean() - b[j].mean(),), one, three)
    assert paired < 1e-4
    (apart,) = subset_errors(lambda i, j: (a[i].mean() - b[j].mean(),), one, names("other", 300))
    assert apart > 0.05


def test_subsets_have_no_duplicates_and_half_of_the_pictures():
    seen = []
    subset_errors(lambda i, j: seen.append((i, j)) or (0.0,), names("a", 11), names("b", 30), num_subsets=5)
    for i, j in seen:
        assert len(i) == len(i.unique()) == 6 and len(j) == len(j.unique()) == 15
    assert len({tuple(i.tolist()) for i, _ in seen}) > 1


@pytest.mark.slow
def test_intervals_cover_what_sets_of_this_size_score_on_average():
    """Precision, recall, density, coverage of 120 pictures against 120: 95 % intervals that miss rarely."""
    shifts, sets, missed = (0.0, 1.0), 60, np.zeros(4)
    generator = torch.Generator().manual_seed(2)
    for shift in shifts:
        pairs = torch.randn(400, 2, 120, 6, generator=generator)
        pairs[:, 1] += shift * torch.tensor([1.0, 0, 0, 0, 0, 0])
        expected = np.mean([neighbourhoods(*pair) for pair in pairs], axis=0)
        for a, b in pairs[:sets]:
            errors = subset_errors(
                lambda i, j, a=a, b=b: neighbourhoods(a[i], b[j]), names("a", 120), names("b", 120), num_subsets=50
            )
            missed += np.abs(np.array(neighbourhoods(a, b)) - expected) > 1.96 * errors
    assert (missed / (sets * len(shifts)) < 0.12).all(), missed


def test_a_share_s_interval_is_wilson_s_and_never_a_point():
    # Wilson (1927) at p = 0.9, n = 10: 0.5958, 0.9821.
    low, high, kind = share_interval(0.9, math.sqrt(0.09 / 10), 10, "over pictures")
    assert (low, high) == (pytest.approx(0.5958, abs=1e-3), pytest.approx(0.9821, abs=1e-3)) and "Wilson" in kind
    assert share_interval(1.0, 0.0, 100, "")[:2] == (pytest.approx(100 / (100 + 3.8415), abs=1e-4), 1.0)
    wide, narrow = (share_interval(0.5, error, 100, "") for error in (0.2, 0.05))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert share_interval(0.5, 0.0, 100, "")[:2] == share_interval(0.5, 0.05, 100, "")[:2]


def test_a_normal_interval_says_what_it_is():
    assert normal_interval(1.0, 0.5, "over pictures") == (
        pytest.approx(0.02, abs=1e-3), pytest.approx(1.98, abs=1e-3), "95 %, normal, over pictures",
    )  # fmt: skip


@pytest.mark.parametrize("number, num_subsets", [(1, 5), (5, 1)])
def test_too_little_to_spread_is_refused(number, num_subsets):
    with pytest.raises(ValueError, match="at least 2 names in each set and 2 subsets"):
        subset_errors(lambda i, j: (0.0,), names("a", number), names("b", 5), num_subsets=num_subsets)
