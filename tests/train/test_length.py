"""How many steps a run has: as many as fit in its minutes, more or fewer when it resumes, and what is told of it."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from tiny_runs import CONFIG, DIFFUSION, advance, batches, fresh, in_folder

from sdm_lite.train.data import Data
from sdm_lite.train.length import RESERVE, Pace, fit_length, measure_pace
from sdm_lite.train.loop import learning_rate_at
from sdm_lite.train.processes import Processes

LONG = replace(CONFIG, num_steps=1000)


def no_pace():
    pytest.fail("nothing is to be measured")


def test_minutes_are_steps_by_the_pace_evaluations_among_them(tmp_path):
    config, told = in_folder(tmp_path, LONG, minutes=2.0), []
    pace = Pace(0.5, 10.0, 100)
    assert pace.mean == pytest.approx(0.6 / (1 - RESERVE))
    fitted, run = fit_length(config, fresh(), lambda: pace, tell=told.append)
    assert fitted.train.num_steps == int(120 * (1 - RESERVE) / 0.6) == 194
    assert run.lengths == ({"step": 0, "num_steps": 194, "minutes": 2.0},)
    assert told[0].startswith("20 steps of 4 images took 500 ms each here (")
    assert told[0].endswith("an evaluation 10.00 s: 2 min are 194 steps")
    again, same = fit_length(config, run._replace(step=50, seconds=900.0), no_pace, tell=told.append)
    assert again.train.num_steps == 194 and same.lengths == run.lengths, "the same command goes on with the same run"
    assert len(told) == 1


def test_a_resumed_run_is_fitted_to_other_minutes_by_its_own_steps(tmp_path):
    run = fresh()._replace(step=100, seconds=50.0, lengths=({"step": 0, "num_steps": 200, "minutes": None},))
    told = []
    fitted, longer = fit_length(in_folder(tmp_path, LONG, minutes=3.0), run, no_pace, tell=told.append)
    assert fitted.train.num_steps == 100 + int((180 - 50) / 0.5) == 360
    assert longer.lengths[1:] == ({"step": 100, "num_steps": 360, "minutes": 3.0},)
    was, now = (learning_rate_at(100, replace(LONG, num_steps=number)) for number in (200, 360))
    assert told[-1] == (
        f"the schedule is fitted to 360 steps, 200 before: at step 100 the learning rate {was:.3g} becomes {now:.3g}"
    )
    shorter, _ = fit_length(in_folder(tmp_path, replace(CONFIG, num_steps=120)), longer, no_pace, tell=told.append)
    assert shorter.train.num_steps == 120 and "fitted to 120 steps, 360 before" in told[-1]


@pytest.mark.parametrize(
    ("num_steps", "minutes", "message"),
    [
        (99, None, "num_steps must be at least the 100 that are done, got 99"),
        (1000, 0.8, r"minutes 0\.8 are 100 steps here, and 100 are done \(100 steps took 50 s\): give more"),
    ],
)
def test_less_than_is_done_is_refused(tmp_path, num_steps, minutes, message):
    run = fresh()._replace(step=100, seconds=50.0, lengths=({"step": 0, "num_steps": 200, "minutes": None},))
    config = in_folder(tmp_path, replace(CONFIG, num_steps=num_steps), minutes=minutes)
    with pytest.raises(ValueError, match=message):
        fit_length(config, run, no_pace, tell=print)


def test_minutes_that_are_all_warm_up_are_refused(tmp_path):
    with pytest.raises(ValueError, match="minutes 0.1 are 1 steps here, and 2 of them are warm-up"):
        fit_length(in_folder(tmp_path, minutes=0.1), fresh(), lambda: Pace(4.0), tell=print)


def test_measuring_changes_nothing_of_the_run(tmp_path):
    run = fresh()
    before = deepcopy(run.unet.state_dict())
    data = Data(batches(), [], None, "", 10)
    pace = measure_pace(run.unet, in_folder(tmp_path), data, DIFFUSION, Processes())
    assert 0 < pace.step < 10 and pace.evaluation == 0 and pace.num_measured == 20
    assert all(torch.equal(before[name], value) for name, value in run.unet.state_dict().items())
    assert advance(run, CONFIG, 3)[1] == advance(fresh(), CONFIG, 3)[1], "and the run learns what it would have"
