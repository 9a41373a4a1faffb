"""Photographs and label maps on disk, for the tests of what reads them."""

from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        options = {"quality": 100, "subsampling": 0} | options
    Image.fromarray(array).save(path, **options)


def write_pair(root, split, name, photograph, ids):
    save(root / "images" / split / f"{name}.jpg", photograph)
    save(root / "labels" / split / f"{name}.png", ids)


def write_camvid(root: Path) -> Path:
    """Two pictures of 32 x 48: left half black sky, right half white car; the second has an unlabelled corner."""
    photograph = np.zeros((32, 48, 3), dtype=np.uint8)
    photograph[:, 24:] = 255
    ids = np.zeros((32, 48), dtype=np.uint8)
    ids[:, 24:] = 8
    write_pair(root, "train", "a", photograph, ids)
    ids = ids.copy()
    ids[:8, :8] = 255
    write_pair(root, "train", "b", photograph, ids)
    return root
