"""From two folders to scores: distances of features, nearest neighbours, diversity, mIoU, each with its interval.

Apart from the scores of a model because here nobody knows how the pictures were made. All that is asked is whether one
set looks like the other to a network.

Shapes: N true pictures, M samples, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.datasets.picture_folder import PictureFolder, label_map_names, told_sizes
from sdm_lite.evaluate.folders.judges import FeatureNetwork, Perceptual, Segmenter
from sdm_lite.evaluate.folders.reading import PLAIN, Protocol, Reading, group_diversity, known_iou, read_features
from sdm_lite.evaluate.measures import Measure
from sdm_lite.judge.network import metric_name
from sdm_lite.progress import ShowProgress, counted, silently

LEAST = 2 * (metrics.neighbours.DENSITY_NEIGHBOURS + 1)  # pictures: half of them must have so many neighbours
MOST_OF_SUBSET = 500  # names
SET_SCORES = {
    "kid": "KID",
    "fid": "FID",
    "precision": "precision, k = 3",
    "recall": "recall, k = 3",
    "density": "density, k = 5",
    "coverage": "coverage, k = 5",
}
"""The scores of two sets of features, in the order of `set_scores`: key, and name in tables."""


@dataclass(frozen=True)
class FolderFacts:
    """What a folder holds, as told beside its scores.

    Attributes:
        root: the folder.
        num_pictures: compared.
        sizes: in words, before resizing.
        low, high: the lowest and highest value of all pictures, 0..255.
        left_out: a line for each file that could not be read.
        notes: what a reader should know, in sentences.
    """

    root: str
    num_pictures: int
    sizes: str
    low: int
    high: int
    left_out: list[str]
    notes: list[str]


@dataclass(frozen=True)
class Comparison:
    """What two folders score against each other.

    Attributes:
        judge: the network's name.
        protocol: how the pictures were made comparable.
        real: of the true pictures.
        samples: of the samples.
        num_label_maps: how many different ones the samples are of.
        num_shared: of these, how many have a true picture by their name.
        measures: by key; mIoU and diversity where they can be had.
        class_iou: behind the mIoU, by class id.
        left_out: a line for each measure that could not be taken, and how to get it.
        sample_names: what each of the samples is of, for the ruler.
        sample_features: (M, D), for the ruler.
    """

    judge: str
    protocol: Protocol
    real: FolderFacts
    samples: FolderFacts
    num_label_maps: int
    num_shared: int
    measures: dict[str, Measure]
    class_iou: dict[int, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    sample_names: list[str] = field(default_factory=list, repr=False)
    sample_features: Tensor = field(
        default_factory=lambda: torch.empty(0, 0, dtype=torch.float32, device="cpu"), repr=False
    )


def set_scores(real: Tensor, samples: Tensor, of_real: Tensor, of_samples: Tensor) -> list[float]:
    """The six numbers of SET_SCORES, of features (N, D) and (M, D), and what each is of, (N,) and (M,) int64."""
    return [
        metrics.kernel_distance_of_groups(real, samples, of_real, of_samples),
        metrics.frechet_distance(real, samples),
        *metrics.neighbourhoods(real, samples),
    ]


def numbered(names: list[str]) -> Tensor:
    """A number for each name, equal where names are, (n,) int64."""
    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return torch.tensor([number[name] for name in names], device="cpu")


def compare_folders(
    real: PictureFolder,
    samples: PictureFolder,
    judge: FeatureNetwork,
    protocol: Protocol,
    *,
    labels: Mapping[str, Path] | None = None,
    segmenter: Segmenter | None = None,
    num_subsets: int = 100,
    progress: ShowProgress = silently,
) -> Comparison:
    """Score one folder of pictures against another.

    Args:
        real: true pictures.
        samples: what is scored; what each is of is told by its name, see `datasets.picture_folder`.
        judge: what looks at the pictures.
        protocol: how they are made comparable.
        labels: label maps by name, for mIoU.
        segmenter: reads label maps off the pictures; None = no mIoU.
        num_subsets: behind each interval.
        progress: shows how far it is.

    Raises:
        ValueError: if a folder has fewer than LEAST pictures, or see `read_features`.
    """
    check_enough(real, samples)
    labels = labels or {}
    known = {*real.files, *labels}
    sample_maps = dict(zip(samples.files, label_map_names(samples.files, known), strict=True))
    options = {"segmenter": segmenter, "progress": progress}
    of_real = read_features(real, judge, protocol, label_maps=labels, **options)
    maps_of = {name: labels[of] for name, of in sample_maps.items() if of in labels}
    of_samples = read_features(samples, judge, protocol, label_maps=maps_of, **options)
    for folder, reading in ((real, of_real), (samples, of_samples)):
        _check_number(folder, len(reading.names))
    names = [sample_maps[name] for name in of_samples.names]
    measures = set_measures(of_real, of_samples, names, judge.name, num_subsets)
    left_out: list[str] = []
    _add_diversity(measures, left_out, samples, of_samples, names, judge, protocol, progress)
    class_iou = _add_miou(measures, left_out, of_real, of_samples, sample_maps, segmenter, bool(labels))
    return Comparison(
        judge=judge.name,
        protocol=protocol,
        real=_facts(real, of_real, protocol, []),
        samples=_facts(samples, of_samples, protocol, of_real.digests),
        num_label_maps=len(set(names)),
        num_shared=len(set(names) & set(of_real.names)),
        measures=measures,
        class_iou=class_iou,
        left_out=left_out,
        sample_names=names,
        sample_features=of_samples.features[PLAIN],
    )


def check_enough(*folders: PictureFolder) -> None:
    """Raise ValueError unless every folder has LEAST pictures."""
    for folder in folders:
        _check_number(folder, len(folder))


def _check_number(folder: PictureFolder, number: int) -> None:
    if number < LEAST:
        raise ValueError(
            f"expected at least {LEAST} readable pictures in {folder.root}, got {number}: neighbours are looked for in "
            "halves of them"
        )


def set_measures(
    of_real: Reading, of_samples: Reading, sample_names: list[str], judge: str, num_subsets: int
) -> dict[str, Measure]:
    """The six numbers of SET_SCORES with intervals from subsets of both folders, see `metrics.subsets`.

    Args:
        of_real: N true pictures.
        of_samples: M samples.
        sample_names: what each sample is of.
        judge: the network's name.
        num_subsets: to draw.
    """
    real, samples = of_real.features[PLAIN], of_samples.features[PLAIN]
    groups = numbered(of_real.names + sample_names)
    real_maps, sample_maps = groups[: len(real)], groups[len(real) :]
    values = set_scores(real, samples, real_maps, sample_maps)
    num_maps = len(set(sample_names))
    enough = min(len(real), num_maps) >= LEAST
    over = f"over the choice of {len(real)} and {len(samples)} pictures, by {num_subsets} subsets without duplicates"
    if enough:
        errors = metrics.subset_errors(
            lambda i, j: set_scores(real[i], samples[j], real_maps[i], sample_maps[j]),
            of_real.names,
            sample_names,
            most=MOST_OF_SUBSET,
            num_subsets=num_subsets,
        )
    found = {}
    for i, (key, name) in enumerate(SET_SCORES.items()):
        if not enough:
            none = f"none: {num_maps} label maps are too few to halve"
            interval = metrics.Interval(float("nan"), float("nan"), none)
        elif key == "density" and errors[i] == 0:  # 0 in every subset: such an interval would be a point
            interval = metrics.Interval(float("nan"), float("nan"), "none: all subsets have the same density")
        elif key in ("precision", "recall", "coverage"):
            number = num_maps if key == "precision" else len(real)
            interval = metrics.share_interval(values[i], errors[i], number, over)
        else:
            interval = metrics.normal_interval(values[i], errors[i], over)
            if key != "kid":  # which is without bias, and below 0 now and then
                interval = interval._replace(low=max(interval.low, 0.0))
        found[key] = Measure(metric_name(name, judge), values[i], interval)
    return found


def _add_diversity(
    measures: dict[str, Measure],
    left_out: list[str],
    samples: PictureFolder,
    of_samples: Reading,
    names: list[str],
    judge: FeatureNetwork,
    protocol: Protocol,
    progress: ShowProgress,
) -> None:
    groups: dict[str, list[str]] = {}
    for name, of in zip(of_samples.names, names, strict=True):
        groups.setdefault(of, []).append(name)
    groups = {of: members for of, members in groups.items() if len(members) > 1}
    if not groups:
        left_out.append("diversity: takes two or more samples of one label map, NAME_0.png, NAME_1.png ...")
    elif not isinstance(judge, Perceptual):
        left_out.append(f"diversity: {judge.name} says nothing of how different two pictures look; take another judge")
    else:
        values = group_diversity(samples, groups, judge, protocol, progress=progress)
        title = f"diversity, LPIPS' formula, {counted(len(groups), 'label map')}"
        measures["diversity"] = _over_maps(metric_name(title, judge.name), values)


def _over_maps(name: str, values: Tensor) -> Measure:
    """The mean of a value of each label map."""
    interval = metrics.bootstrap_interval(lambda i: values[i].mean().item(), len(values), items="label maps")
    return Measure(name, values.mean().item(), interval)


def _add_miou(
    measures: dict[str, Measure],
    left_out: list[str],
    of_real: Reading,
    of_samples: Reading,
    sample_maps: Mapping[str, str],
    segmenter: Segmenter | None,
    has_labels: bool,
) -> dict[int, float]:
    """Add mIoU if it can be had, beside that of the true pictures; IoU by class id."""
    if segmenter is None or not has_labels:
        missing = "--labels" if not has_labels else "a segmenter: --segmenter FILE"
        left_out.append(f"mIoU: takes label maps and a network that reads them off pictures; give {missing}")
        return {}
    if not of_samples.labelled:
        left_out.append("mIoU: no sample has the name of a label map; NAME.png or NAME_0.png is of the map NAME.png")
        return {}
    name, known = segmenter.name, segmenter.known_ids
    of_true = None
    if of_real.labelled:
        title = f"of {len(of_real.labelled)} true pictures"
        of_true = miou_measure(title, of_real.confusion[PLAIN], of_real.labelled, known)
    confusion = of_samples.confusion[PLAIN]
    maps = [sample_maps[sample] for sample in of_samples.labelled]
    measure = miou_measure(metric_name("mIoU", name), confusion, maps, known)
    measures["miou"] = Measure(measure.name, measure.value, measure.interval, of_true)
    return dict(zip(known, known_iou(confusion.sum(0), known).tolist(), strict=True))


def miou_measure(name: str, confusion: Tensor, maps: list[str], known_ids: list[int]) -> Measure:
    """The mIoU of all pictures, confusion (n, K + 1, K + 1), and its interval: samples of one map go together."""
    index = numbered(maps)
    of_maps = confusion.new_zeros(int(index.max()) + 1, *confusion.shape[1:]).index_add(0, index, confusion)
    interval = metrics.bootstrap_interval(
        lambda i: known_iou(of_maps[i].sum(0), known_ids).nanmean().item(),
        len(of_maps),
        items="label maps",
        num_resamples=200,
    )
    return Measure(name, known_iou(confusion.sum(0), known_ids).nanmean().item(), interval)


def _facts(folder: PictureFolder, reading: Reading, protocol: Protocol, others: list[bytes]) -> FolderFacts:
    """What a folder holds, and what about it may spoil the scores."""
    notes = []
    resized = {name: size for name, size in folder.sizes.items() if size != protocol.size}
    if resized:
        shape = protocol.size[0] / protocol.size[1]
        bent = sum(abs(height / width / shape - 1) > 0.02 for height, width in resized.values())
        stretched = f"; {bent} of them change their shape" if bent else ""
        larger = sum(size[0] < protocol.size[0] or size[1] < protocol.size[1] for size in resized.values())
        enlarged = f"; {larger} are enlarged" if larger else ""
        notes.append(
            f"{len(resized)} of {len(folder)} pictures are resized, filter {protocol.filter_name}{stretched}{enlarged}"
        )
    if reading.high <= 1:
        notes.append("no value is above 1 of 255: pictures in 0..1 were written as bytes; write them times 255")
    elif reading.high - reading.low < 128:
        notes.append(f"values are from {reading.low} to {reading.high} of 0..255: was the range of [-1, 1] mapped?")
    if reading.flat:
        first = folder.files[reading.flat[0]].name
        notes.append(f"of one single colour: {len(reading.flat)} of {len(reading.names)} pictures, {first} the first")
    twice = len(reading.digests) - len(set(reading.digests))
    if twice:
        notes.append(f"{twice} of {len(reading.names)} pictures are copies of another one of this folder, to the pixel")
    copied = len(set(reading.digests) & set(others))
    if copied:
        notes.append(f"{copied} of its pictures are in the other folder too, to the pixel: all scores flatter them")
    if folder.num_others:
        notes.append(f"{counted(folder.num_others, 'file')} of other kinds not looked at")
    return FolderFacts(
        root=str(folder.root),
        num_pictures=len(reading.names),
        sizes=told_sizes(folder),
        low=reading.low,
        high=reading.high,
        left_out=folder.left_out + reading.left_out,
        notes=notes,
    )
