"""What a stronger judge changes, measured: writes docs/judge_strength.md and the stored run judges.

Judges of three strengths (the same network, trained for longer), and one that saw other layouts, read the same
pictures: the samples that docs/scripts/guidance_sweep.py drew at several scales of guidance, and true pictures of the
same layouts. Do they score samples above the truth, all of them? Do they rank the scales alike? And is a picture scored
better if it is enlarged to what the judge was trained on?

    python docs/scripts/guidance_sweep.py                   # first: it draws
    python docs/scripts/judge_strength.py                   # a quarter of an hour of one thread trains the judges
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import markdown, metrics
from sdm_lite.checkpoints import load_tensors
from sdm_lite.files import expanded, write_whole
from sdm_lite.judge import Judge, load_judge
from sdm_lite.judge.network import save_judge
from sdm_lite.judge.training import read_scenes, train_judge
from sdm_lite.ledger.evidence import EVIDENCE_DIR, StoredClaim, write_evidence
from sdm_lite.metrics import Interval, centred_interval
from sdm_lite.progress import progress
from sdm_lite.scenes import TEST_SEED, TRAIN_SEED, Scenes

FOLDER = Path(__file__).parents[1]
COMMAND = "python docs/scripts/judge_strength.py"
STRONGEST = "judge-32"
# Steps of training and the seed of the layouts; None = shipped, 3600 steps.
JUDGES: dict[str, tuple[int, int] | None] = {
    "weak": (150, TRAIN_SEED),
    "medium": (900, TRAIN_SEED),
    "medium, other layouts": (900, TEST_SEED + 1),
    STRONGEST: None,
}
NUM_IMAGES = 4000
NUM_RENDERS = 4
NUM_RESAMPLES = 1000
SCALES = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
TRUTH = "true pictures"


def judge_of(name: str, folder: Path) -> Judge:
    """A judge by its name, trained if it is not in the folder yet."""
    asked = JUDGES[name]
    if asked is None:
        return load_judge(name)
    path = folder / f"{name.replace(', ', '-').replace(' ', '-')}.safetensors"
    if not path.exists():
        num_steps, seed = asked
        pictures, appearances = read_scenes(Scenes(32, length=NUM_IMAGES, seed=seed))
        steps = train_judge(load_judge(STRONGEST).config, pictures, appearances, num_steps=num_steps)
        for step in progress(steps, description=f"judge {name}", total=num_steps):
            judge = step.judge
        save_judge(path, judge, facts={"steps": num_steps, "scenes_seed": seed})
    return load_judge(path)


@torch.no_grad()
def confusions(judge: Judge, images: Tensor, label_maps: Tensor) -> Tensor:
    """(L, K, K) int64, of pictures (L, 3, H, W) and what they should show."""
    num_classes, read = judge.config.num_classes, []
    for part in images.split(64):
        read.append(judge.read(part).logits.argmax(1))
    pairs = zip(torch.cat(read), label_maps, strict=True)
    return torch.stack([metrics.confusion_matrix(one, asked, num_classes) for one, asked in pairs])


def pictures(folder: Path, num_layouts: int) -> tuple[dict[str, Tensor], Tensor]:
    """Pictures of the test layouts, by what drew them, (L, 3, H, W) each, and their label maps, (L, H, W)."""
    scenes = Scenes(32, length=num_layouts, seed=TEST_SEED)
    label_maps = torch.stack([scenes.layout(i)[0] for i in range(num_layouts)])
    found = {}
    for scale in SCALES:
        path = folder / f"s{scale:g}.safetensors"
        if not path.exists():
            raise SystemExit(f"error: no samples at {path}: run python docs/scripts/guidance_sweep.py first")
        found[f"s = {scale:g}"] = load_tensors(path)[0]["first"][:num_layouts].float()
    found[TRUTH] = torch.stack([scenes.render(i, 0) for i in range(num_layouts)])
    return found, label_maps


def miou_of(confusion: Tensor, num_resamples: int) -> np.ndarray:
    """(1 + R,): of all layouts and of resampled ones."""
    draws = torch.randint(len(confusion), (num_resamples, len(confusion)), generator=torch.Generator().manual_seed(0))
    whole = torch.arange(len(confusion))[None]
    return np.array([metrics.mean_iou(confusion[i].sum(0)) for i in (*whole, *draws)])


def interval(values: np.ndarray, num_layouts: int) -> Interval:
    """Of a value and its replicates."""
    return centred_interval(float(values[0]), values[1:], of=f"{num_layouts} layouts")


def told(values: np.ndarray, num_layouts: int) -> str:
    """A value with its interval."""
    return markdown.number(values[0], interval(values, num_layouts))


def ranks(values: Sequence[float]) -> list[int]:
    """1 for the largest."""
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return [order.index(i) + 1 for i in range(len(values))]


def rank_agreement(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's tau (1938): pairs in the same order less pairs in the other, by all pairs."""
    pairs = [(i, j) for i in range(len(one)) for j in range(i)]
    return float(np.mean([np.sign((one[i] - one[j]) * (other[i] - other[j])) for i, j in pairs]))


def enlarged(num_layouts: int, num_resamples: int) -> dict[str, np.ndarray]:
    """MIoU of true pictures by judge-64: drawn at 64 px; drawn at 32 px, read as they are and enlarged."""
    judge, found = load_judge("judge-64"), {}
    small, large = (Scenes(size, length=num_layouts, seed=TEST_SEED) for size in (32, 64))
    maps = {scenes: torch.stack([scenes.layout(i)[0] for i in range(num_layouts)]) for scenes in (small, large)}
    drawn = {scenes: torch.stack([scenes.render(i, 0) for i in range(num_layouts)]) for scenes in (small, large)}
    doubled = F.interpolate(drawn[small], scale_factor=2, mode="bilinear", align_corners=False)
    of_doubled = maps[small].repeat_interleave(2, 1).repeat_interleave(2, 2)
    found["64 px"] = miou_of(confusions(judge, drawn[large], maps[large]), num_resamples)
    found["32 px, as they are"] = miou_of(confusions(judge, drawn[small], maps[small]), num_resamples)
    found["32 px, enlarged"] = miou_of(confusions(judge, doubled, of_doubled), num_resamples)
    return found


def write(scores: dict[str, dict[str, np.ndarray]], sizes: dict[str, np.ndarray], num_layouts: int, to: Path) -> None:
    """Write the page and the stored run."""
    methods = [f"s = {scale:g}" for scale in SCALES]
    rows, ratios, order = [], [], []
    strongest = [scores[STRONGEST][method][0] for method in methods]
    for judge, of in scores.items():
        rows.append([judge, *(told(of[name], num_layouts) for name in (TRUTH, *methods))])
        ratios.append([judge, *(told(of[name] / of[TRUTH], num_layouts) for name in methods)])
        values = [of[method][0] for method in methods]
        order.append([judge, *map(str, ranks(values)), f"{rank_agreement(values, strongest):.2f}"])
    read = [[name, told(values, num_layouts)] for name, values in sizes.items()]
    differs = scores[STRONGEST]["s = 1.5"] - scores["weak"]["s = 1.5"]
    fair = sizes["32 px, enlarged"] - sizes["32 px, as they are"]
    write_whole(
        FOLDER / "judge_strength.md",
        f"""# What a stronger judge changes

Written by `{COMMAND}`: the samples of [guidance_sweep.md](guidance_sweep.md) and true
pictures of the same {num_layouts} test layouts, read by judges of one architecture that were trained for 150, 900 and
3600 steps, and by one that was trained for 900 steps on other layouts. Intervals: 95 % centred bootstrap over layouts.

mIoU:

{chr(10).join(markdown.table(["judge", TRUTH, *methods], rows))}

By that of true pictures; above 1 the judge reads samples better than the truth:

{chr(10).join(markdown.table(["judge", *methods], ratios))}

Rank of the scales by mIoU, and how many pairs of scales a judge has in the order of the strongest (Kendall's tau: 1
all, 0 half of them, -1 none):

{chr(10).join(markdown.table(["judge", *methods, f"agreement with {STRONGEST}"], order))}

A picture of 32 px, read as it is by a judge of 64 px, and enlarged before (bilinear, its label map repeated):

{chr(10).join(markdown.table(["true pictures, read by judge-64", "mIoU"], read))}

**What a ratio above 1 is, here**: true pictures have anti-aliased edges, in which a pixel is a mixture of two classes
and no judge can be sure of it; guided samples have harder edges ([rulers.md](rulers.md) measures both). It says that
samples are easier to read than the truth, not that they are better than it.
""",
    )
    claims = [
        StoredClaim(id, float(values[0]), interval(values, num_layouts)[:2], "layouts", num_layouts, 1, "Scenes 32 px")
        for id, values in (("judge-matters", differs), ("upsampling-fair", fair))
    ]
    modules = ("judge.losses", "judge.network", "judge.training", "metrics.segmentation")
    path = write_evidence(
        "judges",
        command=COMMAND,
        modules=[f"sdm_lite.{name}" for name in modules],
        weights=["judge-32", "judge-64"],
        num_layouts=num_layouts,
        results={
            "miou": {
                judge: {
                    name: {"value": float(values[0]), "interval": interval(values, num_layouts)[:2]}
                    for name, values in of.items()
                }
                for judge, of in scores.items()
            },
            "enlarged": {
                name: {"value": float(values[0]), "interval": interval(values, num_layouts)[:2]}
                for name, values in sizes.items()
            },
        },
        claims=claims,
        folder=to,
    )
    print(f"wrote {path} and {FOLDER / 'judge_strength.md'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the judges that are missing, read, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", default="runs/guidance_sweep", help="where guidance_sweep.py has drawn")
    parser.add_argument("--output", default="runs/judges", help="judges are kept here")
    parser.add_argument("--num-layouts", type=int, default=512, help="test layouts (default 512)")
    parser.add_argument("--evidence", default=EVIDENCE_DIR, help="folder of the stored run")
    args = parser.parse_args(arguments)
    drawn, label_maps = pictures(expanded(args.samples), args.num_layouts)
    scores = {}
    for name in JUDGES:
        judge = judge_of(name, expanded(args.output))
        scores[name] = {
            method: miou_of(confusions(judge, images, label_maps), NUM_RESAMPLES) for method, images in drawn.items()
        }
    write(scores, enlarged(args.num_layouts, NUM_RESAMPLES), args.num_layouts, expanded(args.evidence))


if __name__ == "__main__":
    main()
