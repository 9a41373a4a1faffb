"""A judge of one's own: what it takes to train the small segmentation network on photographs, and what it may score.

Apart from the Scenes judge because such a network knows one data set, and little of it: it was trained on the very
photographs that the model was trained on, a few hundred perhaps. It ranks models of that data set, no more.

Shapes: N pictures, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from sdm_lite.batches import Batch, collate
from sdm_lite.checkpoints import load_facts, resolve
from sdm_lite.datasets.photographs import Photographs
from sdm_lite.judge.efficientnet import load_efficientnet
from sdm_lite.judge.head import HeadConfig
from sdm_lite.judge.network import Judge, JudgeConfig, load_judge

OWN_JUDGE = "own judge, trained on this data set's training split"  # in the names of its metrics, for `metric_name`
NUM_STEPS = 1200  # fewer than for Scenes, of which there are thousands: here more would be learned by heart


def own_judge_config(dataset: Photographs, channels: Sequence[int] = JudgeConfig.channels) -> JudgeConfig:
    """A judge for a data set, at the size that it is opened at.

    Photographs come without time of day and season, so these heads have one outcome, which is always right.

    Args:
        dataset: whose classes, void class and size.
        channels: width of each level; narrower is faster.

    Raises:
        ValueError: if the size cannot be halved once a level.
    """
    return JudgeConfig(
        num_classes=dataset.num_classes,
        num_times_of_day=1,
        num_seasons=1,
        channels=tuple(channels),
        image_size=dataset.size,
        void_id=dataset.void_id,
    )


def own_head_config(dataset: Photographs) -> HeadConfig:
    """A head on frozen maps for a data set, at the size that it is opened at; see `judge.head`.

    Raises:
        JudgeUnavailableError: if the network whose maps it reads is not installed.
    """
    load_efficientnet()  # so that what is missing is told before the work
    return HeadConfig(dataset.num_classes, dataset.size, dataset.void_id)


def read_photographs(photographs: Photographs) -> Batch:
    """All photographs of a data set as `judge.training` takes them, in memory, 8 bits a value.

    Raises:
        ValueError: if one is bad and may not be skipped, or all are.
    """
    return collate(photographs.read_all(), photographs.num_classes, has_instances=False)


def own_judge_facts(dataset: Photographs) -> dict[str, object]:
    """What the file of a judge says of the data that it knows; see `check_own_judge`."""
    return {"dataset": dataset.name, "class_names": list(dataset.class_names), "size": list(dataset.size)}


def check_own_judge(facts: dict[str, object], dataset: Photographs, name: object) -> None:
    """Raise ValueError unless a judge was trained on this data set at this size, as far as its file tells.

    Args:
        facts: of the judge's file, `checkpoints.load_facts`.
        dataset: to be scored on.
        name: of the judge, for the message.
    """
    expected = own_judge_facts(dataset)
    got = {key: facts.get(key) for key in expected}
    if got != expected:
        height, width = dataset.size
        known = f"{got['dataset']} at {got['size']}" if got["dataset"] else "Scenes"
        other = "" if (got["dataset"], got["size"]) != (dataset.name, [height, width]) else ", with other classes"
        raise ValueError(
            f"expected a judge of {dataset.name} at {height} x {width}, got {name}, trained on {known}{other}: "
            f"python -m sdm_lite.judge train --dataset {dataset.name} --root FOLDER --size {height} {width} makes one"
        )


def load_own_judge(
    name_or_path: str | Path, dataset: Photographs, *, device: str | torch.device = "cpu"
) -> tuple[Judge, str]:
    """Load a judge of one's own for the data set that it was trained on.

    A file of before judges knew of void has learned it as a class. It still loads: that class is masked, so that it
    scores as the others do, on labelled pixels alone.

    Args:
        name_or_path: of the judge.
        dataset: to be scored on.
        device: where to put it.

    Returns:
        The judge, and what should be known of it in a sentence; "" where there is nothing.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no judge, or not one of this data set at this size.
    """
    judge, note = load_judge(name_or_path, device=device), ""
    check_own_judge(load_facts(resolve(name_or_path)), dataset, name_or_path)
    if judge.config.void_id is None and dataset.void_id is not None:
        judge.config = replace(judge.config, void_id=dataset.void_id)
        void = dataset.class_names[dataset.void_id]
        note = f"{name_or_path} has learned {void} as a class, which is masked here; trained again it would not"
    check_void(judge, dataset)
    return judge, note


def check_void(judge: Judge, dataset: Photographs) -> None:
    """Raise ValueError unless a judge and a data set have one void class, or both none."""
    if judge.config.void_id != dataset.void_id:
        raise ValueError(
            f"expected a judge with void_id {dataset.void_id}, that of {dataset.name}, got {judge.config.void_id}: "
            "judge.photographs.load_own_judge loads an older one so"
        )
