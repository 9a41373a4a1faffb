"""The ledger as pages of the repository: docs/ledger.md, and the short table in the README.

Apart because a page is words: what is decided is decided before. Both are made of the committed ledger, and a test says
when they are not of today.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sdm_lite.files import write_whole
from sdm_lite.ledger import Record, RowVerdict, coverage, verdict_of
from sdm_lite.ledger.rules import format_value

COMMAND = "python -m sdm_lite.reproduce --ledger"
BEGIN = f"<!-- ledger: made by `{COMMAND}` -->\n"
END = "<!-- ledger ends here -->"

INTRODUCTION = f"""# The ledger: is the paper right?

Every checkable claim of Wang et al., *Semantic Image Synthesis via Diffusion Models* (2022), with the rule that decides
it, what was measured here, and the verdict. This page is made by `{COMMAND}` from the
rows and rules in `sdm_lite/ledger/rows.py`, from what the notebooks record, from stored runs in data/, and from
arithmetic on the paper's own figures.

What a verdict says, it says of the scale beside it: small networks on procedural landscapes, scored by a small judge of
our own. A claim that is contradicted at this scale may hold at the paper's, and the other way round; where the claim is
mathematics the scale is "exact".

* **reproduced**: the whole interval lies where the claim is true. **Contradicted**: all of it lies where it is false.
* **inconclusive**: the interval holds both, or does not cover what the rule asks for (the choice of layouts, the seeds
  of training).
* **partly**: the parts of the claim, or its records, say different things; which, stands beside it. A stored run
  decides over notebooks, which measure less; records that decide against each other are told.
* **not attempted**: nothing has measured it yet; what that takes, stands beside it.
* **stale**: a stored run of it was made by other code or other weights than those that are here now.

Each interval is at 95 % by itself: of so many, about one in twenty would miss what it is of even if all else were
right. Mathematics, arithmetic, and how many GANs have next to no diversity have no interval; there the value decides.

What merely checks this package is no part of this page; the report of a run has it, kept apart.
"""


def page(given: Sequence[RowVerdict]) -> str:
    """docs/ledger.md."""
    table = _table(("claim", "the paper", "verdict"), [(_link(one, ""), one.row.place, _verdict(one)) for one in given])
    return "\n".join([INTRODUCTION, f"**{coverage(given)}.**\n", *table, "", *(_section(one) for one in given)])


def readme_table(given: Sequence[RowVerdict]) -> str:
    """The README's short table: what has a verdict, and how many have none."""
    decided = [one for one in given if one.verdict != "not attempted"]
    rows = [(one.row.claim, _link(one, "docs/ledger.md"), _verdict(one)) for one in decided]
    return "\n".join([f"{coverage(given)}.\n", *_table(("the paper claims", "row", "verdict here"), rows)]) + "\n"


def renewed(text: str, given: Sequence[RowVerdict]) -> str:
    """The README with the table between its markers made anew.

    Raises:
        ValueError: if the markers are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README: expected the markers {BEGIN.strip()} and {END}, got none: put them back")
    return f"{before}{begin}{readme_table(given)}{end}{after}"


def write_pages(given: Sequence[RowVerdict], root: Path) -> None:
    """Write docs/ledger.md and the README's table in a checkout."""
    readme = renewed((root / "README.md").read_text(encoding="utf-8"), given)
    write_whole(root / "docs" / "ledger.md", page(given))
    write_whole(root / "README.md", readme)


def _section(one: RowVerdict) -> str:
    row = one.row
    lines = [f"## {row.id}\n", f"{row.claim} **{_verdict(one)[0].upper()}{_verdict(one)[1:]}.**\n"]
    lines.append(f"* The paper: {row.place}{'; ' + row.figures if row.figures else ''}.")
    lines.append(f"* Tested: {row.tested}")
    lines.append(f"* Scale: {row.scale}.")
    for part, rule in row.rules.items():
        name = f"Rule, {part}" if part else "Rule"
        needs = "" if rule.needs == "nothing" else f", interval over {rule.needs}"
        quantity = f"{rule.quantity} ({rule.unit})" if rule.unit else rule.quantity
        lines.append(f"* {name}: {quantity}, **{rule.words}**{needs}; by {rule.source}.")
    if row.known_before:
        lines.append("* Some of these values were known when the rules were written.")
    lines += [f"* Measured: {_measured(record)}" for record in one.records]
    lines += [f"* Note: {note}." for note in one.notes]
    lines += [f"* **Stale**: {line}." for line in one.stale]
    return "\n".join(lines) + "\n"


def _measured(record: Record) -> str:
    value = format_value(record.value)
    if record.interval:
        low, high = map(format_value, record.interval)
        value += f" [{low}, {high}] ({record.interval_kind})"
    part = record.id.partition("/")[2]
    where = f"; {record.scale}" if record.scale else ""
    return f"{part + ', ' if part else ''}{value}: {verdict_of(record)} ({record.source}{where})."


def _verdict(one: RowVerdict) -> str:
    told = f"{one.verdict} ({one.which})" if one.which else one.verdict
    return f"{told}, stale" if one.stale else told


def _link(one: RowVerdict, target: str) -> str:
    return f"[{one.row.id}]({target}#{one.row.id})"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]
