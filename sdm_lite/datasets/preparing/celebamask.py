"""CelebAMask-HQ made ready: the masks of the parts of a face merged into one label map.

Apart from the data set because it is done once. The owners publish some hundred thousand masks, one a part; reading a
dozen files for every example of every epoch would be slow, and the published code expects merged maps without saying
how to get them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdm_lite.datasets.celebamask import NUM_PICTURES, PARTS
from sdm_lite.datasets.image_files import in_threads, read_ids, read_mask
from sdm_lite.datasets.pairing import PHOTOGRAPHS, find_root, list_files, shortened
from sdm_lite.datasets.preparing.pairs import link
from sdm_lite.files import check_writable_folder, expanded, write_whole
from sdm_lite.pictures import png_bytes
from sdm_lite.progress import Progress

IMAGES, MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"


class Face(NamedTuple):
    """What one face is made from, and where to.

    Attributes:
        photograph: the file to link or copy.
        masks: the file of each part there is.
        image, label_map: the files to write.
    """

    photograph: Path
    masks: dict[str, Path]
    image: Path
    label_map: Path


class Prepared(NamedTuple):
    """What was done: how many faces are ready, how many of them were so before, and a line for each that failed."""

    num_ready: int
    num_before: int
    failed: list[str]


def prepare_celebamask(
    source: str | Path, target: str | Path, *, num_workers: int = 1, num_expected: int = NUM_PICTURES
) -> Prepared:
    """Merge all masks, and put each photograph beside its label map: `target/images` and `target/labels`.

    A pixel gets the class of the last part, in the order of PARTS, whose mask covers it, and 0 if none does.
    Photographs become hard links where the file system can, else copies. What is there and readable is kept, so that an
    interrupted run goes on; a face is written whole or not at all.

    Args:
        source: the owners' folder, with CelebA-HQ-img and CelebAMask-HQ-mask-anno.
        target: where to; it may be the source.
        num_workers: threads that work; 0 is as good as 1.
        num_expected: faces that there must be.

    Raises:
        ValueError: if the source is not as it should be, or the target cannot be written; before any work.
    """
    if num_workers < 0:
        raise ValueError(f"the number of workers must not be negative, got {num_workers}")
    target = expanded(target)
    source = find_root(source, is_source, f"{IMAGES}/ and {MASKS}/ (CelebAMask-HQ.zip, unpacked)")
    faces = list_faces(source, target)
    if len(faces) != num_expected:
        raise ValueError(
            f"expected {num_expected} faces in {source}, got {len(faces)}; unpack it again, or, if that is all you "
            f"have, --expect {len(faces)}"
        )
    for part in ("images", "labels"):
        check_writable_folder(target / part, option="the folder")
    num_before, failed = 0, []
    with Progress("merging masks", total=len(faces)) as bar:
        for was_ready, problem in in_threads(prepare_face, faces, max(1, num_workers)):
            num_before += was_ready
            failed += [problem] if problem else []
            bar.update()
    return Prepared(len(faces) - len(failed), num_before, failed)


def is_source(folder: Path) -> bool:
    """Whether a folder holds what the owners publish."""
    return (folder / IMAGES).is_dir() and (folder / MASKS).is_dir()


def list_faces(source: Path, target: Path) -> list[Face]:
    """All faces in the order of their numbers, with the files of each.

    Raises:
        ValueError: if a mask is of no known part, or a photograph or all masks of a face are missing.
    """
    photographs = list_files(source / IMAGES, PHOTOGRAPHS)
    masks: dict[str, dict[str, Path]] = {}
    for name, path in list_files(source / MASKS, (".png",), recursive=True).items():
        number, _, part = name.partition("_")
        if part not in PARTS or not number.isdecimal():
            raise ValueError(f"expected masks named NUMBER_PART.png, PART one of {', '.join(PARTS)}; got {path}")
        masks.setdefault(str(int(number)), {})[part] = path
    for have, lack, what in ((photographs, masks, "masks"), (masks, photographs, "photograph")):
        alone = sorted(have.keys() - lack.keys())
        if alone:
            raise ValueError(f"expected photographs and masks of the same faces, got no {what} of {shortened(alone)}")
    return [
        Face(
            photographs[number],
            masks[number],
            target / "images" / f"{int(number):05d}{photographs[number].suffix.lower()}",
            target / "labels" / f"{int(number):05d}.png",
        )
        for number in sorted(photographs, key=int)
    ]


def prepare_face(face: Face) -> tuple[bool, str]:
    """Write one face; whether it was there before, and what is wrong with it or an empty line."""
    try:
        if _is_ready(face):
            return True, ""
        write_whole(face.label_map, png_bytes(merge_masks(face.masks)))
        link(face.photograph, face.image)
    except ValueError as error:
        return False, str(error)
    return False, ""


def merge_masks(masks: dict[str, Path]) -> np.ndarray:
    """One label map (H, W) uint8 from the masks of its parts, later parts on top of earlier ones.

    Raises:
        ValueError: if a mask cannot be read, or two differ in size.
    """
    label_map, first = None, None
    for class_id, part in enumerate(PARTS, start=1):
        if part not in masks:
            continue
        mask = read_mask(masks[part])
        if label_map is None:
            label_map, first = np.zeros(mask.shape, dtype=np.uint8), masks[part]
        if mask.shape != label_map.shape:
            sizes = [f"{height} x {width}" for height, width in (label_map.shape, mask.shape)]
            raise ValueError(f"expected masks of one size, got {sizes[0]} in {first} and {sizes[1]} in {masks[part]}")
        label_map[mask] = class_id
    assert label_map is not None, "a face is listed with at least one mask"
    return label_map


def _is_ready(face: Face) -> bool:
    if not face.image.is_file() or face.image.stat().st_size != face.photograph.stat().st_size:
        return False
    try:
        return face.label_map.is_file() and read_ids(face.label_map).max() <= len(PARTS)
    except ValueError:  # Half of a file, from a crash of the machine: merged again.
        return False
