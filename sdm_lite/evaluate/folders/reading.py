"""From the files of a folder to features: one pass, a batch of pictures in memory at a time.

Apart from the scores because this is where files are bad, sizes differ and time is spent. Whatever is altered on
purpose (see `ruler`) is altered here, so that a picture is decoded once for all its alterations.

Shapes: N pictures, B batch, D features, K classes, P pairs, H x W pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.datasets.alterations import resized
from sdm_lite.datasets.image_files import in_threads
from sdm_lite.datasets.picture_folder import PictureFolder, read_label_map, read_picture, unreadable
from sdm_lite.evaluate.folders.judges import FeatureNetwork, Perceptual, Segmenter
from sdm_lite.progress import ShowProgress, silently

if TYPE_CHECKING:
    from PIL import Image

Alteration = Callable[["Image.Image", tuple[int, int]], "Image.Image"]  # a picture at the size, changed on the way
PLAIN = "plain"  # the alteration that is none


@dataclass(frozen=True)
class Protocol:
    """How pictures are made comparable; every score is of pictures treated so.

    Attributes:
        size: (height, width) that all are compared at.
        filter_name: of the resizing, a key of `alterations.FILTERS`.
        batch_size: pictures at a time; changes no score beyond rounding.
        void: label ids of pixels that count for nothing in mIoU.
        skip_bad: leave out files that cannot be read, and list them.
    """

    size: tuple[int, int]
    filter_name: str = "bicubic"
    batch_size: int = 32
    void: tuple[int, ...] = (255,)
    skip_bad: bool = False


@dataclass
class Reading:
    """What one pass over pictures found.

    Attributes:
        names: of the N pictures that could be read, in order.
        features: (N, D) float32, by alteration; PLAIN is there always.
        labelled: names of those with a label map.
        confusion: (len(labelled), K + 1, K + 1), by alteration, see `known_iou`; empty without a segmenter.
        distances: (P,) of pictures 0 and 1, 2 and 3 and so on, by alteration; empty unless asked for.
        digests: of the pixels of each picture at the size, without alteration.
        low, high: the lowest and the highest value of all, 0..255.
        flat: names of pictures of one single colour.
        left_out: a line for each file that could not be read.
    """

    names: list[str] = field(default_factory=list)
    features: dict[str, Tensor] = field(default_factory=dict)
    labelled: list[str] = field(default_factory=list)
    confusion: dict[str, Tensor] = field(default_factory=dict)
    distances: dict[str, Tensor] = field(default_factory=dict)
    digests: list[bytes] = field(default_factory=list)
    low: int = 255
    high: int = 0
    flat: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class _Decoded(NamedTuple):
    name: str
    pixels: dict[str, np.ndarray]  # by alteration, (H, W, 3) uint8
    label_map: np.ndarray | None


def read_features(
    folder: PictureFolder,
    judge: FeatureNetwork,
    protocol: Protocol,
    *,
    names: Sequence[str] | None = None,
    alterations: Mapping[str, Alteration] | None = None,
    segmenter: Segmenter | None = None,
    label_maps: Mapping[str, Path] | None = None,
    pairs: bool = False,
    progress: ShowProgress = silently,
) -> Reading:
    """Features of every picture of a folder, and whatever else one look at them can give.

    Args:
        folder: of pictures.
        judge: what looks at them.
        protocol: how they are made comparable.
        names: which pictures; None = all.
        alterations: how to change them besides, by name; all are looked at plain too.
        segmenter: reads label maps off them, or None.
        label_maps: the file of the label map of each picture that has one.
        pairs: measure the distance of pictures 0 and 1, 2 and 3 and so on, if the judge can.
        progress: shows how far it is.

    Raises:
        ValueError: naming the file, if one cannot be read and may not be skipped, if a label map does not fit the
            segmenter, or if the judge has no finite features for a picture.
    """
    alterations = {PLAIN: lambda picture, size: resized(picture, size, protocol.filter_name)} | dict(alterations or {})
    names, label_maps = list(folder.files if names is None else names), label_maps or {}
    found, columns = Reading(), {kind: {name: [] for name in alterations} for kind in ("features", "confusion", "pair")}

    def decode(name: str) -> _Decoded | str:
        picture = read_picture(folder.files[name])
        if isinstance(picture, str):
            return picture
        label_map = None
        if segmenter is not None and name in label_maps:
            label_map = read_label_map(label_maps[name], protocol.size)
            if isinstance(label_map, str):
                return label_map
        return _Decoded(name, {key: np.array(alter(picture, protocol.size)) for key, alter in alterations.items()},
                        label_map)  # fmt: skip

    batch_size = protocol.batch_size + (protocol.batch_size % 2 if pairs else 0)  # no pair is cut in two
    shown = progress(names, description=f"pictures of {folder.root.name}")
    for batch in _batches(in_threads(decode, shown), batch_size, found, protocol.skip_bad):
        _note(found, batch)
        for key in alterations:
            images = _images([one.pixels[key] for one in batch], judge.device)
            features = judge.features(images).float().cpu()
            _check_finite(features, [folder.files[one.name] for one in batch], judge.name)
            columns["features"][key].append(features)
            if pairs and isinstance(judge, Perceptual) and len(batch) > 1:
                first, second = images[: len(batch) // 2 * 2].unflatten(0, (-1, 2)).unbind(1)
                columns["pair"][key].append(judge.perceptual_distance(first, second).cpu())
            if segmenter is not None:
                columns["confusion"][key] += _confusions(segmenter, images, batch, label_maps, protocol.void)
    if not found.names:
        raise ValueError(f"expected readable pictures in {folder.root}, got none: {found.left_out[0]}")
    found.features = {key: torch.cat(parts) for key, parts in columns["features"].items()}
    found.confusion = {key: torch.stack(parts) for key, parts in columns["confusion"].items() if parts}
    found.distances = {key: torch.cat(parts) for key, parts in columns["pair"].items() if parts}
    return found


def group_diversity(
    folder: PictureFolder,
    groups: Mapping[str, Sequence[str]],
    judge: FeatureNetwork,
    protocol: Protocol,
    *,
    progress: ShowProgress = silently,
) -> Tensor:
    """Mean distance over all pairs of samples of one label map, for each map: (G,) float64.

    Args:
        folder: of samples, all of them readable.
        groups: names of the samples of each of G label maps, two or more.
        judge: with a `perceptual_distance`.
        protocol: how pictures are made comparable.
        progress: shows how far it is.
    """
    means = []
    for names in progress(list(groups.values()), description="pairs of samples of one label map"):
        images = [resized(read_picture(folder.files[n]), protocol.size, protocol.filter_name) for n in names]
        pixels = [np.array(image) for image in images]
        distances = []
        pairs = combinations(range(len(names)), 2)
        while chunk := list(islice(pairs, protocol.batch_size)):
            first, second = (_images([pixels[pair[side]] for pair in chunk], judge.device) for side in (0, 1))
            distances.append(judge.perceptual_distance(first, second).double().cpu())
        means.append(torch.cat(distances).mean())
    return torch.stack(means)


def known_iou(confusion: Tensor, known_ids: Sequence[int]) -> Tensor:
    """Intersection over union of the classes that a segmenter knows, of a confusion (K + 1, K + 1): (len(known_ids),).

    The last row and column are what was read as none of the K classes: wrong wherever it is, and no class of its own.
    """
    return metrics.intersection_over_union(confusion)[torch.tensor(known_ids, device="cpu")]


def _batches(
    decoded: Iterable[_Decoded | str], batch_size: int, found: Reading, skip_bad: bool
) -> Iterator[list[_Decoded]]:
    """Pictures that could be read, some at a time; the others are written down, or end it."""
    batch = []
    for one in decoded:
        if isinstance(one, str):
            if not skip_bad:
                raise unreadable([one])
            found.left_out.append(one)
            continue
        batch.append(one)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def _note(found: Reading, batch: list[_Decoded]) -> None:
    """Write down which pictures these are, and what can be seen without a network."""
    for one in batch:
        pixels = one.pixels[PLAIN]
        found.names.append(one.name)
        found.digests.append(hashlib.blake2b(pixels.tobytes(), digest_size=16).digest())
        found.low, found.high = min(found.low, int(pixels.min())), max(found.high, int(pixels.max()))
        if (pixels == pixels[0, 0]).all():
            found.flat.append(one.name)
        if one.label_map is not None:
            found.labelled.append(one.name)


def _images(pixels: list[np.ndarray], device: torch.device) -> Tensor:
    """Pictures (H, W, 3) uint8 as a batch (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.stack(pixels)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def _check_finite(features: Tensor, files: list[Path], judge: str) -> None:
    bad = [file for file, row in zip(files, features, strict=True) if not row.isfinite().all()]
    if bad:
        raise ValueError(f"{judge} has nan or infinite features for {bad[0]}: take that picture out of the folder")


def _confusions(
    segmenter: Segmenter, images: Tensor, batch: list[_Decoded], label_maps: Mapping[str, Path], void: tuple[int, ...]
) -> list[Tensor]:
    """A confusion matrix (K + 1, K + 1) for each picture of a batch that has a label map."""
    if all(one.label_map is None for one in batch):
        return []
    found = []
    for one, predicted in zip(batch, segmenter.predict(images).cpu(), strict=True):
        if one.label_map is None:
            continue
        ids = np.setdiff1d(one.label_map, void)
        if ids.size and not 0 <= ids.min() <= ids.max() < segmenter.num_classes:
            foreign = ids[(ids < 0) | (ids >= segmenter.num_classes)][:5].tolist()
            raise ValueError(
                f"expected label ids 0..{segmenter.num_classes - 1}, or void {list(void)}, in {label_maps[one.name]}, "
                f"got {foreign}: give --void, or label maps in the segmenter's ids"
            )
        target = torch.from_numpy(np.where(np.isin(one.label_map, void), -1, one.label_map))
        outcomes = segmenter.num_classes + 1  # the last: read as what no label map has
        predicted = torch.where(predicted < 0, segmenter.num_classes, predicted)
        found.append(metrics.confusion_matrix(predicted, target, outcomes, ignore_label=-1))
    return found
