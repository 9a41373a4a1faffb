"""From a data set's files to the records of its cache, here or in worker processes.

Apart from `cache_building`, which knows files, disks and what happens to them, and nothing of pictures.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import NamedTuple

import numpy as np
import torch

from sdm_lite.batches import Example
from sdm_lite.cache import Readable
from sdm_lite.labels import check_labels, instance_edges
from sdm_lite.pictures import to_uint8

CHUNK = 16
"""Examples that a worker reads at a time: a few megabytes to hand over, and little lost when a build is stopped."""

WORTH_PROCESSES = 10
"""Seconds of reading left from which on it pays to start processes, each of which imports torch first."""

UNGUARDED = 'a script that does its work outside of `if __name__ == "__main__":`; num_workers=0 needs neither'


class Packed(NamedTuple):
    """An example as it is written: its record, or if it was left out no record and why."""

    name: str
    record: bytes
    left_out: str


def read_all(dataset: Readable, dtype: np.dtype, start: int, num_workers: int | None) -> Iterator[list[Packed]]:
    """Read a data set, packed into records, in pieces and in order.

    Args:
        dataset: what to read.
        dtype: of a record.
        start: the first example that is wanted.
        num_workers: processes that read; 0 reads here, None begins here and decides by the time it takes.

    Yields:
        Some examples, until all are read.

    Raises:
        ValueError: if an example is bad and the data set does not skip those, or a worker process ends.
    """
    chunks = deque(range(i, min(i + CHUNK, len(dataset))) for i in range(start, len(dataset), CHUNK))
    while chunks and not num_workers:
        started = time.perf_counter()
        yield [_pack(dataset, dtype, i) for i in chunks.popleft()]
        if num_workers is None:
            is_long = (time.perf_counter() - started) * len(chunks) > WORTH_PROCESSES
            num_workers = _num_cores() if is_long and _num_cores() > 1 else 0
    if chunks:
        yield from _read_in_workers(dataset, dtype, chunks, num_workers)


def _read_in_workers(
    dataset: Readable, dtype: np.dtype, chunks: Iterable[range], num_workers: int
) -> Iterator[list[Packed]]:
    """The same, read by worker processes."""
    # Fresh processes: a forked one inherits locks that torch's threads may hold.
    pool = ProcessPoolExecutor(num_workers, get_context("spawn"), _start_worker, (dataset, dtype))
    try:
        pending = deque()
        for chunk in chunks:
            pending.append(pool.submit(_read_in_worker, chunk))
            if len(pending) > 3 * num_workers:  # no more, or all pictures wait in memory for a slow disk
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool:
        raise ValueError(
            f"a process that reads pictures ended: too little memory for {num_workers}, or {UNGUARDED}"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_worker: tuple[Readable, np.dtype]


def _start_worker(dataset: Readable, dtype: np.dtype) -> None:
    global _worker
    _worker = (dataset, dtype)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Workers of a process that was killed would wait for work for ever."""
    parent_process().join()
    os._exit(1)


def _read_in_worker(chunk: range) -> list[Packed]:
    return [_pack(*_worker, i) for i in chunk]


def _pack(dataset: Readable, dtype: np.dtype, i: int) -> Packed:
    """Read and check one example; a bad one is left out if the data set says so."""
    name = dataset.names[i]
    try:
        example = dataset[i]
        _check(name, dtype, example, dataset.num_classes)
    except ValueError as error:
        if not dataset.skip_bad:
            raise
        return Packed(name, b"", str(error))
    record = np.zeros((), dtype)
    record["image"] = to_uint8(example.image).transpose(2, 0, 1)
    record["label_map"] = example.label_map
    if dataset.has_instances:
        edges = instance_edges(example.instance_map[None])[0, 0]
        record["edges"] = np.packbits(edges.numpy().astype(bool), axis=-1)
    return Packed(name, record.tobytes(), "")


def _check(name: str, dtype: np.dtype, example: Example, num_classes: int) -> None:
    """Nothing that is served from the cache is checked again, on a GPU least of all: do it here."""
    height, width = dtype["label_map"].shape
    shapes = [tuple(part.shape) for part in example]
    if shapes != [(3, height, width), (height, width), (height, width)]:
        raise ValueError(f"expected {name} at {height} x {width} pixels, got tensors of shapes {shapes}")
    try:
        check_labels(example.label_map[None], num_classes)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
