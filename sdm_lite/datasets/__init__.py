"""Photographs with label maps, read as they were published: the door to all data sets.

Apart from the data sets, so that whoever trains or evaluates names one and needs to know no more. All give the same
`Example`; each knows its classes, colours, the network that fits it and the paper's guidance scale.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from sdm_lite.datasets.ade20k import ADE20K
from sdm_lite.datasets.camvid import CamVid
from sdm_lite.datasets.celebamask import CelebAMaskHQ
from sdm_lite.datasets.cityscapes import Cityscapes
from sdm_lite.datasets.coco import COCOStuff
from sdm_lite.datasets.folder import Folder
from sdm_lite.datasets.photographs import Photographs
from sdm_lite.files import expanded

__all__ = [
    "ADE20K",
    "DATASETS",
    "COCOStuff",
    "CamVid",
    "CelebAMaskHQ",
    "Cityscapes",
    "Folder",
    "Photographs",
    "open_dataset",
]

DATASETS: dict[str, type[Photographs]] = {
    dataset.name: dataset for dataset in (Cityscapes, ADE20K, CelebAMaskHQ, COCOStuff, CamVid, Folder)
}


def open_dataset(
    name: str,
    root: str | Path,
    split: str,
    *,
    size: tuple[int, int] | None = None,
    protocol: str = "sdm_lite",
    crops: int = 1,
    skip_bad: bool = False,
) -> Photographs:
    """A data set by name.

    Args:
        name: a key of DATASETS.
        root: its folder; of "folder", one that holds images/, labels/ and classes.txt.
        split: "train" or "val".
        size: (height, width), multiples of 8; None for the data set's own.
        protocol: "sdm_lite" squashes nothing; "reference" does as the published code, see Photographs.
        crops: examples made of each picture: the middle, and random parts.
        skip_bad: leave out what is bad, and list it in `left_out`.

    Raises:
        ValueError: if there is no such data set, or its folder is not as it should be.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name.lower(), DATASETS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"the data set must be one of {', '.join(DATASETS)}, got {name!r}{hint}")
    dataset = DATASETS[name]
    try:
        return dataset(root, split, size, protocol=protocol, crops=crops, skip_bad=skip_bad)
    except ValueError as error:
        folder = expanded(root)
        others = [] if dataset.is_root(folder) else [other.name for other in DATASETS.values() if other.is_root(folder)]
        if not others:
            raise
        raise ValueError(f"{error}; it looks like {' or '.join(others)}") from None
