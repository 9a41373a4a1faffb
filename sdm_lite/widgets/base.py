"""What the widgets are made of: ipywidgets, pictures with words for those who cannot see them, static figures.

Apart because it is the one door of ipywidgets. A picture goes into an HTML widget and not into an Image: only there can
it have a text alternative and a caption in the colours of the page's theme. It is sent at its own size, and enlarged by
the browser, pixel by pixel.

Widgets change by `observe` and by the value of an HTML widget; `Output` and `interact` are not used, because nbclient
(papermill, nbconvert, voila) hangs on them.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sdm_lite.progress import is_static
from sdm_lite.viz import png_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADING = "text-align:right;padding-right:6px;font-weight:600;white-space:nowrap"
CAPTION = "margin-top:2px;text-align:center;font-size:12px;line-height:1.35"


class Tile(NamedTuple):
    """A picture, uint8 (H, W, 3), what stands under it, and what it shows in words (the caption if None)."""

    picture: np.ndarray
    caption: str
    description: str | None = None


class Shown:
    """What a notebook shows as the last expression of a cell: a widget, or figures where nothing can move.

    Attributes:
        widget: the ipywidgets box; None where nothing can move.
    """

    widget: Any = None
    _runner: Any = None  # the `jobs.Runner` of what goes on beside the cells, if anything does

    def figures(self) -> list[Figure]:
        """What stands in the place of the widget, drawn now."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until everything is drawn, which without widgets it is; False if not within `timeout` seconds."""
        return self._runner is None or self._runner.wait(timeout)

    def cancel(self) -> None:
        """Stops drawing at the next step, if anything is being drawn."""
        if self._runner is not None:
            self._runner.cancel()

    @contextmanager
    def _telling(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Tells in one line what the user got wrong, and leaves the block; where there is no widget, it is raised."""
        try:
            yield
        except ValueError as error:
            if self.widget is None:
                raise
            tell(one_line(error))

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for thing in self.figures() if self.widget is None else [self.widget]:
            display(thing)


def find_ipywidgets() -> Any:
    """The ipywidgets module, or None where pictures have to stand still."""
    if is_static():
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    return ipywidgets


def sized(control: Any, width: int) -> Any:
    """The control, made so many CSS pixels wide, its whole name among them."""
    control.style.description_width, control.layout.width = "initial", f"{width}px"
    return control


def picture_tag(picture: np.ndarray, description: str, *, side: int) -> str:
    """A picture as an HTML image, enlarged by a whole factor to about `side` CSS pixels on its longer side."""
    height, width = picture.shape[:2]
    factor = max(1, round(side / max(height, width)))
    data = base64.b64encode(png_bytes(picture)).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(description)}" width="{width * factor}" '
        f'height="{height * factor}" style="image-rendering:pixelated;display:block;max-width:none">'
    )


def tiles_html(tiles: Sequence[Tile], *, side: int = 160) -> str:
    """Pictures in a row, each over its caption; the row breaks where the page is narrow."""
    figures = [
        f'<figure style="margin:0">{picture_tag(tile.picture, tile.description or tile.caption, side=side)}'
        f'<figcaption style="{CAPTION}">{html.escape(tile.caption)}</figcaption></figure>'
        for tile in tiles
    ]
    return f'<div style="display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start">{"".join(figures)}</div>'


def table_html(rows: Mapping[str, Sequence[Tile]], *, caption: str, side: int = 64) -> str:
    """Pictures in a table: a name before each row, a caption under each picture."""
    body = []
    for name, tiles in rows.items():
        cells = "".join(
            f'<td style="padding:1px 3px;vertical-align:top;text-align:center">'
            f"{picture_tag(tile.picture, tile.description or f'{name}, {tile.caption}', side=side)}"
            f'<div style="{CAPTION}">{html.escape(tile.caption)}</div></td>'
            for tile in tiles
        )
        heading = f'<th scope="row" style="{HEADING}">{html.escape(name)}</th>'
        body.append(f'<tr style="background:none">{heading}{cells}</tr>')
    return (
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;font-size:12px">'
        f'<caption style="text-align:left;padding:4px 0;line-height:1.35">{html.escape(caption)}</caption>'
        f"{''.join(body)}</table></div>"
    )


def progress_html(text: str, num_done: int, num_steps: int) -> str:
    """A line on how far something is. A screen reader tells it when asked, and does not announce every change."""
    return (
        f'<div role="progressbar" aria-label="{html.escape(text)}" aria-valuemin="0" aria-valuemax="{num_steps}" '
        f'aria-valuenow="{num_done}" style="line-height:1.4">{html.escape(text)}</div>'
    )


def message_html(text: str, *, alert: bool = False) -> str:
    """A line of text that a screen reader announces, at once if it is an alert."""
    if not text:
        return ""
    mark = '<strong style="color:var(--jp-error-color1, #b3261e)">Not possible:</strong> ' if alert else ""
    return f'<div role="{"alert" if alert else "status"}" style="line-height:1.4">{mark}{html.escape(text)}</div>'


def one_line(error: Exception) -> str:
    """What went wrong in one line: the message alone where it was written for the user, else the error's name too."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
