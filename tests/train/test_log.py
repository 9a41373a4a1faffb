"""A log has a line for every stretch of steps, once, whatever happened; TensorBoard gets the same numbers."""

import json
import math
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from sdm_lite.train import Run, RunConfig, TrainConfig, TrainStep
from sdm_lite.train.log import Follower, Log, window_means


def step(number, loss=1.0, *, skipped=False, quartiles=(1.0, 2.0, math.nan, 4.0)):
    return TrainStep(number, loss, loss, 0.5, 2.0, 1e-3, quartiles, 0.9, skipped=skipped)


def test_a_line_is_the_mean_of_its_good_steps():
    line = window_means([step(1, 1.0), step(2, math.nan, skipped=True), step(3, 3.0, quartiles=(3.0,) * 4)])
    assert (line["step"], line["steps_averaged"], line["loss"]) == (3, 2, 2.0)
    assert line["simple_by_quartile"] == [2.0, 2.5, 3.0, 3.5]  # where a quarter had no example it is left out
    nothing = window_means([step(1, math.inf, skipped=True)])
    assert nothing["steps_averaged"] == 0 and math.isnan(nothing["loss"])


def follower(log, start=0, num_steps=4, num_skipped=0):
    config = RunConfig(log_steps=2, train=TrainConfig(num_steps=num_steps, batch_size=2))
    return Follower(log, config, Run(None, None, None, start, num_skipped=num_skipped), torch.device("cpu"))


def test_a_resumed_log_says_each_step_once(tmp_path):
    log = Log(tmp_path, 0)
    first = follower(log)
    for number in (1, 2, 3, 4):
        first.add(step(number), 1.0)
    log.close()
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 5, "lo')  # as a killed process leaves it
    log = Log(tmp_path, 2)  # the checkpoint was of step 2
    again = follower(log, start=2, num_skipped=1)
    for number in (3, 4):
        again.add(step(number, math.nan, skipped=True), 1.0)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert lines[1]["num_skipped"] == 3 and lines[1]["loss"] is None  # JSON has no nan


def test_where_nobody_watches_lines_are_printed(tmp_path, capsys):
    log = Log(tmp_path, 0)
    one = follower(log)
    for number in (1, 2, 3, 4):
        one.add(step(number), 1.0)
    one.bar.say("a line")
    log.close()
    told = capsys.readouterr().err
    assert "step 4 of 4: simple 1.0000, vlb 0.5000 bits/dim" in told and told.endswith("a line\n")
    follower(None).bar.say("said by another process")
    assert capsys.readouterr().err == ""


def test_tensorboard_gets_the_same_numbers_where_it_is_installed(tmp_path, monkeypatch):
    written = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            written.append("closed")

    stand_in = ModuleType("torch.utils.tensorboard")
    stand_in.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    log = Log(tmp_path, 2)
    log.write({"step": 4, "loss": 1.5, "simple_by_quartile": [1.0, 2.0], "evaluation": {"FID": 3.0}, "word": "x"})
    log.close()
    assert written[0] == (str(tmp_path / "tensorboard"), 3) and written[-1] == "closed"
    scalars = {("loss", 1.5, 4), ("simple_by_quartile/2", 2.0, 4), ("evaluation/FID", 3.0, 4)}
    assert scalars <= set(written[1:-1]) and not any("word" in one for one in written[1:-1])


def test_tensorboard_reads_back_what_was_written_each_step_once(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    picture = np.full((4, 6, 3), 200, np.uint8)
    for start in (0, 4):  # the second run goes on from the checkpoint of step 4
        log = Log(tmp_path, start)
        one = follower(log, start=start, num_steps=8)
        for number in range(start + 1, 7 if start == 0 else 9):
            one.add(step(number, loss=number + 10 * start, quartiles=(1.0, 2.0, 3.0, 4.0)), 1.0)
        log.write({"step": start + 4, "evaluation": {"FID (Scenes judge)": 3.0}, "still_improving": True})
        log.picture("samples", picture, start + 4)
        log.close()
    board = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    quartiles = {f"simple_by_quartile/{quarter}" for quarter in (1, 2, 3, 4)}
    wanted = {"loss", "simple", "vlb", "gradient_norm", "learning_rate", "ema_decay", "images_per_second", "memory_gib"}
    wanted |= {"evaluation/FID (Scenes judge)", "still_improving", "num_skipped", "seconds", "steps_averaged"}
    assert set(board.Tags()["scalars"]) == wanted | quartiles and board.Tags()["images"] == ["samples"]
    # Step 6 of the run that was stopped is not shown beside the step 6 of the one that went on.
    assert [(one.step, one.value) for one in board.Scalars("loss")] == [(2, 1.5), (4, 3.5), (6, 45.5), (8, 47.5)]
    assert [one.value for one in board.Scalars("simple_by_quartile/3")] == [3.0] * 4
    assert [one.step for one in board.Images("samples")] == [4, 8]


def test_without_tensorboard_nothing_is_missed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    log = Log(tmp_path, 0)
    log.write({"step": 1})
    log.picture("samples", None, 1)
    log.close()
    assert not (tmp_path / "tensorboard").exists()


def test_a_bar_is_drawn_where_somebody_watches(tmp_path, monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    log = Log(tmp_path, 0)
    one = follower(log)
    for number in (1, 2, 3, 4):
        one.add(step(number, skipped=number == 2), 1.0)
    one.bar.say("a line")
    one.close()
    log.close()
    told = capsys.readouterr().err
    assert "4/4" in told and "1 skipped" in told and "GiB" in told and "a line" in told
