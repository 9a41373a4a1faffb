"""Progress with the time left while somebody watches, and one line at the end when nobody does.

Apart because it is the only door of tqdm. A bar that refreshes a hundred times fills an executed notebook with a
hundred records; a notebook that runs unwatched (the environment variable SDM_LITE_STATIC=1, set by
`sdm_lite.reproduce`) gets a single line instead: "denoising: 25 steps in 1.2 s".
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def is_static() -> bool:
    """Whether output must stay as it is once written: true when SDM_LITE_STATIC is set to anything but 0."""
    return os.environ.get("SDM_LITE_STATIC", "") not in ("", "0")


class Progress:
    """A count of steps done, drawn as a bar with the time left, or told in one line when it ends.

    The form for work that is no plain loop; `progress` is the one for loops. Leaving the `with` block ends it, after an
    error or an interruption too.

    Args:
        description: what is being done, at the start of the line.
        total: number of steps expected, or None where it is not known.
    """

    def __init__(self, description: str, *, total: int | None = None):
        self.description = description
        self.total = total
        self.num_done = 0
        self._start = time.perf_counter()
        self._closed = False
        self._bar = None if is_static() else _bar(description, total)

    def update(self, n: int = 1) -> None:
        """Counts n more steps as done."""
        self.num_done += n
        if self._bar is not None:
            self._bar.update(n)

    def close(self) -> None:
        """Ends the count, and in the static form prints its line; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._bar is not None:
            self._bar.close()
        else:
            print(self._summary(), flush=True)

    def __enter__(self) -> Progress:
        """Returns itself; the clock started when it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the count and lets any exception pass."""
        self.close()

    def _summary(self) -> str:
        seconds = time.perf_counter() - self._start
        short = self.total is not None and self.num_done != self.total
        count = f"{self.num_done} of {self.total}" if short else f"{self.num_done}"
        noun = "step" if count == "1" else "steps"
        return f"{self.description}: {count} {noun} in {_duration(seconds)}"


def progress(iterable: Iterable[T], *, description: str, total: int | None = None) -> Iterator[T]:
    """The items of an iterable, with progress shown while they are drawn.

    Args:
        iterable: what to go through.
        description: what is being done, at the start of the line.
        total: number of items; taken from `len(iterable)` where that exists.

    Yields:
        The items, unchanged and in order.
    """
    with Progress(description, total=_length(iterable) if total is None else total) as count:
        for item in iterable:
            yield item
            count.update()


def _length(iterable: Iterable) -> int | None:
    try:
        return len(iterable)  # type: ignore[arg-type]
    except TypeError:
        return None


def _bar(description: str, total: int | None):
    """A tqdm bar fit for the place it is shown in, or None without tqdm."""
    try:
        with warnings.catch_warnings():
            # Without ipywidgets tqdm falls back to text, which is what we want: no need to warn of it.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(desc=description, total=total, mininterval=0.3, dynamic_ncols=True)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s"
