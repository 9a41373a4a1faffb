"""SPADE's first convolution of a label map: multiplied as it is, against looking its few ones up.

For growing numbers of classes, at 128 x 128 pixels and the paper's hidden width: milliseconds forward, and forward and
backward, and the ratio. What `sdm_lite.pyramid.MIN_CHANNELS` was chosen by.

    python benchmarks/first_convolution.py [--size 128] [--repeats 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn

from sdm_lite.labels import encode_labels
from sdm_lite.pyramid import Level, convolve, find_ones

CHANNELS = (12, 20, 36, 151, 184)  # Scenes and CamVid, CelebAMask-HQ, Cityscapes, ADE20K, COCO-Stuff


def best_milliseconds(call: Callable[[], object], repeats: int) -> float:
    """The fastest of several calls, after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return 1e3 * min(times)


def label_maps(num_classes: int, size: int) -> torch.Tensor:
    """One label map of patches, 8 pixels wide, encoded."""
    patches = torch.randint(0, num_classes, (1, size // 8, size // 8), generator=torch.Generator().manual_seed(0))
    return encode_labels(patches.repeat_interleave(8, 1).repeat_interleave(8, 2), num_classes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help="of the label map, in pixels (default 128)")
    parser.add_argument("--repeats", type=int, default=5, help="the best of these counts (default 5)")
    args = parser.parse_args()
    print(f"CPU, {torch.get_num_threads()} threads, torch {torch.__version__}, {args.size} x {args.size} pixels")
    print("channels   forward: multiplied  looked up   ratio   with backward: multiplied  looked up   ratio")
    for channels in CHANNELS:
        condition = label_maps(channels, args.size)
        convolution = nn.Conv2d(channels, 128, 3, padding=1).to(memory_format=torch.channels_last)
        levels = Level(condition), Level(condition, find_ones(condition))

        def forward(level: Level, convolution: nn.Conv2d = convolution) -> None:
            with torch.no_grad():
                convolve(level, convolution)

        def both(level: Level, convolution: nn.Conv2d = convolution) -> None:
            convolve(level, convolution).relu().sum().backward()

        times = [best_milliseconds(lambda: f(level), args.repeats) for f in (forward, both) for level in levels]  # noqa: B023
        print(
            f"{channels:8}   {times[0]:16.1f} ms  {times[1]:6.1f} ms  {times[0] / times[1]:6.2f}"
            f"   {times[2]:22.1f} ms  {times[3]:6.1f} ms  {times[2] / times[3]:6.2f}"
        )


if __name__ == "__main__":
    main()
