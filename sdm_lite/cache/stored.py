"""What a cache is on the disk, which data set it is of, and reading batches from it.

Apart from building it, as most runs only read. A cache is a folder, written once and never changed:

    images.npy      (N, 3, H, W) uint8
    label_maps.npy  (N, H, W) uint8, or int16 above 256 classes
    edges.npy       (N, H, W / 8 rounded up) uint8, 8 pixels a byte; not there if the data set has no instances
    checksums.npy   (N,) uint32, the CRC-32 of a row of the arrays above, in this order; 0 where an example is left out
    cache.json      what it is a cache of: data set, folders, split, size...; names, what was left out, a checksum

Shapes: B examples asked for, N of the data set, H x W pixels.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from sdm_lite.batches import Batch
from sdm_lite.datasets import Photographs
from sdm_lite.files import expanded
from sdm_lite.progress import progress

# Counts up when the files change, or what data sets make of a picture (classes, crops, resampling): old caches are then
# not those of any data set any more.
FORMAT = "sdm_lite cache 2"
DESCRIPTION = "cache.json"


def cache_root() -> Path:
    """Where caches are kept if no folder is given: $SDM_LITE_CACHE, else $XDG_CACHE_HOME/sdm_lite or ~/.cache/sdm_lite.

    Not beside the data set, which is often shared, read-only, or counted file by file.

    Raises:
        ValueError: if that is in a home folder, and there is none.
    """
    given = os.environ.get("SDM_LITE_CACHE")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "sdm_lite"
    try:
        return expanded(given or usual)
    except ValueError as error:
        remedy = "" if given else "; or name a folder for caches in the environment variable SDM_LITE_CACHE"
        raise ValueError(f"{error}{remedy}") from None


def identity(dataset: Photographs) -> dict[str, object]:
    """Everything but the files themselves that decides what the examples of a data set are."""
    folders = {os.path.abspath(path) for path in (dataset.root, *(path.parent for path in dataset.sources(0)))}
    told = ("name", "split", "size", "protocol", "crops", "class_names", "num_classes", "has_instances")
    return {"format": FORMAT, "folders": sorted(folders)} | {name: getattr(dataset, name) for name in told}


def folder_names(dataset: Photographs) -> tuple[str, str]:
    """The name of a data set's cache folder: the part that stays when its files change, and the part that does not.

    The first ends in a digest of `identity`, the second is one of all names and of every file's path, size and time.

    Raises:
        ValueError: if one of the files is gone.
    """
    paths = sorted({path for i in range(len(dataset)) for path in dataset.sources(i)})
    try:
        stamps = [(str(path), status.st_size, status.st_mtime_ns) for path in paths if (status := path.stat())]
    except OSError as error:
        raise ValueError(
            f"expected a file {error.filename}, got {error.strerror}: put it back, or open the data set again"
        ) from None
    first = hashlib.sha256(json.dumps(identity(dataset)).encode()).hexdigest()[:8]
    second = hashlib.sha256(json.dumps([dataset.names, stamps]).encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9]+", "_", f"{dataset.name} {dataset.split}")
    return f"{readable}-{dataset.size[0]}x{dataset.size[1]}-{first}", second


def checksum(arrays: dict[str, np.memmap], row: int) -> int:
    """The CRC-32 of what is in a row now; never 0, which says that nothing was written."""
    crc = 0
    for name in ("images", "label_maps", "edges"):
        crc = zlib.crc32(arrays[name][row], crc) if name in arrays else crc
    return crc or 1


def fingerprint(facts: dict[str, object], checksums: np.ndarray) -> str:
    """A digest of everything that is served, 16 hexadecimal digits: of the pixels, not of the files' dates."""
    told = f"{tuple(facts['size'])} {facts['num_classes']} {facts['has_instances']}"
    return hashlib.sha256(told.encode() + checksums[checksums != 0].astype(np.int64).tobytes()).hexdigest()[:16]


class Cache:
    """A finished cache, open for reading; nothing is held in memory.

    An example is compared with its checksum the first time it is read, so that a disk that lies is noticed in the first
    epoch and costs nothing after it.

    Attributes:
        folder: of the cache.
        size: (H, W).
        num_classes, has_instances: of the data set.
        names: of the examples.
        left_out: why, a line for each example that is not there.

    Args:
        folder: of the cache.

    Raises:
        ValueError: if the folder holds no whole cache.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            facts = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            if facts["format"] != FORMAT:
                raise ValueError(f"expected the format {FORMAT!r}, got {facts['format']!r}")
            self.size, self.num_classes = tuple(facts["size"]), facts["num_classes"]
            self.has_instances, self.left_out = facts["has_instances"], facts["left_out"]
            names = ("images", "label_maps", *(["edges"] if self.has_instances else []), "checksums")
            self._arrays = {name: open_memmap(folder / f"{name}.npy", mode="r") for name in names}
            if {len(array) for array in self._arrays.values()} != {len(facts["names"])}:
                raise ValueError("its files are not all of as many examples")
            self._fingerprint = fingerprint(facts, self._arrays["checksums"])
            if self._fingerprint != facts["checksum"]:
                raise ValueError("its checksums are not those that were written")
        except Exception as error:  # what a damaged file makes JSON and numpy raise has no common name
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{folder} is no whole cache ({told}): delete it, it is built again") from None
        self._rows = np.flatnonzero(self._arrays["checksums"])
        self.names = [facts["names"][row] for row in self._rows]
        self._is_checked = np.zeros(len(facts["names"]), dtype=bool)

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.names)

    def fingerprint(self) -> str:
        """A digest of everything that is served, another one if any pixel is another."""
        return self._fingerprint

    def read(self, indices: Tensor) -> Batch:
        """Some examples, copied into memory; several threads may read at once.

        Args:
            indices: (B,) int64 in 0..len - 1.

        Raises:
            ValueError: if an example is not what was written.
        """
        rows = self._rows[indices.numpy()]
        self._check(rows[~self._is_checked[rows]].tolist())
        found = {name: np.asarray(array[rows]) for name, array in self._arrays.items()}
        edges = None
        if self.has_instances:
            edges = torch.from_numpy(np.unpackbits(found["edges"], axis=-1, count=self.size[1]))
        images, label_maps = torch.from_numpy(found["images"]), torch.from_numpy(found["label_maps"])
        return Batch(images, label_maps, edges, self.num_classes)

    def verify(self) -> None:
        """Compare every example with its checksum; ValueError naming those that are not what was written."""
        self._check(progress(self._rows.tolist(), description=f"verifying {self.folder.name}"))

    def _check(self, rows: Iterable[int]) -> None:
        damaged = []
        for row in rows:
            self._is_checked[row] = checksum(self._arrays, row) == self._arrays["checksums"][row]
            if not self._is_checked[row]:
                damaged.append(self.names[np.searchsorted(self._rows, row)])
        if damaged:
            raise ValueError(
                f"{self.folder} is damaged: the checksums of {len(damaged)} examples differ, the first of them "
                f"{damaged[0]}; delete the folder, it is built again"
            )
