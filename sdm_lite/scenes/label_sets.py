"""Label sets of Scenes: the same layouts named with fewer words, or with more.

Apart from the data set, whose own labels are the 11 that its shapes carry. A layout knows more of a shape than its
class, for instance whether a tree is a conifer and how far away it stands: 23 kinds are made of that, and 5 groups of
the classes. Instances are the same under every set, and so are the edges between them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sdm_lite.scenes.land import Cloud, Hill, Lake, Mountains, Path, Sea
from sdm_lite.scenes.render import CLASS_NAMES, ROAD, WALL, Layout, Shape
from sdm_lite.scenes.things import Car, House, Tree

# Told apart by colour-blind eyes too: tests/scenes/test_dataset.py measures it.
PALETTE = np.array(
    [
        (140, 190, 235), (247, 197, 50), (225, 232, 240), (133, 118, 139), (110, 170, 70), (84, 80, 82),
        (233, 211, 165), (168, 66, 57), (24, 86, 28), (200, 28, 109), (45, 110, 185),
    ],
    np.uint8,
)  # fmt: skip

LARGE_CLOUD = 0.35  # width; drawn from 0.26 to 0.44
NEAR_TREE = 0.78  # y of the base; below it a tree stands in the front half of the ground
FAR_HAZE = 0.5  # of mountains; drawn as 0.22, 0.28 (near) and 0.62 (far)

# What a kind is called, and the class that it is of.
KINDS = {
    "sky": "sky",
    "sun": "sun",
    "small cloud": "cloud",
    "large cloud": "cloud",
    "far mountain": "mountain",
    "near mountain": "mountain",
    "far meadow": "grass",
    "near meadow": "grass",
    "road ahead": "road",
    "road across": "road",
    "wall from the front": "wall",
    "wall from the corner": "wall",
    "roof from the front": "roof",
    "roof from the corner": "roof",
    "far conifer": "tree",
    "near conifer": "tree",
    "far broadleaf": "tree",
    "near broadleaf": "tree",
    "car from behind": "car",
    "car from the side": "car",
    "sea": "water",
    "lake": "water",
    "river": "water",
}
GROUPS = {
    "sky": ("sky", "sun", "cloud"),
    "ground": ("mountain", "grass", "road"),
    "building or car": ("wall", "roof", "car"),
    "tree": ("tree",),
    "water": ("water",),
}


class LabelSet(NamedTuple):
    """Names for what stands in a layout.

    Attributes:
        class_names: in the order of the label ids.
        palette: (K, 3) uint8, a colour for each.
        of_kinds: (23,) int64, the label id of every kind.
    """

    class_names: tuple[str, ...]
    palette: np.ndarray
    of_kinds: np.ndarray

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    def of_items(self, layout: Layout) -> np.ndarray:
        """The label id of every item of a layout, (items,) uint8."""
        return self.of_kinds[[KIND_IDS[kind_of(item)] for item in layout.items]].astype(np.uint8)


def kind_of(item: Shape) -> str:
    """What kind a shape is of: a key of KINDS."""
    match item:
        case Cloud():
            return "large cloud" if item.width >= LARGE_CLOUD else "small cloud"
        case Mountains():
            return "far mountain" if item.haze > FAR_HAZE else "near mountain"
        case Hill():
            return "far meadow" if item.far else "near meadow"
        case Sea():
            return "sea"
        case Lake():
            return "lake"
        case Path():
            return "road ahead" if item.class_id == ROAD else "river"
        case House():
            part = "wall" if item.class_id == WALL else "roof"
            return f"{part} from the {'front' if item.frontal else 'corner'}"
        case Tree():
            return f"{'near' if item.y > NEAR_TREE else 'far'} {'conifer' if item.conifer else 'broadleaf'}"
        case Car():
            return "car from the side" if item.profile else "car from behind"
    name = CLASS_NAMES[item.class_id]
    return "road across" if name == "road" else name  # sky and sun are of one kind each


KIND_IDS = {kind: number for number, kind in enumerate(KINDS)}


def _shades(classes: list[int]) -> np.ndarray:
    """A colour for each kind, (23, 3) uint8: of its class, the later ones of a class lighter."""
    earlier = np.array([classes[:number].count(one) for number, one in enumerate(classes)])[:, None]
    return (PALETTE[classes] + (255 - PALETTE[classes].astype(float)) * 0.2 * earlier).round().astype(np.uint8)


def _make_label_sets() -> dict[str, LabelSet]:
    classes = [CLASS_NAMES.index(name) for name in KINDS.values()]
    group_of = {name: number for number, names in enumerate(GROUPS.values()) for name in names}
    colours = np.array([PALETTE[CLASS_NAMES.index(names[-1 if "car" in names else 0])] for names in GROUPS.values()])
    return {
        "coarse": LabelSet(tuple(GROUPS), colours, np.array([group_of[name] for name in KINDS.values()])),
        "standard": LabelSet(CLASS_NAMES, PALETTE, np.array(classes)),
        "fine": LabelSet(tuple(KINDS), _shades(classes), np.arange(len(KINDS))),
    }


LABEL_SETS = _make_label_sets()
"""By name, few classes to many: coarse has 5, standard 11 (the data set's own), fine 23."""

GROUP_OF_CLASS = np.array([next(n for n, names in enumerate(GROUPS.values()) if name in names) for name in CLASS_NAMES])
"""(11,) int64: the coarse label of every standard one."""
