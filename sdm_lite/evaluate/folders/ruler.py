"""How much each score moves by what nobody means: the filter, JPEG, a mild blur, the number of pictures.

Measured on the true pictures themselves: one half of them against the other, then against the other half altered, the
same halves both times. So whoever reads a score sees which differences it cannot tell from a setting of a tool. The
samples stand last, in the place of the other half: the same number of pictures, the same true half to compare with.

Shapes: N true pictures, M samples, D features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sdm_lite.datasets.alterations import FILTERS, halved_and_back, resized, resized_with_aliasing, through_jpeg
from sdm_lite.datasets.photographs import spread
from sdm_lite.datasets.picture_folder import PictureFolder
from sdm_lite.evaluate.folders.judges import FeatureNetwork, Segmenter
from sdm_lite.evaluate.folders.measuring import LEAST, SET_SCORES, numbered, set_scores
from sdm_lite.evaluate.folders.reading import PLAIN, Alteration, Protocol, Reading, known_iou, read_features
from sdm_lite.progress import ShowProgress, silently

if TYPE_CHECKING:
    from PIL import Image

NUM_HALVINGS = 20
LEAST_TO_HALVE = 2 * LEAST  # true pictures
JPEG_QUALITIES = 95, 75, 50
SAMPLES_ROW = "the samples in the place of half B"


@dataclass(frozen=True)
class Shift:
    """How far a score moves by an alteration.

    Attributes:
        value: mean over halvings of the score with it less the score without; of the first row the score itself.
        spread: standard deviation over halvings; nan where there is one value only.
    """

    value: float
    spread: float


@dataclass(frozen=True)
class Ruler:
    """The table: how far each score moves by each alteration.

    Attributes:
        num_pictures: in each half.
        num_halvings: that each row is the mean of.
        samples_told: which samples the last row is of, in words.
        base: of half A against half B, nothing altered: where the scores stand when there is nothing to see.
        shifts: by row, then by score; a score that cannot be had in a row is missing there.
    """

    num_pictures: int
    num_halvings: int
    samples_told: str
    base: dict[str, Shift]
    shifts: dict[str, dict[str, Shift]]


def alterations(folder: PictureFolder, protocol: Protocol) -> dict[str, Alteration]:
    """What half B is altered by: other filters where pictures are resized at all, half the size and back, JPEG."""
    found: dict[str, Alteration] = {}
    if any(size != protocol.size for size in folder.sizes.values()):
        for name in FILTERS:
            if name != protocol.filter_name:
                found[f"resized by {name}, not {protocol.filter_name}"] = partial(resized, filter_name=name)
        found["resized by bilinear with aliasing (torch, OpenCV)"] = resized_with_aliasing
    plain = partial(resized, filter_name=protocol.filter_name)
    for name in FILTERS:
        found[f"to half the size and back, {name}"] = partial(_halved, plain, name)
    for quality in JPEG_QUALITIES:
        found[f"JPEG, quality {quality}"] = partial(_compressed, plain, quality)
    return found


def measure_ruler(
    folder: PictureFolder,
    sample_features: Tensor,
    sample_names: Sequence[str],
    judge: FeatureNetwork,
    protocol: Protocol,
    *,
    num_pictures: int = 400,
    labels: Mapping[str, Path] | None = None,
    segmenter: Segmenter | None = None,
    seed: int = 0,
    progress: ShowProgress = silently,
) -> Ruler:
    """Look at true pictures plain and altered, and compare halves of them.

    Args:
        folder: of true pictures.
        sample_features: (M, D) of the samples, plain.
        sample_names: what each of the M samples is of.
        judge: what looks at the pictures.
        protocol: how they are made comparable.
        num_pictures: of the folder at most, evenly spread.
        labels: label maps by name, for the mIoU of altered pictures.
        segmenter: reads label maps off the pictures, or None.
        seed: of the halvings.
        progress: shows how far it is.

    Raises:
        ValueError: if halves have fewer than LEAST pictures, or see `read_features`.
    """
    names = list(folder.files)
    if min(num_pictures, len(names)) < LEAST_TO_HALVE:
        raise ValueError(
            f"expected at least {LEAST_TO_HALVE} true pictures to halve, got {min(num_pictures, len(names))}: give "
            "more, or --num-ruler 0 for no table of what moves the scores"
        )
    reading = read_features(
        folder,
        judge,
        protocol,
        names=[names[i] for i in spread(len(names), num_pictures)],
        alterations=alterations(folder, protocol),
        segmenter=segmenter,
        label_maps=labels,
        pairs=True,
        progress=progress,
    )
    half = min(len(reading.names) // 2, len(sample_features))
    base, shifts = _halvings(reading, sample_features, list(sample_names), half, seed)
    shared = set(reading.names) <= set(sample_names)
    which = "one of the samples for each label map of half B" if shared else "as many of the samples, at random"
    rows = {name: _summed_up(values) for name, values in shifts.items()}
    summed = _summed_up(base)
    _add_of_single_pictures(summed, rows, reading, [] if segmenter is None else segmenter.known_ids)
    return Ruler(half, NUM_HALVINGS, which, summed, rows)


def _halvings(
    reading: Reading, samples: Tensor, sample_names: list[str], half: int, seed: int
) -> tuple[list[list[float]], dict[str, list[list[float]]]]:
    """Scores of halves (NUM_HALVINGS x 6), and how far they move by each row."""
    generator = torch.Generator("cpu").manual_seed(seed)
    features, plain = reading.features, reading.features[PLAIN]
    groups = numbered(reading.names + sample_names)
    maps, sample_maps = groups[: len(plain)], groups[len(plain) :]  # those of reading.names are 0, 1, 2 ...
    shared = set(reading.names) <= set(sample_names)
    base: list[list[float]] = []
    shifts: dict[str, list[list[float]]] = {}
    for _ in range(NUM_HALVINGS):
        order = torch.randperm(len(plain), generator=generator, device="cpu")
        one, other = order[:half], order[half : 2 * half]
        some = torch.randperm(len(samples), generator=generator, device="cpu")
        if shared:  # one sample a name: of half B, so that half A shares no label map with it
            first = {int(sample_maps[i]): int(i) for i in some.flip(0)}
            some = torch.tensor([first[i] for i in other.tolist()], device="cpu")
        some = some[:half]
        of = maps[one], maps[other]
        base.append(set_scores(plain[one], plain[other], *of))
        altered = {name: found for name, found in features.items() if name != PLAIN}
        tried = {name: set_scores(plain[one], found[other], *of) for name, found in altered.items()}
        for number in (half // 2, half // 4):
            if number >= LEAST:
                tried[f"{number} pictures in place of {half}"] = set_scores(
                    plain[one[:number]], plain[other[:number]], maps[one[:number]], maps[other[:number]]
                )
        tried[SAMPLES_ROW] = set_scores(plain[one], samples[some], maps[one], sample_maps[some])
        for name, scores in tried.items():
            shifts.setdefault(name, []).append(np.subtract(scores, base[-1]).tolist())
    return base, shifts


def _summed_up(values: list[list[float]]) -> dict[str, Shift]:
    mean, spread_ = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
    return {key: Shift(float(mean[i]), float(spread_[i])) for i, key in enumerate(SET_SCORES)}


def _add_of_single_pictures(
    base: dict[str, Shift], rows: dict[str, dict[str, Shift]], reading: Reading, known_ids: list[int]
) -> None:
    """Add diversity, here of pairs of different true pictures, and mIoU, which need no halves."""
    nan = float("nan")
    for key, of in (("diversity", reading.distances), ("miou", reading.confusion)):
        if not of:
            continue
        statistic = _mean if key == "diversity" else partial(_miou, known_ids)
        base[key] = Shift(statistic(of[PLAIN]), nan)
        for name in of:
            if name != PLAIN:
                rows[name][key] = Shift(statistic(of[name]) - base[key].value, nan)


def _mean(distances: Tensor) -> float:
    return distances.mean().item()


def _miou(known_ids: list[int], confusion: Tensor) -> float:
    return known_iou(confusion.sum(0), known_ids).nanmean().item()


def _halved(plain: Alteration, filter_name: str, picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return halved_and_back(plain(picture, size), filter_name)


def _compressed(plain: Alteration, quality: int, picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return through_jpeg(plain(picture, size), quality)
