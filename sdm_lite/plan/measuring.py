"""What a run will take on this machine, measured: twenty steps of the very recipe, a part of its data read.

Apart from the counting, which knows no machine and asks what speed a GPU reaches: here nothing is asked, but somebody
has to wait for half a minute, on the machine that will train.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

import torch

from sdm_lite.batches import ImageBatches, collate
from sdm_lite.concat import make_unet
from sdm_lite.datasets import Photographs
from sdm_lite.plan import Counts, count
from sdm_lite.presets import UNetConfig, preset
from sdm_lite.progress import byte_count, counted, duration
from sdm_lite.train.config import RunConfig
from sdm_lite.train.data import Data, image_size, open_data, open_splits
from sdm_lite.train.length import Pace, measure_pace
from sdm_lite.train.log import memory_gib
from sdm_lite.train.processes import Processes

NUM_READ = 64  # examples read to know how long all take, or a batch if that is more


class Outlook(NamedTuple):
    """What a run takes.

    Attributes:
        network: that is trained.
        counts: of the network.
        pace: of its steps.
        num_examples: in the data set.
        reading: seconds to make all examples ready, once.
        memory: GiB, the most that was used.
    """

    network: UNetConfig
    counts: Counts
    pace: Pace
    num_examples: int
    reading: float
    memory: float


def outlook(config: RunConfig, processes: Processes) -> Outlook:
    """Measure what a run takes on this machine; nothing is written.

    Args:
        config: the run.
        processes: this one.

    Raises:
        ValueError: if data set, preset or folder are not as they should be.
    """
    training, held_out = open_splits(config)
    network = preset(config.preset, training.num_classes, training.has_instances, image_size(config))
    number = min(len(training), max(NUM_READ, config.train.batch_size))
    started = time.monotonic()
    if isinstance(training, Photographs):
        few = training.thinned(number)
        pictures = collate(list(few.read_all()), training.num_classes, has_instances=training.has_instances)
        taken = time.monotonic() - started
        order = {"batch_size": config.train.batch_size, "flip_probability": config.train.flip_probability}
        examples = list(held_out.read_all()) if config.evaluate_steps else []
        data = Data(ImageBatches(pictures, **order, seed=config.train.seed), examples, training.palette, "", number)
    else:
        small = replace(config, num_images=number)
        data = open_data(small, open_splits(small)[0], held_out, processes)
        taken = time.monotonic() - started
    unet = make_unet(network).to(processes.device)
    pace = measure_pace(unet, config, data, config.diffusion.build().to(processes.device), processes)
    data.close()
    reading = taken * len(training) / number
    return Outlook(network, count(network), pace, len(training), reading, memory_gib(torch.device(processes.device)))


def told(found: Outlook, config: RunConfig) -> list[str]:
    """What a run takes, in lines."""
    height, width = found.network.image_size
    at_every_start = config.dataset == "scenes"
    steps, minutes = config.train.num_steps, config.minutes
    training = steps * found.pace.mean
    lines = [
        f"{config.dataset}, {height} x {width}, preset {config.preset}: {found.counts.parameters / 1e6:.1f} M weights, "
        f"{found.network.condition_channels} condition channels",
        f"{found.pace.told(config.train.batch_size)}, {byte_count(found.memory * 2**30, 1024)} of memory",
        f"{'rendering' if at_every_start else 'reading'} {counted(found.num_examples, 'example')} takes "
        f"{_long(found.reading)}, {'at every start' if at_every_start else 'once: a cache is kept'}",
    ]
    if minutes is not None:
        lines.append(f"{minutes:g} minutes of training: {int(60 * minutes / found.pace.mean):,} steps")
    else:
        lines.append(f"{steps:,} steps: {_long(training)}; with the data {_long(training + found.reading)}")
    return lines


def _long(seconds: float) -> str:
    """A time as a reader says it, days too."""
    if seconds < 2 * 3600:
        return duration(seconds)
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
