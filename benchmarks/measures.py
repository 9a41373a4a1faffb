"""What scoring costs next to sampling: 1000 pictures of Scenes drawn, read by the judge, and turned into scores.

Processor time, so that it hardly depends on what else the machine does. True pictures of the layouts are measured once
and serve every model and every way to sample.

    python benchmarks/measures.py [--num-layouts 1000] [--num-drawn 64]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from sdm_lite.checkpoints import load_model
from sdm_lite.evaluate import (
    SampleSettings,
    Sizes,
    draw_groups,
    evaluate_images,
    layout_diversity,
    measure_truth,
    score,
)
from sdm_lite.judge import load_judge
from sdm_lite.scenes import Scenes

LIMIT = 0.1  # of the time of sampling, which reading and scoring are to stay below


def timed(call: Callable[[], object]) -> tuple[object, float]:
    """What a call returns, and the processor time that it took, in seconds."""
    started = time.process_time()
    found = call()
    return found, time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-layouts", type=int, default=1000, help="pictures that are scored (default 1000)")
    parser.add_argument("--num-drawn", type=int, default=64, help="pictures that sampling is timed on (default 64)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, judge = load_model("scenes-32"), load_judge("judge-32")
    sizes = Sizes(args.num_layouts, num_renders=16, samples_per_layout=2, num_diversity_layouts=2)
    scenes = Scenes(32, length=args.num_layouts, seed=sizes.scenes_seed)
    label_maps, instance_maps = map(torch.stack, zip(*(scenes.layout(i) for i in range(len(scenes))), strict=True))

    few, settings = slice(args.num_drawn), SampleSettings(guidance_interval=(1, 800))
    ones = [1] * args.num_drawn
    _, drawing = timed(lambda: draw_groups(model, label_maps[few], instance_maps[few], ones, settings))
    truth, of_truth = timed(lambda: measure_truth(judge, sizes))
    # What is read does not matter to the time: true pictures stand in the samples' place.
    pictures = torch.stack([scenes.render(i, 16) for i in range(len(scenes))])[:, None]
    measured, reading = timed(lambda: evaluate_images(judge, pictures, label_maps))
    diversity = layout_diversity(judge, pictures[:2].expand(-1, 2, -1, -1, -1))
    _, scoring = timed(lambda: score(measured, diversity, truth))

    sampling = drawing / args.num_drawn * args.num_layouts
    share = (reading + scoring) / sampling
    print(f"CPU, 1 thread, torch {torch.__version__}; {args.num_layouts} pictures of {args.num_layouts} layouts")
    print(f"sampling, 25 guided steps of DDIM    {sampling:8.1f} s (from {args.num_drawn} pictures)")
    print(f"the judge reads them                 {reading:8.1f} s")
    print(f"scores, 200 bootstrap resamples      {scoring:8.1f} s")
    print(f"reading and scoring by sampling      {share:8.3f}   (rule: below {LIMIT:g}: {share < LIMIT})")
    print(f"true pictures, once for all models   {of_truth:8.1f} s")


if __name__ == "__main__":
    main()
