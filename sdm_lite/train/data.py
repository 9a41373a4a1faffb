"""What a run is trained on: Scenes rendered into memory, or photographs through their cache on disk.

Apart from the command so that whoever writes a loop of his own gets the same data, held-out examples and fingerprint
from the same RunConfig.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sdm_lite.batches import Batch, Example, ImageBatches
from sdm_lite.cache import CachedBatches, Prefetch, open_cache
from sdm_lite.datasets import Photographs, open_dataset
from sdm_lite.presets import PRESETS
from sdm_lite.progress import Progress
from sdm_lite.scenes import TEST_SEED, VALIDATION_SEED, Scenes
from sdm_lite.train.config import RunConfig
from sdm_lite.train.processes import Processes


class Data(NamedTuple):
    """A data set, ready.

    Attributes:
        batches: from a step, counted from 0, to this process's share of its batch.
        held_out: examples that are not trained on; none in all processes but the main one, which alone draws and
            measures.
        palette: (num_classes, 3) uint8.
        fingerprint: another one if any example is another.
        num_images: how many examples are trained on.
    """

    batches: Callable[[int], Batch]
    held_out: list[Example]
    palette: np.ndarray
    fingerprint: str
    num_images: int

    def close(self) -> None:
        """End the threads that make batches ahead of time, if there are any."""
        if hasattr(self.batches, "close"):
            self.batches.close()


def image_size(config: RunConfig) -> tuple[int, int]:
    """Height and width that a run is trained at.

    Raises:
        ValueError: on an unknown preset.
    """
    if config.preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {config.preset!r}")
    return config.size or PRESETS[config.preset].image_size


def open_splits(config: RunConfig) -> tuple[Scenes | Photographs, Scenes | Photographs]:
    """What is trained on and what is held out: looked at, so that faults are told, and not rendered or decoded yet.

    Scenes are drawn from `data_seed`, and validation scenes from VALIDATION_SEED.

    Raises:
        ValueError: if the data set is unknown, its folder is not as it should be, or it is too small.
    """
    height, width = image_size(config)
    if config.dataset == "scenes":
        if height != width:
            raise ValueError(f"Scenes are square: give size {height} {height}, got {height} {width}")
        if config.data_seed in (VALIDATION_SEED, TEST_SEED):
            raise ValueError(
                f"data_seed {config.data_seed} gives the scenes that models are chosen or scored on: take 0, or "
                f"{TEST_SEED + 1} or more"
            )
        labels = {"size": height, "label_set": config.label_set}
        training = Scenes(length=config.num_images, seed=config.data_seed, **labels)
        held_out = Scenes(length=_num_held_out(config), seed=VALIDATION_SEED, **labels)
    elif config.label_set != "standard":
        raise ValueError(
            f"label_set is of Scenes alone: expected standard for {config.dataset}, got {config.label_set!r}"
        )
    elif config.root is None:
        raise ValueError(f"dataset {config.dataset} needs root, its folder")
    else:
        options = {"size": (height, width), "protocol": config.protocol, "skip_bad": config.skip_bad}
        training = open_dataset(config.dataset, config.root, "train", crops=config.crops, **options)
        held_out = open_dataset(config.dataset, config.root, "val", **options).thinned(_num_held_out(config))
    if len(training) < config.train.batch_size:
        raise ValueError(
            f"the data set has {len(training)} images, fewer than a batch of {config.train.batch_size}: "
            "give a smaller batch_size"
        )
    return training, held_out


def open_data(
    config: RunConfig,
    training: Scenes | Photographs,
    held_out: Scenes | Photographs,
    processes: Processes,
    *,
    keeps_instance_ids: bool = False,
) -> Data:
    """The data of a run, rendered or read; the main process first where a cache has to be built.

    Args:
        config: the run.
        training: as `open_splits` gives it.
        held_out: likewise.
        processes: who shares the work.
        keeps_instance_ids: whether batches of Scenes tell objects apart by number; those of photographs never do.

    Raises:
        ValueError: if an example is bad and may not be skipped, or too few are left.
    """
    order = {"batch_size": config.train.batch_size, "flip_probability": config.train.flip_probability}
    order |= {"seed": config.train.seed, "shard": (processes.rank, processes.count)}
    if isinstance(training, Scenes):
        batches = served = ImageBatches(_rendered(training, processes, keeps_instance_ids), **order)
    else:
        if not processes.is_main:
            processes.wait()
        served = CachedBatches(open_cache(training), **order)
        if processes.is_main:
            processes.wait()
        batches = Prefetch(served, num_workers=config.num_workers, pin_memory=processes.device.type == "cuda")
    examples = held_out.read_all() if isinstance(held_out, Photographs) else held_out
    return Data(
        batches, list(examples) if processes.is_main else [], training.palette, served.fingerprint(), len(served)
    )


def _num_held_out(config: RunConfig) -> int:
    return max(config.num_samples, config.evaluate_images if config.evaluate_steps else 0)


def _rendered(scenes: Scenes, processes: Processes, keeps_instance_ids: bool) -> Batch:
    """All Scenes, with progress shown by the main process."""
    indices = range(len(scenes))
    if not processes.is_main:
        return scenes.materialize(indices, keeps_instance_ids=keeps_instance_ids)
    with Progress("rendering Scenes", total=len(scenes)) as bar:
        return scenes.materialize(indices, progress=lambda _: bar.update(), keeps_instance_ids=keeps_instance_ids)
