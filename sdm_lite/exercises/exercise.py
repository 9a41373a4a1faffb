"""Exercises that look at what the reader wrote: a check that says what slipped, and hints one at a time.

Apart from the lessons' exercises, each of which is a file beside this one, because nothing here knows diffusion. An
answer is a function or a value. It is asked for what an exercise wants to see of it, its observation, and so is what is
right, and so are slips that people make: whose observation it shares, that it is.
"""

from __future__ import annotations

import ast
import inspect
import re
import signal
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.progress import is_notebook

LEVELS = ("easy", "medium", "open")
MAX_WIDTH = 110  # of a line that is quoted
PLACE = re.compile(r"\((case|number) \d+ of \d+[^()]*\)$")  # at the end of what is told of a difference
MAX_SECONDS = 20.0  # that an answer may take; the slowest right one takes about one


class Slip(NamedTuple):
    """A wrong answer that one can come by honestly, and what to say to whoever gives it."""

    answer: Any
    hint: str


def itself(answer: Any) -> Any:
    """The observation of an answer that is a value: the value."""
    return answer


def on(*cases: tuple) -> Callable[[Callable[..., Any]], list]:
    """What a function answers in each of some cases, each a tuple of its arguments, of which it gets copies."""

    def ask(answer: Callable[..., Any]) -> list:
        return [answer(*(copied(value) for value in case)) for case in cases]

    return ask


def copied(value: Any) -> Any:
    """A tensor or array that the reader may write into; anything else as it is."""
    if isinstance(value, Tensor):
        return value.clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers that are the same whenever they are asked for: float32, on the CPU."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed), dtype=torch.float32, device="cpu")


def steps(*values: int) -> Tensor:
    """Timesteps, or other whole numbers, as (B,) int64 on the CPU."""
    return torch.tensor(values, dtype=torch.int64, device="cpu")


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        title: as the notebook's heading has it.
        level: "easy", "medium" or "open".
        hints: two or more, from a nudge to nearly all.
        right: what is right, of the kind that the reader gives: a function or a value. None where `accepts` decides.
        slips: wrong answers that are known by what they give.
        ask: from an answer to its observation: tensors, arrays, numbers, texts, or lists and tuples of these.
        accepts: whether an observation is right; None = it is, where it is that of `right`.
        tolerance: how far numbers may lie apart, relative and absolute.
        tell: what to say of an observation that is wrong and no known slip; "" or None = how it differs.
        remark: what is said of a right answer.
        is_prediction: whether it asks for what the reader expects; of that nothing is "not yet" right.
    """

    title: str
    level: str
    hints: tuple[str, ...]
    right: Any = None
    slips: tuple[Slip, ...] = ()
    ask: Callable[[Any], Any] = itself
    accepts: Callable[[Any], bool] | None = None
    tolerance: float = 1e-4
    tell: Callable[[Any], str] | None = None
    remark: str = ""
    is_prediction: bool = False
    known: dict[int, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.level not in LEVELS or len(self.hints) < 2:
            got = f"{self.level!r} and {len(self.hints)}"
            raise ValueError(f"{self.title}: expected a level of {LEVELS} and two hints or more, got {got}")

    def is_right(self, seen: Any) -> bool:
        """Whether an observation is that of a right answer."""
        if self.accepts is not None:
            return bool(self.accepts(seen))
        return difference(seen, self.expected(), self.tolerance) == ""

    def expected(self, slip: int = -1) -> Any:
        """The observation of what is right, or of a slip by its number; asked for once, as it may take a while."""
        if slip not in self.known:
            self.known[slip] = self.ask(self.right if slip < 0 else self.slips[slip].answer)
        return self.known[slip]

    def fault(self, seen: Any) -> str:
        """What to say of an observation that is not right."""
        for number, slip in enumerate(self.slips):
            if difference(seen, self.expected(number), self.tolerance) == "":
                return slip.hint
        told = self.tell(seen) if self.tell else ""
        if told or self.right is None:
            return told
        if not callable(self.right):  # how far off a value is would give it away; of how many numbers it is, would not
            return miscounted(seen, self.right)
        return difference(seen, self.expected(), self.tolerance)


@dataclass
class Lesson:
    """The exercises of a lesson, numbered from 1 in the order in which its notebook has them.

    Attributes:
        exercises: in that order.
        shown: how many hints of each exercise were given so far.
    """

    exercises: Sequence[Exercise]
    shown: dict[int, int] = field(default_factory=dict)

    def find(self, number: int) -> Exercise:
        """An exercise by its number; ValueError if there is none."""
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(self.exercises):
            raise ValueError(f"exercise: expected a number in 1..{len(self.exercises)}, got {number!r}")
        return self.exercises[number - 1]

    def check(self, number: int, answer: Any, *, strict: bool = False) -> None:
        """Says in a line or two whether an answer is right, and if not, where it slipped. It raises nothing.

        Args:
            number: of the exercise in its notebook.
            answer: the function or value itself; what it raises is caught and told with the line that raised it.
            strict: raise instead. For the teacher's edition and the tests, so that a run proves the answers.

        Raises:
            ValueError: if there is no such exercise; in strict mode, if the answer is missing or wrong.
        """
        right, words = judge(self.find(number), answer)
        if right:
            print(words)
        elif strict:
            raise ValueError(f"exercise {number}: expected an answer that passes its check, got: {words}")
        else:
            print(f"{words}\nhint({number}) gives a hint.")
            offer(f"Hint for exercise {number}", lambda: self.next_hint(number))

    def hint(self, number: int) -> None:
        """Prints the next hint of an exercise; after the last one, the first again."""
        last = self.shown.get(number, 0) % len(self.find(number).hints) + 1 == len(self.find(number).hints)
        print(f"{self.next_hint(number)}\n{'That was the last.' if last else f'hint({number}) again for the next.'}")

    def next_hint(self, number: int) -> str:
        """The next hint of an exercise, which then counts as given; after the last one, the first again."""
        hints = self.find(number).hints
        now = self.shown.get(number, 0) % len(hints)
        self.shown[number] = now + 1
        return f"Hint {now + 1} of {len(hints)}: {hints[now]}"


def offer(name: str, more: Callable[[], str]) -> None:
    """Shows a button for one more line of text, where somebody can press it; nothing outside of a live notebook."""
    if is_notebook():
        from sdm_lite.widgets.more_button import show_more_button  # a lesson without widgets needs no ipywidgets

        show_more_button(name, more)


class TimeIsUp(BaseException):
    """An answer ran for too long. No Exception, so that an answer's own `except Exception` lets it pass."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Ends a block that runs for longer, between two steps of Python, by TimeIsUp.

    Nothing is done where it cannot be: without SIGALRM (Windows), outside of the main thread, or where somebody else
    has set an alarm.
    """
    main = threading.current_thread() is threading.main_thread()
    if not hasattr(signal, "SIGALRM") or not main or signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(exercise: Exercise, answer: Any) -> tuple[bool, str]:
    """Whether an answer is right, and what is said of it."""
    hole = "" if not inspect.isfunction(answer) else first_hole(answer)
    if is_missing(answer) or hole:
        return False, f"Not answered yet{hole}."
    try:
        with time_limit(MAX_SECONDS):
            seen = exercise.ask(answer)
    except TimeIsUp as error:
        where = at(error, answer)
        late = f"stopped after {MAX_SECONDS:g} s{where and ', at ' + where}"
        return False, f"Not yet: {late}. Is there a loop without end?"
    except Exception as error:  # whatever an answer can raise
        return False, f"Not yet: {raised(error, answer)}"
    if is_missing(seen):
        return False, "Not answered yet: it returns None, so something is still to be returned."
    try:
        right = exercise.is_right(seen)
        words = "" if right else exercise.fault(seen)
    except Exception as error:  # of an answer of a kind that nobody thought of
        right, words = False, f"it is of another kind than asked for ({quoted(str(error))})"
    if right:
        return True, " ".join(["Right.", exercise.remark]).rstrip()
    if exercise.is_prediction and words:
        return False, words[0].upper() + words[1:]
    return False, f"Not yet: {words}" if words else "Not yet."


def is_missing(seen: Any) -> bool:
    """Whether an answer or its observation is not there yet: None, `...`, or a list of these."""
    if isinstance(seen, list | tuple):
        return len(seen) > 0 and any(is_missing(one) for one in seen)
    return seen is None or seen is ...


def first_hole(function: Callable[..., Any]) -> str:
    """Where a function still has a `...` to be filled in; "" if nowhere, or if it has no source.

    The `...` of an index, as in x[..., 0], is none.
    """
    try:
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return ""
    indices = {id(node) for index in ast.walk(tree) if isinstance(index, ast.Subscript) for node in ast.walk(index)}
    holes = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value is ... and id(node) not in indices
    ]
    return f": line {start + min(holes) - 1} of the cell still has its `...`" if holes else ""


def raised(error: Exception, answer: Any) -> str:
    """What an answer raised, in two lines: its own last line on the way to the error, and the error."""
    message = f"{type(error).__name__}: {quoted(str(error))}"
    where = at(error, answer)
    if not where:
        return f"it could not be tried; are its arguments those of the task?\n    {message}"
    return f"{where.replace(':', ' stopped:', 1)}\n    {message}"


def at(error: BaseException, answer: Any) -> str:
    """The answer's own last line on the way to an error, "line 3: `...`"; "" if it is not on the way."""
    own = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f"line {frames[-1].lineno}: `{quoted(frames[-1].line or '')}`" if frames else ""


def quoted(text: str) -> str:
    """The first line of a text that says something, at most MAX_WIDTH characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= MAX_WIDTH else line[: MAX_WIDTH - 4] + " ..."


def miscounted(seen: Any, expected: Any) -> str:
    """What to say of one number where several are asked for, or of too many; "" where their count is right."""
    if not isinstance(expected, list | tuple):
        return ""
    try:
        count = len(seen)
    except TypeError:
        count = 1
    return f"expected {len(expected)} things, got {describe(seen)}" if count != len(expected) else ""


def difference(seen: Any, expected: Any, tolerance: float = 1e-4) -> str:
    """How an observation differs from the expected one, in words; "" where it does not.

    Numbers, arrays and tensors are compared by value, within the tolerance; where a number stands for several cases,
    the first one that differs is told.
    """
    if isinstance(expected, list | tuple):
        if not isinstance(seen, list | tuple) or len(seen) != len(expected):
            return f"expected {len(expected)} things, got {describe(seen)}"
        kind = "case" if isinstance(expected, list) else "number"  # `on` makes a list, an answer of several a tuple
        for i, (one, wanted) in enumerate(zip(seen, expected, strict=True)):
            told = difference(one, wanted, tolerance)
            if told:
                if len(expected) == 1:
                    return told
                which = f"{kind} {i + 1} of {len(expected)})"
                return f"{told[:-1]}, {which}" if PLACE.search(told) else f"{told} ({which}"
        return ""
    if isinstance(expected, str | dict | set | bool):
        return "" if type(seen) is type(expected) and seen == expected else f"got {describe(seen)}"
    return _difference_of_numbers(seen, expected, tolerance)


def _difference_of_numbers(seen: Any, expected: Any, tolerance: float) -> str:
    if not isinstance(seen, Tensor | np.ndarray | np.generic | int | float):
        return f"expected {describe(expected)}, got {describe(seen)}"
    seen_, expected_ = (torch.as_tensor(value).detach().cpu() for value in (seen, expected))
    if seen_.shape != expected_.shape:
        return f"expected shape {tuple(expected_.shape)}, got {tuple(seen_.shape)}"
    if isinstance(expected, Tensor) and seen_.is_floating_point() != expected_.is_floating_point():
        return f"expected {describe(expected)}, got {describe(seen)}"
    seen_, expected_ = seen_.double(), expected_.double()
    if not bool(seen_.isfinite().all()) and bool(expected_.isfinite().all()):
        return "nan or infinite numbers came out"
    if torch.allclose(seen_, expected_, rtol=tolerance, atol=tolerance, equal_nan=True):
        return ""
    return f"off by up to {(seen_ - expected_).abs().max().item():.3g}"


def describe(value: Any) -> str:
    """What kind of thing a value is, for a message."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{quoted(repr(value))}"
