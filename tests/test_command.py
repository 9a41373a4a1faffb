"""Every command ends alike: done, refused in one line, or interrupted."""

import pytest

from sdm_lite.command import check_device, default_device, run


@pytest.mark.parametrize("returned, status", [(None, 0), (0, 0), (1, 1)])
def test_what_the_work_returns_is_the_status(returned, status, capsys):
    assert run(lambda: returned) == status and capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ValueError("size must be 8, got 7"), FileNotFoundError("size must be 8, got 7")])
def test_bad_input_is_one_line_and_2(error, capsys):
    def work():
        raise error

    assert run(work) == 2 and capsys.readouterr().err == "error: size must be 8, got 7\n"


def test_a_mistake_of_ours_is_not_taken_for_one_of_the_user():
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


def test_an_interruption_says_what_happens_next(capsys):
    def work():
        raise KeyboardInterrupt

    assert run(work, interrupted="interrupted; go on") == 130 and capsys.readouterr().err == "interrupted; go on\n"


def test_a_device_that_is_not_there_is_told():
    check_device(None)
    check_device(default_device())
    with pytest.raises(ValueError, match="device 'tpu9' cannot be used here .*: give --device cpu"):
        check_device("tpu9")
