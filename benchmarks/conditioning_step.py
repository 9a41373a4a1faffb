"""What the decoder path of labels costs: SDM beside the concatenation network, a step of training and of sampling.

The two networks have as many weights, within 2 %. Steps are taken in turn, on one thread, and timed by the processor's
own clock; the ratio is the median over pairs. Its inverse says how many steps the one may take in the other's time.

    python benchmarks/conditioning_step.py [--rounds 12]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from copy import deepcopy

import torch

from sdm_lite.batches import encode
from sdm_lite.concat import make_unet
from sdm_lite.guidance import denoiser
from sdm_lite.presets import PRESETS
from sdm_lite.scenes import Scenes
from sdm_lite.train import LITE_DIFFUSION, ImageBatches, TrainConfig, train


def training(preset: str) -> Callable[[], object]:
    """One step of training, of 8 pictures."""
    torch.manual_seed(0)
    unet = make_unet(PRESETS[preset])
    scenes = Scenes(size=unet.config.image_size[0], length=64)
    batches = ImageBatches(scenes.materialize(range(64)), batch_size=8, flip_probability=0.5, seed=0)
    config = TrainConfig(num_steps=10**6, null_probability=0.2)
    steps = train(unet, deepcopy(unet), LITE_DIFFUSION.build(), batches, config)
    return lambda: next(steps)


def guided(preset: str) -> Callable[[], object]:
    """One guided step of sampling, of 8 pictures, their label maps read before."""
    torch.manual_seed(0)
    unet = make_unet(PRESETS[preset]).eval()
    scenes = Scenes(size=unet.config.image_size[0], length=8)
    _, condition = encode(scenes.materialize(range(8)))  # (8, K, H, W)
    draw = denoiser(unet, LITE_DIFFUSION.build(), condition, 1.5)
    x_t, t = torch.randn(8, 3, *unet.config.image_size), torch.full((8,), 500)
    return lambda: draw(x_t, t)


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Of the processor, for one call."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times


def parsed(parser: argparse.ArgumentParser, *, rounds: int) -> argparse.Namespace:
    """The words of a command that takes turns in rounds, of which the first is not counted; on one thread from here."""
    parser.add_argument("--rounds", type=int, default=rounds)
    args = parser.parse_args()
    if args.rounds < 3:
        parser.error(f"--rounds must be at least 3, as the first is not counted, got {args.rounds}")
    torch.set_num_threads(1)
    return args


def ratio(ours: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Median seconds of each, and the median of their quotient."""
    pairs = [(seconds(ours, 3), seconds(other, 3)) for _ in range(rounds)]
    first, second = zip(*pairs[1:], strict=True)  # the first round warms up
    return (
        statistics.median(first),
        statistics.median(second),
        statistics.median(a / b for a, b in zip(first, second, strict=True)),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args = parsed(parser, rounds=12)
    print(f"one thread, torch {torch.__version__}, seconds of 8 pictures")
    for size in (32, 64):
        for what, make in (("training", training), ("guided sampling", guided)):
            sdm, concat, times = ratio(make(f"scenes-{size}"), make(f"scenes-{size}-concat"), args.rounds)
            print(f"{size:3} px, a step of {what:16} SDM {sdm:.3f} s, concat {concat:.3f} s, SDM / concat {times:.2f}")


if __name__ == "__main__":
    main()
