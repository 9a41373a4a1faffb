"""What each notebook says of itself in its header: question, level, what comes before it, how long it takes.

Apart because the README, docs/teaching.md and the pages of the course all show it, and none of them types it: the first
two are written wherever times are, by `python -m sdm_lite.reproduce --refresh` and `--times`, and by `make tree`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from sdm_lite import markdown
from sdm_lite.files import write_whole
from sdm_lite.progress import duration
from sdm_lite.reproduce.committed import TIME_LINE
from sdm_lite.reproduce.course import NOTEBOOKS

LEVELS = ("beginner", "intermediate", "advanced")
LEVEL_LINE = re.compile(r"^\*\*Level\.\*\* (\w+)\. \*\*Before this\.\*\* (.+)\.$", re.MULTILINE)
QUESTION_LINE = re.compile(r"^\*\*Question\.\*\* (.+)$", re.MULTILINE)
MEASURED = re.compile(r"(?:(\d+) min )?(\d+(?:\.\d)?) s on ([^,]+?) \((\w+)\)")


@dataclass(frozen=True)
class Lesson:
    """What the header of a notebook says.

    Args:
        stem: the name of its file, without its ending.
        title: its heading, number first.
        question: that it answers.
        level: one of LEVELS; empty where it says none.
        before: what to have read, "00, 03" or "nothing".
        times: seconds by profile and device, as they were measured: {("quick", "2 CPU cores"): 48.0}.
    """

    stem: str
    title: str
    question: str
    level: str
    before: str
    times: dict[tuple[str, str], float]


def lesson(stem: str, notebook) -> Lesson:
    """What a notebook's header says; what it does not say is empty."""
    header = notebook.cells[0].source if notebook.cells else ""
    title, question = re.search(r"^# (.+)$", header, re.MULTILINE), QUESTION_LINE.search(header)
    level, line = LEVEL_LINE.search(header), TIME_LINE.search(header)
    times = {
        (profile, device): 60.0 * int(minutes or 0) + float(seconds)
        for minutes, seconds, device, profile in MEASURED.findall(line[2] if line else "")
    }
    return Lesson(
        stem,
        title[1].strip() if title else stem,
        question[1].strip() if question else "",
        level[1] if level else "",
        level[2] if level else "",
        times,
    )


def lessons(folder: Path = NOTEBOOKS) -> list[Lesson]:
    """What the notebooks of the course say of themselves, in order."""
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    return [lesson(path.stem, nbformat.read(path, as_version=4)) for path in paths]


def course_table(given: Sequence[Lesson], folder: str = "notebooks/") -> str:
    """The course as a table of Markdown: a link, the question, the time of a quick run, level, what comes before."""
    rows = []
    for one in given:
        quick = [seconds for (profile, _), seconds in one.times.items() if profile == "quick"]
        time = duration(quick[0]) if quick else "not measured"
        rows.append([f"[{one.title}]({folder}{one.stem}.ipynb)", one.question, time, one.level, one.before])
    return "\n".join(markdown.table(["notebook", "question", "time", "level", "before"], rows))


def times_table(given: Sequence[Lesson]) -> str:
    """Every time that was measured, a notebook a line and a profile on a device a column, with their sums."""
    columns = sorted({key for one in given for key in one.times}, key=lambda key: (key[0] != "quick", key))
    head = [f"{profile}, {device}" for profile, device in columns]
    rows = []
    for one in given:
        cells = [duration(one.times[key]) if key in one.times else "not measured" for key in columns]
        rows.append([one.title, *cells])
    sums = []
    for key in columns:
        measured = [one.times[key] for one in given if key in one.times]
        sums.append(f"{duration(sum(measured))} ({len(measured)} of {len(given)})")
    return "\n".join(markdown.table(["notebook", *head], [*rows, ["together", *sums]]))


TABLES: dict[str, Callable[[Sequence[Lesson]], str]] = {"course": course_table, "times": times_table}
"""The tables that pages of the repository hold, by the name in their markers."""


def renewed(text: str, given: Sequence[Lesson]) -> str:
    """A page with what stands between the markers of each table made anew."""
    for name, table in TABLES.items():
        begin, end = (
            f"<!-- {name}: from the headers of the notebooks, by `make tree` -->\n",
            f"<!-- {name} ends here -->",
        )
        if begin in text:
            before, _, rest = text.partition(begin)
            text = f"{before}{begin}{table(given)}\n{end}{rest.partition(end)[2]}"
    return text


def write_tables(repository: Path) -> None:
    """Write the tables of the README and of docs/teaching.md anew, from the headers of the notebooks."""
    given = lessons(repository / "notebooks")
    for page in (repository / "README.md", repository / "docs" / "teaching.md"):
        text = page.read_text(encoding="utf-8")
        if (new := renewed(text, given)) != text:
            write_whole(page, new)
