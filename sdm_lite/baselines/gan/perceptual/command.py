"""`python -m sdm_lite.baselines perceptual`: train the network of the perceptual loss and write it with its card."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path

import torch

from sdm_lite.baselines.gan.perceptual import (
    BATCH_SIZE,
    CARD_SEED,
    DATA_SEED,
    LEARNING_RATE,
    NUM_STEPS,
    STAGE_WEIGHTS,
    FeatureNetwork,
    check_feature_training,
    measure_features,
    save_features,
    train_features,
)
from sdm_lite.command import check_seed
from sdm_lite.files import check_writable, write_whole
from sdm_lite.progress import Progress, counted
from sdm_lite.scenes import Scenes


def add_perceptual(commands: argparse._SubParsersAction) -> None:
    """Add `perceptual` to the commands of `python -m sdm_lite.baselines`."""
    command = commands.add_parser(
        "perceptual",
        help="train the network of the perceptual loss, which is not the judge",
        description="Train a small network to restore pictures of Scenes, on a seed that nothing else sees, and write "
        "its encoder with its card: it stands for VGG in the losses of the GANs. Minutes on one thread.",
    )
    command.add_argument("--output", type=Path, required=True, help="file to write, such as perceptual.safetensors")
    command.add_argument("--size", type=int, default=32, help="of the pictures (default %(default)s)")
    command.add_argument("--num-steps", type=int, default=NUM_STEPS, help="updates (default %(default)s)")
    command.add_argument("--num-images", type=int, default=6000, help="to train on (default %(default)s)")
    command.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="pictures an update (default %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="of weights, order and damage (default %(default)s)")
    command.set_defaults(run=perceptual_command)


def perceptual_command(arguments: argparse.Namespace) -> None:
    """Draw, train, measure, write.

    Raises:
        ValueError: before any work, if a number is out of range or the file cannot be written.
    """
    check_seed(arguments.seed)
    scenes = Scenes(arguments.size, length=arguments.num_images, seed=DATA_SEED)
    check_feature_training(arguments.size, len(scenes), arguments.num_steps, arguments.batch_size)
    if arguments.output.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {arguments.output}")
    for file in (arguments.output, arguments.output.with_suffix(".md")):
        check_writable(file)
    start = time.perf_counter()
    with Progress(f"drawing {len(scenes)} scenes", total=len(scenes)) as count:
        images = scenes.materialize(range(len(scenes)), progress=lambda _: count.update()).images
    steps = train_features(images, num_steps=arguments.num_steps, batch_size=arguments.batch_size, seed=arguments.seed)
    losses = []
    with Progress("training", total=arguments.num_steps) as count:
        for step in steps:
            losses.append(step.loss)
            count.update()
    facts = {
        "command": _command_line(arguments),
        "data_seed": DATA_SEED,
        "seconds": round(time.perf_counter() - start, 1),
        "num_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "last_loss": sum(losses[-100:]) / len(losses[-100:]),
    }
    save_features(arguments.output, step.network, facts=facts)
    told = card(arguments.output.stem, step.network, facts, measure_features(step.network, arguments.size))
    write_whole(arguments.output.with_suffix(".md"), told)
    print(f"wrote {arguments.output} and its card")


def card(name: str, network: FeatureNetwork, facts: dict[str, object], distances: dict[str, float]) -> str:
    """The card of the network, Markdown, every number in it a measured one."""
    number = sum(parameter.numel() for parameter in network.parameters())
    render, other = distances["another render of its layout"], distances["a picture of another layout"]
    lines = [f"| {words} | {distance:.3f} |" for words, distance in distances.items()]
    return f"""# {name}: features for the perceptual loss of the GANs

The encoder of a small network ({number:,} parameters, channels {network.channels}) that was trained to restore
pictures with noise and with squares cut out. It was shown no label map, hour or season, and it is not the Scenes judge:
what it is trained into is scored by another network.

    {facts["command"]}

{facts["seconds"]} s of drawing and training with {counted(facts["num_threads"], "thread")}, torch {facts["torch"]}.
Trained on Scenes(seed={DATA_SEED}); mean absolute error of the last 100 batches {facts["last_loss"]:.4f} on a scale
from -1 to 1. Stored in 16 bits. Learning rate {LEARNING_RATE:g}, falling as a cosine.

How far pictures of Scenes(seed={CARD_SEED}) are from others, with the weights of the loss,
{", ".join(f"{weight:g}" for weight in STAGE_WEIGHTS)}:

| a picture and | distance |
| --- | --- |
{chr(10).join(lines)}

Another render of a layout, under another light, is {100 * render / other:.0f} % as far as a picture of another layout.
Written by the command, every number measured.
"""


def _command_line(arguments: argparse.Namespace) -> str:
    """The command with every option spelled out, so that it means the same when a default changes."""
    output = shlex.quote(arguments.output.name if arguments.output.is_absolute() else str(arguments.output))
    return (
        f"python -m sdm_lite.baselines perceptual --output {output} --size {arguments.size} "
        f"--num-steps {arguments.num_steps} --num-images {arguments.num_images} "
        f"--batch-size {arguments.batch_size} --seed {arguments.seed}"
    )
