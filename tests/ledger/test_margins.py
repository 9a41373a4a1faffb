"""Margins say on which side of its rule a measurement lies and how far; numbers of layouts are those of theory."""

import math
import random
from statistics import NormalDist

import pytest

from sdm_lite.ledger import (
    Record,
    Row,
    Rule,
    decisive,
    find_rule,
    judge,
    margin,
    measured,
    num_measured,
    num_to_decide,
    open_ones,
    verdict_of,
    verdicts,
)

OF = "95 % over 20 layouts"
RULES = [Rule("a", low=0.0), Rule("b", high=1.0), Rule("c", low=-0.5, high=0.5), Rule("d", low=2.0, high=2.5)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.words)
def test_a_margin_decides_as_the_rule_does(rule):
    generator = random.Random(0)
    seen = set()
    for _ in range(500):
        low, high = sorted(generator.uniform(-3, 4) for _ in range(2))
        value = generator.uniform(low, high)
        one = margin(rule, value, (low, high))
        said = "reproduced" if one.low >= 0 and one.high <= one.room else "inconclusive"
        if one.high < 0 or one.low > one.room:
            said = "contradicted"
        assert said == judge(rule, (low, high), value, OF), (low, value, high, one)
        assert one.high - one.low == pytest.approx(2) and one.low <= one.value <= one.high
        seen.add(said)
    assert len(seen) == 3


def test_a_margin_is_a_distance_in_half_widths():
    assert margin(RULES[0], 3.0, (2.0, 4.0)) == (3.0, 2.0, 4.0, math.inf)
    assert margin(RULES[1], 3.0, (2.5, 3.5)) == (-4.0, -5.0, -3.0, math.inf)
    assert margin(RULES[2], 0.4, (0.3, 0.5)) == pytest.approx((1.0, 0.0, 2.0, 10.0))


@pytest.mark.parametrize("interval", [None, (1.0, 1.0)])
def test_without_an_interval_there_is_no_margin(interval):
    assert margin(RULES[0], 1.0, interval) is None
    assert margin(Rule("exact", low=0, needs="nothing"), 1.0, (0.0, 2.0)) is None


def test_numbers_to_decide_are_those_that_decide():
    """A mean of n normal numbers of standard deviation 1, of true value d, has an interval d -+ 1.96 / sqrt(n)."""
    d, n = 0.1, 50
    half = NormalDist().inv_cdf(0.975) / n**0.5
    for chance in (0.5, 0.8, 0.95):
        needed = num_to_decide(d, half, n, chance=chance)
        decides = 1 - NormalDist(d, needed**-0.5).cdf(half * (n / needed) ** 0.5)  # that the lower end is above 0
        assert decides == pytest.approx(chance, abs=2e-3)
    assert num_to_decide(-d, half, n) == num_to_decide(d, half, n) == math.ceil(n * (half / d) ** 2)


@pytest.mark.parametrize("given", [(0, 1, 10), (1, 0, 10), (1, 1, 0)])
def test_what_no_number_decides_is_refused(given):
    with pytest.raises(ValueError, match="^expected a difference other than 0"):
        num_to_decide(*given)
    with pytest.raises(ValueError, match="chance in"):
        num_to_decide(1, 1, 10, chance=1.0)


def test_the_kind_of_an_interval_says_how_many():
    assert num_measured("95 % percentile bootstrap over 16 edits") == (16, "edits")
    assert num_measured("95 % over 512 layouts, 3 seeds: layouts and seeds") == (512, "layouts")
    assert num_measured("") is None


def test_a_notebook_does_not_decide_where_a_stored_run_does():
    notebook = Record("guidance-miou", 0.1, (-0.1, 0.3), OF, "notebook 07_guided_sampling")
    stored = Record("guidance-miou", 0.1, (-0.05, 0.25), OF, "stored run a")
    given = verdicts([notebook, stored])
    assert [one for one, _ in measured(given)] == [stored, notebook] or [one for one, _ in measured(given)] == [
        notebook,
        stored,
    ]
    assert [one for one, _ in decisive(given)] == [one for one, _ in open_ones(given)] == [stored]
    assert [one for one, _ in open_ones(verdicts([notebook]))] == [notebook]
    sure = Record("guidance-miou", 0.1, (0.05, 0.25), OF, "stored run a")
    assert open_ones(verdicts([notebook, sure])) == []


def test_measured_begins_with_what_is_furthest_from_true():
    records = [Record(id, value, (value - 1, value + 1), OF, "stored run a") for id, value in (
        ("guidance-miou", -3.0), ("guidance-fid", -3.0), ("guidance-lpips", 0.5))]  # fmt: skip
    assert [one.id for one, _ in measured(verdicts(records))] == ["guidance-miou", "guidance-lpips", "guidance-fid"]
    assert [verdict_of(one) for one, _ in measured(verdicts(records))] == ["contradicted", "inconclusive", "reproduced"]
    assert find_rule("guidance-fid")[2].high == 0 and Row("a", "b", "c").rules == {}
