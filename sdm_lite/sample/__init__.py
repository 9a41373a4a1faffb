"""Pictures for label maps in files: read, checked, brought to the model's size, drawn, written.

Apart from `evaluate.drawing`, which draws tensors, because files have names, sizes and ids that may be wrong, and a
person who asks for pictures wants every fault told before the first is drawn.

Shapes: L label maps, N pictures of each, H x W pixels of the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import Model
from sdm_lite.datasets import DATASETS
from sdm_lite.datasets.image_files import read_ids, resample_ids
from sdm_lite.evaluate.drawing import SampleSettings, draw_groups
from sdm_lite.files import write_whole
from sdm_lite.pictures import colorize, default_palette, image_grid, png_bytes, scale_to_see, to_uint8
from sdm_lite.progress import ShowProgress, silently
from sdm_lite.scenes.dataset import PALETTE

SUFFIXES = (".png", ".tif", ".tiff")  # of what `read_ids` reads
WHOLE = (0.0, 0.0, 1.0, 1.0)


class Maps(NamedTuple):
    """Label maps at a model's size.

    Attributes:
        names: L, of the files, without what follows the last point.
        labels: (L, H, W) int64.
        instances: (L, H, W) int64; the labels where there are none of their own.
        stretched: names of those whose sides had another ratio.
    """

    names: list[str]
    labels: Tensor
    instances: Tensor
    stretched: list[str]


def find_maps(given: Sequence[Path]) -> list[Path]:
    """The files that are given, and those in the folders that are given, by name.

    Raises:
        ValueError: if a path is neither, a folder has none, or two files have one name, as their pictures would.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES)
            if not inside:
                raise ValueError(f"expected label maps ({', '.join(SUFFIXES)}) in {path}, got none")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise ValueError(f"expected a label map or a folder of them, got {path}, which is not there")
    names = [path.stem for path in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"expected files of different names, got {names.count(twice[0])} called {twice[0]}")
    return found


def read_maps(
    paths: Sequence[Path],
    model: Model,
    *,
    instances: Path | Sequence[Path] | None = None,
    unlabelled: int | None = None,
) -> Maps:
    """Label maps from files, each pixel of the model's size that of the nearest in the file.

    Args:
        paths: of PNG or TIFF files of ids 0 .. number of classes - 1.
        model: says classes and size.
        instances: id maps, for models that read edges: a folder in which they have the same names, or a file for each;
            None = edges between classes.
        unlabelled: an id of the files that means the model's last class, as 255 does in CamVid; None = there is none.

    Raises:
        ValueError: if a file cannot be read, has an id that the model does not know, or has no instance map; all such
            files in one message, by name.
    """
    size, num_classes = model.unet.config.image_size, model.unet.config.num_classes
    labels, objects, stretched = [], [], []
    faults: dict[str, list[str]] = {}  # equal but for the name of the file
    for number, path in enumerate(paths):
        try:
            ids = read_ids(path).astype(np.int64)
            if unlabelled is not None:
                ids = np.where(ids == unlabelled, num_classes - 1, ids)
            own = ids
            if instances is not None:
                own = read_ids(_instances_of(path, instances) if isinstance(instances, Path) else instances[number])
            if own.shape != ids.shape:
                raise ValueError(f"expected an instance map of {path.name}'s size, {ids.shape}, got {own.shape}")
            if ids.min() < 0 or ids.max() >= num_classes:
                wrong = sorted({int(i) for i in np.unique(ids)} - set(range(num_classes)))
                told = ", ".join(map(str, wrong[:5])) + (" ..." if len(wrong) > 5 else "")
                raise ValueError(
                    f"expected ids 0 to {num_classes - 1} in {path}, got {told}: --unlabelled says which id means the "
                    "last class, `python -m sdm_lite.datasets prepare folder` makes ids of colours and offsets"
                )
        except ValueError as error:
            kind = str(error)
            for name in (str(path), path.name, f"called {path.stem} "):
                kind = kind.replace(name, "")
            faults.setdefault(kind, []).append(str(error))
            continue
        if ids.shape[0] * size[1] != ids.shape[1] * size[0]:
            stretched.append(path.stem)
        labels.append(torch.from_numpy(resample_ids(ids, WHOLE, size).astype(np.int64)))
        objects.append(torch.from_numpy(resample_ids(own, WHOLE, size).astype(np.int64)))
    if faults:
        told = [first + (f" (the same in {len(more)} more)" if more else "") for first, *more in faults.values()]
        raise ValueError("; ".join(told[:3]) + (f"; and {len(told) - 3} other faults" if len(told) > 3 else ""))
    return Maps([path.stem for path in paths], torch.stack(labels), torch.stack(objects), stretched)


def _instances_of(path: Path, instances: Path) -> Path:
    """The instance map of a label map in a folder; ValueError if there is none."""
    for suffix in (path.suffix, *SUFFIXES):
        if (found := instances / f"{path.stem}{suffix}").is_file():
            return found
    raise ValueError(f"expected an instance map called {path.stem} in {instances}, got none")


def palette_of(facts: dict[str, object], num_classes: int) -> np.ndarray:
    """The colours of the data set that a model says it was trained on, or any: (num_classes, 3) uint8."""
    name = facts.get("dataset", "scenes")  # the first shipped weights do not say
    known = PALETTE if name == "scenes" else getattr(DATASETS.get(name), "palette", None)
    if isinstance(known, np.ndarray) and len(known) == num_classes:
        return known
    return default_palette(num_classes)


def write_samples(
    model: Model,
    maps: Maps,
    settings: SampleSettings,
    output: Path,
    *,
    num_samples: int,
    palette: np.ndarray,
    progress: ShowProgress = silently,
) -> Iterator[Path]:
    """Draw and write: output/NAME-0.png, NAME-1.png ... for each label map, then output/grid.png with all.

    A picture depends on its label map's place among those given, its number and the seed.

    Args:
        model: network and process.
        maps: at the model's size.
        settings: how to sample.
        output: folder, made if it is not there.
        num_samples: N.
        palette: (K, 3) uint8.
        progress: shows how far it is.

    Yields:
        Each file, when it is written.
    """
    groups = draw_groups(
        model, maps.labels, maps.instances, [num_samples] * len(maps.names), settings, progress=progress
    )
    output.mkdir(parents=True, exist_ok=True)
    for name, group in zip(maps.names, groups, strict=True):
        for number, picture in enumerate(to_uint8(group)):  # (H, W, 3)
            path = output / f"{name}-{number}.png"
            write_whole(path, png_bytes(picture))
            yield path
    rows = [colorize(maps.labels, palette), *torch.stack(groups).unbind(1)]
    path = output / "grid.png"
    write_whole(path, png_bytes(image_grid(rows, scale=scale_to_see(maps.labels.shape[-1]))))
    yield path
