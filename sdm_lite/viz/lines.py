"""Curves over one axis, with bands for intervals and fixed values to hold them against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from sdm_lite.viz.style import FAINT, LINE_STYLES, MARKERS, styled_axes
from sdm_lite.viz.words import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_lines(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    intervals: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    references: Mapping[str, float] | None = None,
    log_x: bool = False,
    log_y: bool = False,
    markers: bool = False,
    title: str | None = None,
) -> Figure:
    """Curves over one axis, told apart by dashes as well as by colour, with intervals as bands.

    Fixed values to compare with are thin grey lines.

    Args:
        x: (N,) places on the horizontal axis.
        lines: name -> (N,) values; NaN leaves a gap.
        xlabel: quantity and unit.
        ylabel: quantity and unit.
        intervals: name of a line -> (lower (N,), upper (N,)).
        references: name -> a value to compare with, such as what true images score.
        log_x: logarithmic horizontal axis.
        log_y: logarithmic vertical axis.
        markers: mark each value, for curves of few measurements.
        title: above the axes.

    Returns:
        The figure.

    Raises:
        ValueError: if a line has another length than x, or an interval belongs to no line.
    """
    intervals, references = intervals or {}, references or {}
    _check_lines(x, lines, intervals)
    with styled_axes(6.4, 3.6) as (figure, axes):
        for (name, y), dashes, marker in zip(lines.items(), cycle(LINE_STYLES), cycle(MARKERS)):
            style = {"linestyle": dashes, "marker": marker if markers else None}
            (line,) = axes.plot(x, y, label=drawable(name), **style)
            if name in intervals:
                axes.fill_between(x, *intervals[name], color=line.get_color(), alpha=0.18, linewidth=0)
        for (name, value), dashes in zip(references.items(), cycle(("--", ":", "-."))):
            axes.axhline(value, label=drawable(name), color=FAINT, linestyle=dashes, linewidth=1.2, zorder=1)
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
        if title is not None:
            axes.set_title(drawable(title))
        if len(lines) + len(references) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    return figure


def _check_lines(x: Sequence[float], lines: Mapping, intervals: Mapping) -> None:
    for name, y in lines.items():
        if len(y) != len(x):
            raise ValueError(f"expected {len(x)} values for line {name!r}, as many as x has, got {len(y)}")
    for name in intervals:
        if name not in lines:
            raise ValueError(f"expected intervals for the lines {list(lines)}, got one for {name!r}")
