"""A data set at its size, on disk: photographs are decoded and resized once, not every epoch.

Apart from the data sets, as any that can `read` an example will do, and from `cache_building`, as most runs only read.

A cache is a folder with three files, written once and never changed:

    cache.json      what it is a cache of: data set, root, split, size, protocol...
    examples.jsonl  a line for each example: its name and the CRC-32 of its record, or why it was left out
    records.bin     one record after the other, all of one length: image, label map, edges (8 pixels a byte)

Edges and not instance ids, because the condition holds no more than that, the edges of a mirrored map are the mirrored
edges, and at 256 x 256 pixels they take 8 KB instead of 256 (the image takes 192).

Shapes: B examples asked for, N in the cache, H x W pixels.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from sdm_lite.batches import Example, label_dtype
from sdm_lite.progress import progress

# Counts up when a record changes, or what data sets make of a file (classes, crops, resampling): old caches are then
# not those of any data set any more.
FORMAT = "sdm_lite cache 1"
DESCRIPTION, EXAMPLES, RECORDS = "cache.json", "examples.jsonl", "records.bin"


class Readable(Protocol):
    """What a cache asks of a data set; those of `sdm_lite.datasets` have it."""

    name: str
    root: Path
    split: str
    size: tuple[int, int]
    protocol: str
    crops: int
    class_names: Sequence[str]
    num_classes: int
    has_instances: bool
    skip_bad: bool
    names: list[str]

    def __len__(self) -> int:
        """Number of examples."""

    def sources(self, i: int) -> tuple[Path, ...]:
        """The files that example i is read from."""

    def __getitem__(self, i: int) -> Example:
        """Example i; ValueError naming a bad file."""


class Examples(NamedTuple):
    """Some examples of a cache.

    Attributes:
        images: (B, 3, H, W) uint8.
        label_maps: (B, H, W) uint8, or int16 above 256 classes.
        edges: (B, H, W) uint8, 1 where a pixel touches another instance, or None where there are no instances.
    """

    images: Tensor
    label_maps: Tensor
    edges: Tensor | None


def cache_root() -> Path:
    """Where caches are kept if no folder is given: $SDM_LITE_CACHE, else $XDG_CACHE_HOME/sdm_lite or ~/.cache/sdm_lite.

    Not beside the data set, which is often shared, read-only, or counted file by file.
    """
    if os.environ.get("SDM_LITE_CACHE"):
        return Path(os.environ["SDM_LITE_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sdm_lite"


def describe(dataset: Readable) -> dict[str, object]:
    """Everything but the files themselves that decides what the examples of a data set are."""
    places = {os.path.abspath(path.parent) for path in dataset.sources(0)} if len(dataset) else ()
    return {
        "format": FORMAT,
        "dataset": dataset.name,
        "folders": sorted({os.path.abspath(dataset.root), *places}),
        "split": dataset.split,
        "size": list(dataset.size),
        "protocol": dataset.protocol,
        "crops": dataset.crops,
        "class_names": list(dataset.class_names),
        "num_classes": dataset.num_classes,
        "has_instances": dataset.has_instances,
    }


def folder_names(dataset: Readable) -> tuple[str, str]:
    """The name of a data set's cache folder: the part that stays when its files change, and the part that does not.

    Raises:
        ValueError: if one of the files is gone.
    """
    height, width = dataset.size
    digest = hashlib.sha256(json.dumps(describe(dataset)).encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "_", f"{dataset.name} {dataset.split}")
    return f"{readable}-{height}x{width}-{digest}", sources_digest(dataset)


def sources_digest(dataset: Readable) -> str:
    """A digest of the names of all examples and of path, size and time of change of every file they are read from."""
    seen: dict[Path, str] = {}
    digest = hashlib.sha256()
    for i, name in enumerate(dataset.names):
        sources = dataset.sources(i)
        for path in sources:
            if path not in seen:
                try:
                    status = path.stat()
                except OSError as error:
                    raise ValueError(
                        f"expected a file {path}, got {error.strerror}: it was there when listed"
                    ) from None
                seen[path] = f"{path} {status.st_size} {status.st_mtime_ns}"
        digest.update(f"{name}\n{[seen[path] for path in sources]}\n".encode())
    return digest.hexdigest()[:12]


def record_dtype(size: tuple[int, int], num_classes: int, has_instances: bool) -> np.dtype:
    """The layout of one record."""
    height, width = size
    label_type = np.dtype(str(label_dtype(num_classes)).removeprefix("torch.")).newbyteorder("<")
    fields = [("image", "u1", (3, height, width)), ("label_map", label_type, (height, width))]
    if has_instances:
        fields.append(("edges", "u1", (height, -(-width // 8))))
    return np.dtype(fields)


class Cache:
    """A finished cache, open for reading; nothing is held in memory.

    A record is compared with its checksum the first time it is read, so that a disk that lies is noticed in the first
    epoch and costs nothing after it.

    Args:
        folder: of the cache.

    Raises:
        ValueError: if the folder holds no whole cache.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            facts = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            lines = [json.loads(line) for line in (folder / EXAMPLES).read_text(encoding="utf-8").splitlines()]
            num_bytes = (folder / RECORDS).stat().st_size
        except (OSError, ValueError) as error:
            raise ValueError(f"{folder} is no whole cache ({error}): delete it, it is built again") from None
        if facts.get("format") != FORMAT:
            raise ValueError(f"expected {FORMAT!r} in {folder}, got {facts.get('format')!r}: delete it")
        kept = [line for line in lines if "crc32" in line]
        self.size = tuple(facts["size"])
        self.num_classes, self.has_instances = facts["num_classes"], facts["has_instances"]
        self.names = [line["name"] for line in kept]
        self.left_out = [line["left_out"] for line in lines if "left_out" in line]
        self._crc32 = np.array([line["crc32"] for line in kept], dtype=np.int64)
        dtype = record_dtype(self.size, self.num_classes, self.has_instances)
        if num_bytes != len(kept) * dtype.itemsize:
            raise ValueError(
                f"expected {len(kept) * dtype.itemsize} bytes in {folder / RECORDS}, got {num_bytes}: "
                f"delete {folder}, it is built again"
            )
        self._bytes = np.memmap(folder / RECORDS, np.uint8, mode="r", shape=(len(kept), dtype.itemsize))
        self._records = self._bytes.view(dtype)[:, 0]
        self._checked = np.zeros(len(kept), dtype=bool)

    def __len__(self) -> int:
        """N, the number of examples that are not left out."""
        return len(self.names)

    def read(self, indices: Tensor) -> Examples:
        """Some examples, copied into memory; several threads may read at once.

        Args:
            indices: (B,) int64 in 0..N-1.

        Raises:
            ValueError: if a record is not what was written.
        """
        chosen = indices.numpy()
        damaged = self._damaged(chosen[~self._checked[chosen]].tolist())
        if damaged:
            raise ValueError(_told(self.folder, damaged))
        images = torch.from_numpy(self._records["image"][chosen])
        label_maps = torch.from_numpy(self._records["label_map"][chosen])
        if not self.has_instances:
            return Examples(images, label_maps, None)
        edges = np.unpackbits(self._records["edges"][chosen], axis=-1, count=self.size[1])
        return Examples(images, label_maps, torch.from_numpy(edges))

    def verify(self) -> None:
        """Compare every record with its checksum.

        Raises:
            ValueError: naming the examples whose records are not what was written.
        """
        damaged = self._damaged(progress(range(len(self)), description=f"verifying {self.folder.name}"))
        if damaged:
            raise ValueError(_told(self.folder, damaged))

    def fingerprint(self) -> str:
        """A digest of everything that is served, 16 hexadecimal digits: of the pixels, not of the files' dates."""
        digest = hashlib.sha256(f"{self.size} {self.num_classes} {self.has_instances}".encode())
        digest.update(self._crc32.tobytes())
        return digest.hexdigest()[:16]

    def _damaged(self, indices: Iterable[int]) -> list[str]:
        """Names of those examples whose records do not have their checksum; the others are marked as checked."""
        names = []
        for i in indices:
            if zlib.crc32(self._bytes[i]) == self._crc32[i]:
                self._checked[i] = True
            else:
                names.append(self.names[i])
        return names


def _told(folder: Path, names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (
        f"{folder / RECORDS} is damaged: checksums differ for {', '.join(names[:5])}{more}; "
        "delete the folder, it is built again"
    )
