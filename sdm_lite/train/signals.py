"""Leaving a training run when asked to: at the end of the step, with a checkpoint, and with the right exit status.

Apart from the command because signals belong to the whole process: they are taken here, and given back here.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType


class StopSignals:
    """Takes Ctrl-C (SIGINT) and SIGTERM, which a scheduler sends before it kills, as a wish to stop after this step.

    A second Ctrl-C stops at once, as does the first outside of the `with` block. Outside of the main thread, where
    signals cannot be taken, nothing is.

    Attributes:
        received: the number of the signal that came, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, object] = {}

    @property
    def exit_status(self) -> int:
        """What a shell expects of a process that a signal has ended: 128 + its number; 0 if none came."""
        return 0 if self.received is None else 128 + self.received

    def __enter__(self) -> StopSignals:
        """Take the signals."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
