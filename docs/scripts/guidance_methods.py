"""What each guidance method does to the true distribution: writes docs/guidance_methods.md, its figure, a stored run.

The shipped scenes-32 draws the same test layouts from the same noise by every method of sdm_lite/guiders at scales from
1.5 to 5. Beside each stands its control: plain guidance of the same mean excess, which is how far a method goes beyond
the plain prediction along the difference of its two predictions, over steps and samples. A method that is only as good
as its control is plain guidance of another scale. Where a method has a number to choose, validation layouts choose it.
Autoguidance needs a weak network, and is left out where there is none:

    python -m sdm_lite.train --recipe scenes-32 --num-steps 375 --output runs/weak --save runs/weak.safetensors

Pictures are kept in --output before anything is measured and are not drawn again, so it can be stopped at any time.

    python docs/scripts/guidance_methods.py --weak runs/weak.safetensors --workers 2     # draw, choose, draw, write
    python docs/scripts/guidance_methods.py --weak runs/weak.safetensors --write         # measure and write alone
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from sdm_lite.checkpoints import load_model, load_tensors, save_tensors
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.evaluate import (
    Measure,
    SampleSettings,
    Sizes,
    Truth,
    draw_groups,
    evaluate_images,
    layout_diversity,
    measure_truth,
)
from sdm_lite.evaluate.scene_scores import Statistic, compare, statistics
from sdm_lite.files import expanded, write_whole
from sdm_lite.guiders import (
    annealed,
    apg,
    cfg_plus_plus,
    cfg_zero_star,
    clipped,
    dynamic_thresholding,
    extrapolation,
    guided,
    rescale,
    tcfg,
)
from sdm_lite.guiders.guided import Excess
from sdm_lite.guiders.methods import scales_per_lambda
from sdm_lite.judge import load_judge
from sdm_lite.ledger.evidence import EVIDENCE_DIR, write_evidence
from sdm_lite.metrics import bootstrap, centred_interval, verdict
from sdm_lite.progress import progress
from sdm_lite.sampling import sample_ddim, sample_ddpm
from sdm_lite.scenes import TEST_SEED, VALIDATION_SEED
from sdm_lite.side_by_side import side_by_side
from sdm_lite.timesteps import trailing

FOLDER = Path(__file__).parents[1]
COMMAND = "python docs/scripts/guidance_methods.py --weak runs/weak.safetensors"
PROCESS = DiffusionConfig("cosine", 1000, "v").build()  # of scenes-32
SCALES = (1.5, 2.0, 3.0, 4.0, 5.0)
CHOICE_SCALES = (2.0, 4.0)  # where validation layouts choose a method's number: the lowest sum of both FIDs
PLAIN = "plain"
# Scores, what they are called, and how far two may lie apart and be called as good, all fixed before the first picture.
SCORES = {
    "frechet": ("FID less its floor", 0.2),
    "miou": ("mIoU ratio", 0.01),
    "diversity": ("diversity ratio", 0.05),
    "time_of_day_tv": ("hour less its floor", 0.02),
    "season_tv": ("season less its floor", 0.02),
    "edge_sharpness": ("sharpness ratio", 0.02),
    "high_frequency_ratio": ("Laplacian ratio", 0.05),
}


class Method(NamedTuple):
    """A way to guide: keywords of `guiders.guided`, several where one is to be chosen, and what it is drawn with.

    Attributes:
        variants: by the words that tell them apart.
        ancestral: whether it is made for ancestral steps; all others are drawn by DDIM.
        weak: whether its second prediction is a weak network's.
    """

    variants: dict[str, dict[str, object]]
    ancestral: bool = False
    weak: bool = False


def methods(num_steps: int) -> dict[str, Method]:
    """All that are compared, by name."""
    plus_plus = partial(cfg_plus_plus, timesteps=trailing(PROCESS, num_steps))
    still = {"finish": partial(clipped, below=PROCESS.num_timesteps)}  # the first step of zero-init is no image
    thresholds = {f"quantile {q:g}": {"finish": partial(dynamic_thresholding, quantile=q)} for q in (0.995, 0.95)}
    return {
        PLAIN: Method({"": {}}),
        "interval, t <= 800": Method({"": {"guidance_interval": (1, 800)}}),
        "autoguidance": Method({"": {}}, weak=True),
        "APG": Method({f"r = {r:g}": {"method": partial(apg, norm_threshold=r)} for r in (6.0, 9.0, 12.0)}),
        "CFG++": Method({"": {"method": plus_plus}}),
        "CFG-Zero*": Method({"zero-init": {"method": cfg_zero_star, **still}, "none": {"method": zero_star_alone}}),
        "rescale": Method({f"share {q:g}": {"method": partial(rescale, share=q)} for q in (0.7, 0.3)}),
        "dynamic thresholding": Method(thresholds),
        "TCFG": Method({"": {"method": tcfg}}),
        "annealed": Method({"": {"method": annealed}}),
        "plain, ancestral": Method({"": {}}, ancestral=True),
        "extrapolation, ancestral": Method({"": {"finish": extrapolation}}, ancestral=True),
    }


zero_star_alone = partial(cfg_zero_star, zero_init_steps=0)


class Row(NamedTuple):
    """What is drawn in one go: a method, one of its variants, a scale, on which layouts."""

    method: str
    variant: str
    scale: float
    layouts: str  # "validation" or "test"

    @property
    def file_name(self) -> str:
        """Where its pictures are kept."""
        words = f"{self.layouts} {self.method} {self.variant}".lower().replace("++", " plus plus").replace("*", " star")
        return "-".join("".join(c if c.isalnum() else " " for c in words).split()) + f"-s{self.scale:g}.safetensors"


class Job(NamedTuple):
    """A row, and what it takes to draw it."""

    row: Row
    sizes: Sizes
    num_steps: int
    folder: Path
    weak: Path | None


def draw(job: Job) -> None:
    """Draw a row and keep it, with its mean excess and the operations of a sample."""
    row = job.row
    model, method = load_model("scenes-32"), methods(job.num_steps)[row.method]
    seen: list[Excess] = []
    keywords = method.variants[row.variant] | {"on_excess": seen.append}
    if method.weak:
        keywords["weak"] = load_model(job.weak).unet
    sampler = sample_ddpm if method.ancestral else sample_ddim
    settings = SampleSettings(row.scale, job.num_steps, sampler, make_denoiser=partial(guided, **keywords))
    groups = draw_groups(model, *job.sizes.layouts(32), job.sizes.samples_of, settings)
    tensors = {
        "first": torch.stack([group[0] for group in groups]),
        "several": torch.stack(groups[: job.sizes.num_diversity_layouts]),
        "excess": torch.tensor([one.mean for one in seen], dtype=torch.float64).mean(),
    }
    save_tensors(job.folder / row.file_name, tensors, {"format": "sdm_lite samples 1"})


def name_of(job: Job) -> str:
    """Which row it draws."""
    return f"{job.row.method} {job.row.variant}".strip() + f", s = {job.row.scale:g}, {job.row.layouts} layouts"


def operations(method: Method, num_steps: int) -> str:
    """Encodes and decodes of a sample: "15 + 30" is one encode and two decodes at each of 15 steps."""
    interval = next(iter(method.variants.values())).get("guidance_interval", (1, PROCESS.num_timesteps))
    inside = sum(interval[0] <= t <= interval[1] for t in trailing(PROCESS, num_steps))
    return f"{num_steps + inside * method.weak} + {num_steps + inside}"


def read(row: Row, folder: Path, truth: Truth, judge: object) -> dict[str, Statistic]:
    """A row's scores as functions of layouts."""
    tensors, _ = load_tensors(folder / row.file_name)
    if len(tensors["first"]) != truth.sizes.num_layouts:
        raise SystemExit(f"error: {folder / row.file_name} was drawn for {len(tensors['first'])} layouts: delete it")
    label_maps, _ = truth.sizes.layouts(32)
    measured = evaluate_images(judge, tensors["first"][:, None], label_maps)
    return statistics(measured, layout_diversity(judge, tensors["several"]), truth)


def excess_of(row: Row, folder: Path) -> float:
    """The mean excess of a row that was drawn."""
    return load_tensors(folder / row.file_name)[0]["excess"].item()


def control_of(row: Row, folder: Path, num_steps: int) -> Row:
    """Plain guidance of a row's mean excess, by the same sampler; to a twentieth, so that near ones share pictures."""
    name = "plain, ancestral" if methods(num_steps)[row.method].ancestral else PLAIN
    return Row(name, "", max(1.0, round(20 * (1 + excess_of(row, folder))) / 20), row.layouts)


def choose(names: Sequence[str], num_steps: int, fid: Callable[[Row], float]) -> dict[str, str]:
    """The variant of each method whose FID, summed over CHOICE_SCALES on validation layouts, is lowest."""
    chosen = {}
    for name in names:
        variants = list(methods(num_steps)[name].variants)
        if len(variants) > 1:
            sums = {one: sum(fid(Row(name, one, s, "validation")) for s in CHOICE_SCALES) for one in variants}
            variants = [min(sums, key=sums.get)]
        chosen[name] = variants[0]
    return chosen


def told(statistic: Statistic, num_resamples: int) -> dict[str, object]:
    """A score beside the truth's, a ratio to it or less its floor, with its interval over layouts."""

    def apart(i: torch.Tensor) -> float:
        value, true = statistic.of(i)
        return value / true if statistic.apart == "ratio" else value - true

    number = statistic.num_layouts
    value = apart(torch.arange(number))
    interval = centred_interval(value, bootstrap(apart, number, num_resamples=num_resamples), of=f"{number} layouts")
    return {"value": value, "interval": list(interval[:2])}


def compared(one: dict[str, Statistic], other: dict[str, Statistic], num_resamples: int) -> dict[str, object]:
    """How much farther from the truth one row is than another, score by score, and what that allows to be said."""
    found = {}
    for name, (_, margin) in SCORES.items():
        measure: Measure = compare(one[name], other[name], num_resamples=num_resamples)
        said = verdict(measure.interval, margin)
        found[name] = {"value": measure.value, "interval": list(measure.interval[:2]), "verdict": said}
    return found


def number(one: dict[str, object]) -> str:
    """A value with its interval, and what is said of it."""
    return f"{one['value']:.3f} [{one['interval'][0]:.3f}, {one['interval'][1]:.3f}] {one.get('verdict', '')}".strip()


TOLD = ("frechet", "diversity", "time_of_day_tv")  # the scores in the verdicts, and in the notebook


def verdicts(stored: dict[str, object]) -> list[str]:
    """A table of what can be said of each method beside its control, at which scales; and how often what is said."""
    lines = [f"| method | {' | '.join(SCORES[score][0] for score in TOLD)} |", "|---" * (1 + len(TOLD)) + "|"]
    compared_rows = [row for row in stored["rows"] if "less_control" in row]
    counts: dict[str, int] = dict.fromkeys(("better", "as good", "undecided", "worse"), 0)
    for name in dict.fromkeys(row["method"] for row in compared_rows):
        cells = []
        for score in TOLD:
            scales: dict[str, list[str]] = {}
            for row in compared_rows:
                if row["method"] == name:
                    said = row["less_control"][score]["verdict"]
                    scales.setdefault(said, []).append(f"{row['scale']:g}")
                    counts[said] += 1
            cells.append("; ".join(f"{said} at {', '.join(at)}" for said, at in scales.items()))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    told = ", ".join(f"{said} {number} times" for said, number in counts.items())
    return [
        *lines,
        "",
        f"In these {sum(counts.values())} comparisons: {told}.",
        "Each interval is at 95 % by itself: of so many comparisons some are decided by chance. The other",
        f"{len(SCORES) - len(TOLD)} scores stand below; in some of those a method may be nearer to the truth.",
    ]


def page(stored: dict[str, object], sizes: Sizes) -> str:
    """The page, of what is stored."""
    heads = [label for label, _ in SCORES.values()]
    table = [f"| method | s | mean excess | encodes + decodes | {' | '.join(heads)} |", "|---" * (4 + len(heads)) + "|"]
    against = [f"| method | s | control s | {' | '.join(heads)} |", "|---" * (3 + len(heads)) + "|"]
    for row in stored["rows"]:
        first = [row["method"], f"{row['scale']:g}"]
        cells = [*first, f"{row['excess']:.2f}", row["operations"], *(number(row["scores"][name]) for name in SCORES)]
        table.append(f"| {' | '.join(cells)} |")
        if "less_control" in row:
            cells = [*first, f"{row['control']:g}", *(number(row["less_control"][name]) for name in SCORES)]
            against.append(f"| {' | '.join(cells)} |")
    chosen = "; ".join(f"{name}: {one}" for name, one in stored["chosen"].items() if one)
    known = methods(stored["num_steps"])
    tried = "; ".join(f"{name}: {', '.join(of.variants)}" for name, of in known.items() if len(of.variants) > 1)
    margins = ", ".join(f"{label} {margin:g}" for label, margin in SCORES.values())
    return f"""# Guidance methods, measured

Written by `{COMMAND}`: the shipped `scenes-32` on
{sizes.num_layouts} test layouts, Scenes(seed={sizes.scenes_seed}), the same layouts and noise in every row,
{stored["num_steps"]} steps of DDIM (or of ancestral sampling, where the name says so); diversity from
{sizes.samples_per_layout} samples of each of {sizes.num_diversity_layouts} layouts. The methods are those of
`sdm_lite/guiders`. Chosen on {stored["num_choice_layouts"]} validation layouts, by FID at
s = {" and ".join(f"{s:g}" for s in CHOICE_SCALES)}: {chosen} ("none": no step is skipped).
Tried were {tried}: where the last on its side was chosen, one beyond it may be better.
All scores are by the Scenes judge, a small network of this package. Intervals: 95 % centred bootstrap over layouts; one
network, trained once, so that nothing here says what another training run would do.

Is a method farther from the truth than its control, plain guidance of the same mean excess (below)?

{chr(10).join(verdicts(stored))}

![FID and diversity over the mean excess, a panel a method, plain guidance as a grey line](images/guidance_methods.png)

Grey: plain guidance (of ancestral steps where the name says so), the control of every point straight above or below.
Full points: decided, better or worse than that control; empty ones: as good, or undecided; a number: a point above the
panel. Autoguidance goes beyond another network, so that its excess has another unit: its control is plain guidance of
the same s, and no more. Its weak network is one, by the same recipe in 375 steps (the command that makes it stands in
the script); neither its length nor its size was searched, so that its rows say nothing of a better one.

**The control.** How far a method goes beyond the plain prediction, in units of the difference of its two predictions,
is its excess: s - 1 for plain guidance. Beside each method stands plain guidance of the same mean excess over all steps
and samples (to a twentieth). Differences are of the distance to the truth, layouts resampled once for both; "as
good": within the margin on both sides; "better" or "worse": the interval excludes 0, and "better" is nearer to the
truth, not higher; what is within the margin is "as good" even so. Margins, fixed before: {margins}.

{chr(10).join(against)}

The scores themselves, with intervals of each alone:

{chr(10).join(table)}
"""


def plot(stored: dict[str, object], path: Path) -> None:
    """FID and diversity over the mean excess, a panel a method: plain guidance as a line, which is every control."""
    import matplotlib.pyplot as plt

    from sdm_lite.viz import save_png, use_style

    use_style()
    of: dict[str, list[dict[str, object]]] = {}
    for row in stored["rows"]:
        of.setdefault(row["method"], []).append(row)
    names = [name for name in of if not name.startswith(PLAIN)]
    columns = min(5, len(names))
    figure = plt.figure(figsize=(12, 1.4 + 3.6 * -(-len(names) // columns)), layout="constrained")
    halves = figure.subfigures(2, 1)
    for half, score, right in zip(halves, ("frechet", "diversity"), (0, 1), strict=True):
        known = [row["scores"][score]["value"] for name in of if name.startswith(PLAIN) for row in of[name]]
        top = 2.2 * max(known)  # what breaks down is told by its number, or all others would lie on the floor
        half.suptitle(f"{SCORES[score][0]}, of the truth: {right}")
        panels = half.subplots(-(-len(names) // columns), columns, sharex=True, sharey=True, squeeze=False)
        for panel in panels.flat[len(names) :]:
            panel.remove()
        for panel, name in zip(panels.flat, names, strict=False):
            beside = of[f"{PLAIN}, ancestral" if "ancestral" in name else PLAIN]
            for rows, style in ((beside, {"color": "0.35"}), (of[name], {"color": "C5", "zorder": 3})):
                points = [row["scores"][score]["value"] for row in rows]
                panel.plot([row["excess"] for row in rows], points, linewidth=1.2, **style)
            for row in of[name]:
                decided = row["less_control"][score]["verdict"] in ("better", "worse")
                at = row["excess"], row["scores"][score]["value"]
                panel.plot(*at, "o", markersize=5, color="C5", markerfacecolor="C5" if decided else "white", zorder=4)
                if at[1] > top:
                    panel.text(at[0], 0.98 * top, f"{at[1]:.0f}", fontsize=8, ha="center", va="top", clip_on=True)
            panel.axhline(right, color="0.6", linewidth=0.8, linestyle=":")
            panel.set_title(name, loc="left", fontsize=9)
        values = [row["scores"][score]["value"] for row in stored["rows"]]
        lowest, highest = min(right, *values), min(top, max(values))
        panels.flat[0].set_ylim(lowest - 0.05 * (highest - lowest), highest + 0.05 * (highest - lowest))  # all share it
        half.supxlabel("mean excess (plain guidance: s - 1)")
    save_png(path, figure)
    plt.close(figure)


def main() -> None:
    """Draw what is missing, choose, draw the rest, measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="runs/guidance_methods", help="pictures are kept here")
    parser.add_argument("--weak", help="weights of the weak network of autoguidance (default: leave it out)")
    parser.add_argument("--num-steps", type=int, default=15, help="of the sampler (default 15)")
    parser.add_argument("--num-layouts", type=int, default=512, help="test layouts (default 512)")
    parser.add_argument("--num-choice-layouts", type=int, default=256, help="validation layouts (default 256)")
    parser.add_argument("--num-diversity-layouts", type=int, default=128, help="of them for diversity (default 128)")
    parser.add_argument("--samples-per-layout", type=int, default=2, help="for diversity (default 2)")
    parser.add_argument("--num-resamples", type=int, default=400, help="of the bootstrap (default 400)")
    parser.add_argument("--workers", type=int, default=1, help="rows side by side, one thread each (default 1)")
    parser.add_argument("--evidence", default=EVIDENCE_DIR, help="folder of the stored run")
    parser.add_argument("--write", action="store_true", help="draw nothing, write what is there")
    args = parser.parse_args()
    folder, weak = expanded(args.output), None if args.weak is None else expanded(args.weak)
    if weak is not None:
        load_model(weak)  # a fault is told before the work
    several = {"samples_per_layout": args.samples_per_layout}
    sizes = Sizes(args.num_layouts, num_diversity_layouts=args.num_diversity_layouts, scenes_seed=TEST_SEED, **several)
    choice = Sizes(args.num_choice_layouts, num_diversity_layouts=1, scenes_seed=VALIDATION_SEED, **several)
    sizes.check(), choice.check()
    steps, of = args.num_steps, methods(args.num_steps)
    names = [name for name in of if weak is not None or not of[name].weak]

    def drawn(rows: Sequence[Row]) -> None:
        jobs = [Job(row, sizes if row.layouts == "test" else choice, steps, folder, weak) for row in rows]
        missing = [job.row.file_name for job in jobs if not (folder / job.row.file_name).exists()]
        if args.write and missing:
            raise SystemExit(f"error: no {missing[0]} in {folder}: run it without --write first")
        if missing:
            there = dict.fromkeys(job for job in jobs if job.row.file_name in missing)
            failed = side_by_side(draw, list(there), workers=args.workers, name=name_of)
            if failed:
                raise SystemExit(f"error: {'; '.join(failed)}")

    several_variants = [name for name in names if len(of[name].variants) > 1]
    tried = [(name, variant) for name in several_variants for variant in of[name].variants]
    drawn([Row(*one, s, "validation") for one in tried for s in CHOICE_SCALES])
    judge = load_judge("judge-32")
    known = measure_truth(judge, choice, progress=progress)

    def fid(row: Row) -> float:
        value, floor = read(row, folder, known, judge)["frechet"].of(torch.arange(choice.num_layouts))
        return value - floor

    chosen = choose(names, steps, fid)
    largest = max(scales_per_lambda(PROCESS, trailing(PROCESS, steps)).values())  # of CFG++
    plain = [Row(PLAIN, "", 1.0, "test")]
    rows = [Row(n, chosen[n], s, "test") for n in names for s in SCALES if n != "CFG++" or s <= largest]
    drawn(plain + rows)
    controls = {row: control_of(row, folder, steps) for row in rows if row.method not in (PLAIN, "plain, ancestral")}
    drawn(list(controls.values()))

    truth = measure_truth(judge, sizes, progress=progress)
    everything = list(dict.fromkeys([*plain, *rows, *controls.values()]))
    found = {row: read(row, folder, truth, judge) for row in progress(everything, description="rows")}
    stored = {"num_steps": steps, "num_choice_layouts": choice.num_layouts, "chosen": chosen, "rows": []}
    for row in progress(plain + rows, description="intervals"):
        entry = {
            "method": row.method,
            "scale": row.scale,
            "excess": excess_of(row, folder),
            "operations": operations(of[row.method], steps),
            "scores": {name: told(found[row][name], args.num_resamples) for name in SCORES},
        }
        if row in controls:
            other = found[controls[row]]
            entry |= {
                "control": controls[row].scale,
                "less_control": compared(found[row], other, args.num_resamples),
            }
        stored["rows"].append(entry)
    modules = ("diffusion", "evaluate.floors", "guidance", "guiders", "judge.network", "sampling", "spade", "unet")
    path = write_evidence(
        "guidance_methods",
        command=COMMAND,
        modules=[f"sdm_lite.{name}" for name in modules],
        weights=["scenes-32", "judge-32"],
        num_layouts=sizes.num_layouts,
        results=stored,
        folder=expanded(args.evidence),
    )
    plot(stored, FOLDER / "images" / "guidance_methods.png")
    write_whole(FOLDER / "guidance_methods.md", page(stored, sizes))
    print(f"wrote {path} and {FOLDER / 'guidance_methods.md'}")


if __name__ == "__main__":
    main()
