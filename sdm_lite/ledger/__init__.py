"""The ledger: what the paper claims, and the rule that decides it, in one place.

Apart from `reproduce`, which joins it with what was measured, because whatever measures for hours asks here first
whether the row that it is for is there: the standard library alone.
"""

from sdm_lite.ledger.rows import ROWS, find_rule
from sdm_lite.ledger.rules import Row, Rule
from sdm_lite.ledger.verdicts import VERDICTS, Record, RowVerdict, coverage, judge, verdicts, worsened

__all__ = [
    "ROWS",
    "VERDICTS",
    "Record",
    "Row",
    "RowVerdict",
    "Rule",
    "coverage",
    "find_rule",
    "judge",
    "verdicts",
    "worsened",
]
