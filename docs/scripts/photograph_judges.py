"""Measure what EfficientNet-Lite0 sees on photographs, by how much it enlarges them: a table for docs/judges.md.

    python docs/scripts/photograph_judges.py camvid FOLDER --size 48 64

Half of the held-out photographs, as they are or damaged, against the other half: mean KID over 100 halvings.

Shapes: N photographs, H x W pixels.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.datasets import open_dataset
from sdm_lite.evaluate.photographs.measures import halvings
from sdm_lite.judge import efficientnet

SIDES = (48, 96, 128)  # LEAST_SIDE


def damaged(images: Tensor) -> dict[str, Tensor]:
    """Photographs (N, 3, H, W) in [-1, 1] as they are, and spoiled, by name."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=generator)
    return {
        "as they are": images,
        "noise of 0.05": (images + 0.05 * noise).clamp(-1, 1),
        "noise of 0.1": (images + 0.1 * noise).clamp(-1, 1),
        "3 x 3 blur": F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1),
        "halved and doubled": F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear"),
    }


def main() -> None:
    """Read, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("root", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=(48, 64), metavar="N")
    arguments = parser.parse_args()
    photographs = open_dataset(arguments.dataset, arguments.root, "val", size=tuple(arguments.size))
    images = torch.stack([example.image for example in photographs.read_all()])
    judge, sets = efficientnet.load_efficientnet(), damaged(images)
    print(f"{len(images)} photographs, {arguments.size[0]} x {arguments.size[1]}\n")
    print("| shorter side read | " + " | ".join(sets) + " | processor ms a picture |")
    print("|---" * (len(sets) + 2) + "|")
    for side in SIDES:
        efficientnet.LEAST_SIDE = side
        start = time.process_time()
        features = {
            name: torch.cat([judge.features(part) for part in pictures.split(16)]) for name, pictures in sets.items()
        }
        spent = (time.process_time() - start) / (len(sets) * len(images))
        true, row = features["as they are"], [str(-(-side // min(images.shape[2:])) * min(images.shape[2:]))]
        for tested in features.values():
            found = [metrics.kernel_distance(tested[one], true[other]) for one, other in halvings(len(true))]
            low, high = np.quantile(found, [0.025, 0.975])
            row.append(f"{np.mean(found):.4g} [{low:.3g}, {high:.3g}]")
        print("| " + " | ".join([*row, f"{1000 * spent:.0f}"]) + " |", flush=True)


if __name__ == "__main__":
    main()
