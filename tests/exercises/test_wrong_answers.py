"""What readers get wrong, written as they would write it: the check rejects each and says what slipped.

The wrong answers are in wrong_answers/, a file a lesson, under the name of the lesson's exercises.
"""

import runpy
from importlib import import_module
from pathlib import Path

import pytest

from sdm_lite.exercises import exercise

WRONG = {
    path.stem: runpy.run_path(str(path))["WRONG"] for path in sorted(Path(__file__).parent.glob("wrong_answers/*.py"))
}
LESSONS = {lesson: import_module(f"sdm_lite.exercises.{lesson}").LESSON for lesson in WRONG}


@pytest.mark.parametrize(
    "lesson, number, answer, words",
    [pytest.param(lesson, *one, id=f"{lesson}-{one[0]}-{one[2]}") for lesson, wrong in WRONG.items() for one in wrong],
)
def test_the_check_rejects_it_and_says_what_slipped(lesson, number, answer, words, capsys):
    LESSONS[lesson].check(number, answer)
    told = capsys.readouterr().out
    is_prediction = LESSONS[lesson].exercises[number - 1].is_prediction  # of which nothing is "not yet" right
    assert told.startswith("Not yet") != is_prediction
    assert words in told and told.endswith(f"hint({number}) gives a hint.\n")
    assert len(told.splitlines()) <= 3
    with pytest.raises(ValueError, match=f"exercise {number}: expected an answer that passes"):
        LESSONS[lesson].check(number, answer, strict=True)


def test_every_exercise_has_two_wrong_answers_or_more():
    files = {path.stem for path in Path(exercise.__file__).parent.glob("*.py")} - {"__init__", "exercise"}
    assert files == set(WRONG)
    for lesson, wrong in WRONG.items():
        numbers = [number for number, *_ in wrong]
        for number in range(1, len(LESSONS[lesson].exercises) + 1):
            assert numbers.count(number) >= 2, (lesson, number)


@pytest.mark.parametrize(
    "lesson, number, slip",
    [
        pytest.param(lesson, number, slip, id=f"{lesson}-{number}-{slip}")
        for lesson, one in LESSONS.items()
        for number, task in enumerate(one.exercises, start=1)
        for slip in range(len(task.slips))
    ],
)
def test_every_known_slip_gets_its_own_hint(lesson, number, slip):
    task = LESSONS[lesson].exercises[number - 1]
    hint = task.slips[slip].hint
    words = hint[0].upper() + hint[1:] if task.is_prediction else f"Not yet: {hint}"
    assert exercise.judge(task, task.slips[slip].answer) == (False, words)
