"""`python -m sdm_lite.judge`: train a judge and write it with its card, or measure one that is there.

Apart from network and training so that these stay pages that can be read.
"""

from __future__ import annotations

import argparse
import math
import shlex
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.batches import Batch
from sdm_lite.checkpoints import load_facts, resolve
from sdm_lite.command import check_device, check_seed, default_device, run
from sdm_lite.datasets import DATASETS, Photographs
from sdm_lite.datasets.options import add_treatment, open_asked
from sdm_lite.files import check_writable, expanded, write_whole
from sdm_lite.judge import photographs as judge_photographs
from sdm_lite.judge.efficientnet import NAME as EFFICIENTNET
from sdm_lite.judge.efficientnet import find_weights
from sdm_lite.judge.head import HeadJudge
from sdm_lite.judge.losses import by_pixel_and_by_class, pixels_and_heads
from sdm_lite.judge.network import Judge, JudgeConfig, load_judge, metric_name, save_judge
from sdm_lite.judge.photographs import (
    OWN_JUDGE,
    load_own_judge,
    own_head_config,
    own_judge_config,
    own_judge_facts,
    read_photographs,
)
from sdm_lite.judge.scores import JudgeScores, score_judge
from sdm_lite.judge.training import (
    BATCH_SIZE,
    LEARNING_RATE,
    NUM_STEPS,
    check_training,
    read_scenes,
    train_judge,
)
from sdm_lite.progress import counted, progress
from sdm_lite.scenes.dataset import TRAIN_SEED, VALIDATION_SEED, Scenes

SEEDS = {"train": TRAIN_SEED, "val": VALIDATION_SEED}  # of Scenes
CROPS = 4
LEAST_TO_CHOOSE = 20  # held-out photographs: of fewer none are spared to choose by


def main(argv: Sequence[str] | None = None) -> int:
    """Train the small segmentation network that scores pictures, or measure one."""
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.judge", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a judge, measure it, and write it with its card")
    train.add_argument("--output", type=Path, required=True, help="file to write, such as judge.safetensors")
    train.add_argument("--size", type=int, nargs="+", metavar="N", help="side, or both (default: 32; the data set's)")
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
    train.add_argument(
        "--backbone",
        choices=["auto", "none", "efficientnet-lite0"],
        default="auto",
        help="of photographs: train a small head on the frozen maps of efficientnet-lite0, or a whole network (none), "
        "which has a FID of its own too; auto is the head where sdm_lite[photographs] is installed (default auto)",
    )
    train.add_argument(
        "--crops", type=int, help=f"of photographs: parts made of each, as training does (default {CROPS}; of a head 1)"
    )
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
    return run(lambda: arguments.run(arguments))


def _train_command(arguments: argparse.Namespace) -> None:
    """Draw or read, train, measure, write."""
    check_device(arguments.device)
    check_seed(arguments.seed)
    if arguments.backbone == "auto":
        arguments.backbone = "none" if arguments.dataset == "scenes" or find_weights() is None else "efficientnet-lite0"
        if arguments.dataset != "scenes":
            print(f"--backbone auto is {arguments.backbone} here")
    of_network = arguments.backbone == "none"
    if arguments.crops is None:
        arguments.crops = CROPS if of_network and arguments.dataset != "scenes" else 1
    elif arguments.dataset == "scenes":
        raise ValueError("--crops is for photographs, and --dataset is scenes: leave one out")
    training = _open(arguments, "train", arguments.size, arguments.num_images, crops=arguments.crops)
    held_out = _open(arguments, "val", arguments.size, arguments.num_held_out)
    if isinstance(training, Scenes):
        if not of_network:
            raise ValueError("--backbone is for photographs, and --dataset is scenes: leave one out")
        config, num_steps = JudgeConfig(image_size=(training.size, training.size)), NUM_STEPS
    else:
        own_config = own_judge_config if of_network else own_head_config
        config, num_steps = own_config(training), judge_photographs.NUM_STEPS
    arguments.size, arguments.num_images = config.image_size, len(training)
    arguments.num_steps = num_steps if arguments.num_steps is None else arguments.num_steps
    check_training(arguments.num_images, arguments.num_steps, arguments.batch_size, arguments.learning_rate)
    if arguments.output.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {arguments.output}")
    for file in (arguments.output, arguments.output.with_suffix(".md")):
        check_writable(file)
    start = time.perf_counter()
    to_learn, to_measure = read(training), read(held_out)  # whatever is bad in either is told before the training
    learning = {
        "num_steps": arguments.num_steps,
        "batch_size": arguments.batch_size,
        "learning_rate": arguments.learning_rate,
        "seed": arguments.seed,
        "device": arguments.device,
    }
    choose_by, loss = None, pixels_and_heads
    if not isinstance(training, Scenes):
        choose_by, to_measure = halves_to_choose(to_measure)
        loss = by_pixel_and_by_class
    keep = expanded(arguments.output).with_suffix(".unfinished.pt")
    steps = train_judge(config, *to_learn, loss=loss, choose_by=choose_by, keep=keep, **learning)
    first = next(steps)
    if first.number > 1:
        print(f"goes on from step {first.number - 1} of {arguments.num_steps}, kept in {keep}")
    left = arguments.num_steps - first.number + 1
    for step in progress(chain([first], steps), description="training the judge", total=left):
        judge = step.judge
    seconds = time.perf_counter() - start
    scores = score_judge(judge, *to_measure)
    chosen = {"step": step.best_step, "miou": step.best_miou, "num_images": len(choose_by.images)} if choose_by else {}
    facts = {
        "command": _command_line(arguments),
        "num_threads": torch.get_num_threads(),
        "seconds": round(seconds, 1),
        "last_loss": step.loss,
        "scores": scores._asdict(),
        **({"chosen": chosen} if chosen else {}),
        **({"resumed_at": first.number} if first.number > 1 else {}),
        **({} if isinstance(training, Scenes) else own_judge_facts(training)),
    }
    save_judge(arguments.output, judge.cpu(), facts=facts)
    card = judge_card(judge, scores, facts, arguments.output.stem, training, held_out)
    write_whole(arguments.output.with_suffix(".md"), card)
    keep.unlink(missing_ok=True)
    print(judge_table(scores, held_out))
    print(f"wrote {arguments.output} and its card {arguments.output.with_suffix('.md')}")


def halves_to_choose(held_out: tuple[Batch, None]) -> tuple[Batch | None, tuple[Batch, None]]:
    """Every second held-out photograph to choose weights by, and the others to measure on; all to measure on if few."""
    pictures, _ = held_out
    if len(pictures.images) < LEAST_TO_CHOOSE:
        return None, held_out
    return pictures.at(slice(0, None, 2)), (pictures.at(slice(1, None, 2)), None)


def _evaluate_command(arguments: argparse.Namespace) -> None:
    """Load, draw or read, measure."""
    check_device(arguments.device)
    facts = load_facts(resolve(arguments.judge))
    if arguments.dataset == "scenes" and "dataset" in facts:
        raise ValueError(f"{arguments.judge} is a judge of {facts['dataset']}: give --dataset and --root")
    if arguments.dataset == "scenes":
        judge = load_judge(arguments.judge, device=arguments.device)
        held_out = _open(arguments, "val", judge.config.image_size, arguments.num_held_out)
    else:
        held_out = _open(arguments, "val", facts.get("size"), arguments.num_held_out)
        judge, note = load_own_judge(arguments.judge, held_out, device=arguments.device)
        if note:
            print(note)
    print(judge_table(score_judge(judge, *read(held_out)), held_out))


def _open(
    arguments: argparse.Namespace, split: str, size: Sequence[int] | None, number: int, *, crops: int = 1
) -> Scenes | Photographs:
    """A split of the data set, at most so many pictures; of Scenes each split has its seed."""
    if number < 1:
        raise ValueError(f"--{'num-images' if split == 'train' else 'num-held-out'} must be at least 1, got {number}")
    if size is not None and len(size) > 2:
        raise ValueError(f"--size must be one number or two, got {len(size)}")
    if arguments.dataset != "scenes":
        return open_asked(arguments, split, None if size is None else (size[0], size[-1]), crops=crops).thinned(number)
    if size is not None and size[0] != size[-1]:
        raise ValueError(f"Scenes are square: give --size one number, got {' '.join(map(str, size))}")
    return Scenes(32 if size is None else size[0], length=number, seed=SEEDS[split])


def read(dataset: Scenes | Photographs) -> tuple[Batch, Tensor | None]:
    """All pictures of a data set, in memory, and their appearances (N, 2) where it has some."""
    return read_scenes(dataset) if isinstance(dataset, Scenes) else (read_photographs(dataset), None)


def named(dataset: Scenes | Photographs) -> str:
    """Where pictures are from, in words."""
    if isinstance(dataset, Scenes):
        return f"Scenes(size={dataset.size}, seed={dataset.seed})"
    return f"the {dataset.split} split of {dataset.name}"


def judge_table(scores: JudgeScores, held_out: Scenes | Photographs) -> str:
    """The scores on a data set as a Markdown table with a sentence."""
    lines = ["| class | IoU |", "| --- | --- |"]
    present = [(name, iou) for name, iou in zip(held_out.class_names, scores.iou, strict=True) if not math.isnan(iou)]
    lines += [f"| {name} | {iou:.3f} |" for name, iou in present]
    lines += [f"| **mean** | **{scores.miou:.3f}** |", ""]
    told = f"On {scores.num_images} true pictures of {named(held_out)}: mIoU {scores.miou:.3f}"
    if isinstance(held_out, Scenes):
        told += (
            f", time of day right in {100 * scores.time_of_day_accuracy:.1f} %, "
            f"season right in {100 * scores.season_accuracy:.1f} %"
        )
    absent = len(held_out.class_names) - len(present) - (held_out.void_id is not None)
    told += f"; {absent} classes neither there nor read" if absent else ""
    if held_out.void_id is not None:
        share = 100 * scores.num_ignored / scores.num_pixels
        told += (
            f"; ignored as void ({held_out.class_names[held_out.void_id]}): "
            f"{scores.num_ignored:,} of {scores.num_pixels:,} pixels, {share:.1f} %"
        )
    lines.append(f"{told}.")
    return "\n".join(lines)


def judge_card(
    judge: Judge,
    scores: JudgeScores,
    facts: dict[str, object],
    name: str,
    training: Scenes | Photographs,
    held_out: Scenes | Photographs,
) -> str:
    """The card of a trained judge, Markdown, every number in it a measured one."""
    height, width = judge.config.image_size
    threads, stopped = counted(facts["num_threads"], "thread"), told_stop(facts.get("resumed_at"))
    num_parameters = sum(parameter.numel() for parameter in judge.parameters())
    if isinstance(judge, HeadJudge):
        metrics = ("mIoU",)
        made = f"A head of {num_parameters:,} parameters on the frozen maps of {EFFICIENTNET} (ImageNet)"
    else:
        metrics = ("FID", "mIoU")
        made = f"A small segmentation network (U-Net, {num_parameters:,} parameters, channels {judge.config.channels})"
    if isinstance(training, Scenes):
        judge_name, work, whose, again = "Scenes judge", "drawing", "the Scenes judge", shlex.quote(name)
        kind = (
            " with two heads for\ntime of day and season. It was trained on pictures of Scenes and scores pictures of "
            "Scenes; it never saw a photograph."
        )
    else:
        judge_name, work, whose = OWN_JUDGE, "reading", f"a judge of {training.name}"
        again = f"{shlex.quote(name + '.safetensors')} --dataset {training.name} --root FOLDER"
        kind = (
            ".\nIt was trained on photographs of one data set, and scores pictures of that data set at that size alone."
        )
    return f"""# {name}: {whose} at {height} x {width}

{made}{kind}
Numbers measured with it are called so: {", ".join(metric_name(metric, judge_name) for metric in metrics)}.

    {facts["command"]}

{facts["seconds"]} s of {work} and training with {threads}, torch {torch.__version__}{stopped}.
Trained on {named(training)}, measured on {named(held_out)};
loss of the last batch {facts["last_loss"]:.4f}.{told_choice(facts.get("chosen"))}
Written by the command, every number measured. Measure again: `python -m sdm_lite.judge evaluate {again}`.

{judge_table(scores, held_out)}
"""


def told_stop(step: int | None) -> str:
    """That the seconds are not of the whole training, where it was stopped before this step."""
    return f", since it was\nstopped and went on at step {step}" if step else ""


def told_choice(chosen: dict[str, float] | None) -> str:
    """Which weights were kept, by what; nothing where they are the last."""
    if not chosen:
        return ""
    return (
        f"\nThe weights are those of step {chosen['step']}, which read every second held-out photograph best (mIoU "
        f"{chosen['miou']:.3f}),\n{chosen['num_images']} of them; the table is of the others."
    )


def _command_line(arguments: argparse.Namespace) -> str:
    """The command with every option spelled out, so that it means the same when a default changes."""
    output = shlex.quote(arguments.output.name if arguments.output.is_absolute() else str(arguments.output))
    words = ["python -m sdm_lite.judge train"]
    if arguments.dataset != "scenes":
        words.append(f"--dataset {arguments.dataset} --root FOLDER --protocol {arguments.protocol}")
        words.append(f"--backbone {arguments.backbone} --crops {arguments.crops}")
        words += ["--skip-bad"] if arguments.skip_bad else []
    words.append(f"--output {output} --size {' '.join(map(str, arguments.size))} --num-steps {arguments.num_steps}")
    words.append(f"--num-images {arguments.num_images} --batch-size {arguments.batch_size}")
    words.append(f"--learning-rate {arguments.learning_rate} --seed {arguments.seed}")
    return " ".join([*words, f"--num-held-out {arguments.num_held_out}"])


if __name__ == "__main__":
    raise SystemExit(main())
