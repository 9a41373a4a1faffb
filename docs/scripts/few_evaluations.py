"""What a student of few evaluations is worth: writes docs/few_evaluations.md, its picture and a stored run.

A student of `python -m sdm_lite.distill` draws test layouts with 4, 2 and 1 evaluations, and beside it its teacher,
guided as in its trajectories: 25 steps of DDIM, and as few as the student on equal strides, on rho = 7 and on the
student's own landings. All from the same noise, so that the ratio of two FIDs resamples layouts once for both, and a
picture can be held against the teacher's. Pictures are kept in --output and are not drawn again, so it can be stopped
at any time.

    python docs/scripts/few_evaluations.py student-32            # draw what is missing, measure, write
    python docs/scripts/few_evaluations.py student-32 --write    # measure and write alone
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fresh_layouts import FIRST_SEED, distances, fresh_maps, fresh_sizes, fresh_truths, mean_ratio
from layout_options import layout_parser, sizes_of
from torch import Tensor

from sdm_lite import markdown
from sdm_lite.checkpoints import Model, load_model, load_tensors
from sdm_lite.command import run
from sdm_lite.evaluate import SampleSettings, Sizes, draw_groups, measure_truth
from sdm_lite.evaluate.kept import keep_samples, measure_kept
from sdm_lite.evaluate.scene_scores import Statistic, statistics
from sdm_lite.files import expanded, write_whole
from sdm_lite.judge import load_judge
from sdm_lite.ledger.evidence import EVIDENCE_DIR, write_evidence
from sdm_lite.metrics import centred_bootstrap
from sdm_lite.pictures import image_grid, png_bytes
from sdm_lite.progress import progress
from sdm_lite.sampling import sample_ddim
from sdm_lite.student import INTERVAL, LANDINGS, TEACHER_STEPS, landings
from sdm_lite.timesteps import TimeGrid, karras, trailing

FOLDER = Path(__file__).parents[1]
COMMAND = "python docs/scripts/few_evaluations.py student-32"
SCALE = 1.5  # where everything is measured
OTHER_SCALES = (1.0, 2.0, 3.0)  # where pictures are held against the teacher's alone: does the student read its input?
# The targets, fixed before the first student was trained: its FID over the teacher's, by number of evaluations.
TARGETS = {4: 1.2, 2: 1.5}
FRESH = "fresh"  # the folder of the pictures of fresh layouts
ANOTHER = 0.2  # root mean square from which a picture counts as another one: two samples of a map differ by about 0.65
SCORES = {
    "miou": "mIoU ratio",
    "diversity": "diversity ratio",
    "time_of_day_tv": "hour less its floor",
    "season_tv": "season less its floor",
    "high_frequency_ratio": "Laplacian ratio",
}


class Row(NamedTuple):
    """What is drawn in one go: by whom, with how many evaluations, on which grid, at which scale."""

    who: str  # "teacher" or "student"
    num_steps: int
    grid: str
    scale: float = SCALE

    @property
    def file_name(self) -> str:
        """Where its pictures are kept."""
        return f"{self.who}-{self.num_steps}-{self.grid.replace(' ', '-')}-s{self.scale:g}.safetensors"

    @property
    def words(self) -> str:
        """What it is called on the page."""
        return f"student, {self.num_steps}" if self.who == "student" else f"teacher, {self.num_steps}, {self.grid}"


GRIDS: dict[str, TimeGrid] = {"equal strides": trailing, "rho 7": karras, "landings": landings}
TEACHER = Row("teacher", TEACHER_STEPS, "equal strides")
FEW = [Row("teacher", n, grid) for n in LANDINGS for grid in GRIDS if (n, grid) != (1, "rho 7")]
STUDENT = [Row("student", n, "landings") for n in LANDINGS]
SLIDER = [one._replace(scale=scale) for one in (TEACHER, *STUDENT) for scale in OTHER_SCALES]


def settings_of(row: Row) -> SampleSettings:
    """How a row is drawn."""
    if row.who == "student":
        return SampleSettings(row.scale, row.num_steps)
    return SampleSettings(row.scale, row.num_steps, sample_ddim, INTERVAL, grid=GRIDS[row.grid])


def draw(folder: Path, models: dict[str, Model], sizes: Sizes, num_slider: int) -> None:
    """Draw every row that is not in the folder yet; those of the slider of the first layouts alone."""
    maps = sizes.layouts(32)
    for row in [TEACHER, *STUDENT, *FEW, *SLIDER]:
        path, whole = folder / row.file_name, row.scale == SCALE
        if path.exists():
            continue
        print(f"{row.words}, s = {row.scale:g}", flush=True)
        samples_of = sizes.samples_of if whole else [1] * num_slider
        chosen = maps if whole else [part[:num_slider] for part in maps]
        keep_samples(path, draw_groups(models[row.who], *chosen, samples_of, settings_of(row), progress=progress))


def draw_fresh(folder: Path, models: dict[str, Model], of: Sequence[Sizes]) -> None:
    """The same of the fresh layouts, one picture each, of the rows whose ratio they are for."""
    maps = fresh_maps(of, 32)
    for row in (TEACHER, *STUDENT):
        if not (path := folder / FRESH / row.file_name).exists():
            print(f"{row.words}, fresh layouts", flush=True)
            groups = draw_groups(models[row.who], *maps, [1] * len(maps[0]), settings_of(row), progress=progress)
            keep_samples(path, groups)


def drawn(row: Row, folder: Path) -> Path:
    """The file of a row's pictures; an error in one line if it is not there."""
    if not (folder / row.file_name).exists():
        raise SystemExit(f"error: no {row.file_name} in {folder}: run it without --write first")
    return folder / row.file_name


def first_pictures(row: Row, folder: Path) -> Tensor:
    """One picture of each layout, (L, 3, 32, 32)."""
    return load_tensors(drawn(row, folder))[0]["first"]


def told(of: Callable[[Tensor], float], num_layouts: int, num_resamples: int) -> dict[str, object]:
    """A function of layouts on all of them, with its interval."""
    value, interval = centred_bootstrap(of, num_layouts, of=f"{num_layouts} layouts", num_resamples=num_resamples)
    return {"value": value, "interval": list(interval[:2])}


def ratio(one: Statistic, other: Statistic, i: Tensor) -> float:
    """One distance over another, on the same layouts."""
    return one.of(i)[0] / other.of(i)[0]


def to_teacher(row: Row, folder: Path) -> dict[str, float]:
    """How a row's pictures differ from the teacher's of 25 steps, from the same noise: root mean square of each.

    The median, and the share of pictures that became others: a mean would tell of those few alone.
    """
    teacher = TEACHER._replace(scale=row.scale)
    difference = first_pictures(row, folder) - first_pictures(teacher, folder)
    rms = difference.square().flatten(1).mean(1).sqrt()
    return {"median": rms.median().item(), "others": (rms > ANOTHER).double().mean().item()}


def verdict(row: Mapping[str, object], of: str = "ratio") -> str:
    """Whether a student's ratio to its teacher is within the target, by its whole interval."""
    target, (low, high) = TARGETS.get(row["num_steps"]), row[of]["interval"]
    if row["who"] != "student" or target is None:
        return ""
    return f"within {target:g}" if high <= target else f"not within {target:g}" if low > target else "undecided"


def page(stored: dict[str, object], sizes: Sizes) -> str:
    """The page, of what is stored."""
    heads = ["drawn by, evaluations, grid", "FID over the teacher's", "target", "FID less its floor"]
    heads += [*SCORES.values(), "median RMS to the teacher", "other pictures"]
    rows = []
    for row in stored["rows"]:
        cells = [row["words"], markdown.number(**row["ratio"]), verdict(row), markdown.number(**row["frechet"])]
        cells += [markdown.number(**row[name]) for name in SCORES]
        rows.append([*cells, f"{row['to_teacher']['median']:.3f}", f"{row['to_teacher']['others']:.0%}"])
    slider = [
        [scale, *(f"{one['median']:.3f} ({one['others']:.0%})" for one in values)]
        for scale, values in stored["slider"].items()
    ]
    fresh = [
        [
            row["words"],
            markdown.number(row["fresh"]["value"], row["fresh"]["interval"]),
            verdict(row, "fresh"),
            ", ".join(f"{one:.2f}" for one in row["fresh"]["sets"]),
        ]
        for row in stored["rows"]
        if "fresh" in row
    ]
    fresh_heads = ["drawn by, evaluations", "FID over the teacher's, mean over the sets", "target", "each set's"]
    return f"""# Four evaluations, two, one

Written by `{COMMAND}`: a student of `python -m sdm_lite.distill` and its
teacher `scenes-32`, guided at s = {SCALE:g} for t <= {INTERVAL[1]}, on {sizes.num_layouts} test layouts,
Scenes(seed={sizes.scenes_seed}), the same noise in every row. A student's evaluation is one encode and one decode, a
guided one of the teacher one encode and two decodes.
Targets, fixed before the first student was trained: FID over that of the teacher's {TEACHER_STEPS} steps at most
{TARGETS[4]:g} with 4 evaluations and {TARGETS[2]:g} with 2; the whole interval decides. Layouts are resampled once for
both. 95 % centred bootstrap over layouts; one teacher, one student. A student that is trained because an earlier one
missed is measured on the same layouts: of several, one may meet a target by chance.

{chr(10).join(markdown.table(heads, rows))}

## On fresh layouts

{stored["num_fresh_sets"]} further sets of {sizes.num_layouts} layouts each, Scenes(seed={FIRST_SEED}) and on:
nothing was chosen by them. The rule is the same, the interval Student's t over the sets, 95 %: layouts and noise, one
teacher, one student. Both were fixed before the student in `data/` was measured.

{chr(10).join(markdown.table(fresh_heads, fresh))}

## Beside the teacher's own pictures

Beside the scores: the root mean squared difference of a picture from the teacher's of {TEACHER_STEPS} steps, from the
same noise, its median over pictures, and how many pictures became others (above {ANOTHER:g}). The same at other scales,
over {stored["num_slider"]} layouts: does the student read its input?

{chr(10).join(markdown.table(["s", *(f"student, {n}" for n in LANDINGS)], slider))}

![The teacher's pictures and the student's, from the same noise](images/few_evaluations.png)

Top to bottom: the teacher's {TEACHER_STEPS} steps, then the student's {", ".join(map(str, LANDINGS))} evaluations.
"""


def main() -> None:
    """Draw what is missing, measure, and write."""
    parser = layout_parser(__doc__, output="runs/few_evaluations")
    parser.add_argument("student", help="a shipped name, or a file that sdm_lite.distill wrote")
    parser.add_argument("--teacher", default="scenes-32", help="that it was distilled from (default scenes-32)")
    parser.add_argument("--num-slider-layouts", type=int, default=64, help="at other scales (default 64)")
    parser.add_argument("--num-fresh-sets", type=int, default=8, help="of further layouts, at least 2 (default 8)")
    parser.add_argument("--evidence", default=EVIDENCE_DIR, help="folder of the stored run")
    args = parser.parse_args()
    folder, sizes = expanded(args.output), sizes_of(args)
    if args.num_fresh_sets < 2:
        parser.error(f"--num-fresh-sets must be at least 2, got {args.num_fresh_sets}")
    models = {"student": load_model(args.student), "teacher": load_model(args.teacher)}
    fresh = fresh_sizes(sizes, args.num_fresh_sets)
    if not args.write:
        draw(folder, models, sizes, args.num_slider_layouts)
        draw_fresh(folder, models, fresh)
    judge = load_judge("judge-32")
    truth = measure_truth(judge, sizes, progress=progress)
    found = {
        row: statistics(*measure_kept(drawn(row, folder), judge, truth), truth)
        for row in progress([TEACHER, *STUDENT, *FEW], description="rows")
    }
    truths = fresh_truths(judge, fresh)
    of_sets = {row: list(distances(first_pictures(row, folder / FRESH), judge, truths)) for row in (TEACHER, *STUDENT)}
    stored = {"rows": [], "num_slider": args.num_slider_layouts, "num_fresh_sets": args.num_fresh_sets}
    for row, of in progress(found.items(), description="intervals"):
        asked = {"who": row.who, "num_steps": row.num_steps, "grid": row.grid, "words": row.words}
        of_ratio = partial(ratio, of["frechet"], found[TEACHER]["frechet"])
        scores = {
            name: told(of[name].beside_truth, of[name].num_layouts, args.num_resamples) for name in ("frechet", *SCORES)
        }
        ratios = {"ratio": told(of_ratio, sizes.num_layouts, args.num_resamples), "to_teacher": to_teacher(row, folder)}
        if row.who == "student":
            ratios["fresh"] = mean_ratio(of_sets[row], of_sets[TEACHER])
        stored["rows"].append(asked | ratios | scores)
    stored["slider"] = {
        f"{scale:g}": [to_teacher(row._replace(scale=scale), folder) for row in STUDENT] for scale in OTHER_SCALES
    }
    modules = ("diffusion", "student", "evaluate.floors", "guidance", "judge.network", "sampling", "spade", "unet")
    path = write_evidence(
        "few_evaluations",
        command=COMMAND,
        modules=[f"sdm_lite.{name}" for name in (*modules, "timesteps")],
        weights=[name for name in ("scenes-32", "judge-32", args.student) if "/" not in name],
        num_layouts=sizes.num_layouts,
        results=stored,
        folder=expanded(args.evidence),
    )
    plot(folder, FOLDER / "images" / "few_evaluations.png")
    write_whole(FOLDER / "few_evaluations.md", page(stored, sizes))
    print(f"wrote {path} and {FOLDER / 'few_evaluations.md'}")


def plot(folder: Path, path: Path) -> None:
    """The first pictures of the teacher and of the student, a row of pictures each."""
    rows = [first_pictures(row, folder)[:10] for row in (TEACHER, *STUDENT)]
    write_whole(path, png_bytes(image_grid(rows, scale=3)))


if __name__ == "__main__":
    raise SystemExit(run(main))
