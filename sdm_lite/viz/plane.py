"""Points in a plane of two scores, named so that no name hides another."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sdm_lite.pictures import OKABE_ITO
from sdm_lite.viz.alt import describe
from sdm_lite.viz.style import FAINT, styled_axes
from sdm_lite.viz.words import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_plane(
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    reference: tuple[str, float, float],
    marked: Collection[str] = (),
    log_x: bool = False,
    title: str | None = None,
) -> Figure:
    """Points with their intervals as crosses, named, beside one point that all are held against.

    Args:
        points: name -> ((value, low, high) across, (value, low, high) upward).
        xlabel: quantity and unit.
        ylabel: quantity and unit.
        reference: its name and place.
        marked: names of points drawn in another colour and as squares.
        log_x: logarithmic horizontal axis; what an interval has at 0 or below is cut off.
        title: above the axes.

    Returns:
        The figure.

    Raises:
        ValueError: if there are no points.
    """
    if not points:
        raise ValueError("expected at least one point, got none")
    name, *place = reference
    with styled_axes(7.6, 4.8) as (figure, axes):
        axes.axvline(place[0], color=FAINT, linestyle="--", linewidth=1, zorder=1)
        axes.axhline(place[1], color=FAINT, linestyle="--", linewidth=1, zorder=1)
        axes.plot(*place, marker="*", markersize=13, color=FAINT, linestyle="none")
        for one, (x, y) in points.items():
            lows = [max(x[1], 0.02 * x[0]) if log_x else x[1], y[1]]
            reach = [[[one[0] - low], [one[2] - one[0]]] for one, low in zip((x, y), lows, strict=True)]
            # No "C1": a mark asks what that is when it is drawn, which may be outside of this style.
            marker, color = ("s", OKABE_ITO[1]) if one in marked else ("o", OKABE_ITO[0])
            style = {"marker": marker, "color": color, "elinewidth": 0.8, "markersize": 5, "alpha": 0.8}
            axes.errorbar(x[0], y[0], xerr=reach[0], yerr=reach[1], **style)
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear")
        axes.margins(y=0.15)
        if title is not None:
            axes.set_title(textwrap.fill(drawable(title), 88), fontsize="medium")
        places = {name: tuple(place)} | {one: (x[0], y[0]) for one, (x, y) in points.items()}
        _name_points(axes, places)
    told = "; ".join(f"{one} at {x:.4g}, {y:.4g}" for one, (x, y) in places.items())
    return describe(figure, f"{title + '. ' if title else ''}Points of {xlabel} and {ylabel}: {told}")


def _name_points(axes: Axes, places: Mapping[str, tuple[float, float]]) -> None:
    """Write the names of points beside them, each with a line, at the nearest place where no name and no point is."""
    from matplotlib.transforms import Bbox

    figure = axes.figure
    figure.draw_without_rendering()
    inside, pixels = axes.get_window_extent(), figure.dpi / 72  # a point of a font
    points = {name: axes.transData.transform(place) for name, place in places.items()}
    taken = [Bbox.from_bounds(x - 5 * pixels, y - 5 * pixels, 10 * pixels, 10 * pixels) for x, y in points.values()]
    directions = [math.radians(degrees) for degrees in (40, 140, -40, -140, 70, 110, -70, -110, 15, 165, -15, -165)]
    offsets = [(r * math.cos(a), r * math.sin(a)) for r in (10, 18, 28, 40, 54, 70, 90) for a in directions]
    style = {"fontsize": "small", "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5}}
    line = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
    for name, (x, y) in points.items():
        words = axes.annotate(drawable(name), places[name], (0, 0), textcoords="offset points", va="bottom", **style)
        extent = words.get_window_extent()
        words.remove()
        for dx, dy in offsets:  # where no place is free it is the last
            left = x + dx * pixels - (extent.width if dx < 0 else 0)
            low = y + dy * pixels - (extent.height if dy < 0 else 0)
            box = Bbox.from_bounds(left, low, extent.width, extent.height).padded(pixels)
            fits = inside.x0 < box.x0 and box.x1 < inside.x1 and inside.y0 < box.y0 and box.y1 < inside.y1
            if fits and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
        sides = {"ha": "right" if dx < 0 else "left", "va": "top" if dy < 0 else "bottom"}
        axes.annotate(
            drawable(name), places[name], (dx, dy), textcoords="offset points", arrowprops=line, **sides, **style
        )
