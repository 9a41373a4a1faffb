"""What moves in a notebook: the guidance slider, a picture redrawn in place, and the names of all other widgets.

Apart because notebooks import widgets from here, whatever module they are made in. Widgets change by `observe` and by
the value of an HTML widget; `Output` and `interact` are not used, because nbclient (papermill, nbconvert, voila) hangs
on them. Where nothing can move, because SDM_LITE_STATIC=1 is set or ipywidgets is missing, the same pictures are drawn
side by side in figures.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from sdm_lite.progress import is_static, progress
from sdm_lite.viz import figure_png, png_bytes, show_grid, to_uint8
from sdm_lite.widgets.base import Tile, find_ipywidgets, message_html, tiles_html
from sdm_lite.widgets.drawing import Settings
from sdm_lite.widgets.names import names_and_keys
from sdm_lite.widgets.painter import LabelPainter, label_painter
from sdm_lite.widgets.panel import SamplingPanel, sampling_panel
from sdm_lite.widgets.study import Pair, UserStudy, sample_pairs, user_study

if TYPE_CHECKING:
    from ipywidgets import VBox
    from matplotlib.figure import Figure

__all__ = [
    "LabelPainter",
    "LiveImage",
    "Pair",
    "SamplingPanel",
    "Settings",
    "UserStudy",
    "guidance_slider",
    "label_painter",
    "sample_pairs",
    "sampling_panel",
    "user_study",
]


def guidance_slider(
    draw: Callable[[float], Tensor | np.ndarray],
    scales: Iterable[float] = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0),
    *,
    initial: float = 1.5,
    enlarge: int | None = None,
    title: str | None = None,
) -> VBox | Figure:
    """A slider over the guidance scale, with the samples of each scale under it.

    Every scale is drawn once, beforehand, so that the slider answers at once. For the pictures to differ by the scale
    alone, `draw` has to start from one and the same noise each time.

    Args:
        draw: guidance scale -> (B, 3, H, W) float in [-1, 1], or one picture as uint8 (H, W, 3). Pictures that exist
            already can be had as `guidance_slider(pictures.__getitem__, pictures)`.
        scales: guidance scales, each at least 0, in the order they are shown: 0 is unconditional, 1 plain conditional.
        initial: the scale shown first; the nearest of `scales` is taken.
        enlarge: whole factor by which pictures are enlarged; chosen from their size if None.
        title: shown above.

    Returns:
        Something a notebook shows as the last expression of a cell or by `display`: the widget, or without widgets a
        figure with one column for each scale.

    Raises:
        ValueError: if there are no scales, or one is negative or given twice; before anything is drawn.
    """
    scales = [float(scale) for scale in scales]
    _check_scales(scales)
    widgets = find_ipywidgets()
    pictures = [_pictures(draw(scale)) for scale in progress(scales, description="guidance scales")]
    if widgets is None:
        columns = [f"s = {scale:g}" for scale in scales]
        return show_grid(list(zip(*pictures, strict=True)), column_labels=columns, scale=enlarge, title=title)
    return _slider(widgets, scales, pictures, initial=initial, enlarge=enlarge, title=title)


class LiveImage:
    """A picture in a notebook that is replaced in place: samples while a network trains, a loss curve as it grows.

    `with LiveImage() as live: ... live.update(picture)`. In static mode only the last picture is shown, when the block
    ends, after an interruption too. Outside of a notebook nothing is shown; the last PNG is in `png` all the same.

    Attributes:
        png: bytes of the last picture, or None before the first.
    """

    def __init__(self):
        self.png: bytes | None = None
        self._handle: Any = None
        self._shown: bytes | None = None

    def update(self, picture: np.ndarray | Figure) -> None:
        """Shows another picture in place of the last.

        Args:
            picture: uint8 (H, W, 3), or a figure.
        """
        self.png = png_bytes(picture) if isinstance(picture, np.ndarray) else figure_png(picture)
        if not is_static():
            self._show()

    def close(self) -> None:
        """Shows the last picture, if it is not shown already."""
        if self.png is not self._shown:
            self._show()

    def __enter__(self) -> LiveImage:
        """Returns itself; nothing is shown before the first update."""
        return self

    def __exit__(self, *_: object) -> None:
        """Shows the last picture and lets any exception pass."""
        self.close()

    def _show(self) -> None:
        self._shown = self.png
        try:
            from IPython import get_ipython
            from IPython.display import Image, display
        except ImportError:
            return
        if get_ipython() is None:
            return
        if self._handle is None:
            self._handle = display(Image(data=self.png), display_id=True)
        else:
            self._handle.update(Image(data=self.png))


def _check_scales(scales: Sequence[float]) -> None:
    if not scales:
        raise ValueError("expected at least one guidance scale, got none")
    if not all(scale >= 0 for scale in scales):
        raise ValueError(f"expected guidance scales >= 0, got {scales}; 0 is unconditional, 1 plain conditional")
    if len(set(scales)) != len(scales):
        raise ValueError(f"expected each guidance scale once, got {scales}")


def _slider(
    widgets: Any, scales: list[float], pictures: list, *, initial: float, enlarge: int | None, title: str | None
) -> VBox:
    longest = max(pictures[0][0].shape[:2])
    side = longest * enlarge if enlarge else min(192, max(96, 900 // len(pictures[0])))

    def row(scale: float) -> str:
        tiles = pictures[scales.index(scale)]
        return tiles_html([Tile(one, "", f"sample {n + 1}, s = {scale:g}") for n, one in enumerate(tiles)], side=side)

    rows = {scale: row(scale) for scale in scales}
    nearest = min(scales, key=lambda scale: abs(scale - initial))
    slider = widgets.SelectionSlider(
        options=[(f"{scale:g}", scale) for scale in scales],
        value=nearest,
        description="Guidance scale s",
        style={"description_width": "initial"},
        layout={"width": "420px"},
    )
    shown = widgets.HTML(value=rows[nearest])
    meaning = widgets.HTML(value=message_html(_meaning(nearest)))

    def show(change: dict) -> None:
        shown.value = rows[change["new"]]
        meaning.value = message_html(_meaning(change["new"]))

    slider.observe(show, names="value")
    parts = [slider, meaning, shown]
    if title is not None:
        parts.insert(0, widgets.HTML(value=f"<b>{html.escape(title)}</b>"))
    return widgets.VBox(names_and_keys() + parts)


def _pictures(drawn: Tensor | np.ndarray) -> list[np.ndarray]:
    return list(to_uint8(drawn)) if isinstance(drawn, Tensor) else [drawn]


def _meaning(scale: float) -> str:
    """What a guidance scale does, in a few words."""
    if scale == 0:
        return "s = 0: the label map is not read at all"
    if scale < 1:
        return f"s = {scale:g}: between no label map and plain conditional sampling"
    if scale == 1:
        return "s = 1: plain conditional sampling"
    return f"s = {scale:g}: pushed away from what would be drawn without a label map"
