"""`python -m sdm_lite.evaluate`: score a model on held-out Scenes and print the table."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from sdm_lite.checkpoints import load_facts, load_model
from sdm_lite.evaluate import evaluate_model
from sdm_lite.evaluate_scores import NAMES, ScenesScores
from sdm_lite.judge import load_judge, metric_name
from sdm_lite.progress import progress
from sdm_lite.sampling import sample_ddim, sample_ddpm, sample_dpmpp_2m
from sdm_lite.scenes import Scenes

SAMPLERS = {"ddim": sample_ddim, "ddpm": sample_ddpm, "dpmpp_2m": sample_dpmpp_2m}


def main(argv: Sequence[str] | None = None) -> None:
    """Score a model on held-out Scenes."""
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.evaluate", description=main.__doc__)
    parser.add_argument("model", help="a shipped name such as scenes-32, or a file")
    parser.add_argument("--judge", default="judge-32", help="a shipped name or a file (default judge-32)")
    parser.add_argument("--guidance-scale", type=float, default=1.5, help="s >= 0 (default 1.5)")
    parser.add_argument(
        "--guidance-interval",
        type=int,
        nargs=2,
        metavar=("FIRST", "LAST"),
        help="timesteps that are guided; the others are plain conditional (default: all are guided)",
    )
    parser.add_argument("--num-steps", type=int, default=25, help="of the sampler (default 25)")
    parser.add_argument("--sampler", choices=list(SAMPLERS), default="ddim", help="default ddim")
    parser.add_argument("--num-layouts", type=int, default=512, help="held-out layouts (default 512)")
    parser.add_argument(
        "--num-renders", type=int, default=16, help="true pictures a layout to compare with (default 16)"
    )
    parser.add_argument("--samples-per-layout", type=int, default=4, help="for diversity (default 4)")
    parser.add_argument("--num-diversity-layouts", type=int, default=128, help="layouts for diversity (default 128)")
    parser.add_argument("--seed", type=int, default=0, help="of the samples (default 0)")
    parser.add_argument("--batch-size", type=int, default=32, help="samples at a time (default 32)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to compute")
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    parser.add_argument(
        "--card", type=Path, help="also write the model's card, Markdown: how it was made, and its scores"
    )
    arguments = parser.parse_args(argv)
    try:
        scores = _run(arguments)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    print(format_scores(scores))


def _run(arguments: argparse.Namespace) -> ScenesScores:
    for path in filter(None, (arguments.json, arguments.card)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass  # an unwritable folder is met now and not after the work
    if arguments.card is not None and "train_config" not in load_facts(arguments.model):
        raise ValueError(f"{arguments.model} does not say how it was made: --card needs what sdm_lite.train wrote")
    scores = evaluate_model(
        load_model(arguments.model, device=arguments.device),
        load_judge(arguments.judge, device=arguments.device),
        num_layouts=arguments.num_layouts,
        samples_per_layout=arguments.samples_per_layout,
        num_diversity_layouts=arguments.num_diversity_layouts,
        num_renders=arguments.num_renders,
        guidance_scale=arguments.guidance_scale,
        guidance_interval=None if arguments.guidance_interval is None else tuple(arguments.guidance_interval),
        num_steps=arguments.num_steps,
        sampler=SAMPLERS[arguments.sampler],
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        progress=progress,
    )
    if arguments.json is not None:
        text = json.dumps({"model": arguments.model, "judge": arguments.judge, **dataclasses.asdict(scores)}, indent=1)
        _write_whole(arguments.json, text + "\n")
    if arguments.card is not None:
        _write_whole(arguments.card, format_card(arguments, scores))
    return scores


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.replace(path)


def format_card(arguments: argparse.Namespace, scores: ScenesScores) -> str:
    """A model's card: the facts that its file holds of its making, and the scores just measured."""
    facts = load_facts(arguments.model)
    config = load_model(arguments.model).unet.config
    recipe = facts["train_config"]
    device = f"{facts['device']}, {facts['threads']} threads, torch {facts['torch']}"
    made = (
        f"{facts['steps']:,} steps of {recipe['batch_size']} images, {facts['images']:,} images in {facts['seconds']} s"
    )
    commands = "\n".join(f"    {phase['command']}" for phase in [*facts.get("before", []), facts])
    scored = f"python -m sdm_lite.evaluate {arguments.model} --guidance-scale {arguments.guidance_scale}"
    return f"""# {Path(arguments.model).stem}

An SDM U-Net for Scenes at {config.image_size[0]} x {config.image_size[1]} with {config.base_channels} base channels and
multipliers {config.channel_multipliers}. Written by

{commands}

The last phase: {made} ({device}).
Trained on Scenes(seed={facts["data_seed"]}), scored on Scenes(seed={scores.settings["scenes_seed"]}).
Labels dropped with probability {recipe["null_probability"]}.
The whole recipe is inside the file: `checkpoints.load_facts`.

Scores, with 95 % bootstrap intervals, by `{scored}`:

```
{format_scores(scores)}
```

Every number here was written by a command. The judge is a small network of this package: nothing here can be compared
with the paper's tables.
"""


def format_scores(scores: ScenesScores) -> str:
    """The scores as a table for a terminal."""
    width = max(map(len, NAMES.values())) + 2
    lines = []
    for name, words in NAMES.items():
        indent = "" if words.startswith(("TV", "mean", "div", "mIoU", "FID")) else "  "
        low, high = scores.intervals[name]
        lines.append(f"{indent + words:<{width}}  {getattr(scores, name):8.3f}   [{low:.3f}, {high:.3f}]")
    classes = zip(Scenes.class_names, scores.class_iou, strict=True)
    lines.append(f"{metric_name('IoU')}: " + ", ".join(f"{name} {iou:.2f}" for name, iou in classes))
    lines.append(
        f"{scores.num_layouts} held-out layouts, {scores.num_images} samples, "
        f"{1000 * scores.seconds_per_image:.0f} ms each; "
        + ", ".join(f"{name} {value}" for name, value in scores.settings.items())
    )
    return "\n".join(lines)
