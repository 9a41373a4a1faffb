"""A bar with the time left while somebody watches, and one line at the end when nobody does.

Apart because it is the only door of tqdm. A bar that refreshes a hundred times fills an executed notebook with a
hundred records; a notebook that runs unwatched (under papermill or nbconvert, or with the environment variable
SDM_LITE_STATIC=1, which `sdm_lite.reproduce` sets) gets a single line instead: "denoising: 25 steps in 1.2 s". So does
a command whose error stream is a file, and a line a minute before, as a bar in a file is one endless line.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")
ShowProgress = Callable[..., Iterable]  # called as show(items, description="..."): `progress`, or `silently`

SIGN_OF_LIFE_SECONDS = 60  # between two lines in a log that nobody watches
UNWATCHED = {"papermill", "nbconvert", "jupyter-nbconvert", "jupyter-execute"}  # commands that run a notebook alone


def is_static() -> bool:
    """Whether output must stay as it is once written.

    True when SDM_LITE_STATIC is set to anything but 0, and, where it is not set, in a kernel that papermill, nbconvert
    or `jupyter execute` started.
    """
    said = os.environ.get("SDM_LITE_STATIC", "")
    return said != "0" if said else _is_run_unwatched()


def _is_run_unwatched() -> bool:
    """Whether this is a kernel whose parent is a command that executes notebooks with nobody there."""
    if "ipykernel" not in sys.modules:
        return False
    try:
        import psutil
    except ImportError:
        return False
    try:
        parent = psutil.Process().parent()
        words = [] if parent is None else parent.cmdline()
    except psutil.Error:  # gone meanwhile, or somebody else's
        return False
    return any(PurePath(word).stem in UNWATCHED for word in words[:3])  # python, -m, papermill


def is_watched() -> bool:
    """Whether a bar can be drawn over: in a notebook, or on a terminal."""
    return is_notebook() or bool(getattr(sys.stderr, "isatty", lambda: False)())


def is_notebook() -> bool:
    """Whether this is the kernel of a notebook, where a front end shows what is displayed."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class Progress:
    """A count of steps done, drawn as a bar with the time left, or told in a line when it ends and nobody watches.

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
        self._told = self._start
        self._closed = False
        self._static = is_static()
        self._bar = tqdm_bar(description, total) if is_watched() and not self._static else None

    def update(self, n: int = 1) -> None:
        """Counts n more steps as done."""
        self.num_done += n
        if self._bar is not None:
            self._bar.update(n)
        elif not self._static and (now := time.perf_counter()) - self._told > SIGN_OF_LIFE_SECONDS:
            self._told = now
            left = (now - self._start) / self.num_done * ((self.total or 0) - self.num_done)
            print(self._summary() + (f", about {duration(left)} left" if left > 0 else ""), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Ends the count, and in the static form prints its line; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._bar is not None:
            self._bar.close()
        else:
            # In a notebook the error stream is for what went wrong; a command's output is its results alone.
            where = sys.stdout if self._static or is_notebook() else sys.stderr
            print(self._summary(), file=where, flush=True)

    def __enter__(self) -> Progress:
        """Returns itself; the clock started when it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the count and lets any exception pass."""
        self.close()

    def _summary(self) -> str:
        seconds = time.perf_counter() - self._start
        short = self.total is not None and self.num_done != self.total
        count = f"{self.num_done} of {self.total} steps" if short else counted(self.num_done, "step")
        return f"{self.description}: {count} in {duration(seconds)}"


def counted(count: int, noun: str) -> str:
    """A number of things in words: `1 step`, `2 steps`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def progress(iterable: Iterable[T], *, description: str, total: int | None = None) -> Iterator[T]:
    """The items of an iterable, with progress shown while they are drawn.

    Args:
        iterable: what to go through.
        description: what is being done, at the start of the line.
        total: number of items; taken from `len(iterable)` where that exists.

    Yields:
        The items, unchanged and in order.
    """
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    with Progress(description, total=total) as count:
        for item in iterable:
            yield item
            count.update()


def silently(iterable: Iterable[T], *, description: str) -> Iterable[T]:
    """The items of an iterable, and no progress shown."""
    return iterable


def tqdm_bar(description: str | None, total: int | None, *, initial: int = 0) -> tqdm | None:
    """A tqdm bar fit for the place it is shown in, some steps done already, or None without tqdm."""
    try:
        with warnings.catch_warnings():
            # Without ipywidgets tqdm falls back to text, which is what we want: no need to warn of it.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(desc=description, total=total, initial=initial, mininterval=0.3, dynamic_ncols=True)


def duration(seconds: float) -> str:
    """Seconds as a reader says them: `4.8 s`, `48 s`, `2 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


def byte_count(number: float, base: int = 1000) -> str:
    """Bytes as a reader says them: `0 bytes`, `4.8 kB`, `12 MB`; with base 1024 `4.8 KiB`, `12 MiB`."""
    units = ("bytes", "kB", "MB", "GB", "TB") if base == 1000 else ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = 0
    while number >= 999.5 and power < len(units) - 1:
        number, power = number / base, power + 1
    return f"{number:.1f} {units[power]}" if power and number < 99.95 else f"{number:.0f} {units[power]}"
