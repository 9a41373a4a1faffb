"""What a run is trained on: Scenes rendered into memory, or photographs through their cache on disk.

Apart from the command so that whoever writes a loop of his own gets the same data, held-out examples and fingerprint
from the same RunConfig.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sdm_lite.batches import Batch, Example, ImageBatches
from sdm_lite.presets import PRESETS
from sdm_lite.train.config import RunConfig
from sdm_lite.train.processes import OneProcess


class Data(NamedTuple):
    """A data set, ready.

    Attributes:
        batches: from a step, counted from 0, to this process's share of its batch.
        held_out: examples that are not trained on, to draw and to measure.
        palette: (num_classes, 3) uint8.
        num_classes: of the label maps.
        has_instances: whether the condition has an edge channel.
        fingerprint: another one if any example is another.
        num_images: how many examples are trained on.
    """

    batches: Callable[[int], Batch]
    held_out: list[Example]
    palette: np.ndarray
    num_classes: int
    has_instances: bool
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


def open_data(config: RunConfig, processes: OneProcess) -> Data:
    """The data of a run, rendered or read; the main process first where a cache has to be built.

    Raises:
        ValueError: if the data set is unknown, its folder is not as it should be, or it is too small.
    """
    if config.dataset == "scenes":
        return _scenes(config, processes)
    if not processes.is_main:
        processes.wait()
    data = _photographs(config, processes)
    if processes.is_main:
        processes.wait()
    return data


def _num_held_out(config: RunConfig) -> int:
    return max(config.num_samples, config.evaluate_images if config.evaluate_steps else 0)


def _scenes(config: RunConfig, processes: OneProcess) -> Data:
    """Scenes, rendered once: training from `data_seed`, held out from the next seed."""
    from sdm_lite.progress import Progress
    from sdm_lite.scenes.dataset import Scenes

    height, width = image_size(config)
    if height != width:
        raise ValueError(f"Scenes are square: give size {height} {height}, got {height} {width}")
    if config.num_images < config.train.batch_size:  # before anything is rendered
        raise ValueError(
            f"the data set has {config.num_images} images, fewer than a batch of {config.train.batch_size}: "
            "give a smaller batch_size"
        )
    scenes = Scenes(size=height, length=config.num_images, seed=config.data_seed)
    indices = range(config.num_images)
    if processes.is_main:
        with Progress("rendering Scenes", total=config.num_images) as bar:
            pictures = scenes.materialize(indices, progress=lambda _: bar.update())
    else:
        pictures = scenes.materialize(indices)
    order = {"batch_size": config.train.batch_size, "flip_probability": config.train.flip_probability}
    shard = (processes.rank, processes.count)
    batches = ImageBatches(pictures, **order, seed=config.train.seed, shard=shard)
    held_out = Scenes(size=height, length=_num_held_out(config), seed=config.data_seed + 1)
    examples = [held_out[i] for i in range(len(held_out))]
    return Data(batches, examples, scenes.palette, scenes.num_classes, True, batches.fingerprint(), len(batches))


def _photographs(config: RunConfig, processes: OneProcess) -> Data:
    """Photographs with label maps: their train split through the cache, and examples spread over their val split."""
    from sdm_lite.cache.loading import CachedBatches, Prefetch, open_cache
    from sdm_lite.datasets import open_dataset

    if config.root is None:
        raise ValueError(f"dataset {config.dataset} needs root, its folder")
    size = image_size(config)
    protocol = {"protocol": config.protocol, "skip_bad": config.skip_bad}
    training = open_dataset(config.dataset, config.root, "train", size=size, crops=config.crops, **protocol)
    val = open_dataset(config.dataset, config.root, "val", size=size, **protocol)
    order = {"batch_size": config.train.batch_size, "flip_probability": config.train.flip_probability}
    shard = (processes.rank, processes.count)
    served = CachedBatches(open_cache(training), **order, seed=config.train.seed, shard=shard)
    batches = Prefetch(served, num_workers=config.num_workers, pin_memory=processes.device.type == "cuda")
    stride = max(1, len(val) // _num_held_out(config))
    held_out = [val[i] for i in range(0, len(val), stride)][: _num_held_out(config)]
    told = (training.palette, training.num_classes, training.has_instances)
    return Data(batches, held_out, *told, served.fingerprint(), len(served))
