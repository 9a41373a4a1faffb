"""Answers to the exercises of the lesson "The verdict"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import numpy as np

from sdm_lite.exercises.the_verdict import claims_to_judge, measurement_to_settle
from sdm_lite.ledger import find_rule
from sdm_lite.reproduce.joining import committed_verdicts

# %% exercise 1
# No reasoning replaces the measurement: these are read from the ledger. Which of them surprised you, and why?
my_verdicts = {one.row.id: one.verdict for one in claims_to_judge(committed_verdicts())}


# %% exercise 2
# All of the interval inside, or all of it outside on one side; whatever else decides nothing.
def my_judge(low, high, rule_low, rule_high):
    rule_low = -np.inf if rule_low is None else rule_low
    rule_high = np.inf if rule_high is None else rule_high
    if rule_low <= low and high <= rule_high:
        return "reproduced"
    return "contradicted" if high < rule_low or low > rule_high else "inconclusive"


# %% exercise 3
# Half the width by the distance from the rule's nearest end: so many times too wide. Widths go with 1 / sqrt(n).
picked, counted, _ = measurement_to_settle(committed_verdicts())
half = (picked.interval[1] - picked.interval[0]) / 2
ends = [end for end in (find_rule(picked.id)[2].low, find_rule(picked.id)[2].high) if end is not None]
distance = min(abs(picked.value - end) for end in ends)
my_number = counted * (half / distance) ** 2
