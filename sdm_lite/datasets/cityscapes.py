"""Cityscapes: street scenes of fifty cities, with instance ids. Cordts et al. (2016).

Apart because every data set is: where its files lie, what its numbers mean, and no more.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdm_lite.datasets.pairing import LABEL_MAPS, PHOTOGRAPHS, Listing, list_files
from sdm_lite.datasets.photographs import Photographs, id_table


class Cityscapes(Photographs):
    """Cityscapes with its 34 label ids, and a last class for what has none: 35, as in the paper and SPADE.

    Expected: leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip unpacked into one folder, which then holds
    `leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png` and `gtFine/SPLIT/CITY/NAME_gtFine_{labelIds,instanceIds}.png`. The
    ids are those of `labelIds`, not the 19 "train ids". Instance ids (1000 times the label id, plus a number) need more
    than 8 bits, and get them: two cars that touch have an edge between them, which the published code loses.

    The labels of the split "test" are not published.
    """

    name = "cityscapes"
    layout = "leftImg8bit/ and gtFine/ (leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, unpacked)"
    parts = ("leftImg8bit", "gtFine")
    class_names = (
        "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road",
        "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole",
        "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck",
        "bus", "caravan", "trailer", "train", "motorcycle", "bicycle", "unknown",
    )  # fmt: skip
    num_classes = len(class_names)
    # What nobody labelled is 0; the last class is licence plates, which the owners' script does not draw. Their
    # benchmark also leaves out ego vehicle, borders and rare classes: here they are classes, as in the condition.
    void_id = class_names.index("unlabeled")
    # The data set's own colours, except where it gives several classes one colour, or nearly.
    palette = np.array(
        [
            (34, 34, 40), (10, 10, 12), (96, 48, 36), (16, 74, 66), (92, 92, 100), (111, 74, 0), (81, 0, 81),
            (128, 64, 128), (244, 35, 232), (250, 170, 160), (230, 130, 110), (70, 70, 70), (102, 102, 156),
            (190, 153, 153), (210, 170, 215), (150, 100, 100), (150, 120, 90), (153, 153, 153), (205, 205, 196),
            (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0),
            (0, 0, 142), (0, 0, 70), (0, 60, 100), (90, 40, 160), (140, 90, 210), (0, 80, 100), (0, 0, 230),
            (119, 11, 32), (52, 56, 34),
        ],
        dtype=np.uint8,
    )  # fmt: skip
    preset = "cityscapes-256x512"
    guidance_scale = 2.0
    default_size = (256, 512)
    reference_crops = False
    # Licence plates have the id -1, which is 255 in 8 bits.
    class_of_id = id_table({i: i for i in range(34)} | {255: 34})
    ids_expected = "label ids 0..33 or 255 (the files *_labelIds.png)"

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, Listing]:
        """The files of all cities of a split."""
        if split == "test":
            raise ValueError("split must be train or val: Cityscapes keeps the labels of test to itself")
        labels = root / "gtFine" / split
        return (
            list_files(root / "leftImg8bit" / split, PHOTOGRAPHS, ending="_leftImg8bit", recursive=True),
            list_files(labels, LABEL_MAPS, ending="_gtFine_labelIds", recursive=True),
            list_files(labels, LABEL_MAPS, ending="_gtFine_instanceIds", recursive=True),
        )
