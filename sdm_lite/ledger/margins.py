"""How far a measurement lies from the end of its rule, and how many layouts would decide one that is open.

Apart from the verdicts, which ask on which side an interval lies: here is how far. Quantities of many units are brought
on one axis by their own intervals; the standard library alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from sdm_lite.ledger.rows import find_rule
from sdm_lite.ledger.rules import Rule
from sdm_lite.ledger.verdicts import Record, RowVerdict

COUNT = re.compile(r"\b(\d+) (layouts|pictures|edits)\b")


class Margin(NamedTuple):
    """A measurement in half-widths of its interval, 0 the nearest end of its rule, above 0 where the claim is true.

    Attributes:
        value: of the measurement; where the interval is symmetric it decides if this is above 1 or below -1.
        low: lower end of the interval, on this axis.
        high: upper end.
        room: where the range ends on the other side; inf for a rule of one end.
    """

    value: float
    low: float
    high: float
    room: float


def margin(rule: Rule, value: float, interval: Sequence[float] | None) -> Margin | None:
    """How far a measurement is from its rule.

    Args:
        rule: of the claim, or of its part.
        value: of the rule's quantity.
        interval: (low, high), or None.

    Returns:
        The margin; None where nothing is drawn at random, or the interval has no width.
    """
    if rule.needs == "nothing" or interval is None or interval[0] == interval[1]:
        return None
    half = (interval[1] - interval[0]) / 2
    ends = [(end, sign) for end, sign in ((rule.low, 1), (rule.high, -1)) if end is not None]
    end, sign = min(ends, key=lambda one: abs(value - one[0]))  # the claim is true on the side of the sign
    low, high = sorted(sign * (one - end) / half for one in interval)
    room = (rule.high - rule.low) / half if len(ends) == 2 else math.inf
    return Margin(sign * (value - end) / half, low, high, room)


def margin_of(record: Record) -> Margin | None:
    """The margin of a record, by the rule of its part."""
    return margin(find_rule(record.id)[2], record.value, record.interval)


def num_measured(interval_kind: str) -> tuple[int, str] | None:
    """How many of what an interval is over, as its kind says.

    >>> num_measured("95 % over 512 layouts, 3 seeds: layouts and seeds")
    (512, 'layouts')
    """
    found = COUNT.search(interval_kind)
    return (int(found[1]), found[2]) if found else None


def num_to_decide(difference: float, half_width: float, num_items: int, *, chance: float = 0.5) -> int:
    """How many items it takes until a 95 % interval leaves out the end of its rule.

        n' = n (h / d)^2 (1 + z(chance) / z(0.975))^2

    as half-widths h go with 1 / sqrt(n). If the true difference is d, an interval of half-width d misses the end half
    of the time: that is n' at a chance of 0.5.

    Args:
        difference: d, of the true value from the end of the rule, not 0.
        half_width: h, of the interval over num_items.
        num_items: n, layouts for instance.
        chance: that the interval then decides, from 0.5 to below 1.

    Returns:
        n', at least 2.

    Raises:
        ValueError: if the difference is 0, which no number decides, or one of the others cannot be.
    """
    if difference == 0 or half_width <= 0 or num_items < 1 or not 0.5 <= chance < 1:
        raise ValueError(
            f"expected a difference other than 0, half_width > 0, num_items >= 1 and chance in [0.5, 1), got "
            f"{difference}, {half_width}, {num_items} and {chance}"
        )
    normal = NormalDist()
    more = (1 + normal.inv_cdf(chance) / normal.inv_cdf(0.975)) ** 2
    return max(2, math.ceil(num_items * (half_width / difference) ** 2 * more))


def measured(given: Sequence[RowVerdict]) -> list[tuple[Record, Margin]]:
    """All records that have a margin, those whose claim is furthest from true first."""
    found = [(record, margin_of(record)) for one in given for record in one.records]
    return sorted(((record, one) for record, one in found if one), key=lambda pair: pair[1].value)


def decisive(given: Sequence[RowVerdict]) -> list[tuple[Record, Margin]]:
    """As `measured`, without the records of notebooks of parts that a stored run has measured: they decide nothing."""
    found = measured(given)
    stored = {record.id for record, _ in found if record.is_stored}
    return [(record, one) for record, one in found if record.is_stored or record.id not in stored]


def open_ones(given: Sequence[RowVerdict]) -> list[tuple[Record, Margin]]:
    """Of `decisive`, the undecided records of parts that are undecided: what more layouts might settle."""
    parts = {one.row.name(part) for one in given for part, said in one.parts.items() if said == "inconclusive"}
    return [(record, one) for record, one in decisive(given) if record.id in parts]
