"""The bar of a run: images a second of training alone, and lines where nobody watches."""

import time

from sdm_lite.train.bar import TrainingBar


def test_images_a_second_leave_pauses_out_and_lines_come_in_half_a_minute(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = TrainingBar(100, 0)
    now[0] += 4
    with bar.pause():
        now[0] += 1000
    assert bar.rate(20) == 5
    now[0] += 2
    assert bar.rate(20) == 10, "not since it was asked last"
    bar = TrainingBar(100, 0)
    for seconds in range(0, 70, 10):
        bar.tell("", f"{seconds} s", at_end=seconds == 50)
        now[0] += 10
    assert capsys.readouterr().err.split("\n") == ["40 s", "50 s", ""], "one in more than 30 s, and the last"
