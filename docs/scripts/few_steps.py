"""How many network evaluations a good sample needs, measured: writes docs/few_steps.md and its plot.

Every row of the table is one call of `sdm_lite.evaluate` with the shipped scenes-32: samplers at growing numbers of
steps, all guided at one scale, and two refinements from later papers (guidance in an interval of noise levels only;
dynamic thresholding of the predicted image). A row takes from seconds to half an hour; finished rows are kept in
--output and are not measured again, so it can be stopped at any time.

    python docs/scripts/few_steps.py                   # measure what is missing, then write
    python docs/scripts/few_steps.py --write           # only write, from the rows that are there
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.checkpoints import load_model
from sdm_lite.diffusion import Denoiser, GaussianDiffusion, Prediction
from sdm_lite.evaluate import SampleSettings, Sizes, evaluate_model, measure_truth
from sdm_lite.evaluate.measures import scores_json
from sdm_lite.files import write_whole
from sdm_lite.guidance import denoiser
from sdm_lite.judge import load_judge
from sdm_lite.progress import progress
from sdm_lite.sampling import sample_ddim, sample_ddpm, sample_dpmpp_2m
from sdm_lite.unet import SDMUNet

FOLDER = Path(__file__).parents[1]
GUIDANCE_SCALE = 1.5
SAMPLERS = {"ancestral": sample_ddpm, "DDIM": sample_ddim, "DPM-Solver++(2M)": sample_dpmpp_2m}
NUM_STEPS = {
    "DDIM": (5, 10, 15, 25, 50),
    "DPM-Solver++(2M)": (5, 8, 10, 15, 25),
    "ancestral": (10, 25, 50, 100, 1000),
}
REFINED_STEPS = 25  # of DDIM, for each refinement


class Row(NamedTuple):
    """One measurement: what it is called, and what `evaluate_model` is asked for."""

    sampler: str
    num_steps: int
    refinement: str = "none"

    @property
    def file_name(self) -> str:
        """Where it is kept."""
        return f"{self.sampler} {self.num_steps} {self.refinement}.json".replace(" ", "-").lower()


def dynamic_thresholding(quantile: float) -> Callable[..., Denoiser]:
    """The predicted image divided by a quantile of its magnitude where that exceeds 1. Saharia et al. (2022), 2.3."""

    def make(unet: SDMUNet, diffusion: GaussianDiffusion, condition: Tensor, guidance_scale: float) -> Denoiser:
        guided = denoiser(unet, diffusion, condition, guidance_scale, clip=False)

        def denoise(x_t: Tensor, t: Tensor) -> Prediction:
            prediction = guided(x_t, t)
            x0 = prediction.x0
            limit = x0.abs().flatten(1).quantile(quantile, dim=1).clamp(min=1).view(-1, 1, 1, 1)
            return prediction._replace(x0=x0.clamp(-limit, limit) / limit)

        return denoise

    return make


REFINEMENTS = {
    "none": denoiser,
    "guided for t <= 800 only": partial(denoiser, guidance_interval=(1, 800)),
    "guided for t >= 200 only": partial(denoiser, guidance_interval=(200, 1000)),
    "guided for 200 <= t <= 800 only": partial(denoiser, guidance_interval=(200, 800)),
    "dynamic thresholding, 99.5 %": dynamic_thresholding(0.995),
}


def rows() -> list[Row]:
    """All measurements, quick ones first."""
    plain = [Row(sampler, n) for sampler, numbers in NUM_STEPS.items() for n in numbers]
    refined = [Row("DDIM", REFINED_STEPS, name) for name in REFINEMENTS if name != "none"]
    return sorted(plain + refined, key=lambda row: row.num_steps)


def measure(folder: Path, num_layouts: int, num_diversity_layouts: int, samples_per_layout: int) -> None:
    """Measure every row that is not in the folder yet."""
    missing = [row for row in rows() if not (folder / row.file_name).exists()]
    if not missing:
        return
    model, judge = load_model("scenes-32"), load_judge("judge-32")
    sizes = Sizes(num_layouts, samples_per_layout=samples_per_layout, num_diversity_layouts=num_diversity_layouts)
    truth = measure_truth(judge, sizes, progress=progress)
    for row in missing:
        settings = SampleSettings(
            GUIDANCE_SCALE, row.num_steps, SAMPLERS[row.sampler], make_denoiser=REFINEMENTS[row.refinement]
        )
        scores = evaluate_model(model, judge, settings, sizes, truth=truth, progress=progress)
        facts = row._asdict() | {"threads": torch.get_num_threads()}
        write_whole(folder / row.file_name, scores_json(scores, facts))
        name = f"{row.sampler}, {row.num_steps} steps, {row.refinement}"
        print(f"{name}: FID {scores.measures['frechet'].ratio.value:.2f} times the floor", flush=True)


def read(folder: Path) -> dict[Row, dict]:
    """The finished rows."""
    paths = {row: folder / row.file_name for row in rows()}
    return {row: json.loads(path.read_text()) for row, path in paths.items() if path.exists()}


def ratio(scores: dict, name: str) -> tuple[float, float, float]:
    """A score by that of true pictures, and the ends of its interval."""
    of_true = scores["measures"][name]["ratio"]
    return of_true["value"], *of_true["interval"][:2]


def table(found: dict[Row, dict]) -> list[str]:
    """The rows as lines of Markdown."""
    lines = [
        "| sampler | steps | refinement | FID (Scenes judge) / floor | mIoU ratio | diversity ratio |",
        "|---|---|---|---|---|---|",
    ]
    ordered = [row for sampler in SAMPLERS for row in found if row.sampler == sampler]
    for row in sorted(ordered, key=lambda row: row.refinement != "none"):
        ratios = (ratio(found[row], name) for name in ("frechet", "miou", "diversity"))
        cells = [row.sampler, str(row.num_steps), row.refinement]
        cells += [f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in ratios]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def as_good(scores: dict, standard: dict) -> bool:
    """Whether no score is worse than the standard's interval allows; of diversity, 1 is right."""
    _, low, high = ratio(scores, "diversity")
    return (
        ratio(scores, "frechet")[0] <= ratio(standard, "frechet")[2]
        and ratio(scores, "miou")[0] >= ratio(standard, "miou")[1]
        and low <= 1 <= high
    )


def sentences(found: dict[Row, dict]) -> list[str]:
    """What the table allows to be said, one line a sampler."""
    longest = max((row for row in found if row.sampler == "ancestral"), key=lambda row: row.num_steps)
    standard = f"{longest.num_steps} ancestral steps"
    said = []
    for sampler in SAMPLERS:
        plain = sorted(row for row in found if row.sampler == sampler and row.refinement == "none" and row != longest)
        good = [row.num_steps for row in plain if as_good(found[row], found[longest])]
        if good:
            said.append(f"* **{good[0]} steps of {sampler} are as good as {standard}.**")
        else:
            said.append(f"* No number of {sampler} steps tried (up to {plain[-1].num_steps}) is as good as {standard}.")
    return said


def refined(found: dict[Row, dict]) -> list[str]:
    """Whether each refinement left the interval of the same sampler without it."""
    said = []
    for row in found:
        base = found.get(row._replace(refinement="none"))
        if row.refinement == "none" or base is None:
            continue
        _, low, high = ratio(base, "frechet")
        value = ratio(found[row], "frechet")[0]
        verdict = "better than" if value < low else "worse than" if value > high else "not told apart from"
        said.append(f"* {row.refinement[0].upper()}{row.refinement[1:]}: {verdict} guidance as it is ({value:.2f}).")
    return said


def plot(found: dict[Row, dict], path: Path) -> None:
    """FID, mIoU and diversity over the number of steps, one line a sampler, with intervals."""
    import matplotlib.pyplot as plt

    from sdm_lite.viz import save_png, use_style

    use_style()
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    panels = (
        ("frechet", "FID / floor"),
        ("miou", "mIoU / true pictures"),
        ("diversity", "diversity"),
    )
    for panel, (name, label) in zip(axes, panels, strict=True):
        for sampler in SAMPLERS:
            line = sorted(row for row in found if row.sampler == sampler and row.refinement == "none")
            numbers = [row.num_steps for row in line]
            values, low, high = zip(*(ratio(found[row], name) for row in line), strict=True)
            panel.plot(numbers, values, marker="o", markersize=4, label=sampler)
            panel.fill_between(numbers, low, high, alpha=0.15)
        panel.set_xscale("log")
        panel.set_xticks([5, 10, 25, 50, 100, 250, 1000], ["5", "10", "25", "50", "100", "250", "1000"])
        panel.minorticks_off()
        panel.axhline(1, color="0.5", linewidth=1)
        panel.set_xlabel("network evaluations")
        panel.set_title(label, loc="left")
    axes[0].set_yscale("log")
    axes[0].set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    axes[1].legend(loc="center right", bbox_to_anchor=(1, 0.25))
    save_png(path, figure)


def write(found: dict[Row, dict]) -> None:
    """Write the page."""
    plot(found, FOLDER / "images" / "few_steps.png")
    first = next(iter(found.values()))
    settings, num_images = first["settings"], first["num_images"]
    groups = f"{settings['samples_per_layout']} samples of each of {settings['num_diversity_layouts']} layouts"
    text = f"""# How many steps a sample needs

Written by `python docs/scripts/few_steps.py`: the shipped `scenes-32`, guided at s = {GUIDANCE_SCALE:g}, on
{settings["num_layouts"]} held-out layouts; diversity from {groups}; 95 % centred bootstrap intervals over layouts.
The floor, and every 1 below, is what true pictures of the same layouts score. All scores are by the Scenes judge,
a small network of this package.

{chr(10).join(sentences(found))}

"As good" means: FID not above the interval of the standard, mIoU not below its, and 1 within the interval of the
diversity. The intervals are wide, as a thousand steps of {num_images} samples take half an hour on one core: a
difference smaller than they are is not seen here.

![FID, mIoU and diversity against network evaluations](images/few_steps.png)

{chr(10).join(table(found))}

Refinements of guidance, by FID (Scenes judge) against the interval of the same sampler and steps without them:

{chr(10).join(refined(found))}
"""
    write_whole(FOLDER / "few_steps.md", text)


def main() -> None:
    """Measure what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/few_steps"), help="finished rows are kept here")
    parser.add_argument("--num-layouts", type=int, default=96, help="held-out layouts (default 96)")
    parser.add_argument("--num-diversity-layouts", type=int, default=32, help="of them for diversity (default 32)")
    parser.add_argument("--samples-per-layout", type=int, default=2, help="for diversity (default 2)")
    parser.add_argument("--write", action="store_true", help="measure nothing, write what is there")
    args = parser.parse_args()
    if not args.write:
        measure(args.output, args.num_layouts, args.num_diversity_layouts, args.samples_per_layout)
    found = read(args.output)
    if not any(row.sampler == "ancestral" for row in found):
        raise SystemExit(f"error: no rows of ancestral sampling in {args.output}: run it without --write first")
    write(found)


if __name__ == "__main__":
    main()
