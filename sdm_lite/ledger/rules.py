"""What a row of the ledger is, and the rule that decides it: a range that a named quantity must lie in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NEEDS = ("nothing", "layouts", "layouts and seeds")
"""What the interval of a measurement must cover before it may decide: nothing where nothing is drawn
at random, or where a count goes by means and says so in its row."""


@dataclass(frozen=True)
class Rule:
    """A quantity and the range in which the claim is true of it.

    The claim is reproduced if the whole interval lies in the range, contradicted if all of it lies outside, and
    undecided otherwise; where it needs no interval, the value itself decides.

    Attributes:
        quantity: what is measured, in words, its sign included: "FID of SDM less FID of concat".
        low: the least value of which the claim is true, None for no end.
        high: the greatest.
        needs: one of NEEDS.
        unit: of the quantity.
        source: what measures it: "notebook 07", "stored run table4", "arithmetic".
    """

    quantity: str
    low: float | None = None
    high: float | None = None
    needs: str = "layouts"
    unit: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise ValueError(f"rule {self.quantity!r}: expected at least one end, got none: such a rule cannot fail")
        if None not in (self.low, self.high) and self.low > self.high:
            raise ValueError(f"rule {self.quantity!r}: expected low <= high, got {self.low}, {self.high}")
        if self.needs not in NEEDS:
            raise ValueError(f"rule {self.quantity!r}: expected needs of {', '.join(NEEDS)}, got {self.needs!r}")

    @property
    def words(self) -> str:
        """The range in words: "at least 0", "from 0.9 to 1.1", "exactly 1"."""
        return range_in_words(self.low, self.high)


@dataclass(frozen=True)
class Row:
    """A claim of the paper.

    Attributes:
        id: by which records and stored runs name it.
        place: where the paper makes it.
        claim: what it says, in our words.
        figures: the paper's own, "" for none.
        tested: how it is tested here; where it is not, or not in full, what that would take.
        rules: from the name of a part of the claim to its rule; a claim of one part has it under "". Empty where no
            rule can be given.
        scale: at which scale it is tested, unless a record says another.
        known_before: whether its values, or some of them, were known when its rules were written.
    """

    id: str
    place: str
    claim: str
    figures: str = ""
    tested: str = ""
    rules: Mapping[str, Rule] = field(default_factory=dict)
    scale: str = ""
    known_before: bool = False

    def name(self, part: str) -> str:
        """A part's full name: "margins/fid", or "guidance-miou" where there is one part alone."""
        return f"{self.id}/{part}" if part else self.id


def in_range(ends: Sequence[float], low: float | None, high: float | None) -> bool | None:
    """Whether all of an interval lies in a range, or none of it; None if a part does.

    Args:
        ends: low and high of the interval.
        low: least value of the range, None for no end.
        high: greatest.
    """
    low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
    if low <= ends[0] and ends[1] <= high:
        return True
    return False if ends[1] < low or ends[0] > high else None


def range_in_words(low: float | None, high: float | None) -> str:
    """A range as "at least 1", "at most 1", "from 1 to 2" or "exactly 1".

    Raises:
        ValueError: if it has no end.
    """
    if low is None and high is None:
        raise ValueError("target: expected at least one end, got (None, None): such a claim cannot fail")
    if low is None or high is None:
        return f"at most {format_value(high)}" if low is None else f"at least {format_value(low)}"
    return f"exactly {format_value(low)}" if low == high else f"from {format_value(low)} to {format_value(high)}"


def format_value(value: bool | int | float | str) -> str:
    """A value as text: yes or no, whole numbers whole, others to four significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
