"""A judge of one's own: what it takes to train the small segmentation network on photographs, and what it may score.

Apart from the Scenes judge because such a network knows one data set, and little of it: it was trained on the very
photographs that the model was trained on, a few hundred perhaps. It ranks models of that data set, no more.

Shapes: N pictures, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

from sdm_lite.batches import Batch, collate
from sdm_lite.datasets.photographs import Photographs
from sdm_lite.judge.network import JudgeConfig

OWN_JUDGE = "own judge, trained on this data set's training split"  # in the names of its metrics, for `metric_name`
NUM_STEPS = 1200  # fewer than for Scenes, of which there are thousands: here more would be learned by heart


def own_judge_config(dataset: Photographs, channels: Sequence[int] = JudgeConfig.channels) -> JudgeConfig:
    """A judge for a data set, at the size that it is opened at.

    Photographs come without time of day and season, so these heads have one outcome, which is always right.

    Args:
        dataset: whose classes and size.
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
    )


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
