"""Figures: grids of images with names, denoising strips, legends, curves.

Apart because it is the one door of matplotlib, and knows no model. Functions return a matplotlib Figure, which a
notebook shows as the last expression of a cell or by `display(figure)`. What `sdm_lite.pictures` makes of arrays can be
had from here too.

Shapes: B batch, H x W pixels.
"""

from __future__ import annotations

import io
import math
import os
import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.files import write_whole
from sdm_lite.pictures import (
    OKABE_ITO,
    Row,
    as_tiles,
    colorize,
    default_palette,
    image_grid,
    png_bytes,
    tile_size,
    to_uint8,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Difference",
    "OKABE_ITO",
    "Row",
    "colorize",
    "default_palette",
    "denoising_strip",
    "figure_png",
    "image_grid",
    "legend",
    "plot_differences",
    "plot_lines",
    "png_bytes",
    "save_png",
    "show_grid",
    "to_uint8",
    "use_style",
]

DPI = 110
TEXT, FAINT = "#1c2430", "#5c6773"


def use_style() -> None:
    """Sets matplotlib's defaults for a notebook's own plots to those of this module."""
    import matplotlib

    matplotlib.rcParams.update(_style())


def draw_for_files() -> None:
    """Draw figures for files alone from here on: a command shows none.

    Whatever MPLBACKEND asks for is then not looked for: a screen that is not there, or the front end of the notebook
    that the command was started from.
    """
    os.environ["MPLBACKEND"] = "agg"


def figure_png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file, cropped to what is drawn on it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.1, facecolor="white")
    return buffer.getvalue()


def save_png(path: str | Path, picture: np.ndarray | Figure) -> Path:
    """Writes an array or a figure as PNG: the file is there whole, or not at all.

    Args:
        path: where to; missing folders are made.
        picture: (H, W, 3) uint8, or a Figure.

    Returns:
        The path.
    """
    return write_whole(path, png_bytes(picture) if isinstance(picture, np.ndarray) else figure_png(picture))


def show_grid(
    rows: Sequence[Row],
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    scale: int | None = None,
    title: str | None = None,
    caption: str | None = None,
    legend: tuple[Sequence[str], np.ndarray] | None = None,
) -> Figure:
    """A grid of images with names for rows and columns.

    Args:
        rows: as for `image_grid`.
        row_labels: one for each row, at its left.
        column_labels: one for each column, above it.
        scale: whole enlargement factor; chosen from the size of the images if None.
        title: above everything.
        caption: below everything, wrapped to the width of the grid.
        legend: (class names, palette), set as swatches under the grid.

    Returns:
        The figure, closed for pyplot, so that it shows where it is displayed and only there.

    Raises:
        ValueError: if the number of labels is not that of rows or columns, or as for `image_grid`.
    """
    tiles = [as_tiles(row) for row in rows]
    height, width = tile_size(tiles)
    num_columns, padding = max(len(row) for row in tiles), 4
    _check_labels(row_labels, len(tiles), "row")
    _check_labels(column_labels, num_columns, "column")
    if scale is None:
        scale = max(1, min(160 // max(height, width), 900 // (num_columns * width)))
    grid = image_grid(tiles, padding=padding, scale=scale)  # (H', W', 3)
    with _image_axes(grid) as (figure, axes):
        if row_labels is not None:
            centres = np.arange(len(tiles)) * (height * scale + padding) + height * scale / 2
            axes.set_yticks(centres, [textwrap.fill(_held(_drawable(label)), 16) for label in row_labels])
        if column_labels is not None:
            column_labels = [_drawable(label) for label in column_labels]
            axes.set_xticks(np.arange(num_columns) * (width * scale + padding) + width * scale / 2, column_labels)
            _fit_column_labels(figure, axes, column_labels, width * scale)
        if title is not None:
            axes.set_title(textwrap.fill(_held(_drawable(title)), max(24, grid.shape[1] // 9)))
        if legend is not None:
            _add_legend(axes, *legend, columns=max(1, grid.shape[1] // 120))
        if caption is not None:
            _add_caption(figure, axes, textwrap.fill(_held(_drawable(caption)), max(32, grid.shape[1] // 7)))
    return figure


def legend(class_names: Sequence[str], palette: np.ndarray, *, label_map: Tensor | None = None) -> Figure:
    """The classes and their colours.

    Args:
        class_names: one for each class.
        palette: (num_classes, 3) uint8.
        label_map: if given, only the classes that occur in it are listed.

    Returns:
        The figure.

    Raises:
        ValueError: if there are not as many names as colours.
    """
    _check_labels(class_names, len(palette), "class")
    present = range(len(palette)) if label_map is None else torch.unique(label_map).tolist()
    names, colours = [class_names[i] for i in present], np.asarray(palette)[list(present)]
    with _image_axes(np.full((1, 1, 3), 255, dtype=np.uint8)) as (figure, axes):
        _add_legend(axes, names, colours, columns=6)
    return figure


def denoising_strip(
    steps: Iterable[Any],
    *,
    num_columns: int = 8,
    sample: int = 0,
    scale: int | None = None,
    title: str | None = None,
    caption: str | None = None,
) -> Figure:
    """One sample on its way from noise to image: x_t above, the clean image predicted from it below.

    Args:
        steps: what a sampler yields: t (an integer or (B,) integers), x_t and x0, (B, 3, H, W) each. A generator is
            run.
        num_columns: how many of the steps are shown, evenly spaced, first and last among them.
        sample: which of the batch.
        scale: as for `show_grid`.
        title: above the strip.
        caption: below the strip.

    Returns:
        The figure.

    Raises:
        ValueError: if there are no steps, or fewer than one column is wanted.
    """
    steps = list(steps)
    if not steps or num_columns < 1:
        raise ValueError(f"expected at least one step and one column, got {len(steps)} steps and {num_columns} columns")
    places = np.unique(np.linspace(0, len(steps) - 1, num_columns).round().astype(int))
    chosen = [steps[i] for i in places]
    times = [int(torch.as_tensor(step.t).flatten()[0]) for step in chosen]
    return show_grid(
        [[step.x_t[sample] for step in chosen], [step.x0[sample] for step in chosen]],
        row_labels=["$x_t$", "predicted $x_0$"],
        column_labels=[f"$t$ = {t}" for t in times],
        scale=scale,
        title=title,
        caption=caption,
    )


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
    """Curves over one axis, with intervals as bands and fixed values as dashed lines.

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
    with _styled_axes(6.4, 3.6) as (figure, axes):
        for name, y in lines.items():
            (line,) = axes.plot(x, y, label=_drawable(name), marker="o" if markers else None)
            if name in intervals:
                axes.fill_between(x, *intervals[name], color=line.get_color(), alpha=0.18, linewidth=0)
        for (name, value), dashes in zip(references.items(), cycle(("--", ":", "-."))):
            axes.axhline(value, label=_drawable(name), color=FAINT, linestyle=dashes, linewidth=1.2, zorder=1)
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
        if title is not None:
            axes.set_title(_drawable(title))
        if len(lines) + len(references) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    return figure


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
    with _styled_axes(7.6, 4.8) as (figure, axes):
        axes.axvline(place[0], color=FAINT, linestyle="--", linewidth=1, zorder=1)
        axes.axhline(place[1], color=FAINT, linestyle="--", linewidth=1, zorder=1)
        axes.plot(*place, marker="*", markersize=13, color=FAINT, linestyle="none")
        for one, (x, y) in points.items():
            lows = [max(x[1], 0.02 * x[0]) if log_x else x[1], y[1]]
            reach = [[[one[0] - low], [one[2] - one[0]]] for one, low in zip((x, y), lows, strict=True)]
            style = {"marker": "s", "color": "C1"} if one in marked else {"marker": "o", "color": "C0"}
            axes.errorbar(x[0], y[0], xerr=reach[0], yerr=reach[1], elinewidth=0.8, markersize=5, alpha=0.8, **style)
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear")
        axes.margins(y=0.15)
        if title is not None:
            axes.set_title(textwrap.fill(_drawable(title), 64), fontsize="medium")
        _name_points(axes, {name: tuple(place)} | {one: (x[0], y[0]) for one, (x, y) in points.items()})
    return figure


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
        words = axes.annotate(_drawable(name), places[name], (0, 0), textcoords="offset points", va="bottom", **style)
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
            _drawable(name), places[name], (dx, dy), textcoords="offset points", arrowprops=line, **sides, **style
        )


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

    with pyplot.rc_context(_style()):
        figure, axes = pyplot.subplots(
            len(more_is_better), len(panels), figsize=(2.7 * len(panels), 2.6 * len(more_is_better)), squeeze=False
        )
        for column, (question, rows) in enumerate(panels.items()):
            for of, (row, more) in zip(axes[:, column], more_is_better.items(), strict=True):
                _draw_differences(of, rows.get(row, ()), more)
                of.set_title(_drawable(question) if of is axes[0, column] else "", fontsize="medium")
                of.set_ylabel(_drawable(row) if column == 0 else "")
        styles = {f"{name} better": DECIDED[n] for n, name in enumerate(names)} | {"undecided": UNDECIDED}
        handles = [axes[0, 0].plot([], [], linestyle="none", **style)[0] for style in styles.values()]
        figure.legend(handles, [_drawable(name) for name in styles], loc="lower center", ncols=3, frameon=False)
        if title is not None:
            figure.suptitle(_drawable(title))
        figure.tight_layout(rect=(0, 0.05, 1, 1))
        figure.draw_without_rendering()
        pyplot.close(figure)
    return figure


DECIDED = {"marker": "o", "color": OKABE_ITO[0]}, {"marker": "s", "color": OKABE_ITO[1]}
UNDECIDED = {"marker": "o", "color": FAINT, "markerfacecolor": "white"}


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
    axes.set_xticks(range(len(differences)), [_drawable(one.name) for one in differences], fontsize="small")
    axes.set_xlim(-0.6, max(len(differences), 1) - 0.4)
    axes.grid(False, axis="x")


# What the above is made of.


def _check_labels(labels: Sequence[str] | None, expected: int, kind: str) -> None:
    if labels is not None and len(labels) != expected:
        raise ValueError(f"expected {expected} {kind} labels, got {len(labels)}: {list(labels)}")


def _check_lines(x: Sequence[float], lines: Mapping, intervals: Mapping) -> None:
    for name, y in lines.items():
        if len(y) != len(x):
            raise ValueError(f"expected {len(x)} values for line {name!r}, as many as x has, got {len(y)}")
    for name in intervals:
        if name not in lines:
            raise ValueError(f"expected intervals for the lines {list(lines)}, got one for {name!r}")


def _style() -> dict[str, Any]:
    from matplotlib import cycler

    return {
        "figure.dpi": DPI,
        "figure.facecolor": "white",
        "savefig.bbox": "tight",
        "savefig.dpi": "figure",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": TEXT,
        "axes.labelcolor": TEXT,
        "axes.edgecolor": FAINT,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=OKABE_ITO),
        "grid.color": "#e3e6ea",
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.markersize": 4.5,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": TEXT,
        "ytick.labelcolor": TEXT,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "image.interpolation": "nearest",
    }


@contextmanager
def _styled_axes(width: float, height: float, *, bare: bool = False) -> Iterator[tuple[Figure, Any]]:
    """A new figure of width x height inches and its only axes, to be drawn on inside the `with` block.

    It is closed for pyplot at once: an open one is drawn a second time by the notebook at the end of the cell. Ticks
    are made, and take their style, when a figure is laid out, so that is done before the style is left.
    """
    import matplotlib.pyplot as plt

    with plt.rc_context(_style()):
        figure = plt.figure(figsize=(width, height))
        plt.close(figure)
        axes = figure.add_axes((0, 0, 1, 1)) if bare else figure.add_subplot()
        if bare:
            axes.grid(False)
            axes.spines[:].set_visible(False)
            axes.set(xticks=[], yticks=[])
            axes.tick_params(length=0, pad=5)
            axes.xaxis.tick_top()
        yield figure, axes
        figure.draw_without_rendering()


@contextmanager
def _image_axes(image: np.ndarray) -> Iterator[tuple[Figure, Any]]:
    """Axes that show a uint8 image pixel for pixel; labels lie outside of the figure's box and widen it when saved."""
    height, width = image.shape[:2]
    with _styled_axes(width / DPI, height / DPI, bare=True) as (figure, axes):
        axes.imshow(image, extent=(0, width, height, 0), interpolation="nearest")
        yield figure, axes


def _fit_column_labels(figure: Figure, axes: Any, labels: Sequence[str], room: int) -> None:
    """Wraps the labels that are too wide for their column, `room` pixels; then shrinks all, then breaks words."""
    for size, break_words in ((10, False), (9, False), (8, False), (8, True)):
        axes.set_xticklabels(labels, fontsize=size)
        texts = labels if break_words else [_held(label) for label in labels]
        letters = [
            max(3, int(len(label) * room / width) - break_words) if width > room else 1 + len(label)
            for label, width in zip(labels, _tick_widths(figure, axes), strict=True)
        ]
        axes.set_xticklabels(
            [textwrap.fill(text, n, break_long_words=break_words) for text, n in zip(texts, letters, strict=True)],
            fontsize=size,
        )
        if max(_tick_widths(figure, axes)) <= room + 2:
            return


def _held(text: str) -> str:
    """A text that is not wrapped beside a sign: `s = 1.5` stays in one line."""
    return re.sub(r" (=|<=|>=) ", "\xa0\\1\xa0", text)


def _drawable(text: str) -> str:
    """A text as matplotlib can draw it: with its dollar signs as such where what is between them is no equation."""
    from matplotlib.mathtext import MathTextParser

    if text.count("$") - text.count(r"\$") >= 2:
        try:
            MathTextParser("path").parse(text)
        except ValueError:
            return re.sub(r"(?<!\\)\$", r"\\$", text)
    return text


@lru_cache
def _font_with(letters: frozenset[str]) -> str | None:
    """An installed font that has some letters, by the name of its family; None if there is none."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    usual = get_font(findfont(FontProperties(family=["sans-serif"])))
    # matplotlib's own "Last Resort" has every letter, and draws it as a box.
    others = [font for font in fontManager.ttflist if not font.name.startswith("Last Resort")]
    others.sort(key=lambda font: (font.style != "normal", font.weight != 400, font.name))
    for name, load in [("sans-serif", lambda: usual), *((f.name, lambda f=f: get_font(f.fname)) for f in others)]:
        try:
            if all(load().get_char_index(ord(letter)) for letter in letters):
                return name
        except (OSError, RuntimeError):  # a font file that cannot be read is no font
            continue
    return None


def _write_name(text: Any, name: str) -> None:
    """Set a name that comes from data: no equation whatever is in it, and no letter as an empty box.

    Letters that no installed font has are written by their numbers, as "u5929", and as on a terminal without them.
    """
    family = _font_with(frozenset(name) - {" "})
    text.set_parse_math(False)
    text.set_text(name if family else name.encode("ascii", "backslashreplace").decode())
    text.set_fontfamily(["sans-serif", family] if family not in (None, "sans-serif") else "sans-serif")


def _tick_widths(figure: Figure, axes: Any) -> list[float]:
    figure.draw_without_rendering()
    return [label.get_window_extent().width for label in axes.get_xticklabels()]


def _add_legend(axes: Any, class_names: Sequence[str], palette: np.ndarray, *, columns: int) -> None:
    from matplotlib.patches import Patch

    swatches = [
        Patch(facecolor=np.asarray(colour) / 255, edgecolor=FAINT, linewidth=0.4, label="a name")
        for _, colour in zip(class_names, palette, strict=True)
    ]
    drawn = axes.legend(
        handles=swatches,
        loc="upper left",
        bbox_to_anchor=(0, -8 / axes.bbox.height),
        ncols=min(columns, len(swatches)),
        borderaxespad=0,
        borderpad=0,
        handlelength=1.2,
        handleheight=1.0,
        columnspacing=1.4,
    )
    for text, name in zip(drawn.get_texts(), class_names, strict=True):
        _write_name(text, name)  # afterwards: a label that begins with _ would be left out


def _add_caption(figure: Figure, axes: Any, caption: str) -> None:
    """Sets a caption under whatever is lowest so far: the images or their legend."""
    figure.draw_without_rendering()
    lowest = axes.get_legend().get_window_extent().y0 if axes.get_legend() else 0
    # In axes coordinates: cropping a figure on saving moves its pixels.
    place = (lowest - 8) / axes.bbox.height
    axes.text(0, place, caption, transform=axes.transAxes, va="top", color=FAINT, fontsize=9)
