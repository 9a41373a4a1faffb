"""Differences of two things with their intervals about 0: decided or not is told by shape and colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sdm_lite.pictures import OKABE_ITO
from sdm_lite.viz.alt import describe
from sdm_lite.viz.style import FAINT, settings
from sdm_lite.viz.words import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


DECIDED = {"marker": "o", "color": OKABE_ITO[0]}, {"marker": "s", "color": OKABE_ITO[1]}
UNDECIDED = {"marker": "o", "color": FAINT, "markerfacecolor": "white"}


class Difference(NamedTuple):
    """One thing less another, for `plot_differences`.

    Attributes:
        name: of where it was measured, below the axis.
        value: of the difference, or None where it was not measured.
        low: end of its interval.
        high: end of its interval.
    """

    name: str
    value: float | None = None
    low: float = 0.0
    high: float = 0.0

    @property
    def is_decided(self) -> bool:
        """Whether it was measured and the interval leaves out 0."""
        return self.value is not None and not self.low <= 0 <= self.high


def plot_differences(
    panels: Mapping[str, Mapping[str, Sequence[Difference]]],
    *,
    more_is_better: Mapping[str, bool],
    names: tuple[str, str],
    title: str | None = None,
) -> Figure:
    """Differences of two things with their intervals about 0: a column for each question, a row for each score.

    A difference whose interval leaves out 0 is filled and coloured, a circle where the first of the two is better, a
    square where the second is; an undecided one is hollow and grey. What was not measured is said to be so.

    Args:
        panels: column -> row -> differences from left to right, none for a panel that has none.
        more_is_better: row -> whether a difference above 0 speaks for the first of the two; all rows that there are.
        names: of the two.
        title: above the panels.

    Returns:
        The figure.

    Raises:
        ValueError: if there are no panels, or one has a row that `more_is_better` does not know.
    """
    unknown = [row for rows in panels.values() for row in rows if row not in more_is_better]
    if not panels or unknown:
        raise ValueError(f"expected panels of the rows {list(more_is_better)}, got {unknown or 'none'}")
    from matplotlib import pyplot

    with pyplot.rc_context(settings()):
        figure, axes = pyplot.subplots(
            len(more_is_better), len(panels), figsize=(2.7 * len(panels), 2.6 * len(more_is_better)), squeeze=False
        )
        for column, (question, rows) in enumerate(panels.items()):
            for of, (row, more) in zip(axes[:, column], more_is_better.items(), strict=True):
                _draw_differences(of, rows.get(row, ()), more)
                of.set_title(drawable(question) if of is axes[0, column] else "", fontsize="medium")
                of.set_ylabel(drawable(row) if column == 0 else "")
        styles = {f"{name} better": DECIDED[n] for n, name in enumerate(names)} | {"undecided": UNDECIDED}
        handles = [axes[0, 0].plot([], [], linestyle="none", **style)[0] for style in styles.values()]
        figure.legend(handles, [drawable(name) for name in styles], loc="lower center", ncols=3, frameon=False)
        if title is not None:
            figure.suptitle(drawable(title))
        figure.tight_layout(rect=(0, 0.05, 1, 1))
        figure.draw_without_rendering()
        pyplot.close(figure)
    told = [
        f"{row}, {question}: {'; '.join(_in_words(one, more, names) for one in rows.get(row, ())) or 'not measured'}"
        for question, rows in panels.items()
        for row, more in more_is_better.items()
    ]
    return describe(figure, ". ".join([title or "Differences", *told]))


def _in_words(one: Difference, more_is_better: bool, names: tuple[str, str]) -> str:
    """A difference as a list says it: where, and who is better."""
    if one.value is None:
        return f"{one.name} not measured"
    return f"{one.name} {names[(one.value > 0) != more_is_better] + ' better' if one.is_decided else 'undecided'}"


def _draw_differences(axes: Any, differences: Sequence[Difference], more_is_better: bool) -> None:
    axes.axhline(0, color=FAINT, linewidth=1, zorder=1)
    missing = {"ha": "center", "va": "center", "fontsize": "small", "color": FAINT, "backgroundcolor": "white"}
    for place, one in enumerate(differences):
        if one.value is None:
            across = axes.get_xaxis_transform()  # places across, shares of the height upward
            axes.text(place, 0.5, "not measured", rotation=90, transform=across, **missing)
            continue
        style = DECIDED[(one.value > 0) != more_is_better] if one.is_decided else UNDECIDED
        axes.plot([place, place], [one.low, one.high], color=style["color"], linewidth=1.5)
        axes.plot(place, one.value, linestyle="none", **style)
    if not differences:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, **missing)
    if all(one.value is None for one in differences):
        axes.set(yticks=[], ylim=(-1, 1))
    axes.set_xticks(range(len(differences)), [drawable(one.name) for one in differences], fontsize="small")
    axes.set_xlim(-0.6, max(len(differences), 1) - 0.4)
    axes.grid(False, axis="x")
