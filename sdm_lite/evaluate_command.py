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

from sdm_lite.checkpoints import load_model
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
    arguments = parser.parse_args(argv)
    try:
        scores = _run(arguments)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    print(format_scores(scores))


def _run(arguments: argparse.Namespace) -> ScenesScores:
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=arguments.json.parent):
            pass  # an unwritable folder is met now and not after the work
    scores = evaluate_model(
        load_model(arguments.model, device=arguments.device),
        load_judge(arguments.judge, device=arguments.device),
        num_layouts=arguments.num_layouts,
        samples_per_layout=arguments.samples_per_layout,
        num_diversity_layouts=arguments.num_diversity_layouts,
        num_renders=arguments.num_renders,
        guidance_scale=arguments.guidance_scale,
        num_steps=arguments.num_steps,
        sampler=SAMPLERS[arguments.sampler],
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        progress=progress,
    )
    if arguments.json is not None:
        text = json.dumps({"model": arguments.model, "judge": arguments.judge, **dataclasses.asdict(scores)}, indent=1)
        temporary = arguments.json.with_name(f".{arguments.json.name}.{os.getpid()}.tmp")
        temporary.write_text(text + "\n")
        temporary.replace(arguments.json)
    return scores


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
