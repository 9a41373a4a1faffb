"""From a data set on disk to the batch of a step: its cache opened or built, examples gathered, in time.

Apart from `batches` because this is about where examples come from, and not about which ones a step sees: that is the
same from memory and from disk, with any number of threads, as every batch is a function of its step.

    cache = open_cache(open_dataset("celebamask-hq", ROOT, "train"))
    batches = CachedBatches(cache, batch_size=32, flip_probability=0.5, seed=0)
    with Prefetch(batches) as ahead:
        for step in train(unet, ema, diffusion, ahead, config): ...
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from sdm_lite.batches import Batch, BatchOrder
from sdm_lite.cache import Cache, Readable, cache_root, folder_names
from sdm_lite.cache.building import build_cache


def open_cache(dataset: Readable, folder: str | Path | None = None, *, num_workers: int | None = None) -> Cache:
    """Open the cache of a data set, after building it if there is none or if a file has changed since.

    Args:
        dataset: one of `sdm_lite.datasets`, or whatever reads in the same way.
        folder: where caches are kept; None for `cache.cache_root()`: $SDM_LITE_CACHE, else ~/.cache/sdm_lite.
        num_workers: processes that build it, see `cache_building.build_cache`.

    Returns:
        The cache. Examples that were left out are told on the standard error stream, each time.

    Raises:
        ValueError: if the cache cannot be built or is damaged, or lacks bad examples though the data set does not
            skip those; naming file and remedy.
    """
    stem, digest = folder_names(dataset)
    place = (cache_root() if folder is None else Path(folder)) / f"{stem}-{digest}"
    if not place.exists():
        build_cache(dataset, place, num_workers=num_workers)
    cache = Cache(place)
    if cache.left_out and not dataset.skip_bad:
        more = f" (and {len(cache.left_out) - 1} more bad examples)" if len(cache.left_out) > 1 else ""
        raise ValueError(f"{cache.left_out[0]}{more}; repair them, or leave them out with skip_bad")
    for line in cache.left_out[:10]:
        print(f"left out: {line}", file=sys.stderr)
    if len(cache.left_out) > 10:
        print(f"left out: {len(cache.left_out)} in all, listed in {place / 'examples.jsonl'}", file=sys.stderr)
    return cache


class CachedBatches:
    """Batches of a data set that is on disk: a function of the step. See `batches.BatchOrder`.

    The same batches as those of `batches.ImageBatches` over the same pictures.

    Args:
        cache: the data set.
        batch_size: images a step, of all processes together.
        flip_probability: of mirroring an example, in [0, 1].
        seed: of order and mirroring.
        shard: (rank, number of processes): the slice of each batch that is served.

    Raises:
        ValueError: if there are fewer images than a batch takes, or the batch cannot be shared out evenly.
    """

    def __init__(
        self, cache: Cache, *, batch_size: int, flip_probability: float, seed: int, shard: tuple[int, int] = (0, 1)
    ):
        self.cache = cache
        self.order = BatchOrder(
            len(cache), batch_size=batch_size, flip_probability=flip_probability, seed=seed, shard=shard
        )

    def __len__(self) -> int:
        """N, the number of images."""
        return len(self.cache)

    @property
    def num_classes(self) -> int:
        """Of the label maps."""
        return self.cache.num_classes

    def fingerprint(self) -> str:
        """A digest of everything that is served: another one if any pixel is another."""
        return self.cache.fingerprint()

    def __call__(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        chosen, flip = self.order(step)
        return Batch(*self.cache.read(chosen), self.cache.num_classes).mirrored(flip)


class Prefetch:
    """The same batches, made ahead of time by threads while the network is at work.

    Any step may be asked for in any order; those that follow the last one are on their way. Threads and not processes:
    gathering and mirroring are copies in memory, for which Python lets go of its lock, and nothing is handed over.
    Nothing random is in it, so that neither the number of threads nor who comes first can change a batch.

    Args:
        batches: from a step to its batch, safe to call from several threads, such as `CachedBatches`.
        num_workers: threads, and twice as many batches are kept ready; 0 makes each batch when it is asked for.
        pin_memory: put them where a GPU can read them while it computes, see `batches.Batch.pin_memory`.
    """

    def __init__(self, batches: Callable[[int], Batch], *, num_workers: int = 2, pin_memory: bool = False):
        if num_workers < 0:
            raise ValueError(f"num_workers must be at least 0, got {num_workers}")
        self.batches, self.num_workers, self.pin_memory = batches, num_workers, pin_memory
        self._pool = ThreadPoolExecutor(num_workers, "prefetch") if num_workers else None
        self._pending: dict[int, Future[Batch]] = {}

    def __call__(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        if self._pool is None:
            return self._make(step)
        window = range(step, step + 1 + 2 * self.num_workers)
        for other in self._pending.keys() - set(window):
            self._pending.pop(other).cancel()
        for ahead in window:
            if ahead not in self._pending:
                self._pending[ahead] = self._pool.submit(self._make, ahead)
        return self._pending.pop(step).result()

    def close(self) -> None:
        """End the threads; batches on their way are dropped."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pending.clear()

    def __enter__(self) -> Prefetch:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _make(self, step: int) -> Batch:
        batch = self.batches(step)
        return batch.pin_memory() if self.pin_memory else batch
