"""`python -m sdm_lite.judge`: train a judge and write it with its card, or measure one that is there.

Apart from network and training so that these stay pages that can be read.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from sdm_lite.judge import HELD_OUT_SEED, TRAIN_SEED, Judge, JudgeConfig, load_judge, metric_name, save_judge
from sdm_lite.judge_training import (
    BATCH_SIZE,
    LEARNING_RATE,
    NUM_STEPS,
    JudgeScores,
    check_training,
    draw_data,
    score_judge,
    train_judge,
)
from sdm_lite.progress import Progress
from sdm_lite.scenes import Scenes


def main(argv: Sequence[str] | None = None) -> None:
    """The commands `train` and `evaluate`."""
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.judge", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a judge, measure it, and write it with its card")
    train.add_argument(
        "--output", type=Path, required=True, help="file to write, for example data/judge-32.safetensors"
    )
    train.add_argument("--size", type=int, default=32, help="pixels on a side (default 32)")
    train.add_argument("--steps", type=int, default=NUM_STEPS, help=f"updates (default {NUM_STEPS})")
    train.add_argument("--num-images", type=int, default=8000, help="pictures to train on (default 8000)")
    train.add_argument("--batch-size", type=int, default=BATCH_SIZE, help=f"pictures an update (default {BATCH_SIZE})")
    train.add_argument("--learning-rate", type=float, default=LEARNING_RATE, help=f"peak (default {LEARNING_RATE})")
    train.add_argument("--seed", type=int, default=0, help="of weights and order (default 0)")
    train.set_defaults(run=_train_command)
    evaluate = commands.add_parser("evaluate", help="measure a judge on true pictures it was not trained on")
    evaluate.add_argument("judge", nargs="?", default="judge-32", help="a shipped name or a file (default judge-32)")
    evaluate.set_defaults(run=_evaluate_command)
    for command in (train, evaluate):
        command.add_argument("--num-held-out", type=int, default=1000, help="pictures to measure on (default 1000)")
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None


def _train_command(arguments: argparse.Namespace) -> None:
    """Draw, train, measure, write."""
    config = JudgeConfig(image_size=arguments.size)
    check_training(arguments.num_images, arguments.steps, arguments.batch_size, arguments.learning_rate)
    _check_held_out(arguments.num_held_out)
    _check_writable(arguments.output)
    start = time.perf_counter()
    data = draw_data(arguments.size, arguments.num_images, TRAIN_SEED)
    steps = train_judge(
        config,
        data,
        num_steps=arguments.steps,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
    )
    with Progress("training the judge", total=arguments.steps) as count:
        for step in steps:
            judge, loss = step.judge, step.loss
            count.update()
    seconds = time.perf_counter() - start
    scores = score_judge(judge, draw_data(arguments.size, arguments.num_held_out, HELD_OUT_SEED))
    print(format_scores(scores))
    facts = {
        "command": _command_line(arguments),
        "num_threads": torch.get_num_threads(),
        "seconds": round(seconds, 1),
        "last_loss": loss,
        "scores": scores._asdict(),
    }
    save_judge(arguments.output, judge, facts=facts)
    arguments.output.with_suffix(".md").write_text(format_card(judge, facts, arguments.output.stem))
    print(f"wrote {arguments.output} and its card {arguments.output.with_suffix('.md')}")


def _evaluate_command(arguments: argparse.Namespace) -> None:
    """Load, draw, measure."""
    _check_held_out(arguments.num_held_out)
    judge = load_judge(arguments.judge)
    print(format_scores(score_judge(judge, draw_data(judge.config.image_size, arguments.num_held_out, HELD_OUT_SEED))))


def format_scores(scores: JudgeScores) -> str:
    """The scores as a Markdown table with a sentence."""
    lines = ["| class | IoU |", "| --- | --- |"]
    lines += [f"| {name} | {iou:.3f} |" for name, iou in zip(Scenes.class_names, scores.iou, strict=True)]
    lines += [f"| **mean** | **{scores.miou:.3f}** |", ""]
    lines.append(
        f"On {scores.num_images} true pictures of Scenes(seed={HELD_OUT_SEED}): mIoU {scores.miou:.3f}, time of day "
        f"right in {100 * scores.time_of_day_accuracy:.1f} %, season right in {100 * scores.season_accuracy:.1f} %."
    )
    return "\n".join(lines)


def format_card(judge: Judge, facts: dict[str, object], name: str) -> str:
    """The card of a trained judge, Markdown, every number in it a measured one."""
    size = judge.config.image_size
    num_parameters = sum(parameter.numel() for parameter in judge.parameters())
    return f"""# {name}: the Scenes judge at {size} x {size}

A small segmentation network (U-Net, {num_parameters:,} parameters, channels {judge.config.channels}) with two heads for
time of day and season. It was trained on pictures of Scenes and scores pictures of Scenes; it never saw a photograph.
Numbers measured with it are called so: {metric_name("FID")}, {metric_name("mIoU")}.

    {facts["command"]}

{facts["seconds"]} s of drawing and training with {facts["num_threads"]} threads, torch {torch.__version__}.
Trained on Scenes(size={size}, seed={TRAIN_SEED}), measured on Scenes(size={size}, seed={HELD_OUT_SEED});
loss of the last batch {facts["last_loss"]:.4f}.
Written by the command, every number measured. Measure again: `python -m sdm_lite.judge evaluate {name}`.

{format_scores(JudgeScores(**facts["scores"]))}
"""


def _command_line(arguments: argparse.Namespace) -> str:
    """The command with every option spelled out, so that it means the same when a default changes."""
    output = arguments.output.name if arguments.output.is_absolute() else arguments.output
    return (
        f"python -m sdm_lite.judge train --output {output} --size {arguments.size} --steps {arguments.steps} "
        f"--num-images {arguments.num_images} --batch-size {arguments.batch_size} "
        f"--learning-rate {arguments.learning_rate} --seed {arguments.seed} --num-held-out {arguments.num_held_out}"
    )


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
