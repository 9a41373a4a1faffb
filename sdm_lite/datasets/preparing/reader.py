"""How a folder of photographs and label maps is to be read: what the options of `prepare folder` say.

Apart because every part of preparing asks it, and a command line makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdm_lite.datasets.preparing.sources import Found, find_halves, find_pairs

SIDES = {"map-left": ("left", "right"), "map-right": ("right", "left")}
"""Where a file has both side by side: which half is the label map, and which the photograph."""


@dataclass(frozen=True)
class Reader:
    """How a source is to be read; None and "" leave it to what is found there.

    Attributes:
        images, labels, image_ending, label_ending: as `sources.find_pairs` takes them.
        side_by_side: "map-left" or "map-right" where a file has both.
        colours: a file of lines `r g b name`.
        id_map: a file of lines `id name`.
        classes: a file of names, one a line, of the ids from `id_offset` on.
        id_offset: what is taken from each id; ids below it are void.
        void: further names or values that are void; "none" for nothing but these.
        tolerance: greatest distance of a pixel from its colour, 0..441.
        unknown_is_void: whether values that no table has become void.
        skip_bad: whether bad files are left out.
    """

    images: str | None = None
    labels: str | None = None
    image_ending: str | None = None
    label_ending: str | None = None
    side_by_side: str | None = None
    colours: str | None = None
    id_map: str | None = None
    classes: str | None = None
    id_offset: int = 0
    void: tuple[str, ...] = ()
    tolerance: float | None = None
    unknown_is_void: bool = False
    skip_bad: bool = False

    def check(self) -> None:
        """Raise ValueError if options contradict one another or a number is out of range."""
        if self.tolerance is not None and not 0 <= self.tolerance <= 441:
            raise ValueError(
                f"--tolerance must be from 0 to 441, the distance of black from white, got {self.tolerance}"
            )
        given = [name for name in ("colours", "id_map", "classes") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"--{given[0].replace('_', '-')} and --{given[1].replace('_', '-')} exclude one another")
        if self.id_offset and self.classes is None:
            raise ValueError(f"--id-offset {self.id_offset} needs --classes FILE, the names of the ids from there on")
        if self.side_by_side and (self.labels or self.label_ending or self.image_ending):
            raise ValueError("--side-by-side takes both from one file: leave out --labels and the endings")

    def find(self, source: Path) -> Found:
        """The pairs of a source."""
        if self.side_by_side:
            return find_halves(source, images=self.images)
        return find_pairs(
            source,
            images=self.images,
            labels=self.labels,
            image_ending=self.image_ending,
            label_ending=self.label_ending,
        )

    @property
    def half(self) -> str:
        """Which half of a file is its label map, or ""."""
        return SIDES[self.side_by_side][0] if self.side_by_side else ""
