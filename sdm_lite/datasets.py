"""Photographs with label maps, read from the folders in which they are published.

Apart from Scenes because these are somebody else's files: what may be wrong with them is looked for, and told, before
any work starts. Each data set answers with the same `Example`, and knows its classes and colours.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from sdm_lite.labels import Example

UNLABELLED_IN_FILE = 255


class CamVid(Dataset):
    """CamVid's street photographs with the eleven classes of the SegNet tutorial, and a twelfth for unlabelled pixels.

    Brostow, Fauqueur & Cipolla (2009). Expected: `images/SPLIT/NAME.jpg` and `labels/SPLIT/NAME.png`, 8-bit ids 0..10,
    with 11 or 255 for unlabelled. Unlabelled pixels become a class of their own, as the paper does with ADE20K's
    unknown class: the network sees that nothing is known there, which is not the same as the null label. No instance
    ids are published, so the label map stands in and the edges are those between classes, as the paper does on
    CelebAMask-HQ.

    All pictures are read, checked and resized when the data set is made (about 5 ms each); after that nothing can fail.

    Args:
        root: the folder that holds `images` and `labels`.
        split: a folder in both, such as "train" or "val".
        size: (height, width) to resize to, multiples of 8. Photographs are averaged down (bicubic), labels take the
            nearest pixel. The shape of the photographs is 3 : 4; another ratio squeezes them.
        flip: also serve every picture mirrored, as the second half of the data set.

    Raises:
        ValueError: if the folders are not there, a photograph or label map lacks its partner, is damaged, has another
            size than its partner, or holds an id that is no class; naming the file.
    """

    class_names = (
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
        "unlabelled",
    )  # fmt: skip
    num_classes = len(class_names)
    palette = np.array(
        [
            (150, 200, 240), (172, 112, 84), (240, 222, 110), (84, 84, 98), (196, 164, 208), (70, 138, 66),
            (236, 130, 24), (122, 92, 48), (24, 72, 176), (214, 40, 96), (20, 190, 180), (20, 20, 24),
        ],
        dtype=np.uint8,
    )  # fmt: skip
    # The paper has no value for CamVid; this is the one of its other street photographs, Cityscapes.
    guidance_scale = 2.0

    def __init__(self, root: str | Path, split: str, size: tuple[int, int] = (32, 48), *, flip: bool = False):
        _check_size(size)
        root = _find_root(Path(root))
        pairs = _pairs(root / "images" / split, root / "labels" / split)
        self.names = [image.stem for image, _ in pairs]
        self.flip = flip
        photographs, label_maps = zip(*(_read_pair(image, label, size) for image, label in pairs), strict=True)
        self._photographs = torch.from_numpy(np.stack(photographs)).movedim(-1, 1).contiguous()  # (N, 3, H, W) uint8
        self._label_maps = torch.from_numpy(np.stack(label_maps))  # (N, H, W) uint8

    def __len__(self) -> int:
        """Number of pictures, mirrored ones included."""
        return len(self.names) * (2 if self.flip else 1)

    def __getitem__(self, i: int) -> Example:
        """The i-th picture."""
        if not 0 <= i < len(self):
            raise IndexError(f"expected an index in 0..{len(self) - 1}, got {i}")
        mirrored, k = divmod(int(i), len(self.names))
        image = self._photographs[k].float() / 127.5 - 1
        label_map = self._label_maps[k].long()
        if mirrored:
            image, label_map = image.flip(-1), label_map.flip(-1)
        return Example(image, label_map, label_map.clone())


def _check_size(size: tuple[int, int]) -> None:
    if len(size) != 2 or any(side < 8 or side % 8 for side in size):
        raise ValueError(f"expected size = (height, width) in multiples of 8, got {size}; (48, 64) keeps the shape")


def _find_root(root: Path) -> Path:
    """The root if it holds `images` and `labels`; else an error that names the folder close by that does."""
    if _is_root(root):
        return root
    nearby = [*root.parents[:2], *(sorted(root.iterdir()) if root.is_dir() else [])]
    hint = next((f"; did you mean {folder}?" for folder in nearby if _is_root(folder)), "")
    found = "no such folder" if not root.is_dir() else f"a folder with {_listing(root)}"
    raise ValueError(f"expected a folder with images/ and labels/ at {root}, got {found}{hint}")


def _is_root(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "labels").is_dir()


def _listing(folder: Path) -> str:
    return _shortened(sorted(path.name for path in folder.iterdir())) or "nothing in it"


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _pairs(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    """Photographs and label maps of the same name, in the order of their names."""
    for folder in (images, labels):
        if not folder.is_dir():
            raise ValueError(f"expected a folder {folder}, got none; there is {_listing(folder.parent)}")
    image_of = {path.stem: path for path in images.glob("*.jpg")}
    label_of = {path.stem: path for path in labels.glob("*.png")}
    if not image_of and not label_of:
        raise ValueError(f"expected photographs *.jpg in {images}, got {_listing(images)}")
    directions = ((image_of, label_of, "label map", labels), (label_of, image_of, "photograph", images))
    for have, lack, kind, folder in directions:
        alone = sorted(have[name].name for name in have.keys() - lack.keys())
        if alone:
            raise ValueError(f"expected a {kind} in {folder} for each file, got none for {_shortened(alone)}")
    return [(image_of[name], label_of[name]) for name in sorted(image_of)]


def _read_pair(image: Path, label: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A photograph (H, W, 3) and its label map (H, W), both uint8, checked and resized."""
    from PIL import Image

    photograph, ids = _open(image).convert("RGB"), _open(label)
    if ids.mode not in ("L", "P"):
        raise ValueError(f"expected 8-bit label ids in {label}, got an image of mode {ids.mode}")
    if photograph.size != ids.size:
        raise ValueError(
            f"expected one size, got {_size(photograph)} pixels in {image} and {_size(ids)} in {label}; "
            "resize the label map to the photograph (nearest)"
        )
    _check_ids(np.asarray(ids), label)
    height, width = size
    ids = np.array(ids.resize((width, height), Image.Resampling.NEAREST))
    ids[ids == UNLABELLED_IN_FILE] = CamVid.num_classes - 1
    # Pillow's resampling widens with the reduction, so that nothing is aliased.
    return np.array(photograph.resize((width, height), Image.Resampling.BICUBIC)), ids


def _open(path: Path):
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for some broken PNG files
        raise ValueError(f"expected a readable image, got {path}: {error}; replace the file") from error


def _size(image) -> str:
    return f"{image.height} x {image.width}"


def _check_ids(ids: np.ndarray, path: Path) -> None:
    values, counts = np.unique(ids, return_counts=True)
    wrong = (values >= CamVid.num_classes) & (values != UNLABELLED_IN_FILE)
    if wrong.any():
        found = ", ".join(f"{v} ({n} pixels)" for v, n in zip(values[wrong][:5], counts[wrong], strict=False))
        raise ValueError(f"expected label ids 0..{CamVid.num_classes - 1} or 255 in {path}, got {found}")
