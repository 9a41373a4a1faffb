"""What guidance trades for what, measured: writes docs/guidance_sweep.md, its plot and the stored run guidance_sweep.

The shipped scenes-32 draws the same test layouts from the same noise at growing scales of guidance. Each score stands
beside that of true pictures of the same layouts; differences between scales and the slope over them resample layouts
once for all. Pictures are kept in --output before anything is measured and are not drawn again, so it can be stopped
at any time.

    python docs/scripts/guidance_sweep.py                   # draw what is missing (a minute or three a scale), measure
    python docs/scripts/guidance_sweep.py --write           # only measure and write
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from layout_options import layout_parser, sizes_of

from sdm_lite import markdown, metrics
from sdm_lite.checkpoints import load_model
from sdm_lite.command import run
from sdm_lite.evaluate import SampleSettings, Sizes, Truth, draw_groups, measure_truth
from sdm_lite.evaluate.kept import keep_samples, measure_kept
from sdm_lite.evaluate.scene_scores import Statistic, statistics
from sdm_lite.files import expanded, write_whole
from sdm_lite.judge import Judge, load_judge
from sdm_lite.ledger.evidence import EVIDENCE_DIR, StoredClaim, write_evidence
from sdm_lite.metrics import Interval, Neighbourhoods, centred_interval, neighbourhoods
from sdm_lite.progress import progress
from sdm_lite.sampling import sample_dpmpp_2m

FOLDER = Path(__file__).parents[1]
COMMAND = "python docs/scripts/guidance_sweep.py"
SCALES = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
PLAIN, PAPER = 1.0, 1.5
NUM_STEPS = 15  # of DPM-Solver++(2M): docs/few_steps.md
SCALE = "Scenes 32 px, scenes-32 (1.1 M weights, one training run)"
# What decides claims, how it is told apart from the truth, and what that is called.
SCORES = {
    "frechet": "FID less its floor",
    "miou": "mIoU ratio",
    "diversity": "diversity ratio",
    "time_of_day_tv": "hour less its floor",
    "season_tv": "season less its floor",
}
NEIGHBOURS = Neighbourhoods._fields


class Row(NamedTuple):
    """What one scale scores.

    Attributes:
        scores: by name, (1 + R, 2): of the samples and of true pictures, on all layouts and on R resamples of them.
        neighbours: of the samples among true pictures, one of each layout.
    """

    scores: dict[str, np.ndarray]
    neighbours: Neighbourhoods

    def apart(self, name: str) -> np.ndarray:
        """(1 + R,): a score as it stands beside the truth's, a ratio to it or what is above the floor."""
        samples, truth = self.scores[name].T
        return samples / truth if SCORES[name].endswith("ratio") else samples - truth


def draw(folder: Path, sizes: Sizes) -> None:
    """Draw every scale that is not in the folder yet."""
    model, layouts = load_model("scenes-32"), sizes.layouts(32)
    for scale in SCALES:
        path = folder / f"s{scale:g}.safetensors"
        if path.exists():
            continue
        print(f"s = {scale:g}", flush=True)
        settings = SampleSettings(scale, NUM_STEPS, sample_dpmpp_2m)
        keep_samples(path, draw_groups(model, *layouts, sizes.samples_of, settings, progress=progress))


def measure(folder: Path, judge: Judge, truth: Truth, num_resamples: int) -> dict[float, Row]:
    """Every scale, read by the judge."""
    found = {}
    for scale in progress(SCALES, description="scales"):
        measured, diversity = measure_kept(folder / f"s{scale:g}.safetensors", judge, truth)
        of = statistics(measured, diversity, truth)
        scores = {name: with_resamples(of[name], num_resamples) for name in SCORES}
        found[scale] = Row(scores, neighbourhoods(truth.reference.features[:, 0], measured.features[:, 0]))
    return found


def with_resamples(statistic: Statistic, num_resamples: int) -> np.ndarray:
    """(1 + R, 2): of samples and of true pictures, first on all layouts."""
    whole = [statistic.of(torch.arange(statistic.num_layouts))]
    return np.concatenate([whole, metrics.bootstrap(statistic.of, statistic.num_layouts, num_resamples=num_resamples)])


def interval(values: np.ndarray, num_layouts: int) -> Interval:
    """Of a value and its replicates, (1 + R,)."""
    return centred_interval(float(values[0]), values[1:], of=f"{num_layouts} layouts")


def slope(found: dict[float, Row], name: str) -> np.ndarray:
    """(1 + R,): of the straight line through a score over the scale, by least squares."""
    scales = np.array(SCALES) - np.mean(SCALES)
    values = np.stack([found[scale].apart(name) for scale in SCALES])  # (scales, 1 + R)
    return scales @ values / (scales @ scales)


def neighbours_of_truth(truth: Truth) -> list[Neighbourhoods]:
    """What true pictures score among other true pictures, a render after the other."""
    features = truth.reference.features
    return [neighbourhoods(features[:, 0], features[:, n]) for n in range(1, features.shape[1])]


def claims(found: dict[float, Row], sizes: Sizes) -> list[StoredClaim]:
    """What it says of the paper's claims."""
    plain, guided = found[PLAIN], found[PAPER]
    raw = plain.scores["miou"]
    quantities = {
        "guidance-fid": ("frechet", guided.apart("frechet") - plain.apart("frechet")),
        "guidance-miou": ("miou", guided.scores["miou"][:, 0] - plain.scores["miou"][:, 0]),
        "guidance-lpips": ("diversity", guided.scores["diversity"][:, 0] - plain.scores["diversity"][:, 0]),
        "scale-trades/miou": ("miou", slope(found, "miou")),
        "scale-trades/fid": ("frechet", slope(found, "frechet")),
        "scale-trades/diversity": ("diversity", slope(found, "diversity")),
        "unguided-weak/diverse": ("diversity", plain.apart("diversity")),
        "unguided-weak/not-lifelike": ("frechet", plain.apart("frechet")),
        "unguided-weak/not-true-to-the-map": ("miou", raw[:, 0] - raw[:, 1]),
    }
    return [
        StoredClaim(id, float(values[0]), interval(values, number)[:2], "layouts", number, num_seeds=1, scale=SCALE)
        for id, (name, values) in quantities.items()
        for number in [sizes.num_diversity_layouts if name == "diversity" else sizes.num_layouts]
    ]


def results(found: dict[float, Row], truth: Truth) -> dict[str, object]:
    """Everything that was found."""
    sizes, others = truth.sizes, neighbours_of_truth(truth)

    def told(values: np.ndarray) -> dict[str, object]:
        return {"value": float(values[0]), "interval": list(interval(values, sizes.num_layouts)[:2])}

    return {
        "scores": SCORES,
        "num_diversity_layouts": sizes.num_diversity_layouts,
        "samples_per_layout": sizes.samples_per_layout,
        "sampler": f"DPM-Solver++(2M), {NUM_STEPS} steps",
        "rows": [
            {
                "scale": scale,
                **{name: told(row.apart(name)) for name in SCORES},
                **row.neighbours._asdict(),
                "less_unguided": {
                    name: told(row.apart(name) - found[PLAIN].apart(name)) for name in SCORES if scale != PLAIN
                },
            }
            for scale, row in found.items()
        ],
        "slopes": {name: told(slope(found, name)) for name in ("frechet", "miou", "diversity")},
        "true_pictures": {
            name: {
                "value": float(np.mean([getattr(one, name) for one in others])),
                "range": [min(getattr(one, name) for one in others), max(getattr(one, name) for one in others)],
            }
            for name in NEIGHBOURS
        },
    }


def page(stored: dict[str, object], sizes: Sizes) -> str:
    """The page, of what is stored."""
    rows = []
    for row in stored["rows"]:
        cells = [f"{row['scale']:g}", *(markdown.number(**row[name]) for name in SCORES)]
        rows.append([*cells, *(f"{row[name]:.3f}" for name in NEIGHBOURS)])
    truth = [
        f"{one['value']:.3f} ({one['range'][0]:.3f} to {one['range'][1]:.3f})"
        for one in stored["true_pictures"].values()
    ]
    table = markdown.table(
        ["s", *SCORES.values(), *NEIGHBOURS], [*rows, ["true pictures", "0", "1", "1", "0", "0", *truth]]
    )
    differences = []
    for row in stored["rows"][1:]:
        cells = [f"{row['scale']:g}"]
        for name in SCORES:
            low, high = row["less_unguided"][name]["interval"]
            said = "more" if low > 0 else "less" if high < 0 else "undecided"
            cells.append(f"{markdown.number(**row['less_unguided'][name])} {said}")
        differences.append(cells)
    slopes = ", ".join(f"{SCORES[name]} {markdown.number(**one)}" for name, one in stored["slopes"].items())
    truth_sets = sizes.num_renders - 1
    return f"""# What guidance trades for what

Written by `{COMMAND}`: the shipped `scenes-32` on {sizes.num_layouts} test layouts,
Scenes(seed={sizes.scenes_seed}), the same layouts and noise at every scale, {NUM_STEPS} steps of DPM-Solver++(2M),
guided at every step as in the paper. Diversity from {sizes.samples_per_layout} samples of each of
{sizes.num_diversity_layouts} layouts. All scores are by the Scenes judge, a small network of this package.
Intervals: 95 % centred bootstrap over
layouts; one network, trained once, so that nothing here says what another training run would do. Precision, recall,
density and coverage are of the judge's features, {sizes.num_layouts} samples among as many true pictures, without
interval: resampling repeats pictures, and nearest neighbours notice. Behind those of true pictures: the least and the
greatest of {truth_sets} renders of the same layouts.

{chr(10).join(table)}

![Scores over the scale](images/guidance_sweep.png)

Each scale less s = 1, layouts resampled once for both; "more" or "less" where the interval excludes 0, the rule fixed
before:

{chr(10).join(markdown.table(["s", *SCORES.values()], differences))}

Slope of the straight line through each score, per unit of s from {SCALES[0]:g} to {SCALES[-1]:g}:
{slopes}.
"""


def plot(stored: dict[str, object], path: Path) -> None:
    """Scores over the scale, with intervals and the truth's value."""
    import matplotlib.pyplot as plt

    from sdm_lite.viz import save_png, use_style

    use_style()
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained")
    scales = [row["scale"] for row in stored["rows"]]
    for panel, name, right in zip(axes, ("frechet", "miou", "diversity"), (0, 1, 1), strict=False):
        points = [row[name] for row in stored["rows"]]
        panel.plot(scales, [point["value"] for point in points], marker="o", markersize=4)
        panel.fill_between(scales, *zip(*(point["interval"] for point in points), strict=True), alpha=0.15)
        panel.axhline(right, color="0.5", linewidth=1)
        panel.annotate("true pictures", (scales[-1], right), ha="right", va="bottom", color="0.4", fontsize=8)
        panel.set_title(SCORES[name], loc="left")
    for name in NEIGHBOURS:
        (line,) = axes[3].plot(scales, [row[name] for row in stored["rows"]], marker="o", markersize=4, label=name)
        axes[3].axhline(stored["true_pictures"][name]["value"], color=line.get_color(), linewidth=1, linestyle=":")
    axes[3].set_title("of neighbours (dotted: true pictures)", loc="left")
    axes[3].legend()
    for panel in axes:
        panel.set_xlabel("guidance scale s")
    save_png(path, figure)
    plt.close(figure)


def main() -> None:
    """Draw what is missing, measure, and write."""
    parser = layout_parser(__doc__, output="runs/guidance_sweep", num_diversity_layouts=256, samples_per_layout=4)
    parser.add_argument("--evidence", default=EVIDENCE_DIR, help="folder of the stored run")
    args = parser.parse_args()
    folder, sizes = expanded(args.output), sizes_of(args)
    if not args.write:
        draw(folder, sizes)
    missing = [f"s{scale:g}" for scale in SCALES if not (folder / f"s{scale:g}.safetensors").exists()]
    if missing:
        raise SystemExit(f"error: no samples of {', '.join(missing)} in {folder}: run it without --write first")
    judge = load_judge("judge-32")
    truth = measure_truth(judge, sizes, progress=progress)
    found = measure(folder, judge, truth, args.num_resamples)
    stored = results(found, truth)
    modules = [f"sdm_lite.{name}" for name in ("diffusion", "guidance", "sampling", "unet", "spade", "judge.network")]
    path = write_evidence(
        "guidance_sweep",
        command=COMMAND,
        modules=modules,
        weights=["scenes-32", "judge-32"],
        num_layouts=sizes.num_layouts,
        results=stored,
        claims=claims(found, sizes),
        folder=expanded(args.evidence),
    )
    plot(stored, FOLDER / "images" / "guidance_sweep.png")
    write_whole(FOLDER / "guidance_sweep.md", page(stored, sizes))
    print(f"wrote {path} and {FOLDER / 'guidance_sweep.md'}")


if __name__ == "__main__":
    raise SystemExit(run(main))
