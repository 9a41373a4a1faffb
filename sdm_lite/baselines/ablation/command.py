"""`python -m sdm_lite.baselines table4`: train, draw, score and tell; several runs side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from sdm_lite.baselines.ablation import page
from sdm_lite.baselines.ablation.readings import SCALES, is_measured, read
from sdm_lite.baselines.ablation.runs import FULL_STEPS, PARTS, SEEDS, Run, all_runs, train
from sdm_lite.command import check_device, default_device
from sdm_lite.files import check_writable_folder, expanded
from sdm_lite.side_by_side import side_by_side


def add_table4(commands: argparse._SubParsersAction) -> None:
    """Add `table4` to the commands of `python -m sdm_lite.baselines`."""
    table4 = commands.add_parser(
        "table4",
        help="labels through SPADE against labels at the input, guided and not (Table 4)",
        description="Train SDM and the concatenation network on Scenes, three seeds each, at equal weights and equal "
        "steps or equal time; draw 512 test layouts guided and unguided; score them; write the stored run table4. What "
        "is finished is kept in the output folder and not done again, so that it may be stopped at any time.",
    )
    table4.add_argument("--output", default="runs/table4", help="runs, samples and readings are kept here")
    table4.add_argument("--sizes", nargs="+", type=int, choices=sorted(FULL_STEPS), default=sorted(FULL_STEPS))
    table4.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=["table", "curve", "classes"],
        help="the table itself, shorter trainings, other numbers of classes, ten times the training (for a GPU); "
        "default: all but the last",
    )
    table4.add_argument("--seeds", nargs="+", type=int, choices=SEEDS, default=list(SEEDS), help="default: all")
    table4.add_argument(
        "--device",
        default=default_device(),
        help="where to train, draw and judge (default %(default)s); equal time is that of one thread on every device",
    )
    table4.add_argument("--workers", type=int, default=2, help="runs side by side, one thread each (default 2)")
    table4.add_argument("--write", action="store_true", help="measure nothing, tell what is there")
    table4.set_defaults(run=run_table4)


class Job(NamedTuple):
    """A run to be trained, drawn and read, where, and on which device."""

    run: Run
    output: Path
    device: str


def work(job: Job) -> None:
    """Train, draw and read one run."""
    if not is_measured(job.run, job.output):
        train(job.run, job.output, job.device)
    for scale in SCALES:
        read(job.run, scale, job.output, job.device)


def run_table4(arguments: argparse.Namespace) -> None:
    """Measure what is missing of Table 4, and tell it.

    Raises:
        ValueError: before any work, if a number is out of range.
        OSError: after all other work, if a run failed.
    """
    failed: list[str] = []
    output = expanded(arguments.output)
    if arguments.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {arguments.workers}")
    if not arguments.write:
        check_device(arguments.device)
        check_writable_folder(output)
        runs = all_runs(arguments.sizes, arguments.parts, arguments.seeds)
        jobs = [Job(run, output, arguments.device) for run in runs]
        failed = side_by_side(
            work, jobs, workers=arguments.workers, name=lambda job: job.run.name, cost=lambda job: job.run.cost
        )
    print("\n".join(page.lines(output)))
    print(f"wrote {page.store(output)}")
    if failed:
        raise OSError(f"{len(failed)} runs failed, the others are kept: {'; '.join(failed)}")
