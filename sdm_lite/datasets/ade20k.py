"""ADE20K: indoor and outdoor scenes in 150 classes. Zhou et al. (2017).

Apart because every data set is: where its files lie, what its numbers mean, and no more.
"""

from __future__ import annotations

from pathlib import Path

from sdm_lite.datasets.pairing import LABEL_MAPS, PHOTOGRAPHS, Listing, list_files
from sdm_lite.datasets.palettes import named_palette
from sdm_lite.datasets.photographs import Photographs, id_table

FOLDERS = {"train": "training", "val": "validation"}


class ADE20K(Photographs):
    """ADE20K's 150 classes, and "unknown" as a last one: 151, as in the paper.

    Expected: ADEChallengeData2016.zip unpacked, `images/{training,validation}/NAME.jpg` and
    `annotations/{training,validation}/NAME.png`, 8-bit ids 0..150 where 0 is unknown. Class ids are those less 1, and
    unknown is 150: a class of its own, not the null label. There are no instance ids, and no edge channel.
    """

    name = "ade20k"
    layout = "images/ and annotations/, each with training/ and validation/ (ADEChallengeData2016.zip, unpacked)"
    parts = ("images", f"annotations/{FOLDERS['val']}")
    # The first of each class's names in the data set's list.
    class_names = (
        "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet",
        "sidewalk", "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water",
        "painting", "sofa", "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk",
        "rock", "wardrobe", "lamp", "bathtub", "railing", "cushion", "base", "box", "column", "signboard",
        "chest of drawers", "counter", "sand", "sink", "skyscraper", "fireplace", "refrigerator", "grandstand", "path",
        "stairs", "runway", "case", "pool table", "pillow", "screen door", "stairway", "river", "bridge", "bookcase",
        "blind", "coffee table", "toilet", "flower", "book", "hill", "bench", "countertop", "stove", "palm",
        "kitchen island", "computer", "swivel chair", "boat", "bar", "arcade machine", "hovel", "bus", "towel",
        "light", "truck", "tower", "chandelier", "awning", "streetlight", "booth", "television", "airplane",
        "dirt track", "apparel", "pole", "land", "bannister", "escalator", "ottoman", "bottle", "buffet", "poster",
        "stage", "van", "ship", "fountain", "conveyer belt", "canopy", "washer", "plaything", "swimming pool", "stool",
        "barrel", "basket", "waterfall", "tent", "bag", "minibike", "cradle", "oven", "ball", "food", "step", "tank",
        "trade name", "microwave", "pot", "animal", "bicycle", "lake", "dishwasher", "screen", "blanket", "sculpture",
        "hood", "sconce", "vase", "traffic light", "tray", "ashcan", "fan", "pier", "crt screen", "plate", "monitor",
        "bulletin board", "shower", "radiator", "glass", "clock", "flag", "unknown",
    )  # fmt: skip
    num_classes = len(class_names)
    void_id = class_names.index("unknown")
    palette = named_palette(class_names)
    has_instances = False
    preset = "ade20k-256"
    guidance_scale = 1.5
    class_of_id = id_table({i: i - 1 for i in range(1, 151)} | {0: 150})
    ids_expected = "label ids 0..150 (0 is unknown)"

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, None]:
        """The folders that go by training and validation."""
        if split not in FOLDERS:
            raise ValueError(f"split must be train or val (ADE20K's training and validation), got {split!r}")
        folder = FOLDERS[split]
        return (
            list_files(root / "images" / folder, PHOTOGRAPHS),
            list_files(root / "annotations" / folder, LABEL_MAPS),
            None,
        )
