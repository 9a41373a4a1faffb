"""Examples of any data set written as a folder of photographs, label maps and instance maps.

Apart from reading such folders because what is written here was never a photograph: Scenes rendered to a folder are
for a reader, a test or a lesson that has no photographs at hand, and are then read as photographs are.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from sdm_lite.batches import Example
from sdm_lite.files import check_writable_folder, expanded
from sdm_lite.pictures import png_bytes, to_uint8
from sdm_lite.progress import Progress
from sdm_lite.scenes.dataset import TEST_SEED, TRAIN_SEED, Scenes

MAX_ID = 65_535


def render_scenes(root: str | Path, *, num_train: int = 200, num_val: int = 50, size: int = 64, seed: int = 0) -> Path:
    """Render Scenes to a folder that `datasets.Folder` opens, with splits `train` and `val`.

    Args:
        root: of the folder; must not exist yet, or be empty.
        num_train: pictures to train on, of Scenes(seed).
        num_val: held-out pictures, of Scenes(seed + 1).
        size: height and width in pixels.
        seed: non-negative integer. Neither it nor the next may be `scenes.TEST_SEED`: it is 0, or 3 or more.

    Returns:
        The folder.

    Raises:
        ValueError: if a number is out of range, the layouts are those that models are scored on, or there is something
            in the folder.
    """
    if seed + 1 == TEST_SEED or seed == TEST_SEED:
        raise ValueError(
            f"seed {seed} gives layouts of Scenes({TEST_SEED}), which models are scored on and never see: take "
            f"{TRAIN_SEED}, or {TEST_SEED + 1} or more"
        )
    splits = {"train": Scenes(size, num_train, seed), "val": Scenes(size, num_val, seed + 1)}
    return export_folder(root, splits, Scenes.class_names)


def export_folder(root: str | Path, splits: Mapping[str, Sequence[Example]], class_names: Sequence[str]) -> Path:
    """Write examples as a folder that `datasets.Folder` opens: it is there whole, or not at all.

    Photographs become PNG files of 8 bits, label and instance maps PNG files of 8 or 16 bits.

    Args:
        root: of the folder; must not exist yet, or be empty.
        splits: from a split's name to its examples.
        class_names: one for each id.

    Returns:
        The folder.

    Raises:
        ValueError: if there is something in the folder, it cannot be written, or an id does not fit 16 bits.
        OSError: if the disk is full, naming the folder.
    """
    root = expanded(root)
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise ValueError(f"expected no folder at {root}, or an empty one, got one that is in use: give another")
    check_writable_folder(root, option="the folder")
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".{root.name}."))
    try:
        draft.chmod(0o755)  # mkdtemp makes it private
        with Progress(f"writing {root.name}", total=sum(map(len, splits.values()))) as bar:
            for split, examples in splits.items():
                digits = len(str(max(0, len(examples) - 1)))
                for i in range(len(examples)):
                    _write_example(draft, split, f"{i:0{digits}d}.png", examples[i])
                    bar.update()
        (draft / "classes.txt").write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
        if root.exists():
            root.rmdir()  # Windows renames onto nothing that exists
        draft.rename(root)
    except OSError as error:
        raise OSError(
            f"{root} could not be written ({error.strerror or error}): give another place, or make room on the disk"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # nothing, if all went well: it has another name by then
    return root


def _write_example(root: Path, split: str, name: str, example: Example) -> None:
    kinds = {
        "images": png_bytes(to_uint8(example.image)),
        "labels": _ids_png(example.label_map),
        "instances": _ids_png(example.instance_map),
    }
    for kind, data in kinds.items():
        folder = root / kind / split
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _ids_png(ids: Tensor) -> bytes:
    """Ids (H, W) in as few bits as hold them."""
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high > MAX_ID:
        raise ValueError(f"ids must lie in 0..{MAX_ID} to be written, got {low if low < 0 else high}")
    return png_bytes(ids.numpy().astype(np.uint8 if high < 256 else np.uint16))
