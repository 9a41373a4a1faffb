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
SHOW_SECONDS = 0.1  # at least so long is between two steps that are shown
PAUSE_SECONDS = 0.01

BUTTON = {"width": "80px", "flex": "0 0 auto"}  # else a long line beside it would squeeze it


class Cancelled(Exception):
    """Raised inside a job at its next step after somebody cancelled it."""


class Job(threading.Thread):
    """Work in a thread of its own, as soon as no other job runs; its steps are told to a runner.

    A daemon, because a kernel that shuts down must not wait for a picture.

    Args:
        runner: shows how far the job is.
        work: called with the job once it is its turn; it calls `job.step()` after each of its steps, and returns a line
            that says what was done.
        num_steps: how many steps there will be.
        description: what is being done, such as "drawing".

    Attributes:
        cancelled: an event that ends the job at its next step.
    """

    def __init__(self, runner: Runner, work: Callable[[Job], str], *, num_steps: int, description: str):
        super().__init__(daemon=True, name="sdm_lite widget")
        self.num_steps, self.description = max(1, num_steps), description
        self.num_done = 0
        self._runner, self._work = runner, work
        self.cancelled, self._has_turn = threading.Event(), False

    def step(self, show: Callable[[], object] | None = None) -> None:
        """Counts a step, and ends the job here if it was cancelled; some times a second, calls `show` too."""
        self.num_done += 1
        self._check()
        if self._runner.show_step(self) and show is not None:
            show()

    def pause(self) -> None:
        """Lets another job that waits have its turn: to be called when a picture is finished."""
        TURN.release()
        self._has_turn = False
        time.sleep(PAUSE_SECONDS)  # a lock that is taken again at once never goes to who waits for it
        self._take_turn()

    def run(self) -> None:
        """What the thread does."""
        try:
            self._take_turn()
            self._runner.show_start(self)
            outcome = self._work(self)
        except Exception as error:  # whatever it is, it belongs into the widget's line and not over the picture
            outcome = error
        try:
            self._runner.show_end(self, outcome)
        finally:
            if self._has_turn:
                TURN.release()

    def _check(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled

    def _take_turn(self) -> None:
        while not TURN.acquire(timeout=WAIT_SECONDS):
            self._check()
            self._runner.say("waiting for another picture to be finished")
        self._has_turn = True
        self._check()


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
        self._started = self._shown = 0.0

    @property
    def is_running(self) -> bool:
        """Whether a job is running or waits for its turn, and has not been told to end."""
        return self._job is not None and self._job.is_alive() and not self._job.cancelled.is_set()

    def start(self, work: Callable[[Job], str], *, num_steps: int, description: str) -> None:
        """Runs `work` beside the notebook, in place of what this runner was doing; arguments as for `Job`."""
        self.cancel()
        self._job = Job(self, work, num_steps=num_steps, description=description)
        self._button.disabled = False
        self._job.start()

    def cancel(self) -> None:
        """Ends the running job, if there is one, at its next step."""
        if self._job is not None:
            self._job.cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the job that runs now has ended; False if it has not within `timeout` seconds."""
        job = self._job
        if job is not None:
            job.join(timeout)
        return job is None or not job.is_alive()

    def say(self, text: str, *, alert: bool = False) -> None:
        """Shows a line of text; an alert says why something could not be done."""
        self._line.value = message_html(text, alert=alert)

    def refuse(self, text: str) -> None:
        """Says why nothing can be drawn, and ends what was being drawn without another word."""
        self.cancel()
        self._job = None
        self._rest()
        self.say(text, alert=True)

    def show_start(self, job: Job) -> None:
        """Shows, in the job's thread, that its turn has come."""
        self._started = self._shown = time.perf_counter()
        self._bar.value, self._bar.max = 0, job.num_steps
        self._bar.layout.display = ""
        self.say(job.description)

    def show_step(self, job: Job) -> bool:
        """Shows, some times a second, how far a job is and how long it will still take; says whether it did now."""
        now = time.perf_counter()
        is_due = now - self._shown >= SHOW_SECONDS
        if is_due:
            self._shown = now
            left = (now - self._started) / job.num_done * max(0, job.num_steps - job.num_done)
            text = f"{job.description}: step {job.num_done} of {job.num_steps}, {left:.0f} s left"
            self._bar.value = job.num_done
            self._line.value = progress_html(text, job.num_done, job.num_steps)
        return is_due

    def show_end(self, job: Job, outcome: str | Exception) -> None:
        """Shows what a job has done or why it ended, unless another has taken its place."""
        if job is not self._job:
            return
        self._rest()
        if isinstance(outcome, Cancelled):
            outcome = "cancelled; what was drawn stays"
        is_error = isinstance(outcome, Exception)
        self.say(one_line(outcome) if is_error else outcome, alert=is_error)

    def _rest(self) -> None:
        self._button.disabled = True
        self._bar.layout.display = "none"
