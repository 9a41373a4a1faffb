"""From measurements to verdicts: of a record, of a row, and what became worse.

How several records of one row combine, in one place:

1. A record is reproduced, contradicted or inconclusive by its part's rule. It is inconclusive too if its interval does
   not cover what the rule asks for, the seeds of training for instance.
2. Records of one part: if a stored run has measured it, the records of notebooks, which measure less, are shown and do
   not decide. If two of the records decide against each other, whoever made them, the part is partly: they disagree.
3. A part's deciding records, and a row's parts, must all say one thing for that to be the verdict. If they differ, it
   is partly, and which part is what stands beside it.
4. A row without a record is not attempted.
5. A row with a record of a stale stored run keeps its verdict and is marked stale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sdm_lite.ledger.rows import ROWS, find_rule
from sdm_lite.ledger.rules import Row, Rule, in_range

VERDICTS = ("reproduced", "partly", "contradicted", "inconclusive", "not attempted")


@dataclass(frozen=True)
class Record:
    """A measurement that a row of the ledger is decided by.

    Attributes:
        id: of a row, or of one of its parts.
        value: of the rule's quantity.
        interval: (low, high), or None.
        interval_kind: in words, what the interval covers.
        source: who measured: "notebook 07_guided_sampling", "stored run table4", "arithmetic".
        scale: at which scale, in words.
        stale: why a stored run is not of the code and weights that are here; "" where it is.
    """

    id: str
    value: float
    interval: tuple[float, float] | None = None
    interval_kind: str = ""
    source: str = ""
    scale: str = ""
    stale: str = ""

    @property
    def is_stored(self) -> bool:
        """Whether a stored run measured it, or arithmetic, which is as final."""
        return not self.source.startswith("notebook ")


@dataclass(frozen=True)
class RowVerdict:
    """What is said of a claim of the paper.

    Attributes:
        row: the claim.
        verdict: one of VERDICTS.
        parts: from the name of each part to its verdict.
        records: all of the row, those that do not decide among them.
        stale: a line for each stale stored run.
        notes: what else must be said: records that disagree, intervals that cover too little.
    """

    row: Row
    verdict: str
    parts: Mapping[str, str]
    records: tuple[Record, ...]
    stale: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def which(self) -> str:
        """Which parts are what, where they differ: "reproduced: quality; contradicted: fid"; else ""."""
        if len(set(self.parts.values())) < 2:
            return ""
        told = {said: [part for part, one in self.parts.items() if one == said] for said in VERDICTS}
        return "; ".join(f"{said}: {', '.join(parts)}" for said, parts in told.items() if parts)


def judge(rule: Rule, interval: Sequence[float] | None, value: float, interval_kind: str = "") -> str:
    """The verdict of one measurement: "reproduced", "contradicted" or "inconclusive".

    Args:
        rule: of the claim, or of its part.
        interval: (low, high), or None.
        value: of the rule's quantity.
        interval_kind: in words, what the interval covers.
    """
    if _lacks(rule, interval, interval_kind):
        return "inconclusive"
    inside = in_range(interval or (value, value), rule.low, rule.high)
    return {True: "reproduced", False: "contradicted", None: "inconclusive"}[inside]


def verdict_of(record: Record) -> str:
    """What one record says of its row, or of its part."""
    return judge(find_rule(record.id)[2], record.interval, record.value, record.interval_kind)


def verdicts(records: Iterable[Record], rows: Sequence[Row] = ROWS) -> list[RowVerdict]:
    """The verdict of every row.

    Args:
        records: measurements, in any order.
        rows: of the ledger.

    Returns:
        One for each row, in the ledger's order.

    Raises:
        ValueError: if a record's id is not in the ledger, naming the nearest that are.
    """
    found = [(*find_rule(record.id, rows), record) for record in records]
    return [_of_row(row, [(part, record) for one, part, _, record in found if one.id == row.id]) for row in rows]


def coverage(given: Sequence[RowVerdict]) -> str:
    """How far the ledger is filled: "33 claims: 14 reproduced, 2 partly, ..., 1 of them stale"."""
    counts = Counter(one.verdict for one in given)
    told = ", ".join(f"{counts[said]} {said}" for said in VERDICTS if counts[said])
    num_stale = sum(bool(one.stale) for one in given)
    return f"{len(given)} claims: {told}" + (f"; {num_stale} of them stale" if num_stale else "")


def worsened(before: Mapping[str, Mapping], after: Sequence[RowVerdict]) -> list[str]:
    """What became worse since a ledger was committed, part by part, a line each.

    Worse is: less decided (from a verdict to inconclusive, or to not attempted); against the paper where it was not;
    newly stale; gone. That a contradicted claim is reproduced now is not worse, nor is a first measurement.

    Args:
        before: from the id of a row to its `verdict`, `parts` and `stale`, as committed.
        after: from `verdicts`.
    """
    lines = []
    now = {one.row.id: one for one in after}
    for id, was in before.items():
        one = now.get(id)
        if one is None:
            lines.append(f"{id}: was {was['verdict']}, is no longer in the ledger")
            continue
        for part, said in was["parts"].items():
            if part not in one.parts:
                lines.append(f"{one.row.name(part)}: was {said}, is no longer in the ledger")
            elif _is_worse(said, one.parts[part]):
                lines.append(f"{one.row.name(part)}: was {said}, is {one.parts[part]}")
        lines += [f"{id}: {line}" for line in one.stale if not was["stale"]]
    return lines


def _of_row(row: Row, found: Sequence[tuple[str, Record]]) -> RowVerdict:
    parts, notes = {}, []
    for part, rule in row.rules.items():
        records = [record for one, record in found if one == part]
        said = {record: judge(rule, record.interval, record.value, record.interval_kind) for record in records}
        notes += [f"{row.name(part)}, {record.source}: {_lacks(rule, record.interval, record.interval_kind)}"
                  for record in records if _lacks(rule, record.interval, record.interval_kind)]  # fmt: skip
        if {"reproduced", "contradicted"} <= set(said.values()):
            notes.append(f"{row.name(part)}: records disagree")
            parts[part] = "partly"
        else:
            stored = [one for record, one in said.items() if record.is_stored]
            parts[part] = _all_alike(stored or list(said.values()))
    records = tuple(record for _, record in found)
    stale = tuple(dict.fromkeys(record.stale for record in records if record.stale))
    return RowVerdict(row, _all_alike(list(parts.values())), parts, records, stale, tuple(notes))


def _all_alike(said: Sequence[str]) -> str:
    """The one verdict that all say, "partly" if they differ, "not attempted" if there are none."""
    return "not attempted" if not said else said[0] if len(set(said)) == 1 else "partly"


def _lacks(rule: Rule, interval: Sequence[float] | None, kind: str) -> str:
    """What an interval does not cover of what a rule asks for; "" if nothing."""
    if rule.needs == "nothing":
        return ""
    if interval is None:
        return f"no interval, and the rule asks for one over {rule.needs}: it decides nothing"
    if "seeds" in rule.needs and rule.needs not in kind:
        return f"its interval is over {kind or 'what it does not say'}, and the rule asks for {rule.needs}"
    return ""


def _is_worse(was: str, now: str) -> bool:
    known = {"not attempted": 0, "inconclusive": 1}
    if known.get(now, 2) != known.get(was, 2):
        return known.get(now, 2) < known.get(was, 2)
    for_the_paper = {"reproduced": 2, "partly": 1}
    return for_the_paper.get(now, 0) < for_the_paper.get(was, 0)
