"""`python -m sdm_lite.baselines evaluate RUN...`: score GANs by the very measures that SDM is scored by."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sdm_lite.baselines.gan import SYSTEMS
from sdm_lite.baselines.gan.painting import painter_of, weights_of
from sdm_lite.baselines.gan.runs import Gan, load_gan
from sdm_lite.checkpoints.unfinished import FINISHED
from sdm_lite.command import check_device, check_packages, check_seed, default_device
from sdm_lite.datasets import DATASETS
from sdm_lite.datasets.options import add_treatment, open_asked
from sdm_lite.evaluate import Scores, Sizes, Truth, evaluate_painter, format_scores, measure_truth
from sdm_lite.evaluate.measures import scores_json
from sdm_lite.evaluate.photographs import evaluate_photograph_painter
from sdm_lite.evaluate.photographs.seen import nearest_measures, read_seen
from sdm_lite.evaluate.pretrained import pretrained_at_hand
from sdm_lite.evaluate.report import program, write_photograph_report
from sdm_lite.evaluate.scenes import check_judge
from sdm_lite.files import check_writable, check_writable_folder, write_whole
from sdm_lite.judge import Judge, load_judge
from sdm_lite.judge.photographs import load_own_judge
from sdm_lite.progress import progress
from sdm_lite.scenes import TEST_SEED, VALIDATION_SEED, Scenes
from sdm_lite.viz import draw_for_files

SEEDS = {"test": TEST_SEED, "validation": VALIDATION_SEED}
DEFAULTS = Sizes()


def add_evaluate(commands: argparse._SubParsersAction) -> None:
    """Add `evaluate` to the commands of `python -m sdm_lite.baselines`."""
    parser = commands.add_parser(
        "evaluate",
        help="score GANs on held-out Scenes or photographs",
        description="Draw held-out label maps with each GAN, every picture from noise of its own and none from a true "
        "picture, and print the table that `python -m sdm_lite.evaluate` prints of SDM.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a finished run, or its model.safetensors")
    parser.add_argument("--dataset", default="scenes", help=f"scenes, {', '.join(DATASETS)} (default scenes)")
    parser.add_argument("--root", type=Path, help="folder of the photographs")
    parser.add_argument(
        "--split", help="of photographs, held out: val, or another that the data set has, such as test (default val)"
    )
    parser.add_argument("--num-photographs", type=int, default=256, help="at most (default %(default)s)")
    parser.add_argument(
        "--num-nearest",
        type=int,
        default=2000,
        help="training photographs to look for copies in, at most (default 2000)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="of photographs, folder for a report; of several runs one in it for each (default none)",
    )
    add_treatment(parser)
    parser.add_argument("--judge", help="a shipped name or a file (default judge-SIZE; of photographs none)")
    parser.add_argument(
        "--layouts", choices=list(SEEDS), default="test", help="test to report, validation to choose (default test)"
    )
    parser.add_argument("--num-layouts", type=int, default=DEFAULTS.num_layouts, help="default %(default)s")
    parser.add_argument(
        "--num-renders", type=int, default=DEFAULTS.num_renders, help="true pictures a layout (default %(default)s)"
    )
    parser.add_argument(
        "--num-diversity-layouts", type=int, help=f"default {DEFAULTS.num_diversity_layouts}, or all there are"
    )
    parser.add_argument(
        "--samples-per-layout", type=int, default=DEFAULTS.samples_per_layout, help="for diversity (default 4)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the pictures (default 0)")
    parser.add_argument("--batch-size", type=int, default=32, help="pictures at a time (default 32)")
    parser.add_argument("--device", default=default_device(), help="where to compute (default %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the scores of a single run to this file")
    parser.set_defaults(run=evaluate_command)


def evaluate_command(arguments: argparse.Namespace) -> None:
    """Load all, then score one after the other.

    Raises:
        FileNotFoundError: if a run has no weights.
        ValueError: before any work, if a number is out of range, a file is no GAN, or a GAN does not go with the data,
            or was trained on the layouts that it would be scored on.
    """
    check_device(arguments.device)
    check_seed(arguments.seed)
    if arguments.batch_size < 1:
        raise ValueError(f"--batch-size must be at least 1, got {arguments.batch_size}")
    if arguments.json is not None:
        if len(arguments.runs) > 1:
            raise ValueError(f"--json is for a single run, got {len(arguments.runs)}: leave it out, or give one")
        check_writable(arguments.json, option="--json")
    for option, value in (("--split", arguments.split), ("--output", arguments.output)):
        if value is not None and arguments.dataset == "scenes":
            raise ValueError(f"{option} is an option of photographs, and --dataset is scenes: leave one out")
    if arguments.num_nearest < 0:
        raise ValueError(f"--num-nearest must be at least 0, got {arguments.num_nearest}")
    if arguments.output is not None:
        check_packages("matplotlib")
        check_writable_folder(arguments.output)
        draw_for_files()
    if arguments.split in ("train", "all"):
        raise ValueError(f"--split must be held out, got {arguments.split}, which GANs were trained on: val, or test")
    gans = {run: load_gan(weights_of(run), SYSTEMS, arguments.device) for run in arguments.runs}
    if arguments.dataset == "scenes":
        found = scores_on_scenes(gans, arguments)
    else:
        found = scores_on_photographs(gans, arguments)
    for run, scores in found:
        if arguments.json is not None:
            write_whole(
                arguments.json,
                scores_json(scores, {"model": run, "program": program(arguments.argv, module="sdm_lite.baselines")}),
            )
        system = gans[run].system
        print(f"{run}: {system.title}, {system.citation}\n{format_scores(scores)}\n", flush=True)


def told(gan: Gan) -> dict[str, object]:
    """What pictures depend on besides noise."""
    return {"system": gan.system.name, "steps": gan.facts.get("steps")}


def scores_on_scenes(gans: dict[str, Gan], arguments: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """The scores of each on held-out layouts, one after the other; all are checked before any is drawn."""
    several = arguments.num_diversity_layouts
    sizes = Sizes(
        arguments.num_layouts,
        arguments.num_renders,
        arguments.samples_per_layout,
        min(DEFAULTS.num_diversity_layouts, arguments.num_layouts) if several is None else several,
        SEEDS[arguments.layouts],
    )
    judges: dict[str, Judge] = {}
    for run, gan in gans.items():
        check_scenes(run, gan, sizes)
        name = judge_for(gan, arguments.judge)
        judges[name] = judges.get(name) or load_judge(name, device=arguments.device)
        check_judge(judges[name], sizes)
        if judges[name].config.image_size != gan.form.size:
            raise ValueError(f"{run} draws {gan.form.size} pixels and {name} reads {judges[name].config.image_size}")
    truths: dict[str, Truth] = {}
    for run, gan in gans.items():
        name = judge_for(gan, arguments.judge)
        if name not in truths:
            truths[name] = measure_truth(judges[name], sizes, progress=progress)
        yield (
            run,
            evaluate_painter(
                painter_of(gan),
                judges[name],
                sizes,
                seed=arguments.seed,
                batch_size=arguments.batch_size,
                settings={**told(gan), "judge": name},
                truth=truths[name],
                progress=progress,
            ),
        )


def scores_on_photographs(gans: dict[str, Gan], arguments: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """The scores of each on held-out photographs, one after the other; all are checked before any is drawn.

    Where it was asked for, a report of each is written before its scores are handed on.
    """
    opened = {run: open_asked(arguments, arguments.split or "val", gan.form.size) for run, gan in gans.items()}
    learned = {run: open_asked(arguments, "train", gan.form.size) for run, gan in gans.items()}
    folders = report_folders(list(gans), arguments.output)
    judges: dict[str, Judge | None] = {}
    for run, gan in gans.items():
        data, form = opened[run], gan.form
        if (data.num_classes, data.has_instances) != (form.num_classes, form.has_instances):
            raise ValueError(
                f"{run} reads {form.num_classes} classes{' and instances' * form.has_instances}, {data.name} has "
                f"{data.num_classes}{' and instances' * data.has_instances}"
            )
        judges[run], note = (
            (None, "") if arguments.judge is None else load_own_judge(arguments.judge, data, device=arguments.device)
        )
        if note:
            print(note)
    pretrained = pretrained_at_hand(arguments.device)
    for run, gan in gans.items():
        held_out = opened[run].thinned(arguments.num_photographs)
        seen = read_seen(learned[run], arguments.num_nearest) if arguments.num_nearest else None
        scores, pictures = evaluate_photograph_painter(
            painter_of(gan),
            held_out,
            samples_per_map=arguments.samples_per_layout,
            seed=arguments.seed,
            batch_size=arguments.batch_size,
            settings={**told(gan), "split": held_out.split, "num_training": len(learned[run])},
            judge=judges[run],
            more=pretrained + ([] if seen is None else [partial(nearest_measures, seen)]),
            device=arguments.device,
            progress=progress,
        )
        if run in folders:
            wrote_by = program(arguments.argv, module="sdm_lite.baselines")
            report = write_photograph_report(
                folders[run], scores, held_out, pictures, model=run, facts=gan.facts, seen=seen, program=wrote_by
            )
            print(f"wrote {report}, and beside it samples.png, scores.json and the single pictures")
        yield run, scores


def report_folders(runs: list[str], output: Path | None) -> dict[str, Path]:
    """The folder of each run's report: the one that was asked for, or, of several runs, one in it by each one's name.

    Raises:
        ValueError: if two runs would have one.
    """
    if output is None:
        return {}
    if len(runs) == 1:
        return {runs[0]: output}
    names = [Path(run).absolute().parent.name if Path(run).name == FINISHED else Path(run).stem for run in runs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"--output has a folder for each run, and two are called {twice[0]}: score one at a time")
    return {run: output / name for run, name in zip(runs, names, strict=True)}


def judge_for(gan: Gan, asked: str | None) -> str:
    """The judge that reads a GAN's pictures: the one asked for, or that of its size."""
    return asked or f"judge-{gan.form.size[0]}"


def check_scenes(run: str, gan: Gan, sizes: Sizes) -> None:
    """Raise ValueError unless a GAN draws layouts of Scenes and was not trained on those that it is scored on."""
    form, facts = gan.form, gan.facts
    dataset = facts.get("dataset", "scenes")
    if dataset != "scenes" or form.num_classes != Scenes.num_classes or not form.has_instances:
        raise ValueError(f"{run} was trained on {dataset}, with {form.num_classes} classes: give --dataset and --root")
    if facts.get("data_seed") == sizes.scenes_seed:
        raise ValueError(
            f"{run} was trained on Scenes(seed={sizes.scenes_seed}), the layouts that it would be scored on"
        )
