"""Work that goes on beside a notebook's cells: one piece at a time, with a bar, time left and a way to stop it.

Apart because threads are hard to get right twice. The kernel stays free, so sliders answer while a picture is drawn.
All widgets of a kernel share one turn: two that sample at once would only slow each other down, so the second waits
until a picture is finished, and says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from sdm_lite.widgets.base import message_html, one_line, progress_html

TURN = threading.Lock()

WAIT_SECONDS = 0.3  # how long a wait may be before it is mentioned
SHOW_SECONDS = 0.1  # at most so often is the bar redrawn
PAUSE_SECONDS = 0.01

BUTTON = {"width": "80px", "flex": "0 0 auto"}  # else a long line beside it would squeeze it


class Cancelled(Exception):
    """Raised inside a job at its next step after somebody cancelled it."""


class Job:
    """A function that runs in a thread of its own as soon as no other job runs.

    Args:
        work: called with the job once it is its turn; it calls `job.check()` between its steps.
        on_wait: called, in the thread, if the job has to wait for another.
        on_end: called last, in the thread, with None, Cancelled or what `work` raised.
    """

    def __init__(
        self,
        work: Callable[[Job], None],
        *,
        on_wait: Callable[[], None],
        on_end: Callable[[Exception | None], None],
    ):
        self._work, self._on_wait, self._on_end = work, on_wait, on_end
        self._stop, self._ended = threading.Event(), threading.Event()
        self._has_turn = False

    def start(self) -> None:
        """Starts the thread; a daemon, because a kernel that shuts down must not wait for a picture."""
        threading.Thread(target=self._run, daemon=True, name="sdm_lite widget").start()

    def check(self) -> None:
        """Raises Cancelled if the job was cancelled."""
        if self._stop.is_set():
            raise Cancelled

    def pause(self) -> None:
        """Lets another job that waits have its turn, between two pictures, and waits for the next one."""
        TURN.release()
        self._has_turn = False
        time.sleep(PAUSE_SECONDS)  # a lock that is taken again at once never goes to who waits for it
        self._take_turn()

    def cancel(self) -> None:
        """Asks the job to end at its next step."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the job has ended; False if it has not within `timeout` seconds."""
        return self._ended.wait(timeout)

    @property
    def is_running(self) -> bool:
        """Whether the job has neither ended nor been told to; it may still wait for its turn."""
        return not (self._ended.is_set() or self._stop.is_set())

    def _run(self) -> None:
        error: Exception | None = None
        try:
            self._take_turn()
            self._work(self)
        except Exception as caught:  # whatever it is, it belongs into the widget's line and not over the picture
            error = caught
        try:
            self._on_end(error)
        finally:
            if self._has_turn:
                TURN.release()
            self._ended.set()

    def _take_turn(self) -> None:
        self._has_turn = TURN.acquire(timeout=WAIT_SECONDS)
        if not self._has_turn:
            self.check()
            self._on_wait()
        while not self._has_turn:
            self.check()
            self._has_turn = TURN.acquire(timeout=WAIT_SECONDS)
        self.check()


class Runner:
    """A progress bar, a Cancel button and a line of text, and the job they belong to.

    A new job cancels the one before it.

    Args:
        widgets: the ipywidgets module.

    Attributes:
        box: the widget that shows all three.
    """

    def __init__(self, widgets: Any):
        self._bar = widgets.IntProgress(
            value=0, min=0, max=1, layout={"width": "140px", "flex": "0 0 auto", "display": "none"}
        )
        self._button = widgets.Button(
            description="Cancel", disabled=True, tooltip="Stop drawing and keep what is drawn", layout=BUTTON
        )
        self._button.on_click(lambda _: self.cancel())
        self._line = widgets.HTML(layout={"flex": "1 1 auto", "min_width": "0"})
        self.box = widgets.HBox([self._button, self._bar, self._line], layout={"align_items": "center"})
        self._job: Job | None = None

    @property
    def is_running(self) -> bool:
        """Whether a job is running or waits for its turn."""
        return self._job is not None and self._job.is_running

    @property
    def text(self) -> str:
        """The line of text as HTML."""
        return self._line.value

    def start(self, work: Callable[[Steps], str], *, num_steps: int, description: str) -> None:
        """Runs `work` beside the notebook, in place of what this runner was doing.

        Args:
            work: called with the Steps to count on; returns a line that says what was done.
            num_steps: how many steps there will be.
            description: what is being done, such as "drawing".
        """
        self.cancel()

        def run(job: Job) -> None:
            done.append(work(Steps(self, job, num_steps, description)))

        def end(error: Exception | None) -> None:
            if self._job is job:
                self._end(error, done)

        done: list[str] = []
        job = Job(run, on_wait=lambda: self.say("waiting for another picture to be finished"), on_end=end)
        self._job = job
        self._button.disabled = False
        job.start()

    def cancel(self) -> None:
        """Ends the running job, if there is one, at its next step."""
        if self._job is not None:
            self._job.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the job that runs now has ended; False if it has not within `timeout` seconds."""
        return self._job is None or self._job.wait(timeout)

    def say(self, text: str, *, alert: bool = False) -> None:
        """Shows a line of text; an alert says why something could not be done."""
        self._line.value = message_html(text, alert=alert)

    def refuse(self, text: str) -> None:
        """Says why nothing can be drawn, and ends what was being drawn without another word."""
        self.cancel()
        self._job = None
        self._rest()
        self.say(text, alert=True)

    def _rest(self) -> None:
        self._button.disabled = True
        self._bar.layout.display = "none"

    def _end(self, error: Exception | None, done: list[str]) -> None:
        self._rest()
        if error is None:
            self.say(done[0])
        elif isinstance(error, Cancelled):
            self.say("cancelled; what was drawn stays")
        else:
            self.say(one_line(error), alert=True)


class Steps:
    """The steps of one job, counted on its runner's bar."""

    def __init__(self, runner: Runner, job: Job, num_steps: int, description: str):
        self._runner, self._job, self._description = runner, job, description
        self._num_steps, self._num_done = num_steps, 0
        self._start = self._shown = time.perf_counter()
        runner._bar.value, runner._bar.max = 0, max(1, num_steps)
        runner._bar.layout.display = ""
        runner.say(description)

    def step(self) -> None:
        """Counts a step, and ends the job here if it was cancelled."""
        self._num_done += 1
        self._job.check()
        now = time.perf_counter()
        if now - self._shown >= SHOW_SECONDS:
            self._shown = now
            left = (now - self._start) / self._num_done * max(0, self._num_steps - self._num_done)
            text = f"{self._description}: step {self._num_done} of {self._num_steps}, {left:.0f} s left"
            self._runner._bar.value = self._num_done
            self._runner._line.value = progress_html(text, self._num_done, self._num_steps)

    def pause(self) -> None:
        """Lets another widget draw first, if one waits: to be called when a picture is finished."""
        self._job.pause()
