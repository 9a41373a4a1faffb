"""`python -m sdm_lite.evaluate folders REAL SAMPLES`: the command.

Apart from the measuring so that a notebook calls the functions that the command calls.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

import torch

from sdm_lite.command import check_device, check_packages, default_device, run
from sdm_lite.datasets.alterations import FILTERS
from sdm_lite.datasets.class_names import read_class_names
from sdm_lite.datasets.picture_folder import PictureFolder, label_files, open_folder, told_sizes
from sdm_lite.evaluate.folders.judges import PUBLISHED, FeatureNetwork, find_judge, find_segmenter
from sdm_lite.evaluate.folders.measuring import check_enough, compare_folders
from sdm_lite.evaluate.folders.reading import Protocol
from sdm_lite.evaluate.folders.report import (
    folder_lines,
    ruler_lines,
    ruler_table,
    score_table,
    write_folder_report,
)
from sdm_lite.evaluate.folders.ruler import LEAST_TO_HALVE, measure_ruler
from sdm_lite.files import check_writable_folder
from sdm_lite.progress import progress


def main(argv: Sequence[str] | None = None) -> int:
    """Compare two folders of pictures, and say how far each score can be trusted."""
    words = [] if argv is None else list(argv)
    arguments = _parser().parse_args(words)
    return run(lambda: _run(arguments, shlex.join(["python", "-m", "sdm_lite.evaluate", "folders", *words])))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.evaluate folders",
        description=main.__doc__,
        epilog="Samples of one label map are told by their names: NAME.png, or NAME_0.png, NAME_1.png ..., or files in "
        "a folder NAME, where REAL or --labels has a NAME. docs/evaluation.md says what the scores mean.",
    )
    parser.add_argument("real", type=Path, metavar="REAL", help="folder of true pictures")
    parser.add_argument("samples", type=Path, metavar="SAMPLES", help="folder of pictures to score")
    parser.add_argument("--judge", help=f"what looks at them: {_judges()}")
    parser.add_argument("--labels", type=Path, help="folder of label maps NAME.png, one id a pixel, for mIoU")
    parser.add_argument("--segmenter", help="what reads label maps off pictures (default the judge, if it does)")
    parser.add_argument(
        "--segmenter-ids", help="of a segmenter of transformers: which of its classes are which: same, names or a file"
    )
    parser.add_argument("--classes", type=Path, help="of a segmenter of transformers: names of the labels, one a line")
    parser.add_argument("--void", type=int, nargs="*", default=[255], help="ids that count for nothing (default 255)")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="to compare at (default that of the samples)"
    )
    parser.add_argument("--filter", choices=list(FILTERS), default="bicubic", help="of resizing (default bicubic)")
    parser.add_argument(
        "--num-ruler",
        type=int,
        default=400,
        help="true pictures, at most, for the table of what moves the scores; 0 for none (default 400)",
    )
    parser.add_argument("--num-subsets", type=int, default=100, help="behind each interval (default 100)")
    parser.add_argument("--batch-size", type=int, default=32, help="pictures at a time; changes no score (default 32)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out files that cannot be read, and list them")
    parser.add_argument("--output", type=Path, default=Path("runs/folders"), help="folder (default runs/folders)")
    parser.add_argument("--device", default=default_device(), help="where to compute (default %(default)s)")
    return parser


def _judges() -> str:
    usual = next(iter(PUBLISHED), None)
    default = f" (default {usual})" if usual else ""
    return ", ".join([*PUBLISHED, "a shipped name such as judge-32", "a file of `sdm_lite.judge`"]) + default


@torch.inference_mode()
def _run(arguments: argparse.Namespace, command: str) -> None:
    """Check, look, write, show; the scores are on the disk before the ruler is made."""
    for name, least in (("batch_size", 1), ("num_subsets", 2), ("num_ruler", 0)):
        if getattr(arguments, name) < least:
            raise ValueError(f"--{name.replace('_', '-')} must be at least {least}, got {getattr(arguments, name)}")
    check_packages("PIL")
    check_device(arguments.device)
    check_writable_folder(arguments.output)
    real, samples = (open_folder(root, skip_bad=arguments.skip_bad) for root in (arguments.real, arguments.samples))
    check_enough(real, samples)
    size = _common_size(samples, arguments.size)
    judge = find_judge(arguments.judge, device=arguments.device)
    _check_size(judge, size)
    class_names = () if arguments.classes is None else read_class_names(arguments.classes)
    names = {"ids": arguments.segmenter_ids, "class_names": class_names}
    segmenter = find_segmenter(arguments.segmenter, judge, **names, device=arguments.device)
    void = tuple(sorted({*arguments.void, *getattr(segmenter, "void", ())}))
    protocol = Protocol(size, arguments.filter, arguments.batch_size, void, arguments.skip_bad)
    labels = {} if arguments.labels is None else label_files(arguments.labels)
    given = {"labels": labels, "segmenter": segmenter if labels else None, "progress": progress}
    comparison = compare_folders(real, samples, judge, protocol, num_subsets=arguments.num_subsets, **given)
    told = {"command": command, "facts": {"num_ruler": arguments.num_ruler, "torch": str(torch.__version__)}}
    write_folder_report(arguments.output, comparison, None, **told)
    print("\n".join(folder_lines(comparison)))
    print(score_table(comparison), flush=True)
    ruler = None
    if arguments.num_ruler and min(arguments.num_ruler, comparison.real.num_pictures) < LEAST_TO_HALVE:
        print(f"left out: what moves the scores: takes {LEAST_TO_HALVE} true pictures")
    elif arguments.num_ruler:
        of_samples = comparison.sample_features, comparison.sample_names
        ruler = measure_ruler(real, *of_samples, judge, protocol, num_pictures=arguments.num_ruler, **given)
    report = write_folder_report(arguments.output, comparison, ruler, **told)
    if ruler is not None:
        print("\n".join([ruler_table(ruler), *ruler_lines(ruler)]))
    print(f"wrote {report}, which says how this was measured, and beside it scores.json")


def _common_size(samples: PictureFolder, asked: list[int] | None) -> tuple[int, int]:
    """The size (height, width) that all pictures are compared at."""
    if asked is not None:
        if min(asked) < 1:
            raise ValueError(f"--size must be at least 1 x 1, got {asked[0]} x {asked[1]}")
        return tuple(asked)
    sizes = set(samples.sizes.values())
    if len(sizes) > 1:
        raise ValueError(
            f"expected samples of one size in {samples.root}, got {told_sizes(samples)}: give --size HEIGHT WIDTH"
        )
    return next(iter(sizes))


def _check_size(judge: FeatureNetwork, size: tuple[int, int]) -> None:
    """Raise ValueError, before pictures are read, unless the judge can look at pictures of a size."""
    try:
        judge.features(torch.zeros(1, 3, *size, dtype=torch.float32, device=judge.device))
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{judge.name} cannot read {size[0]} x {size[1]} pixels ({reason}): give --size") from None
