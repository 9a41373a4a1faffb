"""Colours for a hundred classes and more: told apart, and near what a name suggests.

Apart from the data sets because two of them share it. The colours are those of `pictures.default_palette`, which are
far from one another; here is only who gets which.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdm_lite.pictures import default_palette

# What a class would like, asked in this order; names of ADE20K or COCO-Stuff, those of one wish parted by a bar.
WISHES = {
    "unknown|unlabeled": (50, 54, 62),
    "sky|sky-other": (120, 190, 240),
    "tree": (40, 120, 50),
    "grass": (120, 180, 60),
    "person": (215, 40, 60),
    "road": (128, 64, 128),
    "sea": (20, 90, 150),
    "water|water-other": (50, 130, 180),
    "building|building-other": (170, 110, 90),
    "wall|wall-other": (205, 190, 165),
    "floor|floor-other": (221, 153, 85),
    "ceiling|ceiling-other": (225, 225, 235),
    "mountain": (120, 120, 150),
    "car": (30, 60, 180),
    "snow": (235, 240, 250),
    "sand": (225, 200, 130),
    "clouds|fog": (190, 205, 220),
    "sidewalk|pavement": (225, 150, 215),
    "earth|dirt": (130, 90, 50),
    "plant|plant-other": (80, 160, 80),
    "field|playingfield": (187, 204, 102),
    "bush": (60, 140, 80),
    "river": (60, 110, 200),
    "lake": (80, 150, 200),
    "rock": (130, 120, 110),
    "bed": (230, 130, 140),
    "wall-brick": (190, 90, 70),
    "wall-concrete": (170, 170, 165),
    "table|dining table": (221, 102, 68),
    "chair": (230, 150, 50),
    "sofa|couch": (180, 60, 120),
    "windowpane|window-other": (160, 220, 230),
    "door|door-stuff": (150, 80, 40),
    "curtain": (200, 100, 180),
    "flower": (240, 90, 170),
    "house": (210, 130, 100),
    "bus": (240, 190, 30),
    "boat": (40, 170, 170),
    "fire hydrant": (240, 60, 30),
    "broccoli": (50, 160, 40),
    "banana": (245, 225, 70),
    "orange": (245, 140, 20),
}


def named_palette(class_names: Sequence[str]) -> np.ndarray:
    """A colour for each class, the one closest to its wish of those that are left, (num_classes, 3) uint8.

    Classes without a wish take what remains, in order.
    """
    colours = default_palette(len(class_names)).astype(int)
    left = np.ones(len(colours), dtype=bool)
    palette = np.zeros((len(class_names), 3), dtype=np.uint8)
    waiting = dict.fromkeys(class_names)
    for names, wish in WISHES.items():
        for name in names.split("|"):
            if name in waiting:
                nearest = np.where(left, ((colours - wish) ** 2).sum(axis=1), np.inf).argmin()
                palette[class_names.index(name)] = colours[nearest]
                left[nearest] = False
                del waiting[name]
    for name, colour in zip(waiting, colours[left], strict=True):
        palette[class_names.index(name)] = colour
    return palette
