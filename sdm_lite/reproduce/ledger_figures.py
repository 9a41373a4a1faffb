"""The ledger as pictures: every claim as a tile, every interval beside its rule.

Apart from the pages of words. Everything is drawn on axes that it is given, so that matplotlib comes in by `viz` alone,
and from verdicts and records alone: no figure knows how the paper fares. Colours are Okabe and Ito's, told apart by the
colour-blind; a mark, a shelf or a word says the same beside each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sdm_lite.ledger import (
    VERDICTS,
    Margin,
    Record,
    RowVerdict,
    find_rule,
    measured,
    num_measured,
    verdict_of,
)
from sdm_lite.viz import describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "reproduced": "#0072B2",
    "partly": "#F0E442",
    "contradicted": "#D55E00",
    "inconclusive": "#8a929c",
    "not attempted": "#ffffff",
}
"""Of each verdict: blue for the paper, vermilion against it. Yellow and not Okabe and Ito's purple, which without green
cones is the grey of "inconclusive"."""

DARK_INK = ("partly", "inconclusive", "not attempted")
"""Verdicts on whose colour white letters are hard to read, or whose colour is hard to read on white."""

MARKERS = {"reproduced": "o", "contradicted": "X", "inconclusive": "D"}
"""Of a record, by what it says."""

INK, FAINT, TRUE_HERE = "#1c2430", "#5c6773", "#dcebf6"
PER_LINE = 5
FURTHEST = 60.0
TICKS = (-30, -10, -3, -1, 0, 1, 3, 10, 30)


def draw_tiles(axes: Axes, given: Sequence[RowVerdict]) -> dict[str, int]:
    """Every claim as a tile, on a shelf for each verdict; squares on a tile are the parts of its claim.

    Args:
        axes: empty ones, about 9.5 inches wide.
        given: from `verdicts`.

    Returns:
        How many tiles each verdict has; a stale one, whose tile has a dashed edge, is counted with its verdict.
    """
    top, counts = 0.0, {}
    for said in VERDICTS:
        shelf = [one for one in given if one.verdict == said]
        counts[said] = len(shelf)
        if shelf:
            axes.text(-0.3, top + 0.42, str(len(shelf)), ha="right", va="center", fontsize=22, fontweight="bold",
                      color=INK if said in DARK_INK else COLOURS[said])  # fmt: skip
            axes.text(-0.24, top + 0.42, said.replace(" ", "\n"), ha="left", va="center", fontsize=9, color=INK)
            for k, one in enumerate(shelf):
                _tile(axes, one, 0.62 + k % PER_LINE, top + k // PER_LINE)
            top += -(-len(shelf) // PER_LINE) + 0.25
    axes.set(xlim=(-0.65, 0.62 + PER_LINE), ylim=(top - 0.2, -0.1), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(False)
    return counts


def _tile(axes: Axes, one: RowVerdict, left: float, top: float) -> None:
    is_open = one.verdict == "not attempted"
    axes.barh(
        top + 0.42,
        0.94,
        left=left,
        height=0.84,
        color=COLOURS[one.verdict],
        edgecolor="#b4bcc6" if is_open else INK if one.stale else COLOURS[one.verdict],
        linestyle="--" if is_open or one.stale else "-",
        linewidth=1.6 if one.stale else 1,
    )
    ink = INK if one.verdict in DARK_INK else "white"
    axes.text(left + 0.05, top + 0.3, one.row.id, va="center", fontsize=8.5, color=ink,
              fontweight="normal" if is_open else "bold")  # fmt: skip
    if one.stale:
        axes.text(left + 0.89, top + 0.64, "stale", va="center", ha="right", fontsize=7.5, style="italic", color=ink)
    for k, said in enumerate(one.parts.values() if len(one.parts) > 1 else ()):
        axes.barh(top + 0.64, 0.07, left=left + 0.06 + 0.1 * k, height=0.22, color=COLOURS[said],
                  edgecolor="#b4bcc6" if is_open else "white", linewidth=1)  # fmt: skip


def draw_forest(axes: Axes, given: Sequence[RowVerdict]) -> int:
    """Every record with an interval, in half-widths of it from the nearest end of its rule; true is to the right.

    A line is a claim, or a part of one; what was measured of it at several scales stands on it together. Those that all
    measurements decide against the paper come first, then what is open or said differently, then those for it.

    Args:
        axes: empty ones, about 4.8 inches wide and `forest_height(given)` high, with room for words on both sides.
        given: from `verdicts`.

    Returns:
        How many records are drawn. Those of notebooks where a stored run decides are drawn hollow.
    """
    lines, groups = measured(given), _forest_groups(given)
    stored = {record.id for record, _ in lines if record.is_stored}
    left, right = (min(FURTHEST, 1.4 * max([3.0, *(sign * one.value for _, one in lines)])) for sign in (-1, 1))
    axes.set_xscale("symlog", linthresh=4, linscale=1.6)
    axes.set(xlim=(-left, right), ylim=(max(_forest_units(groups), 1), 0), yticks=[])
    ticks = [tick for tick in TICKS if -left < tick < right]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=INK, linewidth=1.2, zorder=2)
    axes.set_xlabel("half-widths of its interval from the end of its rule; true to the right")
    top = 0.0
    for title, said, claims in groups:
        _beside(axes, -0.02, top + 0.6, title, ha="right", fontsize=10, fontweight="bold", color=TITLES[said])
        _beside(axes, 1.03, top + 0.6, "true if", color=FAINT)
        _beside(axes, 1.4, top + 0.6, "measured [95 %]", color=FAINT)
        top += 1
        for id, found in claims.items():
            height = _claim_units(found)
            room = max(one.room for _, one in found)
            axes.barh(
                top + height / 2, min(room, right), left=0, height=height - 0.08, color=TRUE_HERE, linewidth=0, zorder=0
            )
            for k, (record, one) in enumerate(found):
                hollow = record.id in stored and not record.is_stored
                _line(
                    axes, top + height / 2 + PITCH * (k - (len(found) - 1) / 2), one, verdict_of(record), hollow=hollow
                )
            told = number(found[0][0]) if len(found) == 1 else f"{len(found)} measurements"
            _beside(axes, -0.02, top + height / 2, id, ha="right", fontsize=9.5)
            _beside(axes, 1.03, top + height / 2, find_rule(id)[2].words)
            _beside(axes, 1.4, top + height / 2, told)
            top += height
    told = [f"{title}: {', '.join(claims)}" for title, _, claims in groups]
    describe(axes.figure, ". ".join(["Intervals beside the ends of their rules", *told]))
    return len(lines)


PITCH = 0.42
"""From one measurement of a claim to the next, in lines."""
TITLES = {"contradicted": "#b34a00", "inconclusive": "#5c6773", "reproduced": "#005a8f"}
"""Colours of the forest's headings: those of the verdicts, dark enough to be read."""


def forest_height(given: Sequence[RowVerdict]) -> float:
    """How high `draw_forest` is to be, in inches."""
    return 0.29 * max(_forest_units(_forest_groups(given)), 1) + 0.6


def _forest_groups(given: Sequence[RowVerdict]) -> list[tuple[str, str, dict[str, list[tuple[Record, Margin]]]]]:
    """The claims of the forest: title, verdict, and from id to what was measured, furthest from true first."""
    claims: dict[str, list[tuple[Record, Margin]]] = {}
    for record, one in measured(given):
        claims.setdefault(record.id, []).append((record, one))
    groups = {
        "contradicted": "Against the paper",
        "inconclusive": "Open, or not everywhere alike",
        "reproduced": "For the paper",
    }
    found = []
    for said, title in groups.items():
        of_it = {}
        for id, lines in claims.items():
            verdicts_ = {verdict_of(record) for record, _ in lines}
            if (verdicts_.pop() if len(verdicts_) == 1 else "inconclusive") == said:
                of_it[id] = lines
        if of_it:
            found.append((title, said, of_it))
    return found


def _forest_units(groups: Sequence[tuple[str, str, dict[str, list[tuple[Record, Margin]]]]]) -> float:
    """The height of the forest, in lines."""
    return sum(1 + sum(_claim_units(found) for found in claims.values()) for _, _, claims in groups)


def _claim_units(found: Sequence[tuple[Record, Margin]]) -> float:
    """The height of one claim, in lines."""
    return 0.95 + PITCH * (len(found) - 1)


def _line(axes: Axes, y: float, one: Margin, said: str, *, hollow: bool) -> None:
    """One record: its interval and its value; what is beyond the axes stands at their edge."""
    left, right = axes.get_xlim()
    axes.plot([one.low, one.high], [y, y], color=COLOURS[said], linewidth=2.4, zorder=3, solid_capstyle="butt")
    beyond = "<" if one.value < left else ">" if one.value > right else MARKERS[said]
    fill, edge = ("white", COLOURS[said]) if hollow else (COLOURS[said], "white")
    axes.plot(min(max(one.value, left), right), y, beyond, markersize=7, zorder=4, clip_on=False,
              markerfacecolor=fill, markeredgecolor=edge, markeredgewidth=1)  # fmt: skip


def _beside(axes: Axes, x: float, y: float, text: str, *, ha: str = "left", fontsize: float = 8.5, color: str = INK,
            fontweight: str = "normal") -> None:  # fmt: skip
    """A text beside a line: x in widths of the axes, y in lines."""
    axes.text(x, y, text, transform=axes.get_yaxis_transform(), va="center", ha=ha, fontsize=fontsize, color=color,
              fontweight=fontweight)  # fmt: skip


def number(record: Record) -> str:
    """A record's value and interval, as exact as the interval is: "1.0032 [1.0024, 1.0040]"; alone, to three digits."""
    if record.interval is None or record.interval[0] == record.interval[1]:
        return f"{record.value:.3g}"
    low, high = record.interval
    decimals = max(0, 1 - math.floor(math.log10((high - low) / 2)))  # as many as its interval lets one tell apart
    return f"{record.value:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def who(record: Record) -> str:
    """Who measured, and on how much: "notebook 07, 20 layouts"."""
    source = record.source.removeprefix("stored run ")
    counted = num_measured(record.interval_kind)
    told = [source.split("_")[0] if source.startswith("notebook") else source]
    return ", ".join([*told, f"{counted[0]} {counted[1]}"] if counted else told)


def witness(record: Record) -> str:
    """As `who`, with the scale where it is not the row's: "table4, 512 layouts, Scenes 32 px, equal time"."""
    scale = re.sub(r" \(.*?\)", "", record.scale) if record.scale != find_rule(record.id)[0].scale else ""
    return ", ".join(filter(None, [who(record), scale]))
