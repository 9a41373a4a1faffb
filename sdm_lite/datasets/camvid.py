"""CamVid: street photographs in eleven classes. Brostow, Fauqueur & Cipolla (2009).

Apart because every data set is: where its files lie, what its numbers mean, and no more. The classes are those of the
SegNet tutorial.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdm_lite.datasets.colours import packed
from sdm_lite.datasets.image_files import read_ids, read_ids_or_colours
from sdm_lite.datasets.pairing import LABEL_MAPS, PHOTOGRAPHS, Listing, list_files, listing
from sdm_lite.datasets.photographs import Photographs, id_table


class CamVid(Photographs):
    """CamVid with eleven classes, and a twelfth for unlabelled pixels.

    Expected, any of three layouts: `images/SPLIT/NAME.jpg` and `labels/SPLIT/NAME.png`; the SegNet tutorial's,
    `SPLIT/NAME.png` and `SPLITannot/NAME.png` (or `SPLIT_labels/NAME_L.png`); or the owners', 701_StillsRaw_full.zip
    and LabeledApproved_full.zip unpacked: `701_StillsRaw_full/NAME.png`, and `NAME_L.png` in `LabeledApproved_full/` or
    in the root, where the frames' names tell the split (`split_of`). Label maps hold 8-bit ids 0..10, with 11 or 255
    for unlabelled, or the owners' 32 colours, which are merged to the eleven classes (`COLOURS`).

    Unlabelled pixels become a class of their own, as the paper does with ADE20K's unknown class: the network sees that
    nothing is known there, which is not the same as the null label. Judges and mIoU ignore them. No instance ids are
    published, so the label map stands in and the edges are those between classes, as the paper does on CelebAMask-HQ.
    """

    name = "camvid"
    layout = (
        "images/{train,val}/ and labels/{train,val}/, {train,val}/ and {train,val}annot/ (SegNet's copy), or "
        "701_StillsRaw_full/ and LabeledApproved_full/ (the owners')"
    )
    class_names = (
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
        "unlabelled",
    )  # fmt: skip
    num_classes = len(class_names)
    void_id = class_names.index("unlabelled")
    palette = np.array(
        [
            (150, 200, 240), (172, 112, 84), (240, 222, 110), (84, 84, 98), (196, 164, 208), (70, 138, 66),
            (236, 130, 24), (122, 92, 48), (24, 72, 176), (214, 40, 96), (20, 190, 180), (20, 20, 24),
        ],
        dtype=np.uint8,
    )  # fmt: skip
    preset = "scenes-64"
    # The paper has no value for CamVid; this is the one of its other street photographs, Cityscapes.
    guidance_scale = 2.0
    default_size = (48, 64)
    class_of_id = id_table({i: i for i in range(12)} | {255: 11})
    ids_expected = "label ids 0..11 or 255"

    @classmethod
    def is_root(cls, folder: Path) -> bool:
        """Whether one of the layouts is there."""
        return any(_layout(folder, split) for split in ("train", "val"))

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, None]:
        """The files of the layout that is there, without the endings `_L` of label maps."""
        layout = _layout(root, split)
        if layout is None:
            photographs = root / "images" / split if (root / "images").is_dir() else root / split
            list_files(photographs, PHOTOGRAPHS)  # says what is there instead, if that is missing
            raise ValueError(f"expected label maps beside {photographs}, got none; {root} has {listing(root)}")
        photographs, label_maps = list_files(layout.photographs, PHOTOGRAPHS), list_files(layout.label_maps, LABEL_MAPS)
        if any(name.endswith(COLOURED) for name in label_maps):
            label_maps = list_files(layout.label_maps, LABEL_MAPS, ending=COLOURED)
        if layout.by_name:
            if split not in SPLITS:
                raise ValueError(
                    f"split must be {', '.join(SPLITS)} where {root} has no folders of them, got {split!r}"
                )
            photographs, label_maps = (
                files.renamed(lambda name: name if split_of(name) == split else None)
                for files in (photographs, label_maps)
            )
        return photographs, label_maps, None

    def read_label_ids(self, path: Path) -> np.ndarray:
        """Ids (H', W') of a file of ids, or of one in the owners' 32 colours.

        Raises:
            ValueError: if the file cannot be read, or a colour is none of the 32.
        """
        if not path.stem.endswith(COLOURED):
            return read_ids(path)
        pixels = read_ids_or_colours(path)
        if pixels.ndim == 2:
            return pixels
        values = packed(pixels)
        place = np.searchsorted(COLOUR_VALUES, values).clip(max=len(COLOUR_VALUES) - 1)
        unknown = COLOUR_VALUES[place] != values
        if unknown.any():
            colour = pixels[unknown][0].tolist()
            raise ValueError(
                f"expected the 32 colours of label_colors.txt in {path}, got {unknown.sum()} pixels of others, the "
                f"first {' '.join(map(str, colour))}; give the PNG file as published"
            )
        return COLOUR_IDS[place]


COLOURED = "_L"
SPLITS = ("train", "val", "test")


def split_of(name: str) -> str:
    """The split of one of the 701 frames, as Sturgess et al. (2009) and the SegNet tutorial have them: 367, 101, 233.

    Training: the first half of 0001TP, 0006R0, and 0016E5 but for the part at 15 frames a second, which is validation.
    Test: the rest of 0001TP, and Seq05VD.
    """
    film, _, frame = name.partition("_")
    number = int("".join(letter for letter in frame if letter.isdecimal()) or 0)
    if film == "Seq05VD" or (film == "0001TP" and number >= 8550):
        return "test"
    return "val" if film == "0016E5" and 7959 <= number <= 8159 else "train"


class _Layout(NamedTuple):
    """Where photographs and label maps lie, and whether their names tell the split."""

    photographs: Path
    label_maps: Path
    by_name: bool


def _layout(root: Path, split: str) -> _Layout | None:
    """The first of the layouts that is there: ours, SegNet's, and the owners' three archives, unpacked."""
    stills = root / "701_StillsRaw_full"
    layouts = [
        _Layout(root / "images" / split, root / "labels" / split, False),
        _Layout(root / split, root / f"{split}annot", False),
        _Layout(root / split, root / f"{split}_labels", False),
        _Layout(stills, root / "LabeledApproved_full", True),
    ]
    found = next((one for one in layouts if one.photographs.is_dir() and one.label_maps.is_dir()), None)
    if found is None and stills.is_dir() and any(root.glob("*_L.png")):  # the archive has no folder of its own
        return _Layout(stills, root, True)
    return found


# The owners' 32 classes by the class that they are among the eleven, with the colours of their label_colors.txt. Which
# goes where is nowhere written by the owners; this is what is commonly done, after Sturgess et al. (2009).
COLOURS = {
    "sky": {"Sky": (128, 128, 128)},
    "building": {
        "Archway": (192, 0, 128), "Bridge": (0, 128, 64), "Building": (128, 0, 0), "Tunnel": (64, 0, 64),
        "Wall": (64, 192, 0),
    },
    "pole": {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)},
    "road": {"LaneMkgsDriv": (128, 0, 192), "LaneMkgsNonDriv": (192, 0, 64), "Road": (128, 64, 128)},
    "pavement": {"ParkingBlock": (64, 192, 128), "RoadShoulder": (128, 128, 192), "Sidewalk": (0, 0, 192)},
    "tree": {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)},
    "sign": {"Misc_Text": (128, 128, 64), "SignSymbol": (192, 128, 128), "TrafficLight": (0, 64, 64)},
    "fence": {"Fence": (64, 64, 128)},
    "car": {
        "Car": (64, 0, 128), "OtherMoving": (128, 64, 64), "SUVPickupTruck": (64, 128, 192), "Train": (192, 64, 128),
        "Truck_Bus": (192, 128, 192),
    },
    "pedestrian": {
        "Animal": (64, 128, 64), "CartLuggagePram": (64, 0, 192), "Child": (192, 128, 64), "Pedestrian": (64, 64, 0),
    },
    "bicyclist": {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)},
    "unlabelled": {"Void": (0, 0, 0)},
}  # fmt: skip
_BY_VALUE = sorted(
    (int(packed(np.array(colour))), CamVid.class_names.index(name))
    for name, colours in COLOURS.items()
    for colour in colours.values()
)
COLOUR_VALUES, COLOUR_IDS = np.array(_BY_VALUE).T
