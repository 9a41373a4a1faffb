"""What the check says of an answer that is missing, raises, or is of another kind; hints one at a time."""

import re
import signal
import threading
import time

import pytest
import torch

from sdm_lite.exercises import Exercise, Lesson, Slip, exercise
from sdm_lite.exercises.exercise import difference, on

X = torch.tensor([1.0, 2.0])
DOUBLE = Exercise(
    title="double",
    level="easy",
    hints=("More.", "Twice."),
    right=lambda x, y: 2 * x,
    slips=(Slip(lambda x, y: x + 2, "that adds."),),
    ask=on((X, X), (5 * X, X)),
    remark="As the package does.",
)


@pytest.fixture
def lesson():
    return Lesson((DOUBLE, Exercise("a number", "open", ("One.", "Two."), right=3.5)))


def not_begun(x, y): ...


def half_begun(x, y):
    x = 2 * x
    y = ...
    return x + y


def misspelt(x, y):
    z = 2 * x
    return z + len.zz


def asks_for_help(x, y):
    return torch.cat([x, y[None]])


@pytest.mark.parametrize(
    "answer, told",
    [
        (None, r"Not answered yet\.\n"),
        (..., r"Not answered yet\.\n"),
        (not_begun, r"Not answered yet: line \d+ of the cell still has its `\.\.\.`\.\n"),
        (half_begun, r"Not answered yet: line \d+ of the cell still has its `\.\.\.`\.\n"),
        (lambda x, y: None, r"Not answered yet: it returns None, so something is still to be returned\.\n"),
        (lambda x, y: 2 * x[...], r"Right\. As the package does\.\n$"),
        (lambda x, y: x + 2, r"Not yet: that adds\.\n"),
        (lambda x, y: 3 * x, r"Not yet: off by up to 2 \(case 1 of 2\)\n"),
        (lambda x, y: 2 * x[None], r"Not yet: expected shape \(2,\), got \(1, 2\) \(case 1 of 2\)\n"),
        (lambda x, y: x > 0, r"Not yet: expected a tensor \(2,\) of float32, got a tensor \(2,\) of bool"),
        (lambda x, y: "2 x", r"Not yet: expected a tensor \(2,\) of float32, got '2 x'"),
        (lambda x, y: x / 0, r"Not yet: nan or infinite numbers came out \(case 1 of 2\)\n"),
        (misspelt, r"Not yet: line \d+ stopped: `return z \+ len\.zz`\n    AttributeError: .* no attribute 'zz'\n"),
        (asks_for_help, r"Not yet: line \d+ stopped: `return torch\.cat\(.*`\n    RuntimeError: Tensors must"),
        (lambda x: 2 * x, r"Not yet: it could not be tried; are its arguments those .*\n    TypeError: .*2 were"),
        (3, r"Not yet: it could not be tried; .*\n    TypeError: 'int' object is not callable\n"),
    ],
)  # fmt: skip
def test_what_is_said_is_a_line_or_two(lesson, answer, told, capsys):
    lesson.check(1, answer)
    said = capsys.readouterr().out
    assert re.match(told, said), said
    assert said.startswith("Right") or said.endswith("\nhint(1) gives a hint.\n")
    assert len(said.splitlines()) <= 3


def test_the_line_is_that_of_the_answer_where_a_call_deep_below_raises(lesson, capsys):
    def below(x):
        return helper_that_fails(x)

    lesson.check(1, lambda x, y: below(x))
    assert "`raise KeyError(x)`" in capsys.readouterr().out  # the reader's own last line: the helper is in the cell too


def helper_that_fails(x):
    raise KeyError(x)


def test_an_answer_may_write_into_what_it_is_given(lesson, capsys):
    lesson.check(1, lambda x, y: x.mul_(2))
    lesson.check(1, lambda x, y: x.mul_(2))
    assert capsys.readouterr().out == "Right. As the package does.\n" * 2


def test_a_value_is_not_given_away(lesson, capsys):
    lesson.check(2, 3.4)
    assert capsys.readouterr().out == "Not yet.\nhint(2) gives a hint.\n"


def test_strict_raises_and_an_interrupt_passes(lesson):
    with pytest.raises(ValueError, match="exercise 2: expected an answer that passes its check, got: Not yet"):
        lesson.check(2, 3.4, strict=True)
    with pytest.raises(ValueError, match="exercise 1: .*Not answered yet"):
        lesson.check(1, not_begun, strict=True)

    def interrupted(x, y):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lesson.check(1, interrupted)


@pytest.fixture
def short_limit(monkeypatch):
    monkeypatch.setattr(exercise, "MAX_SECONDS", 0.2)


def endless(x, y):
    while True:
        try:
            x = x + 1
        except Exception:
            pass


def helped(x, y):
    return endless(x, y)


has_alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no SIGALRM here: nothing ends a loop")


@has_alarm
@pytest.mark.parametrize("answer", [endless, helped])
def test_an_endless_loop_is_stopped_and_the_line_told(lesson, answer, short_limit, capsys):
    handler = signal.getsignal(signal.SIGALRM)
    lesson.check(1, answer)
    told = r"Not yet: stopped after 0\.2 s, at line \d+: `.+`\. Is there a loop without end\?\n"
    assert re.fullmatch(told + r"hint\(1\) gives a hint\.\n", capsys.readouterr().out)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0 and signal.getsignal(signal.SIGALRM) is handler


@has_alarm
def test_an_answer_in_time_leaves_no_alarm_behind(lesson, short_limit, capsys):
    lesson.check(1, lambda x, y: 2 * x)
    time.sleep(0.3)  # an alarm left on would end this
    assert capsys.readouterr().out == "Right. As the package does.\n"


def test_where_no_alarm_can_be_had_an_answer_is_tried_all_the_same(lesson, short_limit, monkeypatch, capsys):
    def slow(x, y):
        time.sleep(0.3)
        return 2 * x

    thread = threading.Thread(target=lesson.check, args=(1, slow))
    thread.start()
    thread.join()
    monkeypatch.delattr(signal, "SIGALRM", raising=False)
    lesson.check(1, slow)
    assert capsys.readouterr().out == "Right. As the package does.\n" * 2


def test_a_hint_button_is_offered_after_a_wrong_answer_alone(lesson, monkeypatch, capsys):
    offered = []
    monkeypatch.setattr(exercise, "offer", lambda name, more: offered.append((name, more)))
    lesson.check(1, lambda x, y: 2 * x)
    assert offered == []
    lesson.check(1, lambda x, y: x)
    ((name, more),) = offered
    assert name == "Hint for exercise 1" and (more(), more()) == ("Hint 1 of 2: More.", "Hint 2 of 2: Twice.")
    lesson.hint(1)  # button and call count together
    assert capsys.readouterr().out.endswith("Hint 1 of 2: More.\nhint(1) again for the next.\n")


def test_how_many_numbers_are_asked_for_is_said(capsys):
    pair = Lesson((Exercise("a pair", "easy", ("One.", "Two."), right=(1.0, 2.0)),))
    for answer, told in ((1.0, "Not yet: expected 2 things, got 1.0"), ((1.0, 3.0), "Not yet.")):
        pair.check(1, answer)
        assert capsys.readouterr().out.splitlines()[0] == told


def test_hints_come_one_at_a_time_and_begin_anew(lesson, capsys):
    for _ in range(3):
        lesson.hint(1)
    assert capsys.readouterr().out == (
        "Hint 1 of 2: More.\nhint(1) again for the next.\nHint 2 of 2: Twice.\nThat was the last.\n"
        "Hint 1 of 2: More.\nhint(1) again for the next.\n"
    )


@pytest.mark.parametrize("number", [0, 3, True, "1"])
def test_there_is_no_such_exercise(lesson, number):
    for ask in (lesson.hint, lambda number: lesson.check(number, 1)):
        with pytest.raises(ValueError, match=f"exercise: expected a number in 1..2, got {number!r}"):
            ask(number)


def test_an_exercise_needs_a_level_and_two_hints():
    for level, hints in (("hard", ("a", "b")), ("easy", ("a",))):
        with pytest.raises(ValueError, match="two hints or more"):
            Exercise("x", level, hints, right=1)


def test_numbers_tensors_and_texts_are_compared():
    assert difference((1, 2.0), (1.0, 2)) == "" and difference([X, "a"], (X.numpy(), "a")) == ""
    assert difference((1, 3.0), (1.0, 2)) == "off by up to 1 (number 2 of 2)"
    assert difference([(1, 2), (1, 5)], [(1, 2), (1, 2)]) == "off by up to 3 (number 2 of 2, case 2 of 2)"
    assert difference(1, (1, 2)) == "expected 2 things, got 1" and difference({}, {"a": 1}) == "got {}"
