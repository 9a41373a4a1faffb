"""How long a move of the slider takes: from its new value to the new picture, as HTML, without the browser's own time.

The student's panel with 4, 2 and 1 evaluations, a stroke on its way in the painter, and beside them the teacher's 25
guided steps. Weights are random if no student is named: time does not depend on them.

    python benchmarks/redraw.py [--student FILE] [--repeats 50] [--processor-time] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ["SDM_LITE_STATIC"] = "0"  # widgets, though no browser looks

import torch

from sdm_lite import Model, Scenes, load_model
from sdm_lite.student import LANDINGS, Student
from sdm_lite.widgets import LabelPainter, SampleSettings, StudentPanel

STROKE = {"kind": "brush", "label": 10, "diameter": 3, "unfinished": True}


def milliseconds(move: Callable[[int], object], repeats: int, clock: Callable[[], float]) -> list[float]:
    """How long each of some moves took; the first is dropped."""
    taken = []
    for number in range(repeats + 1):
        start = clock()
        move(number)
        taken.append(1000 * (clock() - start))
    return sorted(taken[1:])


def moves(student: Model, teacher: Model) -> dict[str, Callable[[int], object]]:
    """What is measured, by name."""
    scenes, found = Scenes(32, seed=1), {}
    for num_steps in LANDINGS:
        panel = StudentPanel(student, teacher, scenes, [12, 4], num_steps=num_steps)

        def scrub(number: int, panel: StudentPanel = panel) -> None:
            panel._scale.value = 1.0 + 0.05 * (number % 40)

        found[f"slider, student, {num_steps} evaluations"] = scrub
    both = StudentPanel(student, teacher, scenes, [12, 4])
    both._shown.value = "teacher"

    def ask_teacher(number: int) -> None:
        both._scale.value = 1.05 + 0.05 * (number % 38)
        both.wait()

    painter = LabelPainter(student, scenes, [12, 4], settings=SampleSettings(num_steps=4))

    def paint(number: int) -> None:
        painter.gesture({**STROKE, "places": [[20, 4], [20, 5 + number % 20]]})
        painter.wait()

    both.wait(), painter.wait()  # what they draw at first must not run beside what is measured
    return found | {"brush on its way, student, 4 evaluations": paint, "slider, teacher, 25 steps": ask_teacher}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", help="a shipped name or a file (default: one of random weights)")
    parser.add_argument("--repeats", type=int, default=50, help="moves of each (default %(default)s)")
    parser.add_argument("--processor-time", action="store_true", help="count that, where other jobs run beside it")
    parser.add_argument("--markdown", type=Path, help="also write the table here")
    args = parser.parse_args()
    teacher = load_model("scenes-32")
    student = (
        load_model(args.student) if args.student else Model(Student(teacher.unet.config).eval(), teacher.diffusion)
    )
    hardware = f"CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(hardware)
    lines = [f"{hardware}; {args.repeats} moves of each.", "", "| a move | median | 95 % within |", "|---|---|---|"]
    for name, move in moves(student, teacher).items():
        taken = milliseconds(move, args.repeats, time.process_time if args.processor_time else time.perf_counter)
        late = taken[int(0.95 * (len(taken) - 1))]
        lines.append(f"| {name} | {statistics.median(taken):.0f} ms | {late:.0f} ms |")
        print(lines[-1], flush=True)
    if args.markdown:
        args.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
