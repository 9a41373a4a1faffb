"""COCO-Stuff: everyday photographs, 80 kinds of things, 91 of stuff. Caesar et al. (2018).

Apart because every data set is: where its files lie, what its numbers mean, and no more.
"""

from __future__ import annotations

from pathlib import Path

from sdm_lite.datasets.pairing import LABEL_MAPS, PHOTOGRAPHS, Listing, list_files
from sdm_lite.datasets.palettes import named_palette
from sdm_lite.datasets.photographs import Photographs, id_table


class COCOStuff(Photographs):
    """COCO-Stuff's 182 ids, of which 171 occur, and a last class for unlabelled pixels: 183, as in SPADE.

    Expected, either of two layouts: the one SPADE made known, `{train,val}_{img,label,inst}/NAME`, or the owners',
    `images/{train2017,val2017}/NAME.jpg` and `annotations/{train2017,val2017}/NAME.png`
    (stuffthingmaps_trainval2017.zip). 8-bit ids 0..181, and 255 for unlabelled. Where there are no instance maps the
    label map stands in, and edges are those between classes.

    The paper has no results on COCO-Stuff, and its published code cannot open it; the authors' later report has.
    """

    name = "coco-stuff"
    layout = "{train,val}_{img,label,inst}/, or images/ and annotations/ with train2017/ and val2017/"
    class_names = (
        "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
        "fire hydrant", "street sign", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep",
        "cow", "elephant", "bear", "zebra", "giraffe", "hat", "backpack", "umbrella", "shoe", "eye glasses", "handbag",
        "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove",
        "skateboard", "surfboard", "tennis racket", "bottle", "plate", "wine glass", "cup", "fork", "knife", "spoon",
        "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake",
        "chair", "couch", "potted plant", "bed", "mirror", "dining table", "window", "desk", "toilet", "door", "tv",
        "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator",
        "blender", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush", "hair brush",
        "banner", "blanket", "branch", "bridge", "building-other", "bush", "cabinet", "cage", "cardboard", "carpet",
        "ceiling-other", "ceiling-tile", "cloth", "clothes", "clouds", "counter", "cupboard", "curtain", "desk-stuff",
        "dirt", "door-stuff", "fence", "floor-marble", "floor-other", "floor-stone", "floor-tile", "floor-wood",
        "flower", "fog", "food-other", "fruit", "furniture-other", "grass", "gravel", "ground-other", "hill", "house",
        "leaves", "light", "mat", "metal", "mirror-stuff", "moss", "mountain", "mud", "napkin", "net", "paper",
        "pavement", "pillow", "plant-other", "plastic", "platform", "playingfield", "railing", "railroad", "river",
        "road", "rock", "roof", "rug", "salad", "sand", "sea", "shelf", "sky-other", "skyscraper", "snow",
        "solid-other", "stairs", "stone", "straw", "structural-other", "table", "tent", "textile-other", "towel",
        "tree", "vegetable", "wall-brick", "wall-concrete", "wall-other", "wall-panel", "wall-stone", "wall-tile",
        "wall-wood", "water-other", "waterdrops", "window-blind", "window-other", "wood", "unlabeled",
    )  # fmt: skip
    num_classes = len(class_names)
    void_id = class_names.index("unlabeled")
    palette = named_palette(class_names)
    preset = "coco-stuff-256"
    # The paper has no value; this is the one of its other data set of mixed scenes, ADE20K.
    guidance_scale = 1.5
    class_of_id = id_table({i: i for i in range(182)} | {255: 182})
    ids_expected = "label ids 0..181 or 255"

    @classmethod
    def is_root(cls, folder: Path) -> bool:
        """Whether one of the two layouts is there."""
        return any(
            photographs.is_dir() and label_maps.is_dir()
            for split in ("train", "val")
            for photographs, label_maps, _ in _layouts(folder, split)
        )

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, Listing | None]:
        """The files of the layout that is there."""
        layouts = _layouts(root, split)
        photographs, label_maps, instance_maps = next((found for found in layouts if found[0].is_dir()), layouts[0])
        return (
            list_files(photographs, PHOTOGRAPHS),
            list_files(label_maps, LABEL_MAPS),
            list_files(instance_maps, LABEL_MAPS) if instance_maps and instance_maps.is_dir() else None,
        )


def _layouts(root: Path, split: str) -> list[tuple[Path, Path, Path | None]]:
    """Folders of photographs, label maps and instance maps: SPADE's, then the owners'."""
    return [
        (root / f"{split}_img", root / f"{split}_label", root / f"{split}_inst"),
        (root / "images" / f"{split}2017", root / "annotations" / f"{split}2017", None),
    ]
