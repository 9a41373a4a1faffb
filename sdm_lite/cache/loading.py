"""From a cache on disk to the batch of a step, in time.

Apart from `batches` because this is about where examples come from, and not about which ones a step sees: that is the
same from memory and from disk, with any number of threads, as every batch is a function of its step.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from sdm_lite.batches import Batch, BatchOrder
from sdm_lite.cache.stored import Cache
from sdm_lite.datasets.image_files import in_threads


class CachedBatches:
    """Batches of a data set that is on disk: a function of the step. See `batches.BatchOrder`.

    The same batches as those of `batches.ImageBatches` over the same pictures.

    Args:
        cache: the data set.
        batch_size, flip_probability, seed, shard: as of `batches.BatchOrder`.

    Raises:
        ValueError: as `batches.BatchOrder` does.
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

    def fingerprint(self) -> str:
        """A digest of everything that is served: another one if any pixel is another."""
        return self.cache.fingerprint()

    def __call__(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        chosen, flip = self.order(step)
        return self.cache.read(chosen).mirrored(flip)


class Prefetch:
    """The same batches, made ahead of time by threads while the network is at work.

    Any step may be asked for; those that follow it are on their way. Threads and not processes: gathering and mirroring
    are copies in memory, for which Python lets go of its lock, and nothing is handed over (docs/performance.md has the
    speed next to torch's DataLoader). Nothing random is in it, so that neither the number of threads nor who comes
    first can change a batch.

    Args:
        batches: from a step to its batch, safe to call from several threads, such as `CachedBatches`.
        num_workers: threads, and up to four times as many batches are kept ready; 0 makes each when it is asked for.
        pin_memory: put them where a GPU can read them while it computes, see `batches.Batch.pin_memory`.
    """

    def __init__(self, batches: Callable[[int], Batch], *, num_workers: int = 2, pin_memory: bool = False):
        if num_workers < 0:
            raise ValueError(f"num_workers must be at least 0, got {num_workers}")
        self.batches, self.num_workers, self.pin_memory = batches, num_workers, pin_memory
        self._ahead, self._next = in_threads(self._make, ()), None

    def __call__(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        if self.num_workers == 0:
            return self._make(step)
        if step != self._next:
            self.close()
            self._ahead = in_threads(self._make, count(step), self.num_workers)
        self._next = None  # what remains if making the batch fails
        batch = next(self._ahead)
        self._next = step + 1
        return batch

    def close(self) -> None:
        """End the threads; batches on their way are dropped."""
        self._ahead.close()
        self._next = None

    def __enter__(self) -> Prefetch:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _make(self, step: int) -> Batch:
        batch = self.batches(step)
        return batch.pin_memory() if self.pin_memory else batch
