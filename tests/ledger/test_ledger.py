"""Rules can fail, rows can be named, verdicts combine by what verdicts.py says, and what is worse is told."""

import pytest

from sdm_lite.ledger import ROWS, Record, Row, Rule, coverage, find_rule, judge, verdicts, worsened
from sdm_lite.ledger.rules import range_in_words

EVERY_RULE = [(row, part, rule) for row in ROWS for part, rule in row.rules.items()]
OF = "95 % over 512 layouts"
MADE = (
    Row("one", "Eq. 1", "One.", rules={"": Rule("a", low=0)}),
    Row("two", "Eq. 2", "Two.", rules={"left": Rule("b", low=0), "right": Rule("c", high=0, needs="nothing")}),
    Row("seeded", "Eq. 3", "Three.", rules={"": Rule("d", low=0, needs="layouts and seeds")}),
    Row("open", "Eq. 4", "Four.", tested="It takes more."),
)


def record(id="one", low=1.0, high=2.0, *, source="stored run a", kind=OF, stale=""):
    return Record(id, (low + high) / 2, (low, high), kind, source, "small", stale)


def of(id, *records):
    (found,) = [one for one in verdicts(records, MADE) if one.row.id == id]
    return found


@pytest.mark.parametrize(("row", "part", "rule"), EVERY_RULE, ids=[row.name(part) for row, part, _ in EVERY_RULE])
def test_every_rule_can_be_met_and_can_fail(row, part, rule):
    inside = rule.low if rule.low is not None else rule.high
    outside = rule.low - 1 if rule.low is not None else rule.high + 1
    said = [judge(rule, (one, one), one, "layouts and seeds") for one in (inside, outside)]
    assert said == ["reproduced", "contradicted"]
    assert judge(rule, (inside - 1e6, inside + 1e6), inside, "layouts and seeds") == "inconclusive"


def test_every_row_says_what_it_is_and_how_it_is_tested():
    ids = [row.id for row in ROWS]
    assert len(set(ids)) == len(ids) and len(ids) >= 31
    for row in ROWS:
        texts = [row.place, row.claim, row.tested, row.scale, *(rule.quantity for rule in row.rules.values())]
        assert all(text and text.isascii() for text in texts), row.id
        assert all(rule.source for rule in row.rules.values()), row.id
        assert ("" in row.rules) == (len(row.rules) == 1), f"{row.id}: parts have names, a claim of one part has none"


def test_a_rule_without_an_end_or_upside_down_is_refused():
    for given in ({}, {"low": 2, "high": 1}, {"low": 0, "needs": "luck"}):
        with pytest.raises(ValueError, match="^rule 'a': expected"):
            Rule("a", **given)


@pytest.mark.parametrize(
    "id, words",
    [
        ("guidance-mIoU", "got 'guidance-mIoU': did you mean guidance-miou"),
        ("structure-fld", "did you mean structure-fid"),
        ("margins", "expected one of margins/fid, margins/lpips, margins/miou, got 'margins'"),
        ("margins/kid", "got 'margins/kid': name the part"),
        ("guidance-miou/x", "expected one of guidance-miou, got"),
        ("", "did you mean"),
    ],
)
def test_an_id_that_is_none_is_told_in_one_line_with_the_nearest(id, words):
    with pytest.raises(ValueError) as caught:
        find_rule(id)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_record_of_a_row_without_a_rule_is_refused():
    with pytest.raises(ValueError, match="^claim 'open': expected a row with a rule, got none: write one"):
        verdicts([record("open")], MADE)


@pytest.mark.parametrize(
    "interval, verdict",
    [((1, 2), "reproduced"), ((-2, -1), "contradicted"), ((-1, 1), "inconclusive"), ((0, 1), "reproduced")],
)
def test_the_whole_interval_decides(interval, verdict):
    assert of("one", record("one", *interval)).verdict == verdict


def test_an_interval_that_covers_too_little_decides_nothing():
    seeded = [record("seeded", kind="95 % over 512 layouts, 3 seeds: layouts and seeds"), record("seeded")]
    assert [of("seeded", one).verdict for one in seeded] == ["reproduced", "inconclusive"]
    assert of("seeded", seeded[1]).notes == (
        "seeded, stored run a: its interval is over 95 % over 512 layouts, and the rule asks for layouts and seeds",
    )
    bare = of("one", Record("one", 1.0, source="stored run a"))
    assert bare.verdict == "inconclusive" and "no interval" in bare.notes[0]
    of_seeds = record("seeded", kind="95 % over 3 seeds: seeds")
    assert of("seeded", of_seeds).verdict == "inconclusive"
    assert of("two", Record("two/right", -1.0, source="arithmetic")).parts["right"] == "reproduced"


def test_parts_that_differ_are_partly_and_it_says_which():
    both = of("two", record("two/left"), record("two/right"))
    assert both.verdict == "partly" and both.which == "reproduced: left; contradicted: right"
    one = of("two", record("two/left"))
    assert one.verdict == "partly" and one.which == "reproduced: left; not attempted: right"
    same = of("two", record("two/left"), record("two/right", -2, -1))
    assert same.verdict == "reproduced" and same.which == ""


def test_two_records_that_disagree_are_partly_whoever_made_them():
    found = of("one", record(), record("one", -2, -1, source="notebook 07"))
    assert found.verdict == "partly" and found.notes == ("one: records disagree",)
    assert of("one", record(), record("one", -2, -1)).verdict == "partly"


def test_a_stored_run_decides_over_a_notebook_that_measures_less():
    unsure = record("one", -1, 1, source="notebook 07")
    assert of("one", unsure).verdict == "inconclusive"
    found = of("one", unsure, record())
    assert found.verdict == "reproduced" and len(found.records) == 2
    assert of("one", record("one", -1, 1), record(source="notebook 07")).verdict == "inconclusive"


def test_two_scales_that_differ_are_partly():
    assert of("one", record(), record("one", -1, 1)).verdict == "partly"


def test_a_stale_run_keeps_its_verdict_and_is_marked():
    found = of("one", record(stale="a is stale"))
    assert (found.verdict, found.stale) == ("reproduced", ("a is stale",))
    told = coverage(verdicts([record(stale="a is stale")], MADE))
    assert told == "4 claims: 1 reproduced, 3 not attempted; 1 of them stale"


def committed(*records):
    given = verdicts(records, MADE)
    return {one.row.id: {"verdict": one.verdict, "parts": dict(one.parts), "stale": list(one.stale)} for one in given}


@pytest.mark.parametrize(
    "before, after, line",
    [
        ((1, 2), (-1, 1), "one: was reproduced, is inconclusive"),
        ((1, 2), (-2, -1), "one: was reproduced, is contradicted"),
        ((-2, -1), (-1, 1), "one: was contradicted, is inconclusive"),
        ((1, 2), None, "one: was reproduced, is not attempted"),
        ((-1, 1), None, "one: was inconclusive, is not attempted"),
        ((-2, -1), (1, 2), None),
        ((-1, 1), (-2, -1), None),
        ((1, 2), (3, 4), None),
        (None, (-1, 1), None),
    ],
)
def test_what_is_worse_than_the_committed_ledger(before, after, line):
    was, now = ([record("one", *one)] if one else [] for one in (before, after))
    assert worsened(committed(*was), verdicts(now, MADE)) == ([line] if line else [])


def test_records_that_come_to_disagree_are_worse_than_records_that_agreed():
    now = verdicts([record(), record("one", -2, -1)], MADE)
    assert worsened(committed(record()), now) == ["one: was reproduced, is partly"]
    assert worsened(committed(record("one", -2, -1)), now) == []


def test_a_part_that_worsens_is_told_though_the_row_stays_partly():
    before = committed(record("two/left"), record("two/right"))
    now = verdicts([record("two/left", -1, 1), record("two/right")], MADE)
    assert worsened(before, now) == ["two/left: was reproduced, is inconclusive"]


def test_a_run_that_has_gone_stale_and_a_row_that_has_gone_are_worse():
    before = committed(record())
    assert worsened(before, verdicts([record(stale="a is stale")], MADE)) == ["one: a is stale"]
    assert worsened(committed(record(stale="old")), verdicts([record(stale="a is stale")], MADE)) == []
    assert worsened(before, verdicts([], MADE[1:])) == ["one: was reproduced, is no longer in the ledger"]
    fewer = (Row("two", "Eq. 2", "Two.", rules={"left": Rule("b", low=0)}),)
    was = {"two": committed(record("two/right", -2, -1))["two"]}
    assert worsened(was, verdicts([], fewer)) == ["two/right: was reproduced, is no longer in the ledger"]


def test_a_first_measurement_of_a_part_is_not_worse_whatever_it_says():
    before = committed(record("two/right"))
    assert before["two"]["verdict"] == "partly"
    now = verdicts([record("two/right"), record("two/left", -2, -1)], MADE)
    assert now[1].verdict == "contradicted" and worsened(before, now) == []


def test_ranges_in_words():
    assert range_in_words(0, None) == "at least 0" and range_in_words(None, 0.5) == "at most 0.5"
    assert range_in_words(1, 1) == "exactly 1" and range_in_words(0.9, 1.1) == "from 0.9 to 1.1"
    with pytest.raises(ValueError, match="cannot fail"):
        range_in_words(None, None)
