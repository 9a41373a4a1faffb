"""Anyone's own photographs: a folder of images, a folder of label maps, and a list of class names.

Apart from the published data sets because here the classes are what the user says they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdm_lite.datasets.class_names import read_classes
from sdm_lite.datasets.pairing import LABEL_MAPS, PHOTOGRAPHS, Listing, list_files
from sdm_lite.datasets.photographs import Photographs, id_table
from sdm_lite.pictures import default_palette

UNLABELLED = "unlabelled"
UNLABELLED_ID = 255
HELD_OUT = 10
"""One picture in this many is "val" where the folder has no splits of its own."""


class Folder(Photographs):
    """Photographs and label maps of the same names, with classes of your own.

    Expected: `images/NAME.jpg` (PNG, WebP, TIFF, BMP), `labels/NAME.png` (or TIFF) and `classes.txt`, one class a line,
    with its colour before it (`128 64 128 road`) or without. `datasets prepare folder` makes such a folder of others.
    Label maps hold one number a pixel, 0..num_classes-1, in up to 16 bits. A class named "unlabelled" is void: judges
    and mIoU ignore it; if it is the last one, 255 means it too. With `instances/NAME.png`, of 8 or 16 bits, edges are
    those between objects; without, the label map stands in, and the edges are those between classes.

    If `images` has folders `train` and `val`, so must the others, and they are the splits. If not, every tenth picture,
    in the order of names, is "val", the others are "train", and "all" is both. That changes when pictures are added:
    make the two folders before you compare results, or if neighbouring names are frames of one film.

    Raises:
        ValueError: as Photographs, or if the class names are not different names.
    """

    name = "folder"
    layout = "images/, labels/ and classes.txt (`python -m sdm_lite.datasets prepare folder SRC DST` makes them)"
    parts = ("images", "labels")
    preset = "scenes-64"
    # The paper's for two of its three data sets; where yours lies between fidelity and variety, only you can say.
    guidance_scale = 1.5
    default_size = (64, 64)

    def find(self, root: str | Path) -> Path:
        """The root, if it is one, and the classes that it names."""
        root = super().find(root)
        self.class_names, colours = read_classes(root / "classes.txt")
        self.num_classes = len(self.class_names)
        self.void_id = self.class_names.index(UNLABELLED) if UNLABELLED in self.class_names else None
        self.palette = default_palette(self.num_classes) if colours is None else colours
        self.class_of_id, self.ids_expected = _table(self.class_names)
        return root

    @classmethod
    def is_root(cls, folder: Path) -> bool:
        """Whether there are images, labels and class names."""
        return super().is_root(folder) and (folder / "classes.txt").is_file()

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, Listing | None]:
        """Folders of the split's name where there are some, else every tenth picture held out."""
        folders = [(root / "images", PHOTOGRAPHS), (root / "labels", LABEL_MAPS)]
        if (root / "instances").is_dir():
            folders.append((root / "instances", LABEL_MAPS))
        if (root / "images" / split).is_dir() or not list_files(root / "images", PHOTOGRAPHS):
            files = [list_files(folder / split, suffixes) for folder, suffixes in folders]
        else:
            files = _held_out([list_files(folder, suffixes) for folder, suffixes in folders], split, root / "images")
        return files[0], files[1], files[2] if len(files) == 3 else None


def _held_out(files: list[Listing], split: str, root: Path) -> list[Listing]:
    """Every tenth name of all, for "val"; the others, for "train"; all of them, for "all"."""
    names = sorted(set().union(*files))
    held_out = set(names[::HELD_OUT])
    chosen = {"all": set(names), "val": held_out, "train": set(names) - held_out}
    if split not in chosen:
        raise ValueError(f"split must be train, val or all where {root} has no folder of that name, got {split!r}")
    if names and not chosen[split]:
        raise ValueError(
            f"expected two photographs or more in {root}, got {names[0]} alone, which is val: add some, or make "
            "folders train and val"
        )
    return [listing.renamed(lambda name: name if name in chosen[split] else None) for listing in files]


def _table(class_names: tuple[str, ...]) -> tuple[np.ndarray, str]:
    """From ids in files to classes, and what is expected in words."""
    last = len(class_names) - 1
    classes = {i: i for i in range(len(class_names))}
    expected = f"label ids 0..{last} ({last + 1} class names)"
    if class_names[-1] == UNLABELLED and last < UNLABELLED_ID:
        classes[UNLABELLED_ID] = last
        expected += " or 255"
    elif last < UNLABELLED_ID:
        expected += f", and 255 only if the last class is named {UNLABELLED},"
    return id_table(classes, length=max(256, len(class_names))), expected
