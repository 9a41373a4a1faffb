"""What each guidance method does to the true distribution: writes docs/guidance_methods.md, its figure, a stored run.

The shipped scenes-32 draws the same test layouts from the same noise by every method of sdm_lite/guiders at scales from
1.5 to 5. Beside each stands its control: plain guidance of the same mean excess, which is how far a method goes beyond
the plain prediction along the difference of its two predictions, over steps and samples. A method that is only as good
as its control is plain guidance of another scale. Where a method has a number to choose, validation layouts choose it.
Autoguidance needs a weak network, and is left out where there is none:

    python -m sdm_lite.train --recipe scenes-32 --num-steps 375 --output runs/weak --save runs/weak.safetensors

The folder guiding/ has the parts, in the order in which they are needed: methods.py, what is compared; rows.py, how it
is drawn and kept; scores.py, what it scores; page.py, what is written. Here is the order of the work.

Pictures are kept in --output before anything is measured and are not drawn again, so it can be stopped at any time.

    python docs/scripts/guidance_methods.py --weak runs/weak.safetensors --workers 2     # draw, choose, draw, write
    python docs/scripts/guidance_methods.py --weak runs/weak.safetensors --write         # measure and write alone
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from guiding.methods import PLAIN, PLAIN_ANCESTRAL, PROCESS, methods, operations
from guiding.page import page, plot
from guiding.rows import Job, Row, control_of, draw_missing, excess_of
from guiding.scores import compared, scored
from layout_options import layout_parser, sizes_of

from sdm_lite.checkpoints import load_model
from sdm_lite.command import run
from sdm_lite.evaluate import Sizes, Truth, measure_truth
from sdm_lite.evaluate.kept import measure_kept
from sdm_lite.evaluate.scene_scores import Statistic, statistics
from sdm_lite.files import expanded, write_whole
from sdm_lite.guiders.methods import scales_per_lambda
from sdm_lite.judge import Judge, load_judge
from sdm_lite.ledger.evidence import EVIDENCE_DIR, write_evidence
from sdm_lite.progress import progress
from sdm_lite.scenes import VALIDATION_SEED
from sdm_lite.timesteps import trailing

FOLDER = Path(__file__).parents[1]
COMMAND = "python docs/scripts/guidance_methods.py --weak runs/weak.safetensors"
SCALES = (1.5, 2.0, 3.0, 4.0, 5.0)
CHOICE_SCALES = (2.0, 4.0)  # where validation layouts choose a method's number: the lowest sum of both FIDs
# What decided the numbers most directly.
MODULES = ("diffusion", "evaluate.floors", "guidance", "guiders", "judge.network", "sampling", "spade", "unet")


def read(row: Row, folder: Path, truth: Truth, judge: Judge) -> dict[str, Statistic]:
    """A row's scores as functions of layouts."""
    return statistics(*measure_kept(folder / row.file_name, judge, truth), truth)


def rows_to_choose(names: Sequence[str], num_steps: int) -> list[Row]:
    """What is drawn on validation layouts: every variant of the methods that have several."""
    variants = {name: methods(num_steps)[name].variants for name in names}
    return [
        Row(name, variant, scale, "validation")
        for name, of in variants.items()
        if len(of) > 1
        for variant in of
        for scale in CHOICE_SCALES
    ]


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


def chosen_rows(chosen: dict[str, str], num_steps: int) -> list[Row]:
    """What is drawn on test layouts, less the controls: every method at every scale; CFG++ has a largest one."""
    largest = max(scales_per_lambda(PROCESS, trailing(PROCESS, num_steps)).values())
    return [Row(n, chosen[n], s, "test") for n in chosen for s in SCALES if n != "CFG++" or s <= largest]


def main() -> None:
    """Draw what is missing, choose, draw the rest, measure, and write."""
    parser = layout_parser(__doc__, output="runs/guidance_methods")
    parser.add_argument("--weak", help="weights of the weak network of autoguidance (default: leave it out)")
    parser.add_argument("--num-steps", type=int, default=15, help="of the sampler (default 15)")
    parser.add_argument("--num-choice-layouts", type=int, default=256, help="validation layouts (default 256)")
    parser.add_argument("--workers", type=int, default=1, help="rows side by side, one thread each (default 1)")
    parser.add_argument("--evidence", default=EVIDENCE_DIR, help="folder of the stored run")
    args = parser.parse_args()
    folder, weak = expanded(args.output), None if args.weak is None else expanded(args.weak)
    if weak is not None:
        load_model(weak)  # a fault is told before the work
    sizes = sizes_of(args)
    choice = sizes._replace(num_layouts=args.num_choice_layouts, num_diversity_layouts=1, scenes_seed=VALIDATION_SEED)
    choice.check()
    steps, of = args.num_steps, methods(args.num_steps)
    names = [name for name in of if weak is not None or not of[name].weak]

    def drawn(rows: Sequence[Row], on: Sizes) -> None:
        jobs = [Job(row, on, steps, folder, weak) for row in rows]
        draw_missing(jobs, workers=args.workers, only_look=args.write)

    drawn(rows_to_choose(names, steps), choice)
    judge = load_judge("judge-32")
    known = measure_truth(judge, choice, progress=progress)
    everywhere = torch.arange(choice.num_layouts)
    chosen = choose(names, steps, lambda row: read(row, folder, known, judge)["frechet"].beside_truth(everywhere))

    plain, rows = Row(PLAIN, "", 1.0, "test"), chosen_rows(chosen, steps)
    drawn([plain, *rows], sizes)
    controls = {row: control_of(row, folder, steps) for row in rows if row.method not in (PLAIN, PLAIN_ANCESTRAL)}
    drawn(list(controls.values()), sizes)

    truth = measure_truth(judge, sizes, progress=progress)
    everything = list(dict.fromkeys([plain, *rows, *controls.values()]))
    found = {row: read(row, folder, truth, judge) for row in progress(everything, description="rows")}
    stored = {"num_steps": steps, "num_choice_layouts": choice.num_layouts, "chosen": chosen, "rows": []}
    for row in progress([plain, *rows], description="intervals"):
        entry = {
            "method": row.method,
            "scale": row.scale,
            "excess": excess_of(row, folder),
            "operations": operations(of[row.method], steps),
            "scores": scored(found[row], args.num_resamples),
        }
        if row in controls:
            less = compared(found[row], found[controls[row]], args.num_resamples)
            entry |= {"control": controls[row].scale, "less_control": less}
        stored["rows"].append(entry)
    path = write_evidence(
        "guidance_methods",
        command=COMMAND,
        modules=[f"sdm_lite.{name}" for name in MODULES],
        weights=["scenes-32", "judge-32"],
        num_layouts=sizes.num_layouts,
        results=stored,
        folder=expanded(args.evidence),
    )
    plot(stored, FOLDER / "images" / "guidance_methods.png")
    text = page(stored, sizes, command=COMMAND, choice_scales=CHOICE_SCALES)
    write_whole(FOLDER / "guidance_methods.md", text)
    print(f"wrote {path} and {FOLDER / 'guidance_methods.md'}")


if __name__ == "__main__":
    raise SystemExit(run(main))
