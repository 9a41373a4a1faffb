"""The bar of a run with its figures, or, where nobody watches, a line now and then.

Apart from what is told because SDM and the GANs of `baselines` tell other figures in the same way.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sdm_lite.progress import is_static, is_watched, tqdm_bar


class TrainingBar:
    """Shows how far a run is, and says what must be said without breaking the bar.

    Where nobody watches (the error stream is no terminal) there is no bar, and lines are printed instead, one in half a
    minute at most.

    Args:
        num_steps: of the run; None = it ends by the clock.
        start: steps already done.
        is_silent: say nothing at all, as all processes but the main one.
    """

    def __init__(self, num_steps: int | None, start: int, *, is_silent: bool = False):
        self._is_silent = is_silent
        self._since = self._printed = time.monotonic()
        bar_is_drawn = not is_silent and is_watched() and not is_static()
        self._bar = tqdm_bar(None, num_steps, initial=start) if bar_is_drawn else None

    def update(self) -> None:
        """One step more."""
        if self._bar is not None:
            self._bar.update()

    def rate(self, num_images: int) -> float:
        """Images/s since this was asked last, or since the start; pauses are left out."""
        now = time.monotonic()
        rate = num_images / max(now - self._since, 1e-9)
        self._since = now
        return rate

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Leave what is done inside, an evaluation say, out of images/s."""
        started = time.monotonic()
        yield
        self._since += time.monotonic() - started

    def tell(self, figures: str, line: str, *, at_end: bool) -> None:
        """Show figures behind the bar; without one print a line, if the last one is old or the run is at its end."""
        if self._is_silent:
            return
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(figures)
        elif now - self._printed > 30 or at_end:
            self._printed = now
            print(line, file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """Print a line without breaking the bar."""
        if self._is_silent:
            return
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
