"""Grids of pictures with names for rows and columns, denoising strips, and the classes with their colours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sdm_lite.pictures import Row, as_tiles, image_grid, tile_size
from sdm_lite.progress import counted
from sdm_lite.viz.alt import describe
from sdm_lite.viz.style import FAINT, image_axes
from sdm_lite.viz.words import drawable, held, write_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_grid(
    rows: Sequence[Row],
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    column_footers: Sequence[str] | None = None,
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
        column_footers: one for each column, below it: a number that belongs to its pictures.
        scale: whole enlargement factor; chosen from the size of the images if None.
        title: above everything, in one line unless it is very long.
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
    _check_labels(column_footers, num_columns, "column footer")
    if scale is None:
        scale = max(1, min(160 // max(height, width), 900 // (num_columns * width)))
    grid = image_grid(tiles, padding=padding, scale=scale)  # (H', W', 3)
    with image_axes(grid) as (figure, axes):
        if row_labels is not None:
            centres = np.arange(len(tiles)) * (height * scale + padding) + height * scale / 2
            axes.set_yticks(centres, [textwrap.fill(held(drawable(label)), 16) for label in row_labels])
        middles = np.arange(num_columns) * (width * scale + padding) + width * scale / 2
        if column_labels is not None:
            column_labels = [drawable(label) for label in column_labels]
            axes.set_xticks(middles, column_labels)
            _fit_column_labels(figure, axes, column_labels, width * scale)
        if title is not None:
            axes.set_title(textwrap.fill(held(drawable(title)), max(64, grid.shape[1] // 9)))
        if column_footers is not None:
            _add_footers(axes, middles, column_footers)
        if legend is not None:
            _add_legend(axes, *legend, columns=max(1, grid.shape[1] // 120))
        if caption is not None:
            _add_caption(axes, textwrap.fill(held(drawable(caption)), max(32, grid.shape[1] // 7)))
    size = f"Pictures in {counted(len(tiles), 'row')} of {counted(num_columns, 'column')}"
    names = {"Rows": row_labels, "Columns": column_labels, "Below them": column_footers}
    names["Legend"] = legend and legend[0]
    told = [f"{kind}: {'; '.join(name for name in of if name)}" for kind, of in names.items() if of and any(of)]
    return describe(figure, ". ".join(part for part in (title, size, *told, caption) if part))


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
    with image_axes(np.full((1, 1, 3), 255, dtype=np.uint8)) as (figure, axes):
        _add_legend(axes, names, colours, columns=6)
    return describe(figure, f"Classes and their colours: {'; '.join(names)}")


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


def _check_labels(labels: Sequence[str] | None, expected: int, kind: str) -> None:
    if labels is not None and len(labels) != expected:
        raise ValueError(f"expected {expected} {kind} labels, got {len(labels)}: {list(labels)}")


def _fit_column_labels(figure: Figure, axes: Any, labels: Sequence[str], room: int) -> None:
    """Wraps the labels that are too wide for their column, `room` pixels; then shrinks all, then breaks words."""
    for size, break_words in ((10, False), (9, False), (8, False), (8, True)):
        axes.set_xticklabels(labels, fontsize=size)
        texts = labels if break_words else [held(label) for label in labels]
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
        bbox_to_anchor=(0, _lowest(axes) / axes.bbox.height),
        ncols=min(columns, len(swatches)),
        borderaxespad=0,
        borderpad=0,
        handlelength=1.2,
        handleheight=1.0,
        columnspacing=1.4,
    )
    for text, name in zip(drawn.get_texts(), class_names, strict=True):
        write_name(text, name)  # afterwards: a label that begins with _ would be left out


def _add_footers(axes: Any, middles: Sequence[float], footers: Sequence[str]) -> None:
    """Sets a text under each column."""
    for x, text in zip(middles, footers, strict=True):
        place = (x, -4 / axes.bbox.height)
        transform = axes.get_xaxis_transform()
        axes.text(*place, drawable(text), transform=transform, ha="center", va="top", color=FAINT, fontsize=9)


def _lowest(axes: Any) -> float:
    """Where the next thing under the images begins, in pixels, 0 at their lower edge: under footers and legend."""
    axes.figure.draw_without_rendering()
    drawn = [text for text in axes.texts if text.get_text()] + [one for one in [axes.get_legend()] if one]
    return min([axes.bbox.y0, *(one.get_window_extent().y0 for one in drawn)]) - axes.bbox.y0 - 8


def _add_caption(axes: Any, caption: str) -> None:
    """Sets a caption under whatever is lowest so far: the images, their footers or their legend."""
    # In axes coordinates: cropping a figure on saving moves its pixels.
    place = _lowest(axes) / axes.bbox.height
    axes.text(0, place, caption, transform=axes.transAxes, va="top", color=FAINT, fontsize=9)
