"""Small pictures side by side, all drawn on axes by one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sdm_lite.viz.style import settings
from sdm_lite.viz.words import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_panels(
    draw: Callable[[Axes, Any], None],
    values: Sequence[Any],
    *,
    columns: int = 4,
    side: float = 2.6,
    title: str | None = None,
) -> Figure:
    """One small picture for each value, side by side, all drawn by one function.

    Args:
        draw: draws a value on square axes that have no ticks yet.
        values: one or more.
        columns: pictures in a row, at most.
        side: inches of each.
        title: above all of them.

    Returns:
        The figure, closed for pyplot.

    Raises:
        ValueError: if there is no value.
    """
    import matplotlib.pyplot as plt

    if len(values) == 0:
        raise ValueError("expected at least one value to draw, got none")
    wide = min(columns, len(values))
    tall = -(-len(values) // wide)
    with plt.rc_context(settings()):
        figure = plt.figure(figsize=(side * wide, side * tall + (0.35 if title else 0)), layout="constrained")
        plt.close(figure)
        for place, value in enumerate(values):
            axes = figure.add_subplot(tall, wide, place + 1)
            axes.set(xticks=[], yticks=[], box_aspect=1)
            axes.grid(False)
            draw(axes, value)
        if title is not None:
            figure.suptitle(drawable(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.draw_without_rendering()
    return figure
