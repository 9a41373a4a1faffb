"""The ledger: what the paper claims, and the rule that decides it, in one place.

Apart from `reproduce`, which joins it with what was measured, because whatever measures for hours asks here first
whether the row that it is for is there. The standard library alone, but for `evidence`: stored runs are files.
"""

from sdm_lite.ledger.margins import (
    Margin,
    decisive,
    margin,
    margin_of,
    measured,
    num_measured,
    num_to_decide,
    open_ones,
)
from sdm_lite.ledger.rows import ROWS, find_rule
from sdm_lite.ledger.rules import Row, Rule
from sdm_lite.ledger.verdicts import VERDICTS, Record, RowVerdict, coverage, judge, verdict_of, verdicts, worsened

__all__ = [
    "ROWS",
    "VERDICTS",
    "Margin",
    "Record",
    "Row",
    "RowVerdict",
    "Rule",
    "coverage",
    "decisive",
    "find_rule",
    "judge",
    "margin",
    "margin_of",
    "measured",
    "num_measured",
    "num_to_decide",
    "open_ones",
    "verdict_of",
    "verdicts",
    "worsened",
]
