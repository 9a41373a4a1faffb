"""What one paints on: the painter's own page, or, where anywidget is missing, plain controls with the same gestures.

Apart so that the painter need not ask which of the two it has. The page is painter.js and painter.css; it sends
gestures and shows what Python has made of them, so that there is one map and it is Python's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sdm_lite.viz import colorize
from sdm_lite.widgets.base import Tile, tiles_html
from sdm_lite.widgets.drawing import in_words
from sdm_lite.widgets.painting import LabelMap

FRONT = Path(__file__).parent

OnGesture = Callable[[dict], object]


@lru_cache(maxsize=1)
def canvas_class() -> Any:
    """The anywidget class of the painter's page, or None where anywidget is missing."""
    try:
        import anywidget
        from traitlets import Bool, Bytes, Int, List, Unicode
    except ImportError:
        return None

    class Canvas(anywidget.AnyWidget):
        _esm = FRONT / "painter.js"
        _css = FRONT / "painter.css"
        height, width = Int().tag(sync=True), Int().tag(sync=True)
        labels = Bytes().tag(sync=True)  # (H, W) uint8, row by row
        class_names, colours, presets = (List(Unicode()).tag(sync=True) for _ in range(3))
        answered = Int().tag(sync=True)  # the number of the last gesture that was dealt with
        can_undo, can_redo = Bool().tag(sync=True), Bool().tag(sync=True)
        follows = Bool().tag(sync=True)  # whether strokes are told while they go on

    return Canvas


class PageFront:
    """The painter's own page.

    Args:
        widgets: the ipywidgets module.
        labels: the map to show.
        dataset: names and colours of the classes.
        starts: names of the maps to start from.
        on_gesture: called with every gesture of the page; see `LabelPainter.gesture`.
        follows: whether the page tells of a stroke while it goes on.

    Attributes:
        widget: what is shown.
    """

    def __init__(
        self,
        widgets: Any,
        labels: LabelMap,
        dataset: Any,
        starts: Sequence[str],
        on_gesture: OnGesture,
        *,
        follows: bool = False,
    ):
        self._labels = labels
        self.widget = canvas_class()(
            height=labels.shape[0],
            width=labels.shape[1],
            class_names=list(dataset.class_names),
            colours=["#" + bytes(np.asarray(colour, dtype=np.uint8)).hex() for colour in dataset.palette],
            presets=list(starts),
            follows=follows,
        )
        self.widget.on_msg(lambda _, content, __: on_gesture(content if isinstance(content, dict) else {}))

    def refresh(self, answered: int) -> None:
        """Shows the map as it is, and tells the page up to which gesture that is."""
        with self.widget.hold_sync():
            self.widget.labels = self._labels.label_map.astype(np.uint8).tobytes()
            self.widget.answered = max(self.widget.answered, answered)
            self.widget.can_undo, self.widget.can_redo = self._labels.can_undo, self._labels.can_redo


class PlainFront:
    """The same gestures from plain controls, shapes being placed by numbers.

    Arguments as for PageFront, which alone has strokes to follow.
    """

    def __init__(
        self,
        widgets: Any,
        labels: LabelMap,
        dataset: Any,
        starts: Sequence[str],
        on_gesture: OnGesture,
    ):
        self._labels, self._dataset, self._widgets, self._on_gesture = labels, dataset, widgets, on_gesture
        self._picture = widgets.HTML()
        height, width = labels.shape
        classes = [(name, number) for number, name in enumerate(dataset.class_names)]
        label, old = self._choice("Class", classes), self._choice("Turn", classes)
        new = self._choice("into", classes, min(1, len(classes) - 1))
        start = self._choice("Start", [(name, number) for number, name in enumerate(starts)])
        top, left = self._number("Row", 0, height - 1, height // 2), self._number("Column", 0, width - 1, width // 2)
        tall, wide = self._number("Height", 1, height, height // 4), self._number("Width", 1, width, width // 4)

        def at(down: int = 0, right: int = 0) -> list[int]:
            return [top.value + down, left.value + right]

        def shape(kind: str, *places: list[int]) -> dict:
            return {"kind": kind, "places": list(places), "label": label.value, "diameter": wide.value}

        rows = [
            [label],
            [top, left],
            [tall, wide],
            [
                self._button("Rectangle", lambda: shape("rectangle", at(), at(tall.value - 1, wide.value - 1))),
                self._button("Disc", lambda: shape("brush", at())),
                self._button("Fill", lambda: shape("fill", at())),
                self._button("Fill all", lambda: {"kind": "clear", "label": label.value}),
            ],
            [old, new, self._button("Turn everywhere", lambda: {"kind": "swap", "old": old.value, "new": new.value})],
            [start, self._button("Start from it", lambda: {"kind": "preset", "index": start.value})],
            [self._button("Undo", lambda: {"kind": "undo"}), self._button("Redo", lambda: {"kind": "redo"})],
        ]
        boxes = [widgets.HBox(parts, layout={"flex_flow": "row wrap"}) for parts in rows]
        self.widget = widgets.VBox([self._picture, *boxes])

    def refresh(self, answered: int) -> None:
        """Shows the map as it is; there is nobody to answer."""
        words = f"label map: {in_words(self._labels.label_map, self._dataset.class_names)}"
        picture = colorize(self._labels.label_map, self._dataset.palette)
        self._picture.value = tiles_html([Tile(picture, "label map", words)], side=320)

    def _number(self, name: str, least: int, most: int, value: int) -> Any:
        # A field and not a slider: ipywidgets gives the handle of a slider no name for a screen reader.
        return self._widgets.BoundedIntText(
            description=name, min=least, max=most, value=value, layout={"width": "180px"}
        )

    def _choice(self, name: str, options: list[tuple[str, int]], value: int = 0) -> Any:
        return self._widgets.Dropdown(description=name, options=options, value=value, layout={"width": "200px"})

    def _button(self, text: str, gesture: Callable[[], dict]) -> Any:
        made = self._widgets.Button(description=text, layout={"width": "auto"})
        made.on_click(lambda _: self._on_gesture(gesture()))
        return made
