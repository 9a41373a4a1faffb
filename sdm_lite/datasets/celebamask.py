"""CelebAMask-HQ: faces with their parts. Lee et al. (2020).

Apart because every data set is: where its files lie, what its numbers mean, and no more. The owners publish one file a
part of a face; `datasets.preparing` merges them into the label maps that are read here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdm_lite.datasets.pairing import LABEL_MAPS, PHOTOGRAPHS, Listing, list_files
from sdm_lite.datasets.photographs import Photographs, id_table

NUM_PICTURES = 30_000
FIRST_HELD_OUT = 28_000
# Class i + 1 is PARTS[i], and where masks overlap the later part is on top: the order of the data set's own script.
PARTS = (
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip", "hair",
    "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip


class CelebAMaskHQ(Photographs):
    """CelebAMask-HQ with 18 parts of a face and the background: 19 classes.

    Expected: what `python -m sdm_lite.datasets prepare celebamask-hq` writes, `images/N.jpg` and `labels/N.png`. The
    split "train" is 0..27999 and "val" (or "test") 28000..29999, as published results have it. Photographs are 1024 x
    1024 and label maps 512 x 512; both are square, so they fit. There are no instances: the label map stands in, and
    the edges are those between parts, as in the paper.
    """

    name = "celebamask-hq"
    layout = "images/ and labels/ (made by `python -m sdm_lite.datasets prepare celebamask-hq SRC DST`)"
    parts = ("images", "labels")
    class_names = (
        "background", "skin", "nose", "glasses", "left eye", "right eye", "left brow", "right brow", "left ear",
        "right ear", "mouth", "upper lip", "lower lip", "hair", "hat", "earring", "necklace", "neck", "cloth",
    )  # fmt: skip
    num_classes = len(class_names)
    void_id = None  # every pixel is a part of a face or the background
    palette = np.array(
        [
            (38, 44, 56), (240, 190, 150), (222, 150, 110), (90, 110, 220), (60, 160, 210), (130, 215, 235),
            (126, 66, 24), (176, 138, 20), (236, 110, 110), (250, 160, 175), (110, 10, 40), (214, 40, 80),
            (240, 80, 150), (92, 60, 50), (60, 140, 80), (245, 220, 70), (170, 200, 60), (250, 225, 200),
            (120, 90, 170),
        ],
        dtype=np.uint8,
    )  # fmt: skip
    preset = "celebamask-hq-256"
    guidance_scale = 1.5
    same_size = False
    class_of_id = id_table({i: i for i in range(19)})
    ids_expected = "label ids 0..18"

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, None]:
        """The numbers of the split, in order."""
        if split not in ("train", "val", "test"):
            raise ValueError(f"split must be train, val or test (the same as val), got {split!r}")
        return (
            _of_split(list_files(root / "images", PHOTOGRAPHS), split),
            _of_split(list_files(root / "labels", LABEL_MAPS), split),
            None,
        )


def _of_split(files: Listing, split: str) -> Listing:
    """The files whose numbers belong to a split."""
    wrong = [path for name, path in files.items() if not name.isdecimal()]
    if wrong:
        raise ValueError(f"expected files named by a number 0..{NUM_PICTURES - 1}, got {wrong[0]}")

    def number(name: str) -> str | None:
        chosen = name.isdecimal() and (int(name) < FIRST_HELD_OUT) == (split == "train")
        return f"{int(name):05d}" if chosen else None  # 7.jpg goes with 00007.png

    return files.renamed(number)
