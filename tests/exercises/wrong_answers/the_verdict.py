"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np


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


WRONG = [
    (1, {}, "as in the ledger"),
    (1, ["reproduced"], "a verdict for each"),
    (2, judge_by_the_value, "middle"),
    (2, judge_of_two_verdicts, "contradicts nothing"),
    (2, judge_without_ends, "belong to it"),
    (3, 0, "Not yet"),
    (3, 1e12, "Not yet"),
]
