"""How many network evaluations a good sample needs, measured: writes docs/few_steps.md and its plot.

The shipped scenes-32 draws one picture of each test layout with every sampler at growing numbers of steps, all guided
at one scale and from the same noise, on three grids of timesteps, and with two refinements from later papers (guidance
in an interval of noise levels only; dynamic thresholding of the predicted image). Each row is compared with another one
by resampling layouts once for both. A row takes a minute or several; its pictures are kept in --output before anything
is measured and are not drawn again, so it can be stopped at any time.

    python docs/scripts/few_steps.py                   # draw what is missing, measure, write
    python docs/scripts/few_steps.py --write           # only measure and write, from the rows that are there
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from layout_options import layout_parser, sizes_of

from sdm_lite import markdown
from sdm_lite.checkpoints import load_model
from sdm_lite.command import run
from sdm_lite.evaluate import Measure, SampleSettings, Sizes, Truth, draw_groups, measure_truth, score
from sdm_lite.evaluate.kept import keep_samples, measure_kept
from sdm_lite.evaluate.scene_scores import Statistic, compare, statistics
from sdm_lite.files import expanded, write_whole
from sdm_lite.guidance import denoiser
from sdm_lite.guiders import dynamic_thresholding, guided
from sdm_lite.judge import Judge, load_judge
from sdm_lite.metrics import verdict
from sdm_lite.progress import progress
from sdm_lite.sampling import sample_ddim, sample_ddpm, sample_dpmpp_2m
from sdm_lite.timesteps import TIME_GRIDS

FOLDER = Path(__file__).parents[1]
GUIDANCE_SCALE = 1.5
SAMPLERS = {"ancestral": sample_ddpm, "DDIM": sample_ddim, "DPM-Solver++(2M)": sample_dpmpp_2m}
NUM_STEPS = {
    "DDIM": (4, 5, 8, 10, 15, 25, 50),
    "DPM-Solver++(2M)": (5, 8, 10, 15, 25),
    "ancestral": (10, 25, 50, 100),
}
GRIDS = {"karras": "rho = 7", "uniform-lambda": "uniform lambda"}  # beside equal strides of t, as tables call them
GRID_STEPS = {"DDIM": (4, 5, 8, 10, 25), "DPM-Solver++(2M)": (5, 8, 10, 15)}  # on each
REFINED_STEPS = 25  # of DDIM, for each refinement
# How far two rows may lie apart and be called as good, fixed before anything was drawn: FID by as much as the floor is,
# the two ratios by a hundredth and a twentieth of the truth's.
MARGINS = {"frechet": 0.2, "miou": 0.01, "diversity": 0.05}
NAMES = {"frechet": "FID less its floor", "miou": "mIoU ratio", "diversity": "diversity ratio"}


class Row(NamedTuple):
    """A way to sample: what it is called, and what `draw_groups` is asked for."""

    sampler: str
    num_steps: int
    refinement: str = "none"
    grid: str = "trailing"

    @property
    def file_name(self) -> str:
        """Where its pictures are kept."""
        grid = "" if self.grid == "trailing" else self.grid
        words = f"{self.sampler} {self.num_steps} {self.refinement} {grid}".lower()
        return "-".join("".join(c if c.isalnum() else " " for c in words).split()) + ".safetensors"

    @property
    def words(self) -> str:
        """What it is called on the page."""
        refinement = "" if self.refinement == "none" else f", {self.refinement}"
        grid = "" if self.grid == "trailing" else f" on {GRIDS[self.grid]}"
        return f"{self.num_steps} steps of {self.sampler}{grid}{refinement}"


REFINEMENTS = {
    "none": denoiser,
    "guided for t <= 800 only": partial(denoiser, guidance_interval=(1, 800)),
    "guided for t >= 200 only": partial(denoiser, guidance_interval=(200, 1000)),
    "guided for 200 <= t <= 800 only": partial(denoiser, guidance_interval=(200, 800)),
    "dynamic thresholding, 99.5 %": partial(guided, finish=partial(dynamic_thresholding, quantile=0.995)),
}


def rows() -> list[Row]:
    """All measurements, quick ones first."""
    plain = [Row(sampler, n) for sampler, numbers in NUM_STEPS.items() for n in numbers]
    refined = [Row("DDIM", REFINED_STEPS, name) for name in REFINEMENTS if name != "none"]
    gridded = [Row(sampler, n, grid=grid) for grid in GRIDS for sampler in GRID_STEPS for n in GRID_STEPS[sampler]]
    return sorted(plain + refined + gridded, key=lambda row: row.num_steps)


class Scored(NamedTuple):
    """What a row scores: its statistics, to be compared, and their values with intervals."""

    statistics: dict[str, Statistic]
    measures: dict[str, Measure]


def draw(folder: Path, sizes: Sizes) -> None:
    """Draw every row that is not in the folder yet."""
    model, layouts = load_model("scenes-32"), sizes.layouts(32)
    for row in rows():
        path = folder / row.file_name
        if path.exists():
            continue
        refinement = REFINEMENTS[row.refinement]
        settings = SampleSettings(
            GUIDANCE_SCALE,
            row.num_steps,
            SAMPLERS[row.sampler],
            make_denoiser=refinement,
            grid=TIME_GRIDS[row.grid],
        )
        start = time.perf_counter()
        keep_samples(path, draw_groups(model, *layouts, sizes.samples_of, settings, progress=progress))
        print(f"{row.words}: {sum(sizes.samples_of)} samples in {time.perf_counter() - start:.0f} s", flush=True)


def measure(folder: Path, judge: Judge, truth: Truth, num_resamples: int) -> dict[Row, Scored]:
    """The rows whose pictures are there, read by the judge."""
    found = {}
    for row in progress([row for row in rows() if (folder / row.file_name).exists()], description="rows"):
        measured, diversity = measure_kept(folder / row.file_name, judge, truth)
        measures = score(measured, diversity, truth, num_resamples=num_resamples, num_exchanges=0)
        found[row] = Scored(statistics(measured, diversity, truth), measures)
    return found


def told(measure: Measure) -> str:
    """A number with its interval."""
    return markdown.number(measure.value, measure.interval)


def apart(scored: Scored, name: str) -> Measure:
    """What stands in the table of a score: its ratio to the truth, or what is above the floor."""
    measure = scored.measures[name]
    return measure.ratio or measure.difference


def table(found: dict[Row, Scored]) -> list[str]:
    """The rows as lines of Markdown."""
    lines = []
    ordered = [row for sampler in SAMPLERS for row in found if row.sampler == sampler]
    for row in sorted(ordered, key=lambda row: (row.refinement != "none", [*TIME_GRIDS].index(row.grid))):
        asked = [row.sampler, str(row.num_steps), GRIDS.get(row.grid, "equal strides of t"), row.refinement]
        lines.append([*asked, *(told(apart(found[row], name)) for name in NAMES)])
    return markdown.table(["sampler", "steps", "grid", "refinement", *NAMES.values()], lines)


def compared(found: dict[Row, Scored], standard: Row, num_resamples: int) -> dict[Row, dict[str, Measure]]:
    """By how much each row lies farther from the truth than the standard: of a refinement, than itself without it."""
    differences = {}
    for row in found:
        other = row._replace(refinement="none") if row.refinement != "none" else standard
        if row != other and other in found:
            pairs = ((name, found[row].statistics[name], found[other].statistics[name]) for name in NAMES)
            differences[row] = {name: compare(*pair, num_resamples=num_resamples) for name, *pair in pairs}
    return differences


def said(differences: dict[str, Measure]) -> tuple[str, dict[str, str]]:
    """What the differences of a row allow to be said of it, in all and of each score."""
    verdicts = {name: verdict(differences[name].interval, margin) for name, margin in MARGINS.items()}
    kinds = set(verdicts.values())
    if kinds <= {"as good", "better"}:
        return ("as good" if "better" not in kinds else "better"), verdicts
    return ("worse" if "worse" in kinds and "better" not in kinds else "undecided"), verdicts


def comparison_table(differences: dict[Row, dict[str, Measure]]) -> list[str]:
    """Differences and verdicts as lines of Markdown."""
    lines = []
    for row, measures in differences.items():
        whole, verdicts = said(measures)
        lines.append([row.words, *(f"{told(measures[name])} {verdicts[name]}" for name in NAMES), f"**{whole}**"])
    return markdown.table(["row", *NAMES.values(), "in all"], lines)


def sentences(differences: dict[Row, dict[str, Measure]], standard: Row) -> list[str]:
    """What the comparisons allow to be said, one line a sampler and grid, and one a refinement."""
    lines = []
    for sampler, grid in dict.fromkeys((row.sampler, row.grid) for row in sorted(differences, key=lines_first)):
        plain = [row for row in differences if (row.sampler, row.grid, row.refinement) == (sampler, grid, "none")]
        where = f"{sampler} steps" + ("" if grid == "trailing" else f" on {GRIDS[grid]}")
        good = [row.num_steps for row in plain if said(differences[row])[0] in ("as good", "better")]
        if good:
            lines.append(f"* **{min(good)} {where} are as good as {standard.words}** within the margins.")
        else:
            numbers = ", ".join(f"{row.num_steps} {said(differences[row])[0]}" for row in plain)
            lines.append(f"* No number of {where} is shown to be as good as {standard.words}: {numbers}.")
    for row in differences:
        if row.refinement != "none":
            name = row.refinement[0].upper() + row.refinement[1:]
            lines.append(f"* {name}, against guidance as it is: {said(differences[row])[0]}.")
    return lines


def lines_first(row: Row) -> tuple[int, int]:
    """The order of what is said and drawn: samplers, then grids."""
    return [*TIME_GRIDS].index(row.grid), [*SAMPLERS].index(row.sampler)


def against_trailing(found: dict[Row, Scored], num_resamples: int) -> dict[Row, dict[str, Measure]]:
    """By how much each row of another grid lies farther from the truth than the same steps in equal strides."""
    differences = {}
    for row in sorted(found, key=lambda row: (*lines_first(row), row.num_steps)):
        other = row._replace(grid="trailing")
        if row == other or other not in found:
            continue
        one, two = found[row].statistics, found[other].statistics
        differences[row] = {name: compare(one[name], two[name], num_resamples=num_resamples) for name in NAMES}
    return differences


def plot(found: dict[Row, Scored], path: Path) -> None:
    """FID less its floor, mIoU and diversity over the number of steps, with intervals; DDIM above, the solver below.

    Ancestral steps stand in both. A grid has its colour, its dashes and its marker.
    """
    import matplotlib.pyplot as plt

    from sdm_lite.viz import save_png, use_style

    use_style()
    figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), sharey="col", layout="constrained")
    blue, orange, green = ("#0072B2", "-", "o"), ("#D55E00", "--", "s"), ("#009E73", ":", "^")
    styles = {"trailing": blue, "karras": orange, "uniform-lambda": green}
    reference = ("ancestral", "trailing", ("0.4", "-.", "D"))
    for row_of_axes, sampler in zip(axes, ("DDIM", "DPM-Solver++(2M)"), strict=True):
        drawn = [*((sampler, grid, style) for grid, style in styles.items()), reference]
        for panel, (name, title) in zip(row_of_axes, NAMES.items(), strict=True):
            for which, grid, (colour, dashes, mark) in drawn:
                line = sorted(row for row in found if (row.sampler, row.grid, row.refinement) == (which, grid, "none"))
                if not line:
                    continue
                numbers, points = [row.num_steps for row in line], [apart(found[row], name) for row in line]
                words = f"{which}, {GRIDS.get(grid, 'equal strides of t')}"
                values = [point.value for point in points]
                panel.plot(numbers, values, dashes, marker=mark, markersize=4, color=colour, label=words)
                bounds = zip(*(point.interval[:2] for point in points), strict=True)
                panel.fill_between(numbers, *bounds, alpha=0.12, color=colour, linewidth=0)
            panel.set_xscale("log")
            panel.set_xticks([4, 10, 25, 50, 100], ["4", "10", "25", "50", "100"])
            panel.minorticks_off()
            panel.axhline(0 if name == "frechet" else 1, color="0.5", linewidth=1)
            panel.set_title(title, loc="left")
        row_of_axes[0].legend(loc="upper right", fontsize=7)
    for panel in axes[-1]:
        panel.set_xlabel("network evaluations")
    save_png(path, figure)
    plt.close(figure)


def write(found: dict[Row, Scored], sizes: Sizes, num_resamples: int) -> None:
    """Write the page."""
    standard = max((row for row in found if row.sampler == "ancestral"), key=lambda row: row.num_steps)
    differences = compared(found, standard, num_resamples)
    plot(found, FOLDER / "images" / "few_steps.png")
    margins = ", ".join(f"{NAMES[name]} {margin:g}" for name, margin in MARGINS.items())
    kind = next(iter(next(iter(differences.values())).values())).interval.kind
    text = f"""# How many steps a sample needs

Written by `python docs/scripts/few_steps.py`: the shipped `scenes-32`, guided at s = {GUIDANCE_SCALE:g}, on
{sizes.num_layouts} test layouts, Scenes(seed={sizes.scenes_seed}), one picture of each
from the same noise; timesteps in equal strides from T where nothing else is said, else on the
grids of `sdm_lite/timesteps.py` with their defaults; diversity from {sizes.samples_per_layout} samples of each of
{sizes.num_diversity_layouts} layouts.
All scores are by the Scenes judge, a small network of this package; FID is told as what is above its floor,
which is what true pictures of the same layouts score; the ratios are to true pictures.

{chr(10).join(sentences(differences, standard))}

**The rule**, fixed before anything was drawn: a row is compared with {standard.words} (a refinement with the same
sampler without it) by how much farther it lies from the truth. The interval of that difference decides
({kind};
diversity over {sizes.num_diversity_layouts} of the layouts).
"As good": it lies within the margin on both sides ({margins}).
"Better" or "worse": not so, and it excludes 0. "Undecided": neither. In all, a row is as good or better only if it is
so in all three, and worse if it is worse in one and better in none. Each interval is at 95 % by itself, and there are
three for each of many rows: some of them exclude 0 by chance.

{chr(10).join(comparison_table(differences))}

The same steps on another grid against equal strides of t, by the same rule:

{chr(10).join(comparison_table(against_trailing(found, num_resamples)))}

![FID less its floor, mIoU and diversity against network evaluations](images/few_steps.png)

The scores themselves, with 95 % intervals over layouts (of each alone: they say nothing of differences):

{chr(10).join(table(found))}

The paper draws with 1000 ancestral steps; here {standard.num_steps} stand for them, as 1000 steps of
{sizes.num_layouts} layouts take hours of one core. The margins say how close is close enough, and are a choice. One
network, trained once: what holds of its samplers need not hold of another's.
"""
    write_whole(FOLDER / "few_steps.md", text)


def main() -> None:
    """Draw what is missing, measure, and write the page."""
    parser = layout_parser(__doc__, output="runs/few_steps")
    args = parser.parse_args()
    folder, sizes = expanded(args.output), sizes_of(args)
    if not args.write:
        draw(folder, sizes)
    if not any((folder / row.file_name).exists() for row in rows() if row.sampler == "ancestral"):
        raise SystemExit(f"error: no rows of ancestral sampling in {folder}: run it without --write first")
    judge = load_judge("judge-32")
    found = measure(folder, judge, measure_truth(judge, sizes, progress=progress), args.num_resamples)
    write(found, sizes, args.num_resamples)


if __name__ == "__main__":
    raise SystemExit(run(main))
