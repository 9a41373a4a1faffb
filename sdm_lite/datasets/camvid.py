"""CamVid: street photographs in eleven classes. Brostow, Fauqueur & Cipolla (2009).

Apart because every data set is: where its files lie, what its numbers mean, and no more. The classes are those of the
SegNet tutorial.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdm_lite.datasets.pairing import LABEL_MAPS, PHOTOGRAPHS, Listing, list_files
from sdm_lite.datasets.photographs import Photographs, id_table


class CamVid(Photographs):
    """CamVid with eleven classes, and a twelfth for unlabelled pixels.

    Expected: `images/SPLIT/NAME.jpg` and `labels/SPLIT/NAME.png`, 8-bit ids 0..10, with 11 or 255 for unlabelled.
    Unlabelled pixels become a class of their own, as the paper does with ADE20K's unknown class: the network sees that
    nothing is known there, which is not the same as the null label. Judges and mIoU ignore them. No instance ids are
    published, so the label map stands in and the edges are those between classes, as the paper does on CelebAMask-HQ.
    """

    name = "camvid"
    layout = "images/{train,val}/ and labels/{train,val}/"
    parts = ("images", "labels")
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

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, None]:
        """`images/SPLIT` and `labels/SPLIT`."""
        return (
            list_files(root / "images" / split, PHOTOGRAPHS),
            list_files(root / "labels" / split, LABEL_MAPS),
            None,
        )
