"""Jobs beside a notebook: one at a time, cancelled at the next step, and every error a line and no traceback."""

import threading

import pytest

from sdm_lite.widgets import jobs as widgets_jobs
from sdm_lite.widgets.jobs import Runner

ipywidgets = pytest.importorskip("ipywidgets")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(widgets_jobs, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(widgets_jobs, "SHOW_SECONDS", 0.0)


class Endless:
    """Work that goes on until it is cancelled or let go; `started` tells that it has its turn."""

    def __init__(self):
        self.started, self.let_go, self.num_steps = threading.Event(), threading.Event(), 0

    def __call__(self, steps):
        self.started.set()
        while not self.let_go.wait(0.005):
            self.num_steps += 1
            steps.step()
        return "done"


def start(runner, work, num_steps=10):
    runner.start(work, num_steps=num_steps, description="drawing")


def count(num_steps):
    def work(steps):
        for _ in range(num_steps):
            steps.step()
        return f"{num_steps} steps"

    return work


def test_a_job_ends_with_its_line_and_a_full_bar():
    runner = Runner(ipywidgets)
    start(runner, count(4), 4)
    assert runner.wait(10) and "4 steps" in runner._line.value and not runner.is_running
    assert runner._bar.value == runner._bar.max == 4 and runner._bar.layout.display == "none"
    assert runner._button.disabled


def test_steps_are_told_with_the_time_left():
    runner, lines = Runner(ipywidgets), []
    runner._line.observe(lambda change: lines.append(change["new"]), names="value")
    start(runner, count(3), 3)
    runner.wait(10)
    assert any("step 2 of 3" in line and "s left" in line for line in lines)


def test_the_button_cancels_at_the_next_step():
    runner, work = Runner(ipywidgets), Endless()
    start(runner, work)
    assert work.started.wait(10) and not runner._button.disabled
    runner._button.click()
    assert runner.wait(10) and "cancelled" in runner._line.value and runner._button.disabled


def test_a_new_job_takes_the_place_of_the_old():
    runner, first = Runner(ipywidgets), Endless()
    start(runner, first)
    assert first.started.wait(10)
    start(runner, count(2))
    assert runner.wait(10) and "2 steps" in runner._line.value
    done = first.num_steps
    assert not first.let_go.wait(0.05) and first.num_steps == done  # the old one has stopped


def test_the_second_of_two_widgets_waits_and_says_so():
    a, b, work = Runner(ipywidgets), Runner(ipywidgets), Endless()
    said = threading.Event()
    b._line.observe(lambda change: "waiting" in change["new"] and said.set(), names="value")
    start(a, work)
    assert work.started.wait(10)
    start(b, count(3))
    assert said.wait(10) and b.is_running
    work.let_go.set()
    assert a.wait(10) and b.wait(10)
    assert "done" in a._line.value and "3 steps" in b._line.value


def test_two_jobs_never_run_at_once():
    inside, most = [], []

    def work(steps):
        inside.append(1)
        most.append(len(inside))
        steps.step()
        inside.pop()
        return "done"

    runners = [Runner(ipywidgets) for _ in range(8)]
    for runner in runners:
        start(runner, work)
    assert all(runner.wait(10) for runner in runners)
    assert most == [1] * 8


def test_between_two_pictures_the_one_that_waits_comes_first():
    a, b, order = Runner(ipywidgets), Runner(ipywidgets), []
    begun, go_on = threading.Event(), threading.Event()

    def grid(steps):
        begun.set()
        assert go_on.wait(10)
        order.append("first picture")
        steps.pause()
        order.append("second picture")
        return "done"

    def other(steps):
        order.append("other")
        return "done"

    waiting = threading.Event()
    b._line.observe(lambda change: "waiting" in change["new"] and waiting.set(), names="value")
    start(a, grid)
    assert begun.wait(10)
    start(b, other)
    assert waiting.wait(10)
    go_on.set()
    assert a.wait(10) and b.wait(10)
    assert order == ["first picture", "other", "second picture"]


def test_a_pause_can_be_cancelled_and_leaves_the_turn_free():
    a, b, begun, hold = Runner(ipywidgets), Runner(ipywidgets), threading.Event(), Endless()

    def grid(steps):
        begun.set()
        while True:
            steps.pause()

    start(a, grid)
    assert begun.wait(10)
    start(b, hold)
    assert hold.started.wait(10)
    a.cancel()
    assert a.wait(10) and "cancelled" in a._line.value and b.is_running
    b.cancel()
    assert b.wait(10) and not widgets_jobs.TURN.locked()


def test_one_that_waits_can_be_cancelled():
    a, b, work = Runner(ipywidgets), Runner(ipywidgets), Endless()
    start(a, work)
    assert work.started.wait(10)
    start(b, count(3))
    b.cancel()
    assert b.wait(10) and "cancelled" in b._line.value and a.is_running
    a.cancel()
    assert a.wait(10)


@pytest.mark.parametrize(
    "error, line", [(ValueError("too <many>\nsteps"), "too &lt;many&gt; steps"), (KeyError(7), "KeyError: 7")]
)
def test_an_error_is_one_line_and_the_next_job_runs(error, line):
    def fail(steps):
        raise error

    runner = Runner(ipywidgets)
    start(runner, fail)
    assert runner.wait(10) and line in runner._line.value and 'role="alert"' in runner._line.value
    start(runner, count(1))
    assert runner.wait(10) and "1 steps" in runner._line.value


def test_cancelling_nothing_does_nothing():
    runner = Runner(ipywidgets)
    runner.cancel()
    assert runner.wait(0) and not runner.is_running


def test_a_refusal_ends_the_job_and_stays_on_the_line():
    runner, work = Runner(ipywidgets), Endless()
    start(runner, work)
    assert work.started.wait(10)
    runner.refuse("the scale is no number")
    while widgets_jobs.TURN.locked():
        pass
    assert (
        "the scale is no number" in runner._line.value
        and 'role="alert"' in runner._line.value
        and runner._button.disabled
    )
