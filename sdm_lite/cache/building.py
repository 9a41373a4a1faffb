"""Opening the cache of a data set, after building it if need be: read once, by threads; there whole or not at all.

Apart from reading it because this is where things go wrong: bad pictures, a full disk, a run that is killed. Rows are
written into a folder named `.partial`, a checksum after each, so that a build that was stopped in any way reads only
what has none that fits. The folder gets its name when everything is on the disk.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from sdm_lite.batches import Example, collate, label_dtype
from sdm_lite.cache.stored import DESCRIPTION, Cache, cache_root, checksum, fingerprint, folder_names, identity
from sdm_lite.datasets import Photographs
from sdm_lite.datasets.image_files import in_threads
from sdm_lite.files import expanded, hold, to_json, write_whole
from sdm_lite.labels import check_labels
from sdm_lite.progress import Progress, byte_count


def open_cache(dataset: Photographs, folder: str | Path | None = None, *, num_threads: int | None = None) -> Cache:
    """Open the cache of a data set, after building it if there is none or if a file has changed since.

    Args:
        dataset: one of `sdm_lite.datasets`, or whatever has the same attributes.
        folder: where caches are kept; None for `cache_root()`: $SDM_LITE_CACHE, else ~/.cache/sdm_lite.
        num_threads: that read while it is built; None = one a core.

    Returns:
        The cache. How many examples were left out is told on the standard error stream, each time.

    Raises:
        ValueError: if the cache cannot be built or is damaged, or lacks bad examples though the data set does not
            skip those; naming file and remedy.
    """
    stem, digest = folder_names(dataset)
    place = (cache_root() if folder is None else expanded(folder)) / f"{stem}-{digest}"
    try:
        if not place.exists():
            with hold(place.with_name(f"{stem}.lock")):  # waits for another process that builds it
                if not place.exists():
                    _build(dataset, place, num_threads)
                for older in set(place.parent.glob(f"{stem}-*")) - {place}:  # made before its files changed
                    shutil.rmtree(older, ignore_errors=True)
    except OSError as error:
        raise ValueError(
            f"cannot write the cache {place} ({error.strerror or error}): make room, or name a folder on another disk "
            "in the environment variable SDM_LITE_CACHE"
        ) from error
    cache = Cache(place)
    if cache.left_out:
        told = f"{len(cache.left_out)} bad, listed in {place / DESCRIPTION}, the first: {cache.left_out[0]}"
        if not dataset.skip_bad:
            raise ValueError(f"{told}; repair them, or leave them out with skip_bad")
        print(f"left out: {told}", file=sys.stderr)
    return cache


def _build(dataset: Photographs, folder: Path, num_threads: int | None) -> None:
    """Read every example of a data set into a cache; what was read is kept if that fails.

    Raises:
        ValueError: if an example is bad and the data set does not skip those, or the files change meanwhile.
        OSError: if the folder cannot be written, or the disk is too full.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    arrays = _make_arrays(partial, dataset)
    left_out = _fill(arrays, dataset, num_threads)
    if folder.name != "-".join(folder_names(dataset)):
        raise ValueError(f"files of {dataset.root} changed while they were read: start again when they are still")
    if len(left_out) == len(dataset):
        raise ValueError(f"no example of {dataset.root}, split {dataset.split}, can be read: {left_out[0]}")
    facts = identity(dataset) | {"names": dataset.names, "left_out": left_out}
    facts["checksum"] = fingerprint(facts, arrays["checksums"])
    while arrays:
        arrays.popitem()[1].flush()  # and close: Windows renames no folder with open files
    write_whole(partial / DESCRIPTION, to_json(facts, indent=1))
    partial.rename(folder)


def _make_arrays(partial: Path, dataset: Photographs) -> dict[str, np.memmap]:
    """The arrays of a cache by name, mapped for writing: as they were left, or made, all zeros.

    Their space on the disk is taken now, as writing to a mapped file on a full disk would end the process.
    """
    height, width = dataset.size
    labels = str(label_dtype(dataset.num_classes)).removeprefix("torch.")
    rows = {"images": np.zeros((3, height, width), np.uint8), "label_maps": np.zeros((height, width), labels)}
    if dataset.has_instances:
        rows["edges"] = np.zeros((height, -(-width // 8)), np.uint8)
    rows["checksums"] = np.zeros((), np.uint32)
    partial.mkdir(exist_ok=True)
    num_bytes = len(dataset) * sum(row.nbytes for row in rows.values())
    left = shutil.disk_usage(partial).free + sum(path.stat().st_size for path in partial.iterdir())
    if left < num_bytes:
        raise OSError(f"it needs {byte_count(num_bytes)}, and {byte_count(left)} are left")
    arrays = {}
    for name, row in rows.items():
        path = partial / f"{name}.npy"
        try:
            arrays[name] = open_memmap(path, mode="r+")
        except (FileNotFoundError, ValueError):  # or without a whole header
            arrays[name] = open_memmap(path, mode="w+", dtype=row.dtype, shape=(len(dataset), *row.shape))
        if hasattr(os, "posix_fallocate"):
            with open(path, "rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return arrays


def _fill(arrays: dict[str, np.memmap], dataset: Photographs, num_threads: int | None) -> list[str]:
    """Read what has no checksum that fits; a line for each bad example, or ValueError if those may not be skipped."""

    def fill(row: int) -> ValueError | None:
        try:
            _write(arrays, row, dataset[row], dataset.num_classes)
        except ValueError as error:
            return ValueError(f"{dataset.names[row]}: {error}")

    todo = [row for row, crc in enumerate(arrays["checksums"].tolist()) if not crc or checksum(arrays, row) != crc]
    arrays["checksums"][todo] = 0
    left_out = []
    with Progress(f"reading {dataset.name} {dataset.split}", total=len(dataset)) as bar:
        bar.update(len(dataset) - len(todo))
        for error in in_threads(fill, todo, num_threads):
            if error is not None and not dataset.skip_bad:
                raise error
            left_out += [] if error is None else [str(error)]
            bar.update()
    return left_out


def _write(arrays: dict[str, np.memmap], row: int, example: Example, num_classes: int) -> None:
    """Check and write an example, its checksum last. What is read from a cache is not checked again."""
    height, width = arrays["label_maps"].shape[1:]
    shapes = [tuple(part.shape) for part in example]
    if shapes != [(3, height, width), (height, width), (height, width)]:
        raise ValueError(f"expected {height} x {width} pixels, got tensors of shapes {shapes}")
    check_labels(example.label_map[None], num_classes)
    batch = collate([example], num_classes, has_instances="edges" in arrays)
    arrays["images"][row] = batch.images[0].numpy()
    arrays["label_maps"][row] = batch.label_map[0].numpy()
    if batch.edges is not None:
        arrays["edges"][row] = np.packbits(batch.edges[0].numpy(), axis=-1)
    arrays["checksums"][row] = checksum(arrays, row)
