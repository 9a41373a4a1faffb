"""Which file of a folder is a photograph, and which its label map: by folders' names, endings of names, or halves.

Apart because nothing is opened here: whatever people call their folders is known in this file, and in no other.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from sdm_lite.datasets.pairing import PICTURES, listing, shortened

# Folders' names without digits, signs and capitals; with a split before or behind too, as in trainannot or labels_val.
IMAGE_WORDS = "images image imgs img photos photo photographs jpegimages leftimgbit stills stillsrawfull rgb".split()
LABEL_WORDS = (
    "labels label annotations annotation annot masks mask gtfine segmentationclass segmentation segmentations "
    "labeledapprovedfull groundtruth gt seg labelmaps maps"
).split()
OTHER_WORDS = "instances instance inst depth".split()  # beside label maps, and nothing to pair
SPLIT_WORDS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}
SPLIT_WORDS |= {"test": "test", "testing": "test"}
# Tried in this order; of those that make equally many pairs the first is taken. "" is no ending.
LABEL_ENDINGS = ("", "_gtFine_labelIds", "_labelIds", "_L", "_label", "_labels", "_mask", "_seg", "_gt", "_annotation")
LABEL_ENDINGS += ("_labelmap", "_P", "_gtFine_color")
IMAGE_ENDINGS = ("", "_leftImg8bit", "_image", "_img", "_photo", "_rgb")

IMAGE, LABEL, OTHER, EITHER = "photograph", "label map", "other", ""
KINDS = {
    word: kind for kind, words in ((IMAGE, IMAGE_WORDS), (LABEL, LABEL_WORDS), (OTHER, OTHER_WORDS)) for word in words
}
Key = tuple[str, str, str]
"""Split, folder below what tells the kind, and name: what a photograph and its label map have in common."""


class Pair(NamedTuple):
    """A photograph and its label map; one file where they stand side by side.

    Attributes:
        split: "train", "val", "test", or "" where the source has no splits.
        name: of the example, different from all others of its split.
        photograph, label_map: the files.
    """

    split: str
    name: str
    photograph: Path
    label_map: Path


class Found(NamedTuple):
    """What a folder was taken for.

    Attributes:
        pairs: in the order of splits and names.
        alone: a line for each file without a partner.
        told: lines that say which files were taken for what.
    """

    pairs: list[Pair]
    alone: list[str]
    told: list[str]


class Sorted(NamedTuple):
    """A file as its place tells it: kind, split, the folders that tell nothing, and the name without its suffix."""

    path: Path
    kind: str
    split: str
    rest: str
    stem: str


def find_pairs(
    source: Path,
    *,
    images: str | None = None,
    labels: str | None = None,
    image_ending: str | None = None,
    label_ending: str | None = None,
) -> Found:
    """Photographs and label maps of a folder, paired by name.

    Args:
        source: the folder.
        images: the folder in it that has the photographs; None = found by its name.
        labels: the same of the label maps.
        image_ending: what stands between name and suffix; None = found, whatever makes the most pairs.
        label_ending: the same of the label maps, such as "_L".

    Raises:
        ValueError: if there is no pair, telling what was taken for what.
    """
    files = _sorted_files(source, images, labels)
    image_endings = IMAGE_ENDINGS if image_ending is None else (image_ending,)
    label_endings = LABEL_ENDINGS if label_ending is None else (label_ending,)
    best: tuple[dict[Key, list[Path]], dict[Key, list[Path]]] = ({}, {})
    num_best, taken = -1, ("", "")
    for with_rest in (True, False):  # folders of other names in the two trees tell nothing
        for of_label, of_image in product(label_endings, image_endings):
            found = _by_key(files, of_image, of_label, with_rest)
            if (number := len(found[0].keys() & found[1].keys())) > num_best:
                best, num_best, taken = found, number, (of_image, of_label)
        if num_best > 0:
            break
    photographs, label_maps = best
    if num_best <= 0:
        raise ValueError(_nothing_found(source, photographs, label_maps))
    alone = _without_partner(photographs, label_maps)
    twice = [
        f"{paths[1]}: a second {kind} for {paths[0].name}"
        for kind, found in ((IMAGE, photographs), (LABEL, label_maps))
        for paths in found.values()
        if len(paths) > 1
    ]
    keys = sorted(photographs.keys() & label_maps.keys())
    names = _names(keys)
    pairs = [Pair(key[0], names[key], photographs[key][0], label_maps[key][0]) for key in keys]
    told = [
        _told("photographs", [pair.photograph for pair in pairs], source, taken[0]),
        _told("label maps", [pair.label_map for pair in pairs], source, taken[1]),
    ]
    seen = {path for found in best for paths in found.values() for path in paths}
    if left := [one.path for one in files if one.path not in seen]:
        told.append(_told("not read", left, source, ""))
    return Found(pairs, alone + twice, told)


def find_halves(source: Path, *, images: str | None = None) -> Found:
    """Files that hold a photograph and its label map side by side.

    Args:
        source: the folder.
        images: the folder in it that has them; None = all of it.

    Raises:
        ValueError: if there is none.
    """
    files = _files_below(source, images or ".", "--images")
    if not files:
        raise ValueError(f"expected pictures in {source}, got {listing(source)}")
    placed = [(_place(path.relative_to(source).parts[:-1]), path) for path in files]
    keys = [(split, rest, _nfc(path.stem)) for (_, split, rest), path in placed]
    names = _names(keys)
    twice = [
        f"{path}: a second file of this name" for key, path in zip(keys, files, strict=True) if keys.count(key) > 1
    ]
    found = dict(sorted(zip(keys, files, strict=True)))
    pairs = [Pair(key[0], names[key], path, path) for key, path in found.items()]
    return Found(pairs, twice, [_told("photographs and label maps side by side", files, source, "")])


def _sorted_files(source: Path, images: str | None, labels: str | None) -> list[Sorted]:
    """Every picture of a source with what its place tells, or what the options say it is."""
    found = {}
    for folder, kind, option in ((images, IMAGE, "--images"), (labels, LABEL, "--labels")):
        if folder is not None:
            for path in _files_below(source, folder, option):
                _, split, rest = _place(path.relative_to(source / folder).parts[:-1])
                split = split or _place(Path(folder).parts)[1]
                # One folder for both: its files' endings tell.
                both = path in found or (images == labels)
                found[path] = Sorted(path, EITHER if both else kind, split, rest, _nfc(path.stem))
    if images is None or labels is None:
        known = {kind for kind, folder in ((IMAGE, images), (LABEL, labels)) if folder is not None}
        for path in _files_below(source, ".", "SOURCE"):
            kind, split, rest = _place(path.relative_to(source).parts[:-1])
            if path not in found and kind not in known - {EITHER}:
                found[path] = Sorted(path, kind, split, rest, _nfc(path.stem))
    return _told_by_format(found.values())


def _told_by_format(files: Iterable[Sorted]) -> list[Sorted]:
    """The same, where a.jpg and a.png lie in one folder: the PNG file is the label map, as JPEG keeps no ids."""
    suffixes: dict[tuple[Path, str], set[str]] = {}
    for one in files:
        suffixes.setdefault((one.path.parent, one.stem), set()).add(one.path.suffix.lower())
    return [
        one._replace(kind=LABEL)
        if one.kind == EITHER
        and one.path.suffix.lower() == ".png"
        and suffixes[one.path.parent, one.stem] & {".jpg", ".jpeg"}
        else one
        for one in files
    ]


def _files_below(source: Path, folder: str, option: str) -> list[Path]:
    """All pictures below a folder of a source, in order; hidden ones are left out."""
    root = source / folder
    if not root.is_dir():
        raise ValueError(f"expected {option} to be a folder in {source}, got {folder!r}; there is {listing(source)}")
    files = []
    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(path for path in files if path.suffix.lower() in PICTURES)


@lru_cache
def _place(folders: tuple[str, ...]) -> tuple[str, str, str]:
    """Kind, split, and what is left of the folders that a file lies in; of two that tell, the inner one counts."""
    kind, split, rest = EITHER, "", []
    for folder in folders:
        word = re.sub("[^a-z]", "", folder.lower())
        parts = [
            (of_split, of_kind)
            for of_split, of_kind in product(["", *SPLIT_WORDS], ["", *KINDS])
            if word and word in (of_split + of_kind, of_kind + of_split)
        ]
        if not parts:
            rest.append(folder)
            continue
        of_split, of_kind = parts[0]
        split = SPLIT_WORDS.get(of_split, split)
        kind = KINDS.get(of_kind, kind)
    return kind, split, _nfc("/".join(rest))


def _by_key(
    files: list[Sorted], image_ending: str, label_ending: str, with_rest: bool
) -> tuple[dict[Key, list[Path]], dict[Key, list[Path]]]:
    """Photographs and label maps by what they have in common, were these the endings of their names."""
    found: tuple[dict[Key, list[Path]], dict[Key, list[Path]]] = ({}, {})
    for one in files:
        if one.kind == OTHER:
            continue
        as_label = one.kind == LABEL or (one.kind == EITHER and label_ending and one.stem.endswith(label_ending))
        ending = label_ending if as_label else image_ending
        if one.stem.endswith(ending):
            key = (one.split, one.rest if with_rest else "", one.stem.removesuffix(ending))
            found[bool(as_label)].setdefault(key, []).append(one.path)
    return found


def _without_partner(photographs: dict[Key, list[Path]], label_maps: dict[Key, list[Path]]) -> list[str]:
    return [
        f"{path}: no {missing} for it"
        for missing, found, other in ((LABEL, photographs, label_maps), (IMAGE, label_maps, photographs))
        for key in sorted(found.keys() - other.keys())
        for path in found[key]
    ]


def _names(keys: list[Key]) -> dict[Key, str]:
    """The name of each example: the file's, with its folders before it where two of a split have one name."""
    uses = Counter((split, name.casefold()) for split, _, name in keys)
    return {
        key: key[2] if uses[key[0], key[2].casefold()] == 1 else "_".join([*filter(None, key[1].split("/")), key[2]])
        for key in keys
    }


def _told(what: str, paths: list[Path], source: Path, ending: str) -> str:
    """How many files, and of which folders: "label maps: labels/train/*_L.png (8)"."""
    places = Counter((path.relative_to(source).parent / f"*{ending}{path.suffix}").as_posix() for path in sorted(paths))
    return f"{what}: {shortened([f'{place} ({number})' for place, number in places.items()])}"


def _nothing_found(source: Path, photographs: dict[Key, list[Path]], label_maps: dict[Key, list[Path]]) -> str:
    kinds = {"photographs": photographs, "label maps": label_maps}
    told = []
    for what, found in kinds.items():
        paths = [path.relative_to(source).as_posix() for paths in found.values() for path in paths]
        told.append(f"{len(paths)} {what} ({shortened(paths)})" if paths else f"no {what}")
    return (
        f"expected photographs and label maps of the same names in {source}, got {' and '.join(told)}; "
        f"there is {listing(source)}; say which is which with --images FOLDER, --labels FOLDER, --label-ending _L or "
        "--side-by-side"
    )


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
