"""`python -m sdm_lite.baselines table1`: train, draw, score and tell; several runs side by side."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sdm_lite.baselines.comparison import page
from sdm_lite.baselines.comparison.plane import draw_planes
from sdm_lite.baselines.comparison.readings import is_read, load, measure_true_pictures, read, scales_of
from sdm_lite.baselines.comparison.results import results, store
from sdm_lite.baselines.comparison.runs import (
    GANS,
    GANS_OF_SIZE,
    PARTS,
    SDM,
    SEEDS,
    TABLE,
    WITHOUT,
    Run,
    all_runs,
    train,
)
from sdm_lite.baselines.gan import SYSTEMS
from sdm_lite.command import check_device, check_packages, default_device
from sdm_lite.files import check_writable, check_writable_folder, expanded, write_whole
from sdm_lite.ledger.evidence import EVIDENCE_DIR
from sdm_lite.progress import duration
from sdm_lite.side_by_side import side_by_side
from sdm_lite.viz import draw_for_files


def add_table1(commands: argparse._SubParsersAction) -> None:
    """Add `table1` to the commands of `python -m sdm_lite.baselines`."""
    parser = commands.add_parser(
        "table1",
        help="nine GANs beside SDM and the truth (Tables 1 and 3)",
        description="Train SDM and the GANs on Scenes for an equal time, draw 512 test layouts, score them; write the "
        "stored run table1. What is finished is kept in the output folder and not done again, so that it may be "
        "stopped at any time; a table of some systems and seeds is a table of these.",
    )
    parser.add_argument("--output", default="runs/table1", help="runs, pictures and readings are kept here")
    parser.add_argument(
        "--table4", default="runs/table4", help="folder of that command: SDM's runs are taken from it where it has them"
    )
    parser.add_argument("--sizes", nargs="+", type=int, choices=sorted(GANS_OF_SIZE), default=[32])
    parser.add_argument(
        "--systems",
        nargs="+",
        choices=[SDM, *SYSTEMS],
        default=[SDM, *(name for name in GANS if name in SYSTEMS)],
        metavar="SYSTEM",
        help=f"{SDM}, {', '.join(SYSTEMS)} (default: all)",
    )
    parser.add_argument("--seeds", nargs="+", type=int, choices=SEEDS, default=list(SEEDS), help="default: all")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=[TABLE, WITHOUT],
        help="the table, the same without the perceptual term, an hour's training; default: the first two",
    )
    parser.add_argument("--workers", type=int, default=2, help="runs side by side, one thread each (default 2)")
    parser.add_argument(
        "--device",
        default=default_device(),
        help="where to train, draw and judge (default %(default)s); equal time is that of one thread on every device",
    )
    parser.add_argument("--write", action="store_true", help="measure nothing, tell what is there")
    parser.add_argument("--page", help="also write the page here, and its figures into images/ beside it")
    parser.add_argument("--evidence", default=str(EVIDENCE_DIR), help="folder of the stored run")
    parser.set_defaults(run=table1_command)


class Job(NamedTuple):
    """A run to be trained, drawn and read; or, with None, the true pictures of a size."""

    run: Run | None
    size: int
    output: Path
    others: tuple[Path, ...]
    device: str

    @property
    def name(self) -> str:
        """In the line that tells of it."""
        return f"true pictures, {self.size} px" if self.run is None else self.run.name

    @property
    def cost(self) -> float:
        """For the time left."""
        return 0.0 if self.run is None else self.run.cost


def work(job: Job) -> str | None:
    """Do a job; how long a run took and what came of it, in words."""
    run, started = job.run, time.monotonic()
    if run is None:
        return measure_true_pictures(job.size, job.output, job.device)
    train(run, job.output, job.others, job.device)
    trained = time.monotonic()
    for scale in scales_of(run.system):
        read(run, scale, job.output, job.others, job.device)
    told = {scale: load(run, scale, job.output) for scale in scales_of(run.system)}
    found = "; ".join(
        f"FID {one['frechet'].value:.2f}, diversity {one['diversity'].value:.2f}, mIoU {one['miou'].value:.3f}"
        for one in told.values()
    )
    return f"{duration(trained - started)} to train, {duration(time.monotonic() - trained)} to read: {found}"


def jobs_for(runs: Sequence[Run], output: Path, others: Sequence[Path], device: str) -> list[Job]:
    """What is left to do, the truth of each size first: whoever is read needs it."""
    left = [run for run in runs if not is_read(run, output)]
    sizes = dict.fromkeys(run.size for run in left)
    truths = [Job(None, size, output, tuple(others), device) for size in sizes]
    return truths + [Job(run, run.size, output, tuple(others), device) for run in left]


def table1_command(arguments: argparse.Namespace) -> None:
    """Measure what is missing, and tell what is there.

    Raises:
        ValueError: before any work, if a number is out of range or a place cannot be written to.
        OSError: after all other work, if a run failed.
    """
    output, evidence = expanded(arguments.output), expanded(arguments.evidence)
    if arguments.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {arguments.workers}")
    check_writable_folder(evidence, option="--evidence")
    if arguments.page is not None:
        check_packages("matplotlib")
        check_writable(arguments.page, option="--page")
    failed: list[str] = []
    if not arguments.write:
        check_device(arguments.device)
        check_writable_folder(output)
        runs = all_runs(arguments.sizes, arguments.parts, arguments.seeds, arguments.systems)
        jobs = jobs_for(runs, output, [expanded(arguments.table4)], arguments.device)
        failed = side_by_side(
            work, jobs, workers=arguments.workers, name=lambda job: job.name, cost=lambda job: job.cost
        )
    path = store(output, evidence)
    found = results(output)
    if arguments.page is not None:
        draw_for_files()
        place = expanded(arguments.page)
        draw_planes(place.parent / "images", found)
        write_whole(place, page.page(found, "images"))
    print("\n".join(page.tables(found)))
    print(f"wrote {path}" + (f" and {arguments.page}" if arguments.page is not None else ""))
    if failed:
        raise OSError(f"{len(failed)} runs failed, the others are kept: {'; '.join(failed)}")
