"""Claims worth telling, chosen by what was measured of them alone, and a card for each.

Apart from `ledger_figures`, which show all claims alike: here a few are picked, by rules that stand before the numbers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sdm_lite.ledger import Record, RowVerdict, decisive, find_rule, verdict_of
from sdm_lite.reproduce.ledger_figures import COLOURS, FAINT, INK, MARKERS, TRUE_HERE, number, who

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Card(NamedTuple):
    """A claim worth telling.

    Attributes:
        reason: why it is told.
        claim: the claim.
        record: of it, which is told.
    """

    reason: str
    claim: RowVerdict
    record: Record


def telling(given: Sequence[RowVerdict]) -> list[Card]:
    """Claims worth telling, no claim twice, and none for a reason that nothing meets.

    Args:
        given: from `verdicts`.

    Returns:
        At most four: of the records with an interval that decide, the contradicted one furthest from its rule, the
        reproduced one furthest inside, and the closest call; then, of claims that are contradicted where nothing is
        drawn at random, the one that most records contradict.
    """
    lines = [(record, one.value) for record, one in decisive(given)]
    exact = [
        [record for record in one.records if record.interval is None and verdict_of(record) == "contradicted"]
        for one in given
    ]
    candidates = {
        "furthest from its rule": [record for record, _ in lines if verdict_of(record) == "contradicted"],
        "safest inside its rule": [record for record, _ in reversed(lines) if verdict_of(record) == "reproduced"],
        "the closest call": [record for record, _ in sorted(lines, key=lambda line: abs(line[1]))],
        "caught most often, no chance involved": [
            record for found in sorted(exact, key=len, reverse=True) for record in found
        ],
    }
    claims, cards = {one.row.id: one for one in given}, []
    for reason, records in candidates.items():
        told = {card.claim.row.id for card in cards}
        free = [record for record in records if find_rule(record.id)[0].id not in told]
        cards += [Card(reason, claims[find_rule(record.id)[0].id], record) for record in free[:1]]
    return cards


def draw_card(axes: Axes, card: Card) -> None:
    """What the paper says, what was measured, by which rule, and where that lies.

    Args:
        axes: empty ones, about 5 by 2.8 inches.
        card: from `telling`.
    """
    row, part, rule = find_rule(card.record.id)
    said = verdict_of(card.record)
    ink = INK if said == "inconclusive" else "white"
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set(visible=True, color="#b4bcc6")
    axes.barh(0.94, 1, left=0, height=0.12, color=COLOURS[said], linewidth=0)
    is_whole = said == card.claim.verdict
    head = said.upper() if is_whole else f"{said.upper()} in this part"
    _text(axes, 0.03, 0.94, head, va="center", color=ink, fontsize=9.5, fontweight="bold")
    _text(axes, 0.97, 0.94, card.reason, va="center", ha="right", color=ink, fontsize=9)
    claim = textwrap.wrap(row.claim, 62)
    _text(axes, 0.03, 0.84, "\n".join(claim), color=INK, fontsize=10, fontweight="bold")
    words = (
        f"The paper: {row.place}{'; ' + row.figures if row.figures else ''}.",
        f"Here: {rule.quantity}: {number(card.record)}{' ' + rule.unit if rule.unit else ''}; true if {rule.words}.",
        f"By {who(card.record)}. Scale: {card.record.scale or row.scale}. [{card.record.id}]",
        *([] if is_whole else [f"The claim: {card.claim.verdict} ({card.claim.which})."]),
    )
    text = "\n".join(textwrap.fill(line, 84, subsequent_indent="    ") for line in words)
    _text(axes, 0.03, 0.81 - 0.08 * len(claim), text, color=FAINT, fontsize=8.5)
    _number_line(axes.inset_axes((0.05, 0.11, 0.9, 0.12)), card.claim, part)


def _text(axes: Axes, x: float, y: float, text: str, *, va: str = "top", ha: str = "left", color: str = INK,
          fontsize: float = 9, fontweight: str = "normal") -> None:  # fmt: skip
    """A text that takes its place on the card whatever its length: a layout engine would shrink the card for it."""
    axes.text(x, y, text, va=va, ha=ha, color=color, fontsize=fontsize, fontweight=fontweight, linespacing=1.3,
              in_layout=False)  # fmt: skip


def _number_line(axes: Axes, one: RowVerdict, part: str) -> None:
    """The range of a part's rule in its own unit, and all that was measured of it."""
    rule, records = one.row.rules[part], [record for record in one.records if record.id == one.row.name(part)]
    ends = [end for end in (rule.low, rule.high) if end is not None]
    places = [*ends, *(place for record in records for place in (record.value, *(record.interval or ())))]
    room = 0.3 * (max(places) - min(places)) or 1.0
    left, right = min(places) - room, max(places) + room
    true_from, true_to = left if rule.low is None else rule.low, right if rule.high is None else rule.high
    axes.axvspan(true_from, true_to, color=TRUE_HERE)
    for end in ends:
        axes.axvline(end, color=INK, linewidth=1.2)
    for record in records:
        said = verdict_of(record)
        if record.interval:
            axes.plot(record.interval, [0, 0], color=COLOURS[said], linewidth=3, solid_capstyle="butt")
        axes.plot(record.value, 0, MARKERS[said], color=COLOURS[said], markersize=8, markeredgecolor="white")
    axes.text((true_from + true_to) / 2, 1.35, "true here", ha="center", va="center", fontsize=7.5,
              color=COLOURS["reproduced"])  # fmt: skip
    axes.set(xlim=(left, right), ylim=(-1, 1), yticks=[])
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=7.5)
