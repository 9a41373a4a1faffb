"""Jobs that take hours, several at a time: a line for each, with the time left.

Apart from `progress`, which counts what one process does. A job runs in a process of its own with one thread: several
processes of several threads each are slower than one after the other. One that fails stops no other.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import TypeVar

import torch

from sdm_lite.progress import duration

J = TypeVar("J")


def side_by_side(
    work: Callable[[J], str | None],
    jobs: Sequence[J],
    *,
    workers: int,
    name: Callable[[J], str],
    cost: Callable[[J], float] = lambda _: 1.0,
) -> list[str]:
    """Do all jobs and print a line for each: "[2 of 9] SDM, seed 1: 3 min 2 s; about 12 min 4 s left".

    Args:
        work: called with a job, with one thread; what it returns is told in the place of the time that it took.
        jobs: in the order in which they begin.
        workers: how many at a time; 1 = in this process. For more, work and jobs must be such as can be pickled.
        name: of a job, for its line.
        cost: of a job, in any unit, for the time left.

    Returns:
        A line for each job that failed; the others were done. Whoever calls says so, after showing what there is.

    Raises:
        ValueError: if workers is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    started, done, total, failed = time.monotonic(), 0.0, sum(map(cost, jobs)), []
    for count, (job, ended) in enumerate(_ended(work, jobs, workers), start=1):
        done += cost(job)
        try:
            told = ended.result()
        except Exception as error:
            told = f"failed: {(str(error).splitlines() or [type(error).__name__])[0]}"
            failed.append(f"{name(job)} {told}")
        left = (time.monotonic() - started) * (total - done) / done if done else 0.0
        ahead = f"; about {duration(left)} left" if left else ""
        print(f"[{count} of {len(jobs)}] {name(job)}: {told}{ahead}", flush=True)
    return failed


def _ended(work: Callable[[J], str | None], jobs: Sequence[J], workers: int) -> Iterator[tuple[J, Future]]:
    """Each job as it ends."""
    if workers == 1:
        threads = torch.get_num_threads()
        for job in jobs:
            torch.set_num_threads(1)
            ended: Future = Future()
            try:
                ended.set_result(_timed(work, job))
            except Exception as error:
                ended.set_exception(error)
            finally:
                torch.set_num_threads(threads)
            yield job, ended
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would copy torch's threads, and locks that they hold
    with ProcessPoolExecutor(workers, mp_context=fresh, initializer=_begin) as pool:
        waiting = {pool.submit(_timed, work, job): job for job in jobs}
        for ended in as_completed(waiting):
            yield waiting[ended], ended


def _timed(work: Callable[[J], str | None], job: J) -> str:
    """Do a job; what is told of it."""
    started = time.monotonic()
    told = work(job)
    return duration(time.monotonic() - started) if told is None else told


def _begin() -> None:
    """One thread; and end with the parent, for a worker whose parent was killed would go on with what is queued."""
    torch.set_num_threads(1)

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
