"""Two judges of photographs, class by class, on the same held-out photographs: prints a table for docs/judges.md.

Photographs that weights were chosen by are left out, which is every second one. Neighbouring photographs may be frames
of one film, so the interval of a difference is a bootstrap over blocks of them: ten neighbours, of which five are left.
It covers these photographs, not another training. The last column is what a pixel is worth at this size: the true label
map moved by one, scored against itself.

    python docs/scripts/compare_judges.py camvid FOLDER unet.safetensors head.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite import markdown, metrics
from sdm_lite.batches import Batch
from sdm_lite.checkpoints import load_facts, resolve
from sdm_lite.datasets import open_dataset
from sdm_lite.judge.__main__ import halves_to_choose
from sdm_lite.judge.photographs import load_own_judge, read_photographs
from sdm_lite.metrics import bootstrap, centred_interval

BLOCK = 5  # of every second photograph: ten neighbours
NUM_RESAMPLES = 2000


def confusions(predicted: Tensor, batch: Batch, void_id: int | None) -> Tensor:
    """A confusion matrix of each photograph, (N, K, K) int64."""
    of_one = [
        metrics.confusion_matrix(one[None], true[None], batch.num_classes, ignore_label=void_id)
        for one, true in zip(predicted, batch.label_map, strict=True)
    ]
    return torch.stack(of_one)


def scores(confusion: Tensor) -> Tensor:
    """IoU of the K classes, nan where there is none, and their mean; (K + 1,)."""
    return torch.cat([metrics.intersection_over_union(confusion), torch.tensor([metrics.mean_iou(confusion)])])


def table(names: list[str], first: Tensor, second: Tensor, moved: Tensor) -> list[str]:
    """A row a class that is there: both judges, their difference with its interval, the map moved by one pixel."""
    blocks = torch.arange(len(first) // BLOCK * BLOCK).view(-1, BLOCK)

    def difference(chosen: Tensor) -> list[float]:
        photographs = blocks[chosen].flatten()
        return (scores(second[photographs].sum(0)) - scores(first[photographs].sum(0))).tolist()

    replicates = bootstrap(difference, len(blocks), num_resamples=NUM_RESAMPLES)  # (R, K + 1)
    values = zip([*names, "**mean**"], *(scores(one.sum(0)).tolist() for one in (first, second, moved)), strict=True)
    rows = []
    for k, (name, one, other, by_one) in enumerate(values):
        if one == one:  # noqa: PLR0124 - not nan
            interval = centred_interval(other - one, replicates[:, k], of="blocks of photographs")
            told = markdown.number(other - one, interval, "+.3f")
            rows.append([name, f"{one:.3f}", f"{other:.3f}", told, f"{by_one:.2f}"])
    return markdown.table(["class", "first", "second", "second less first, 95 %", "map moved by one pixel"], rows)


@torch.no_grad()
def main() -> None:
    """Read, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="such as camvid")
    parser.add_argument("root", type=Path, help="its folder")
    parser.add_argument("judges", nargs=2, metavar="JUDGE", help="a file of `sdm_lite.judge train`, of one size both")
    args = parser.parse_args()
    size = load_facts(resolve(args.judges[0]))["size"]
    held_out = open_dataset(args.dataset, args.root, "val", size=size)
    _, (pictures, _) = halves_to_choose((read_photographs(held_out), None))
    judges = [load_own_judge(path, held_out)[0] for path in args.judges]
    parts = torch.arange(len(pictures.images)).split(32)
    predicted = [torch.cat([judge.predict(pictures.at(part).x0) for part in parts]) for judge in judges]
    read = [confusions(one, pictures, held_out.void_id) for one in predicted]
    moved = confusions(pictures.label_map.roll(1, -1), pictures, held_out.void_id)
    print(f"{held_out.name} at {size[0]} x {size[1]}, {len(pictures.images)} held-out photographs,", end=" ")
    print(f"blocks of {BLOCK}, {NUM_RESAMPLES} resamples\n")
    print("\n".join(table(list(held_out.class_names), *read, moved)))


if __name__ == "__main__":
    main()
