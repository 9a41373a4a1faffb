"""Anyone's own photographs: a folder of images, a folder of label maps, and a list of class names.

Apart from the published data sets because here the classes are what the user says they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdm_lite.datasets.pairing import LABEL_MAPS, PHOTOGRAPHS, Listing, find_root, list_files
from sdm_lite.datasets.photographs import Photographs, id_table
from sdm_lite.pictures import default_palette

UNLABELLED = "unlabelled"
UNLABELLED_ID = 255
HELD_OUT = 10
"""One picture in this many is "val" where the folder has no splits of its own."""


class Folder(Photographs):
    """Photographs and label maps of the same names, with classes of your own.

    Label maps hold one number a pixel, 0..num_classes-1, in 8 or 16 bits. If the last class is named "unlabelled", 255
    means it too. Without instance maps the label map stands in, and the edges are those between classes.

    If `images` has folders `train` and `val`, so must `labels`, and they are the splits. If not, every tenth picture,
    in the order of names, is "val", the others are "train", and "all" is both. That changes when pictures are added:
    make the two folders before you compare results, or if neighbouring names are frames of one film.

    Args:
        images: folder of the photographs.
        labels: folder of the label maps, PNG files.
        class_names: one for each id.
        split: see above.
        size, protocol, crops, skip_bad: as in Photographs.
        instances: folder of instance maps, PNG files of 8 or 16 bits, or None.
        palette: (num_classes, 3) uint8, or None for colours that are chosen here.

    Raises:
        ValueError: as Photographs, or if the class names are not different names.
    """

    name = "folder"
    layout = "images/, labels/ and classes.txt"
    preset = "scenes-64"
    # The paper's for two of its three data sets; where yours lies between fidelity and variety, only you can say.
    guidance_scale = 1.5
    default_size = (64, 64)

    def __init__(
        self,
        images: str | Path,
        labels: str | Path,
        class_names: Sequence[str],
        split: str = "all",
        size: tuple[int, int] | None = None,
        *,
        instances: str | Path | None = None,
        palette: np.ndarray | None = None,
        protocol: str = "sdm_lite",
        crops: int = 1,
        skip_bad: bool = False,
    ):
        _check_names(class_names)
        self.class_names = tuple(class_names)
        self.num_classes = len(self.class_names)
        self.palette = default_palette(self.num_classes) if palette is None else np.asarray(palette, dtype=np.uint8)
        if self.palette.shape != (self.num_classes, 3):
            raise ValueError(f"palette must have shape {(self.num_classes, 3)}, got {self.palette.shape}")
        self.class_of_id, self.ids_expected = _table(self.class_names)
        self._label_folder, self._instance_folder = Path(labels), instances and Path(instances)
        super().__init__(images, split, size, protocol=protocol, crops=crops, skip_bad=skip_bad)

    @classmethod
    def open(
        cls,
        root: str | Path,
        split: str,
        size: tuple[int, int] | None = None,
        *,
        protocol: str = "sdm_lite",
        crops: int = 1,
        skip_bad: bool = False,
    ) -> Folder:
        """The data set of a root that holds images/, labels/ and classes.txt, one class a line; instances/ if any."""
        root = find_root(root, cls.is_root, cls.layout)
        instances = root / "instances"
        return cls(
            root / "images",
            root / "labels",
            _read_names(root / "classes.txt"),
            split,
            size,
            instances=instances if instances.is_dir() else None,
            protocol=protocol,
            crops=crops,
            skip_bad=skip_bad,
        )

    def find(self, root: str | Path) -> Path:
        """The folder of photographs, if it is one."""
        if not Path(root).is_dir():
            raise ValueError(
                f"expected a folder of photographs at {root}, got {'a file' if Path(root).exists() else 'none'}"
            )
        return Path(root)

    @classmethod
    def is_root(cls, folder: Path) -> bool:
        """Whether a folder can be given to `open`."""
        return all((folder / part).is_dir() for part in ("images", "labels")) and (folder / "classes.txt").is_file()

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, Listing | None]:
        """Folders of the split's name where there are some, else every tenth picture held out."""
        folders = [(root, PHOTOGRAPHS), (self._label_folder, LABEL_MAPS)]
        if self._instance_folder is not None:
            folders.append((self._instance_folder, LABEL_MAPS))
        if (root / split).is_dir() or not list_files(root, PHOTOGRAPHS):
            files = [list_files(folder / split, suffixes) for folder, suffixes in folders]
        else:
            files = _held_out([list_files(folder, suffixes) for folder, suffixes in folders], split, root)
        return files[0], files[1], files[2] if len(files) == 3 else None


def _held_out(files: list[Listing], split: str, root: Path) -> list[Listing]:
    """Every tenth name of all, for "val"; the others, for "train"; all of them, for "all"."""
    names = sorted(set().union(*files))
    held_out = set(names[::HELD_OUT])
    chosen = {"all": set(names), "val": held_out, "train": set(names) - held_out}
    if split not in chosen:
        raise ValueError(f"split must be train, val or all where {root} has no folder of that name, got {split!r}")
    return [{name: path for name, path in listing.items() if name in chosen[split]} for listing in files]


def _check_names(class_names: Sequence[str]) -> None:
    if isinstance(class_names, str) or not class_names or not all(isinstance(n, str) and n for n in class_names):
        raise ValueError(f"class_names must be a sequence of names, got {class_names!r}")
    twice = sorted({name for name in class_names if list(class_names).count(name) > 1})
    if twice:
        raise ValueError(f"class_names must differ, got {', '.join(twice)} more than once")


def _read_names(path: Path) -> list[str]:
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"expected class names in UTF-8, one a line, in {path}, got {error}") from None
    names = [name for name in names if name]
    if not names:
        raise ValueError(f"expected class names, one a line, in {path}, got an empty file")
    return names


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
