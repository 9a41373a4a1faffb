"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np

from sdm_lite.exercises.the_verdict import COUNTED, NEEDED, TRUTH


def judge_by_the_value(low, high, rule_low, rule_high):
    middle = (low + high) / 2
    above = rule_low is None or middle >= rule_low
    return "reproduced" if above and (rule_high is None or middle <= rule_high) else "contradicted"


def judge_without_ends(low, high, rule_low, rule_high):
    rule_low, rule_high = -np.inf if rule_low is None else rule_low, np.inf if rule_high is None else rule_high
    if rule_low < low and high < rule_high:
        return "reproduced"
    return "contradicted" if high < rule_low or low > rule_high else "inconclusive"


def judge_of_two_verdicts(low, high, rule_low, rule_high):
    if rule_low is not None and low < rule_low:
        return "contradicted"
    return "contradicted" if rule_high is not None and high > rule_high else "reproduced"


def judge_with_or(low, high, rule_low, rule_high):
    rule_low, rule_high = rule_low or -np.inf, rule_high or np.inf
    if rule_low <= low and high <= rule_high:
        return "reproduced"
    return "contradicted" if high < rule_low or low > rule_high else "inconclusive"


def judge_of_touching(low, high, rule_low, rule_high):
    rule_low, rule_high = -np.inf if rule_low is None else rule_low, np.inf if rule_high is None else rule_high
    if high <= rule_low or low >= rule_high:
        return "contradicted"
    return "reproduced" if rule_low <= low and high <= rule_high else "inconclusive"


# Two verdicts that are not the ledger's, whatever that says.
TWO_OFF = {id: "reproduced" if TRUTH[id] != "reproduced" else "contradicted" for id in list(TRUTH)[:2]}
WRONG = [
    (1, {}, "No verdict yet for"),
    (1, {**dict.fromkeys(TRUTH, "reproduced"), next(iter(TRUTH)): "Contradicted"}, "not 'Contradicted'"),
    (1, {**TRUTH, **TWO_OFF}, "3 of 5 as in the ledger"),
    (1, ["reproduced"], "A verdict for each"),
    (2, judge_by_the_value, "middle"),
    (2, judge_of_two_verdicts, "contradicts nothing"),
    (2, judge_without_ends, "belong to it"),
    (2, judge_with_or, "ask `is None`"),
    (2, judge_of_touching, "from outside"),
    (2, lambda *case: "Reproduced", "is asked for, got 'Reproduced'"),
    (2, lambda *case: "inconclusive", "an interval from 0 to 1, a rule from 0 to None"),
    (3, 0, f"more than {COUNTED}" if NEEDED > COUNTED else "the square of"),
    (3, 1e12, "the square of" if NEEDED > COUNTED else f"fewer than {COUNTED}"),
    (3, "334", "one number"),
    (3, NEEDED - COUNTED, "in all"),
    (3, 2.04 * NEEDED, "four times in five"),
]
