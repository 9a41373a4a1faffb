"""`python -m sdm_lite.judge`: train a judge and write it with its card, or measure one that is there.

Apart from network and training so that these stay pages that can be read.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from sdm_lite.checkpoints import load_facts, resolve
from sdm_lite.datasets import DATASETS, Photographs, open_dataset
from sdm_lite.datasets.options import add_treatment
from sdm_lite.devices import check_device, default_device
from sdm_lite.files import write_whole
from sdm_lite.judge import photographs as judge_photographs
from sdm_lite.judge.network import HELD_OUT_SEED, TRAIN_SEED, Judge, JudgeConfig, load_judge, metric_name, save_judge
from sdm_lite.judge.photographs import check_own_judge, judge_data, own_judge_config, own_judge_facts, own_metric_name
from sdm_lite.judge.training import (
    BATCH_SIZE,
    LEARNING_RATE,
    NUM_STEPS,
    JudgeData,
    JudgeScores,
    check_training,
    draw_data,
    score_judge,
    train_judge,
)
from sdm_lite.progress import Progress, counted
from sdm_lite.scenes.dataset import Scenes


class Source(NamedTuple):
    """The pictures that a judge is trained and measured on.

    Attributes:
        class_names: of the classes.
        facts: what the judge's file says of them.
        train: reads at most so many to train on.
        held_out: reads at most so many others.
        named: where both are from, in words.
        whose: the judge's name, as in its metrics.
    """

    class_names: Sequence[str]
    facts: dict[str, object]
    train: Callable[[int], JudgeData]
    held_out: Callable[[int], JudgeData]
    named: tuple[str, str]
    whose: str


def scenes_source(size: int) -> Source:
    """Scenes of a size, of the seeds that are agreed upon."""
    return Source(
        Scenes.class_names,
        {},
        lambda number: draw_data(size, number, TRAIN_SEED),
        lambda number: draw_data(size, number, HELD_OUT_SEED),
        (f"Scenes(size={size}, seed={TRAIN_SEED})", f"Scenes(size={size}, seed={HELD_OUT_SEED})"),
        "the Scenes judge",
    )


def photographs_source(training: Photographs, held_out: Photographs) -> Source:
    """A data set of photographs: its two splits."""
    return Source(
        training.class_names,
        own_judge_facts(training),
        lambda number: judge_data(training.thinned(number)),
        lambda number: judge_data(held_out.thinned(number)),
        (f"the train split of {training.name}", f"the val split of {training.name}"),
        f"a judge of {training.name}",
    )


def main(argv: Sequence[str] | None = None) -> None:
    """The commands `train` and `evaluate`."""
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.judge", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a judge, measure it, and write it with its card")
    train.add_argument(
        "--output", type=Path, required=True, help="file to write, for example data/judge-32.safetensors"
    )
    train.add_argument(
        "--size", type=int, nargs="+", metavar="N", help="side, or height and width (default: 32; the data set's)"
    )
    train.add_argument(
        "--num-steps",
        "--steps",  # what it was called when the shipped judges were trained: their cards say so
        type=int,
        help=f"updates (default {NUM_STEPS}; of photographs {judge_photographs.NUM_STEPS})",
    )
    train.add_argument("--num-images", type=int, default=8000, help="at most, to train on (default %(default)s)")
    train.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="pictures an update (default %(default)s)")
    train.add_argument("--learning-rate", type=float, default=LEARNING_RATE, help="peak (default %(default)s)")
    train.add_argument("--seed", type=int, default=0, help="of weights and order (default %(default)s)")
    train.set_defaults(run=_train_command)
    evaluate = commands.add_parser("evaluate", help="measure a judge on true pictures it was not trained on")
    evaluate.add_argument("judge", nargs="?", default="judge-32", help="a shipped name or a file (default %(default)s)")
    evaluate.set_defaults(run=_evaluate_command)
    for command in (train, evaluate):
        command.add_argument("--num-held-out", type=int, default=1000, help="at most, to measure on (default 1000)")
        command.add_argument("--device", default=default_device(), help="where to compute (default %(default)s)")
        group = command.add_argument_group("a judge of photographs", "trained on one data set, good for that alone")
        group.add_argument("--dataset", default="scenes", help=f"scenes, {', '.join(DATASETS)} (default scenes)")
        group.add_argument("--root", type=Path, help="the data set's folder")
        add_treatment(group)
    arguments = parser.parse_args(argv)
    try:
        check_device(arguments.device)
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None


def _train_command(arguments: argparse.Namespace) -> None:
    """Draw or read, train, measure, write."""
    _check_held_out(arguments.num_held_out)
    if arguments.dataset == "scenes":
        config = JudgeConfig(image_size=_side(arguments.size))
        source = scenes_source(config.image_size)
        arguments.size = [config.image_size]
    else:
        training, held_out = _open(arguments, "train", arguments.size), _open(arguments, "val", arguments.size)
        config = own_judge_config(training)
        source = photographs_source(training, held_out)
        arguments.size, arguments.num_images = training.size, min(arguments.num_images, len(training))
    arguments.num_steps = _num_steps(arguments)
    check_training(arguments.num_images, arguments.num_steps, arguments.batch_size, arguments.learning_rate)
    _check_writable(arguments.output)
    start = time.perf_counter()
    steps = train_judge(
        config,
        source.train(arguments.num_images),
        num_steps=arguments.num_steps,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        device=arguments.device,
    )
    with Progress("training the judge", total=arguments.num_steps) as count:
        for step in steps:
            judge, loss = step.judge, step.loss
            count.update()
    seconds = time.perf_counter() - start
    scores = score_judge(judge, source.held_out(arguments.num_held_out))
    print(format_scores(scores, source))
    facts = {
        "command": _command_line(arguments),
        "num_threads": torch.get_num_threads(),
        "seconds": round(seconds, 1),
        "last_loss": loss,
        "scores": scores._asdict() | {"iou": [None if math.isnan(iou) else iou for iou in scores.iou]},
        **source.facts,
    }
    save_judge(arguments.output, judge.cpu(), facts=facts)
    card = format_card(judge, scores, facts, arguments.output.stem, source)
    write_whole(arguments.output.with_suffix(".md"), card.encode())
    print(f"wrote {arguments.output} and its card {arguments.output.with_suffix('.md')}")


def _evaluate_command(arguments: argparse.Namespace) -> None:
    """Load, draw or read, measure."""
    _check_held_out(arguments.num_held_out)
    judge, facts = load_judge(arguments.judge, device=arguments.device), load_facts(resolve(arguments.judge))
    if arguments.dataset == "scenes":
        if "dataset" in facts:
            raise ValueError(f"{arguments.judge} is a judge of {facts['dataset']}: give --dataset and --root")
        source = scenes_source(judge.config.image_size)
    else:
        held_out = _open(arguments, "val", facts.get("size"))
        check_own_judge(facts, held_out, arguments.judge)
        source = photographs_source(held_out, held_out)
    print(format_scores(score_judge(judge, source.held_out(arguments.num_held_out)), source))


def _open(arguments: argparse.Namespace, split: str, size: Sequence[int] | None) -> Photographs:
    if arguments.root is None:
        raise ValueError(f"--dataset {arguments.dataset} needs --root, its folder")
    if size is not None and len(size) > 2:
        raise ValueError(f"--size must be one number or two, got {len(size)}")
    return open_dataset(
        arguments.dataset,
        arguments.root,
        split,
        size=None if size is None else (size[0], size[-1]),
        protocol=arguments.protocol,
        skip_bad=arguments.skip_bad,
    )


def _side(size: Sequence[int] | None) -> int:
    if size is not None and len(set(size)) > 1:
        raise ValueError(f"Scenes are square: give --size one number, got {' '.join(map(str, size))}")
    return 32 if size is None else size[0]


def _num_steps(arguments: argparse.Namespace) -> int:
    default = NUM_STEPS if arguments.dataset == "scenes" else judge_photographs.NUM_STEPS
    return default if arguments.num_steps is None else arguments.num_steps


def format_scores(scores: JudgeScores, source: Source) -> str:
    """The scores as a Markdown table with a sentence."""
    lines = ["| class | IoU |", "| --- | --- |"]
    present = [(name, iou) for name, iou in zip(source.class_names, scores.iou, strict=True) if not math.isnan(iou)]
    lines += [f"| {name} | {iou:.3f} |" for name, iou in present]
    lines += [f"| **mean** | **{scores.miou:.3f}** |", ""]
    told = f"On {scores.num_images} true pictures of {source.named[1]}: mIoU {scores.miou:.3f}"
    if not source.facts:
        told += (
            f", time of day right in {100 * scores.time_of_day_accuracy:.1f} %, "
            f"season right in {100 * scores.season_accuracy:.1f} %"
        )
    absent = len(source.class_names) - len(present)
    lines.append(f"{told}{f'; {absent} classes neither there nor read' if absent else ''}.")
    return "\n".join(lines)


def format_card(judge: Judge, scores: JudgeScores, facts: dict[str, object], name: str, source: Source) -> str:
    """The card of a trained judge, Markdown, every number in it a measured one."""
    size = judge.config.image_size
    height, width = (size, size) if isinstance(size, int) else size
    num_parameters = sum(parameter.numel() for parameter in judge.parameters())
    named = own_metric_name if source.facts else metric_name
    work = "reading" if source.facts else "drawing"
    again = f"{name}.safetensors --dataset {facts['dataset']} --root FOLDER" if source.facts else name
    kind = (
        ".\nIt was trained on photographs of one data set, and scores pictures of that data set at that size alone."
        if source.facts
        else " with two heads for\ntime of day and season. It was trained on pictures of Scenes and scores pictures of "
        "Scenes; it never saw a photograph."
    )
    return f"""# {name}: {source.whose} at {height} x {width}

A small segmentation network (U-Net, {num_parameters:,} parameters, channels {judge.config.channels}){kind}
Numbers measured with it are called so: {named("FID")}, {named("mIoU")}.

    {facts["command"]}

{facts["seconds"]} s of {work} and training with {counted(facts["num_threads"], "thread")}, torch {torch.__version__}.
Trained on {source.named[0]}, measured on {source.named[1]};
loss of the last batch {facts["last_loss"]:.4f}.
Written by the command, every number measured. Measure again: `python -m sdm_lite.judge evaluate {again}`.

{format_scores(scores, source)}
"""


def _command_line(arguments: argparse.Namespace) -> str:
    """The command with every option spelled out, so that it means the same when a default changes."""
    output = arguments.output.name if arguments.output.is_absolute() else arguments.output
    words = ["python -m sdm_lite.judge train"]
    if arguments.dataset != "scenes":
        words.append(f"--dataset {arguments.dataset} --root FOLDER --protocol {arguments.protocol}")
        words += ["--skip-bad"] if arguments.skip_bad else []
    words.append(f"--output {output} --size {' '.join(map(str, arguments.size))} --num-steps {arguments.num_steps}")
    words.append(f"--num-images {arguments.num_images} --batch-size {arguments.batch_size}")
    words.append(f"--learning-rate {arguments.learning_rate} --seed {arguments.seed}")
    return " ".join([*words, f"--num-held-out {arguments.num_held_out}"])


def _check_held_out(num_held_out: int) -> None:
    if num_held_out < 1:
        raise ValueError(f"--num-held-out must be at least 1, got {num_held_out}")


def _check_writable(output: Path) -> None:
    """Raise before the work rather than after it."""
    if output.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {output}")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=output.parent):
        pass


if __name__ == "__main__":
    raise SystemExit(main())
