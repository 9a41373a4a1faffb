"""A label map that can be painted on: brush, rectangle, fill, class swap, undo, in whole class numbers throughout.

Apart from the widget that shows it, so that a map can be painted from a script or a test, with no browser: the widget
only forwards gestures to the methods here. A place is (row, column) in pixels, (0, 0) at the top left; it may lie
outside of the map, as a pointer may.

Shapes: H x W pixels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch

from sdm_lite.labels import check_labels

Place = tuple[float, float]

MAX_UNDO = 100


class LabelMap:
    """A label map and the objects in it, changed in place by the operations of a painter.

    New pixels join the object of their class that they touch; touching none, they are an object of their own. So a
    house can be enlarged without a seam, and a second car be set apart from the first.

    Args:
        label_map: (H, W) integers in 0..num_classes-1.
        num_classes: how many classes there are, at most 256.
        instance_map: (H, W) integers, equal where two pixels belong to one object; the label map itself if None.

    Raises:
        ValueError: naming what is wrong with shape, dtype or ids.
    """

    def __init__(self, label_map: np.ndarray, num_classes: int, *, instance_map: np.ndarray | None = None):
        if not 1 <= num_classes <= 256:
            raise ValueError(f"num_classes must be in 1..256, got {num_classes}")
        self.num_classes = num_classes
        self._labels, self._instances = self._checked(label_map, instance_map)
        self._undone: list[tuple[np.ndarray, np.ndarray]] = []
        self._done: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=MAX_UNDO)

    @property
    def label_map(self) -> np.ndarray:
        """A copy of the map: (H, W) int64."""
        return self._labels.copy()

    @property
    def instance_map(self) -> np.ndarray:
        """A copy of the object ids: (H, W) int64."""
        return self._instances.copy()

    @property
    def shape(self) -> tuple[int, int]:
        """H, W."""
        return self._labels.shape

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to make again."""
        return bool(self._undone)

    def brush(self, places: Sequence[Place], label: int, *, diameter: float = 1) -> bool:
        """Paints every pixel whose centre is at most diameter / 2 from the line through the places.

        Args:
            places: the line's corners, at least one; a single one makes a disc.
            label: the class to paint.
            diameter: of the brush in pixels, at least 1.

        Returns:
            Whether a pixel changed.

        Raises:
            ValueError: on a class, a place or a diameter that cannot be.
        """
        corners = self._places(places)
        if not 1 <= diameter < np.inf:
            raise ValueError(f"the brush must be at least 1 pixel wide, got {diameter!r}")
        rows, columns = np.indices(self.shape)
        mask = np.zeros(self.shape, dtype=bool)
        ends = corners[1:] if len(corners) > 1 else corners
        for start, end in zip(corners, ends, strict=False):  # one end fewer than corners
            mask |= _distance(rows, columns, start, end) <= diameter / 2
        return self._paint(mask, label)

    def rectangle(self, corner: Place, opposite: Place, label: int) -> bool:
        """Paints the rectangle between two corners, both included; says whether a pixel changed."""
        (top, left), (bottom, right) = np.sort(self._places([corner, opposite]), axis=0)
        rows, columns = np.indices(self.shape)
        return self._paint((rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right), label)

    def fill(self, place: Place, label: int) -> bool:
        """Paints the connected area of one class around a pixel; neighbours are the four that share a side."""
        row, column = (int(part) for part in np.floor(self._places([place])[0]))
        height, width = self.shape
        if not (0 <= row < height and 0 <= column < width):
            return False
        return self._paint(_connected(self._labels == self._labels[row, column], row, column), label)

    def swap(self, old: int, new: int) -> bool:
        """Turns one class into another everywhere; what was an object stays one. Says whether a pixel changed."""
        mask = self._labels == self._label(old)
        if not mask.any() or self._label(new) == old:
            return False
        self._remember()
        self._labels[mask] = new
        return True

    def replace(self, label_map: np.ndarray, *, instance_map: np.ndarray | None = None) -> bool:
        """Starts from another map of the same size, which can be undone; says whether anything changed.

        Raises:
            ValueError: if it is no label map, or of another size.
        """
        labels, instances = self._checked(label_map, instance_map)
        if labels.shape != self.shape:
            raise ValueError(f"expected a label map of {self.shape[0]} x {self.shape[1]} pixels, got {labels.shape}")
        if np.array_equal(labels, self._labels) and np.array_equal(instances, self._instances):
            return False
        self._remember()
        self._labels, self._instances = labels, instances
        return True

    def undo(self) -> bool:
        """Takes back the last change; says whether there was one."""
        return self._step(self._done, self._undone)

    def redo(self) -> bool:
        """Makes again what was last undone; says whether there was such."""
        return self._step(self._undone, self._done)

    def _paint(self, mask: np.ndarray, label: int) -> bool:
        own = self._labels == self._label(label)
        changed = mask & ~own
        if not changed.any():
            return False
        self._remember()
        touched = self._instances[own & _grown(mask)]
        self._labels[changed] = label
        self._instances[changed] = np.bincount(touched).argmax() if touched.size else self._instances.max() + 1
        return True

    def _remember(self) -> None:
        self._done.append((self.label_map, self.instance_map))
        self._undone.clear()

    def _step(self, source: deque | list, target: deque | list) -> bool:
        if not source:
            return False
        target.append((self._labels, self._instances))
        self._labels, self._instances = source.pop()
        return True

    def _label(self, label: int) -> int:
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < self.num_classes:
            raise ValueError(f"a class must be a whole number in 0..{self.num_classes - 1}, got {label!r}")
        return int(label)

    def _places(self, places: Sequence[Place]) -> np.ndarray:
        try:
            corners = np.asarray(places, dtype=np.float64)
        except (TypeError, ValueError):
            corners = np.full(1, np.nan)
        if corners.ndim != 2 or corners.shape[1] != 2 or not len(corners) or not np.isfinite(corners).all():
            raise ValueError(f"expected places as (row, column) pairs of finite numbers, got {str(places)[:60]}")
        return corners

    def _checked(self, label_map: np.ndarray, instance_map: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Both maps as int64 arrays of their own; the ids of objects counted from 0."""
        labels = np.asarray(label_map)
        if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"expected a label map (H, W) of whole numbers, got {labels.dtype} {labels.shape}")
        labels = labels.astype(np.int64)
        check_labels(torch.from_numpy(labels)[None], self.num_classes)
        instances = labels if instance_map is None else np.asarray(instance_map)
        if instances.shape != labels.shape:
            raise ValueError(f"instance_map must have the label map's shape {labels.shape}, got {instances.shape}")
        ids = np.unique(instances, return_inverse=True)[1]
        return labels, ids.reshape(labels.shape).astype(np.int64)


def apply_gesture(label_map: LabelMap, gesture: dict) -> bool:
    """Does to a label map what a gesture says, as a browser sends it.

    Args:
        label_map: changed in place.
        gesture: "kind" is one of brush (places, label, diameter), rectangle (places: two, label), fill (places: one,
            label), clear (label: of the whole map), swap (old, new), undo, redo.

    Returns:
        Whether anything changed.

    Raises:
        ValueError: if the gesture is unknown, lacks something, or holds what cannot be.
    """
    kind = gesture.get("kind")
    if not isinstance(kind, str) or kind not in GESTURES:
        raise ValueError(f"expected a gesture among {', '.join(GESTURES)}, got {kind!r}")
    try:
        return GESTURES[kind](label_map, gesture)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the gesture {kind!r} is incomplete: {error}") from None


GESTURES: dict[str, Callable[[LabelMap, dict], bool]] = {
    "brush": lambda m, g: m.brush(g["places"], g["label"], diameter=g["diameter"]),
    "rectangle": lambda m, g: m.rectangle(*g["places"], g["label"]),
    "fill": lambda m, g: m.fill(*g["places"], g["label"]),
    "clear": lambda m, g: m.rectangle((0, 0), m.shape, g["label"]),
    "swap": lambda m, g: m.swap(g["old"], g["new"]),
    "undo": lambda m, g: m.undo(),
    "redo": lambda m, g: m.redo(),
}


def landscapes(height: int, width: int, class_names: Sequence[str]) -> dict[str, LabelMap]:
    """Three painted landscapes to start from, by name; none where the classes are not those of landscapes.

    Args:
        height: H.
        width: W.
        class_names: those of the data set.

    Returns:
        Name -> LabelMap (H, W).
    """
    if not {"sky", "grass", "water", "mountain", "road", "wall", "roof", "tree"} <= set(class_names):
        return {}
    ids = {name: number for number, name in enumerate(class_names)}

    def at(row: float, column: float) -> Place:
        return round(row * (height - 1)), round(column * (width - 1))

    def ground(name: str) -> LabelMap:
        made = LabelMap(np.full((height, width), ids["sky"]), len(class_names))
        made.rectangle(at(0.55, 0), at(1, 1), ids[name])
        return made

    meadow, lake, village = ground("grass"), ground("grass"), ground("grass")
    for column in (0.15, 0.8):
        meadow.brush([at(0.55, column), at(0.68, column)], ids["tree"], diameter=max(1, width / 6))
    lake.brush([at(0.5, 0.1), at(0.38, 0.35), at(0.5, 0.6), at(0.42, 0.9)], ids["mountain"], diameter=max(1, width / 5))
    lake.rectangle(at(0.6, 0), at(0.85, 1), ids["water"])
    village.brush([at(1, 0.35), at(0.7, 0.55), at(0.56, 0.6)], ids["road"], diameter=max(1, width / 9))
    for column in (0.08, 0.7):
        village.rectangle(at(0.5, column), at(0.7, column + 0.2), ids["wall"])
        village.rectangle(at(0.38, column), at(0.48, column + 0.2), ids["roof"])
    return {"meadow": meadow, "lake": lake, "village": village}


def _distance(rows: np.ndarray, columns: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The distance of each pixel from the line segment between two places."""
    (row, column), (down, right) = start, end - start
    length = down * down + right * right
    along = ((rows - row) * down + (columns - column) * right) / length if length else np.zeros(rows.shape)
    along = along.clip(0, 1)
    return np.hypot(rows - row - along * down, columns - column - along * right)


def _connected(mask: np.ndarray, row: int, column: int) -> np.ndarray:
    """The part of a mask that is connected with one of its pixels by shared sides."""
    bordered = np.pad(mask, 1)
    unseen, width = bordered.ravel(), bordered.shape[1]
    front = [(row + 1) * width + column + 1]
    while front:
        place = front.pop()
        if unseen[place]:
            unseen[place] = False
            front += (place - 1, place + 1, place - width, place + width)
    return mask & ~bordered[1:-1, 1:-1]


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask and the pixels that share a side with it."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
