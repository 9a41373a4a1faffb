"""Folders of photographs and label maps: the root found, files listed, each paired.

Apart because what may be wrong with a folder is the same for every data set: not there, one level off, empty, a file
without its partner. Files are listed once; nothing is opened here.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from sdm_lite.files import expanded

PHOTOGRAPHS = (".jpg", ".jpeg", ".png")
LABEL_MAPS = (".png",)
PICTURES = (*PHOTOGRAPHS, ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif", ".jp2", ".jxl", ".jfif")
"""What stands in where the usual suffix is not there: what is in the file says whether it will do, not its name."""


class Listing(dict[str, Path]):
    """Files by the name of their example, in Unicode's composed form (NFC), as file systems differ in theirs.

    Attributes:
        folder: where they lie.
        others: pictures of other suffixes, for names that have none of the usual ones.
    """

    def __init__(self, folder: Path, files: dict[str, Path], others: dict[str, Path]):
        super().__init__(files)
        self.folder, self.others = folder, others

    def renamed(self, rename: Callable[[str], str | None]) -> Listing:
        """The same files by other names; those that get None are left out."""
        files, others = ({rename(name): path for name, path in part.items()} for part in (self, self.others))
        for part in (files, others):
            part.pop(None, None)
        return Listing(self.folder, files, others)


class Files(NamedTuple):
    """What one example is read from; `instance_map` is None where the data set has none."""

    photograph: Path
    label_map: Path
    instance_map: Path | None


def find_root(root: str | Path, is_root: Callable[[Path], bool], layout: str) -> Path:
    """The root, if it is one.

    Args:
        root: what the user gave.
        is_root: whether a folder has the layout.
        layout: what it should hold, in words.

    Raises:
        ValueError: if it is none, naming a folder close by that is.
    """
    root = expanded(root)
    if root.is_dir() and is_root(root):
        return root
    nearby = [*Path(os.path.abspath(root)).parents[:3], *_folders_below(root)]
    hint = next((f"; did you mean {folder}?" for folder in nearby if is_root(folder)), "")
    found = f"a folder with {listing(root)}" if root.is_dir() else "a file" if root.exists() else "no such folder"
    raise ValueError(f"expected a folder with {layout} at {root}, got {found}{hint}")


def _folders_below(root: Path) -> Iterator[Path]:
    """Folders inside a folder and inside those, the nearest first."""
    if not root.is_dir():
        return
    children = sorted(path for path in root.iterdir() if path.is_dir())[:50]
    yield from children
    for child in children:
        yield from sorted(path for path in child.iterdir() if path.is_dir())[:50]


def listing(folder: Path) -> str:
    """The first few names in a folder, for an error."""
    return shortened(sorted(path.name for path in folder.iterdir())) or "nothing in it"


def shortened(names: list[str]) -> str:
    """The first five of some names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def list_files(folder: Path, suffixes: tuple[str, ...], *, ending: str = "", recursive: bool = False) -> Listing:
    """The files of a folder by name, without suffix and `ending`, in the order of their names.

    Args:
        folder: where to look; hidden files are left out.
        suffixes: the usual ones, in lower case; files may have them in capitals. Where a folder has no such file, those
            with another of PICTURES are taken.
        ending: what stands between the example's name and the suffix; files without it are left out.
        recursive: look in the folders below too.

    Raises:
        ValueError: if the folder is not there, or two files have one name.
    """
    if not folder.is_dir():
        parent = next(path for path in folder.parents if path.is_dir())
        raise ValueError(f"expected a folder {folder}, got none; there is {listing(parent)}")
    usual: dict[str, Path] = {}
    others: dict[str, Path] = {}
    for path in sorted(_files_in(folder, recursive), key=os.fspath):
        suffix = path.suffix.lower()
        if suffix not in (*suffixes, *PICTURES) or path.name.startswith(".") or not path.stem.endswith(ending):
            continue
        name = unicodedata.normalize("NFC", path.stem.removesuffix(ending))
        found = usual if suffix in suffixes else others
        if name in found:
            raise ValueError(f"expected one file named {name} in {folder}, got {found[name].name} and {path}")
        found[name] = path
    return Listing(folder, usual, others) if usual else Listing(folder, others, {})


def _files_in(folder: Path, recursive: bool) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):  # Clusters are full of links.
        yield from (Path(place, name) for name in names)
        if not recursive:
            folders.clear()


def pair(
    photographs: Listing, label_maps: Listing, instance_maps: Listing | None, *, where: str
) -> tuple[dict[str, Files], list[str]]:
    """Examples whose files are all there, in the order of their names, and a line for each file left alone.

    Args:
        photographs: files by name.
        label_maps: files by name.
        instance_maps: files by name, or None where the data set has none.
        where: the place, for errors.

    Raises:
        ValueError: if there is nothing at all.
    """
    kinds = {"photograph": photographs, "label map": label_maps}
    if instance_maps is not None:
        kinds["instance map"] = instance_maps
    if not any(kinds.values()):
        folder = photographs.folder
        raise ValueError(f"expected photographs and label maps in {where}, got none; {folder} has {listing(folder)}")
    names = sorted(set().union(*kinds.values()))
    alone = []
    examples = {}
    for name in names:
        found = {kind: files.get(name) or files.others.get(name) for kind, files in kinds.items()}
        if missing := [kind for kind, path in found.items() if path is None]:
            there = next(path for path in found.values() if path is not None)
            alone.append(f"{there}: no {' and no '.join(missing)} for it")
        else:
            examples[name] = Files(*found.values(), *([None] if len(kinds) == 2 else []))
    return examples, alone


def refuse_lone_files(alone: list[str]) -> None:
    """Raise ValueError if there are files without a partner."""
    if alone:
        more = f" (and {len(alone) - 1} more files alone)" if len(alone) > 1 else ""
        raise ValueError(
            f"expected a photograph and a label map for each name, got {alone[0]}{more}; add what is missing, "
            "or leave them out with --skip-bad"
        )
