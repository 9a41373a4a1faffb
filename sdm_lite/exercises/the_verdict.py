"""Exercises of the lesson "The verdict": a jury before the verdicts, the rule that judges, how many it takes."""

import math
from collections.abc import Sequence

import numpy as np

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, describe, on, quoted
from sdm_lite.ledger import (
    Record,
    RowVerdict,
    Rule,
    find_rule,
    judge,
    margin_of,
    measured,
    num_measured,
    num_to_decide,
    open_ones,
)
from sdm_lite.reproduce.joining import committed_verdicts

GIVEN = committed_verdicts()


def claims_to_judge(given: Sequence[RowVerdict]) -> list[RowVerdict]:
    """Five claims, evenly spread over those that the ledger has decided."""
    decided = [one for one in given if one.verdict in ("reproduced", "contradicted")]
    return decided[:: max(1, len(decided) // 5)][:5]


def measurement_to_settle(given: Sequence[RowVerdict]) -> tuple[Record, int, str]:
    """A measurement, how many of what it was made on.

    The open one that is furthest from the end of its rule, of those that layouts, pictures or edits alone can decide;
    should none be open, the closest call.
    """

    def by_items(pairs: Sequence[tuple]) -> list[Record]:
        """Those that more items can decide, by their distance from the end of the rule."""
        fit = [
            (abs(at.value), i, one)
            for i, (one, at) in enumerate(pairs)
            if num_measured(one.interval_kind)
            and at.value
            and "seeds" not in find_rule(one.id)[2].needs
            and "layouts and seeds" not in one.interval_kind
        ]
        return [one for *_, one in sorted(fit)]

    still_open = by_items(open_ones(given))
    picked = still_open[-1] if still_open else by_items(measured(given))[0]
    return picked, *num_measured(picked.interval_kind)


TRUTH = {one.row.id: one.verdict for one in claims_to_judge(GIVEN)}


def _tell_agreed(prediction: object) -> str:
    if not isinstance(prediction, dict) or not set(prediction) <= set(TRUTH):
        return f"a verdict for each of {', '.join(TRUTH)} is asked for."
    missing = [id for id in TRUTH if prediction.get(id) is None]
    if missing:
        return f"no verdict yet for {', '.join(missing)}."
    others = [said for said in prediction.values() if said not in ("reproduced", "contradicted")]
    if others:
        return f'the ledger has decided these: "reproduced" or "contradicted", not {quoted(repr(others[0]))}.'
    return f"{sum(prediction.get(id) == said for id, said in TRUTH.items())} of {len(TRUTH)} as in the ledger."


JURY = Exercise(
    title="be the jury",
    level="open",
    hints=(
        f"One verdict for each of {', '.join(TRUTH)}.",
        "No reasoning replaces the measurement. Which rules ask for much, and which only for a sign?",
    ),
    right=TRUTH,
    slips=(
        Slip(
            dict.fromkeys(TRUTH, "reproduced"),
            f"you believed all {len(TRUTH)}; the ledger reproduces {list(TRUTH.values()).count('reproduced')} of them.",
        ),
        Slip(
            dict.fromkeys(TRUTH, "contradicted"),
            f"you believed none; the ledger contradicts {list(TRUTH.values()).count('contradicted')} of {len(TRUTH)}.",
        ),
    ),
    tell=_tell_agreed,
    is_prediction=True,
)

MADE_UP = [(0, 1, 0, None), (-1, 0, 0, None), (-2, -1, 0, None), (0, 3, 1, 2), (1.2, 1.4, 1, 2), (3, 4, None, 2)]
CASES = MADE_UP + [(*one.interval, find_rule(one.id)[2].low, find_rule(one.id)[2].high) for one, _ in measured(GIVEN)]


def _judged(low: float, high: float, rule_low: float | None, rule_high: float | None) -> str:
    return judge(Rule("it", rule_low, rule_high), (low, high), low, "layouts")


def _ends(rule_low: float | None, rule_high: float | None) -> tuple[float, float]:
    return -math.inf if rule_low is None else rule_low, math.inf if rule_high is None else rule_high


def _without_ends(low: float, high: float, rule_low: float | None, rule_high: float | None) -> str:
    rule_low, rule_high = _ends(rule_low, rule_high)
    if rule_low < low and high < rule_high:
        return "reproduced"
    return "contradicted" if high < rule_low or low > rule_high else "inconclusive"


def _by_the_middle(low: float, high: float, rule_low: float | None, rule_high: float | None) -> str:
    rule_low, rule_high = _ends(rule_low, rule_high)
    return "reproduced" if rule_low <= (low + high) / 2 <= rule_high else "contradicted"


def _any_overlap(low: float, high: float, rule_low: float | None, rule_high: float | None) -> str:
    rule_low, rule_high = _ends(rule_low, rule_high)
    return "contradicted" if high < rule_low or low > rule_high else "reproduced"


def _none_is_zero(low: float, high: float, rule_low: float | None, rule_high: float | None) -> str:
    return _judged(low, high, rule_low or 0, rule_high or 0) if (rule_low or 0) <= (rule_high or 0) else "inconclusive"


def _zero_is_none(low: float, high: float, rule_low: float | None, rule_high: float | None) -> str:
    rule_low, rule_high = rule_low or -math.inf, rule_high or math.inf
    if rule_low <= low and high <= rule_high:
        return "reproduced"
    return "contradicted" if high < rule_low or low > rule_high else "inconclusive"


def _touching_is_outside(low: float, high: float, rule_low: float | None, rule_high: float | None) -> str:
    rule_low, rule_high = _ends(rule_low, rule_high)
    if high <= rule_low or low >= rule_high:
        return "contradicted"
    return "reproduced" if rule_low <= low and high <= rule_high else "inconclusive"


def _tell_case(seen: Sequence[object]) -> str:
    """The first case that is judged wrongly, by its numbers, and what came out."""
    words = "reproduced", "contradicted", "inconclusive"
    for case, said in zip(CASES, seen, strict=True):
        if said not in words:
            return f'"reproduced", "contradicted" or "inconclusive" is asked for, got {quoted(repr(said))}.'
        if said != _judged(*case):
            low, high, *ends = (end if end is None else f"{end:.4g}" for end in case)
            return f'an interval from {low} to {high}, a rule from {ends[0]} to {ends[1]}: you say "{said}".'
    return ""


def _partly_is_contradicted(low: float, high: float, rule_low: float | None, rule_high: float | None) -> str:
    rule_low, rule_high = _ends(rule_low, rule_high)
    return "reproduced" if rule_low <= low and high <= rule_high else "contradicted"


WRITE_THE_JUDGE = Exercise(
    title="write the judge",
    level="medium",
    hints=(
        "Replace None by minus or plus infinity, -np.inf or np.inf, then ask twice.",
        "Is all of the interval in the range? Is all of it outside, to one side? If neither: inconclusive.",
    ),
    right=_judged,
    slips=(
        Slip(_without_ends, "the ends of the range belong to it: <= where the interval touches one from inside."),
        Slip(_by_the_middle, "you judge by the middle of the interval; all of it must lie on one side."),
        Slip(
            _partly_is_contradicted,
            "an interval that lies partly outside contradicts nothing, as the truth may be inside: inconclusive.",
        ),
        Slip(_any_overlap, "an interval that lies partly inside decides nothing: inconclusive."),
        Slip(_zero_is_none, "0 is an end like any other, and `or` takes it for None: ask `is None`."),
        Slip(
            _touching_is_outside,
            "the ends of the range belong to it: an interval that touches one from outside is not all outside.",
        ),
        Slip(_none_is_zero, "None is no end at all, not 0: minus or plus infinity."),
    ),
    ask=on(*CASES),
    tell=_tell_case,
)

PICKED, COUNTED, _ = measurement_to_settle(GIVEN)
NEEDED = COUNTED / margin_of(PICKED).value ** 2


def is_number(seen: object) -> bool:
    """Whether it is one number, and finite."""
    return isinstance(seen, int | float | np.number) and math.isfinite(seen)


def _tell_number(seen: object) -> str:
    """What to say of a number of no known slip, which gives nothing away that the printed line does not."""
    if not is_number(seen):
        return f"one number is asked for, got {describe(seen)}."
    if (seen > COUNTED) != (NEEDED > COUNTED):
        width, more = ("wider", "more") if NEEDED > COUNTED else ("narrower", "fewer")
        return f"the interval is {width} than the difference, so it takes {more} than {COUNTED}."
    return f"{COUNTED} times the square of: half of the interval's width, by the distance of the value from the rule."


HOW_MANY = Exercise(
    title="how many does it take?",
    level="medium",
    hints=(
        "Half the width of the interval, by the distance of the value from the nearest end of the rule.",
        "Half-widths go with 1 / sqrt(n): so that quotient squared, times how many there are.",
    ),
    right=NEEDED,
    slips=(
        Slip(COUNTED * (NEEDED / COUNTED) ** 0.5, "squared: to halve an interval takes four times as many."),
        Slip(4 * NEEDED, "half the width is what counts, from the value to one end of the interval."),
        Slip(NEEDED / COUNTED, "that is the factor; times how many there are."),
        Slip(COUNTED**2 / NEEDED, "the quotient is upside down: width by distance."),
        Slip(NEEDED - COUNTED, "that is how many more; asked for is how many in all."),
        Slip(num_to_decide(margin_of(PICKED).value, 1, COUNTED, chance=0.8), "that is to see it four times in five."),
    ),
    accepts=lambda number: is_number(number) and (abs(number / NEEDED - 1) < 0.05 or abs(number - NEEDED) <= 1),
    tell=_tell_number,
    tolerance=0.02,
)

LESSON = Lesson((JURY, WRITE_THE_JUDGE, HOW_MANY))
check, hint = LESSON.check, LESSON.hint
