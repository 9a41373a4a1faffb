"""Batches as a function of the step: which examples, which of them mirrored, how encoded.

Apart from the loop so that a run is the same wherever its examples come from (memory here, the disk in `cache`),
however often it was stopped, and however many processes share it. A batch stays in small integers until it is on the
device: the floats and the one-hot channels of it, many times the size, are made there.

Shapes: B batch, K condition channels, H x W pixels, N images of the data set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from sdm_lite.labels import check_labels, encode_checked, instance_edges


class Example(NamedTuple):
    """One image and what is where in it: the same for every data set.

    Attributes:
        image: (3, H, W) float32 in [-1, 1].
        label_map: (H, W) int64 class ids.
        instance_map: (H, W) int64 ids, equal where two pixels belong to one object.
    """

    image: Tensor
    label_map: Tensor
    instance_map: Tensor


class Batch(NamedTuple):
    """Many examples, in integers: what one step learns from, or a data set held in memory.

    Attributes:
        images: (B, 3, H, W) uint8; 0 is -1 and 255 is 1.
        label_map: (B, H, W) uint8 or int16, ids in 0..num_classes - 1.
        edges: (B, H, W) uint8, 1 where a pixel touches another instance, or None for a condition without edges. Edges
            and not instance ids, as the condition holds no more than that and the edges of a mirrored map are the
            mirrored edges: they are found once instead of at every step, in one byte instead of four.
        num_classes: of the label maps.
        instances: (B, H, W) int16, ids 0, 1, ... of the objects of each picture, without gaps; None but where they were
            asked for: a generator that draws noise for each object needs them (INADE), a condition does not.
    """

    images: Tensor
    label_map: Tensor
    edges: Tensor | None
    num_classes: int
    instances: Tensor | None = None

    @property
    def x0(self) -> Tensor:
        """The images as networks take them, (B, 3, H, W) float32 in [-1, 1]."""
        return self.images.float() / 127.5 - 1

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device; from pinned memory to a GPU the copy runs beside other work."""
        to_gpu = torch.device(device).type == "cuda"
        return self._map(lambda tensor: tensor.to(device, non_blocking=to_gpu))

    def pin_memory(self) -> Batch:
        """The same batch in memory that a GPU reads without a detour."""
        return self._map(Tensor.pin_memory)

    def at(self, places: Tensor | slice) -> Batch:
        """Some of its examples, by their places, (B',) int64 or a slice."""
        return self._map(lambda tensor: tensor[places])

    def mirrored(self, flip: Tensor) -> Batch:
        """The same batch, examples mirrored left and right where `flip` (B,) is true."""
        return self._map(lambda tensor: mirror(tensor, flip))

    def _map(self, function) -> Batch:
        edges, instances = (None if maps is None else function(maps) for maps in (self.edges, self.instances))
        return Batch(function(self.images), function(self.label_map), edges, self.num_classes, instances)


def collate(
    examples: Iterable[Example], num_classes: int, *, has_instances: bool, keeps_instance_ids: bool = False
) -> Batch:
    """Examples as one batch; a few at a time become integers as they come, so a generator of many needs little memory.

    Args:
        examples: at least one, all of one size.
        num_classes: of the label maps.
        has_instances: whether there is to be an edge channel.
        keeps_instance_ids: whether `instances` are kept beside it.
    """
    examples, parts = iter(examples), []
    while few := list(islice(examples, 32)):
        image, label_map, instance_map = default_collate(few)  # (b, 3, H, W), (b, H, W), (b, H, W)
        image = ((image + 1) * 127.5).round().to(torch.uint8)
        edges = instance_edges(instance_map)[:, 0].to(torch.uint8)  # (b, H, W)
        ids = [numbered(one) for one in instance_map] if keeps_instance_ids else []
        parts.append((image, label_map.to(label_dtype(num_classes)), edges, *([torch.stack(ids)] if ids else [])))
    images, label_map, edges, *ids = (torch.cat(column) for column in zip(*parts, strict=True))
    return Batch(images, label_map, edges if has_instances else None, num_classes, *ids)


def numbered(instance_map: Tensor) -> Tensor:
    """The objects of one picture as 0, 1, ... in the order of their ids, without gaps: (H, W) int16."""
    return torch.unique(instance_map, return_inverse=True)[1].to(torch.int16)


def encode(batch: Batch) -> tuple[Tensor, Tensor]:
    """What the loss takes, x0 and condition, made on the device that the batch is on.

    The ids were checked when the data set was read.

    Args:
        batch: integers.

    Returns:
        x0 (B, 3, H, W) float32 in [-1, 1], and condition (B, K, H, W) float32 of zeros and ones; K = num_classes, + 1
        with edges.
    """
    edges = None if batch.edges is None else batch.edges[:, None]  # (B, 1, H, W)
    condition = encode_checked(batch.label_map, batch.num_classes, edges)  # (B, K, H, W)
    return batch.x0, condition


class BatchOrder:
    """Which examples make up the batch of a step and which of them are mirrored: a function of the step.

    Each epoch goes through the data set in an order of its own, drawn from (seed, epoch), and no example comes twice in
    it; the few that would not fill a last batch, others in each epoch, are left out of it. Mirroring is drawn from
    (seed, step). Where several processes train together, each takes its slice of the same batch.

    Args:
        num_images: N.
        batch_size: B, of all processes together.
        flip_probability: of mirroring an example, in [0, 1].
        seed: of order and mirroring.
        shard: (rank, number of processes).

    Raises:
        ValueError: if there are fewer images than a batch takes, the batch cannot be shared out evenly, or a number is
            out of its range.
    """

    def __init__(
        self, num_images: int, *, batch_size: int, flip_probability: float, seed: int, shard: tuple[int, int] = (0, 1)
    ):
        rank, num_shards = shard
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if num_images < batch_size:
            raise ValueError(
                f"the data set has {num_images} images, fewer than a batch of {batch_size}: give a smaller batch_size"
            )
        if not 0 <= rank < num_shards:
            raise ValueError(f"shard must be (rank, number of processes) with 0 <= rank < number, got {shard}")
        if batch_size % num_shards:
            raise ValueError(
                f"batch_size {batch_size} cannot be shared evenly by {num_shards} processes: "
                f"give a multiple of {num_shards}"
            )
        if not 0 <= flip_probability <= 1:
            raise ValueError(f"flip_probability must lie in [0, 1], got {flip_probability}")
        self.num_images, self.batch_size = num_images, batch_size
        self.flip_probability, self.seed, self.shard = flip_probability, seed, (rank, num_shards)
        self._order = (-1, torch.empty(0, dtype=torch.long, device="cpu"))  # the last epoch asked for, and its order

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """The examples (B / processes,) int64 of a step counted from 0, and which to mirror, as many bools."""
        epoch, position = divmod(step, self.num_images // self.batch_size)
        # One assignment of a pair, so that threads that ask for steps of two epochs cannot mix them up.
        drawn = self._order
        if drawn[0] != epoch:
            generator = step_generator(self.seed, epoch, 1)
            drawn = (epoch, torch.randperm(self.num_images, generator=generator, device="cpu"))
            self._order = drawn
        generator = step_generator(self.seed, step, 2)
        drawn_flip = torch.rand(self.batch_size, generator=generator, dtype=torch.float32, device="cpu")
        flip = drawn_flip < self.flip_probability
        rank, num_shards = self.shard
        size = self.batch_size // num_shards
        start = position * self.batch_size + rank * size
        return drawn[1][start : start + size], flip[rank * size : (rank + 1) * size]


class ImageBatches:
    """Batches of a data set that is held in memory, 8 bits a value: a function of the step. See `BatchOrder`.

    Args:
        pictures: all N of them.
        batch_size: images a step, of all processes together.
        flip_probability: of mirroring an example, in [0, 1].
        seed: of order and mirroring.
        shard: (rank, number of processes): the slice of each batch that is served.

    Raises:
        ValueError: if the shapes do not go together, an id lies outside the classes, there are fewer images than a
            batch takes, or the batch cannot be shared out evenly.
    """

    def __init__(
        self,
        pictures: Batch,
        *,
        batch_size: int,
        flip_probability: float,
        seed: int,
        shard: tuple[int, int] = (0, 1),
    ):
        self.order = BatchOrder(
            len(pictures.images), batch_size=batch_size, flip_probability=flip_probability, seed=seed, shard=shard
        )
        _check_pictures(pictures)
        self.pictures = pictures._replace(label_map=pictures.label_map.to(label_dtype(pictures.num_classes)))

    def __len__(self) -> int:
        """N, the number of images."""
        return len(self.pictures.images)

    def fingerprint(self) -> str:
        """A digest of everything that is served, 16 hexadecimal digits: another one if any pixel is another."""
        digest = hashlib.sha256(f"{self.pictures.num_classes}".encode())
        for tensor in (*self.pictures[:3], self.pictures.instances):
            if tensor is not None:
                digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.contiguous().numpy())
        return digest.hexdigest()[:16]

    def __call__(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        chosen, flip = self.order(step)
        return self.pictures.at(chosen).mirrored(flip)


def label_dtype(num_classes: int) -> torch.dtype:
    """The smallest integer type that holds the ids: uint8 up to 256 classes, else int16."""
    return torch.uint8 if num_classes <= 256 else torch.int16


def mirror(values: Tensor, flip: Tensor) -> Tensor:
    """Mirror left and right where `flip` (B,), on the CPU, is true: (B, ..., W) to the same."""
    mirrored = values.clone()
    for k in flip.nonzero().flatten().tolist():  # on bytes, fifty times as fast as one torch.where of all
        mirrored[k] = values[k].flip(-1)
    return mirrored


def step_generator(seed: int, step: int, stream: int) -> torch.Generator:
    """A CPU random stream for one purpose of one step: the same whether or not the run was resumed before it."""
    # torch's CPU generator reads 32 bits of its seed, so the three numbers are mixed, not multiplied together.
    return torch.Generator("cpu").manual_seed(int(np.random.SeedSequence([seed, step, stream]).generate_state(1)[0]))


def _check_pictures(pictures: Batch) -> None:
    images = pictures.images
    if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.uint8:
        raise ValueError(f"images must be (N, 3, H, W) uint8, got {tuple(images.shape)} {images.dtype}")
    for name, maps in (
        ("label maps", pictures.label_map),
        ("edges", pictures.edges),
        ("instances", pictures.instances),
    ):
        if maps is not None and (images.shape[0] != maps.shape[0] or images.shape[2:] != maps.shape[1:]):
            raise ValueError(f"images {tuple(images.shape)} and {name} {tuple(maps.shape)} do not go together")
    check_labels(pictures.label_map, pictures.num_classes)
