"""How often the interval of "FID less its floor" misses: for the truth, and for a model that is off by a known amount.

Many sets of fresh layouts of Scenes; of each layout 17 true pictures, of which one is the "sample" and 15 are the
reference. Drawn as it comes it is a model that draws the truth: FID less floor is 0. Taken as the later in the year of
two, it is a model with another mix of seasons, whose distance all the layouts together tell. A 95 % interval should
leave the right number out one time in twenty. Writes docs/interval_coverage.md. What the judge reads is kept in
--output, a file for 480 layouts, so that it can be stopped at any time.

    python docs/scripts/interval_coverage.py             # read what is missing, resample, write: an hour of a core
    python docs/scripts/interval_coverage.py --write     # only resample and write
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import load_tensors, save_tensors
from sdm_lite.evaluate.floors import ToTheOthers, frechet_to_the_others, variation_to_the_others
from sdm_lite.files import write_whole
from sdm_lite.judge import load_judge
from sdm_lite.metrics import bootstrap, bootstrap_interval, centred_interval
from sdm_lite.progress import progress
from sdm_lite.scenes import Scenes

FOLDER = Path(__file__).parents[1]
SEED = 4  # of Scenes, that nothing else uses
NUM_RENDERS, CHUNK = 17, 480
SET_SIZES = (48, 96, 240)
NUM_ROLES, NUM_RESAMPLES = 2, 100  # renders of each set that stand in the samples' place
AS_IT_COMES, LATER = "as they come", "the later of two"
Readings = dict[str, Tensor]  # features (L, N, C), time_of_day and season (L, N)


@torch.no_grad()
def read(folder: Path, num_layouts: int) -> None:
    """Let the judge read true pictures of fresh layouts, as far as that is not done yet."""
    judge, scenes = load_judge("judge-32"), Scenes(32, length=num_layouts, seed=SEED)
    starts = [s for s in range(0, num_layouts, CHUNK) if not (folder / f"{s // CHUNK:03d}.safetensors").exists()]
    for start in progress(starts, description=f"true pictures, {CHUNK} layouts at a time"):
        readings = []
        for i in range(start, start + CHUNK):
            reading = judge.read(torch.stack([scenes.render(i, seed) for seed in range(NUM_RENDERS)]))
            heads = reading.time_of_day.argmax(1), reading.season.argmax(1)
            readings.append((reading.features, *heads))
        names = ("features", "time_of_day", "season")
        tensors = {name: torch.stack(column) for name, column in zip(names, zip(*readings, strict=True), strict=True)}
        save_tensors(folder / f"{start // CHUNK:03d}.safetensors", tensors, {"format": "sdm_lite readings 1"})


def samples(read: Readings, kind: str, role: int) -> Readings:
    """What the judge reads off the "samples" of a kind of model, (layouts,) of each."""
    chosen = torch.full((len(read["season"]),), role)
    if kind == LATER:
        chosen[read["season"][:, -1] > read["season"][:, role]] = NUM_RENDERS - 1
    return {key: values[torch.arange(len(chosen)), chosen] for key, values in read.items()}


def distances(read: Readings, kind: str, role: int, layouts: slice) -> dict[str, ToTheOthers]:
    """The distances of a set of layouts, as functions of indices into it."""
    few = {key: values[layouts] for key, values in read.items()}
    others = [n for n in range(NUM_RENDERS - 1) if n != role]
    drawn, reference = samples(few, kind, role), {key: values[:, others] for key, values in few.items()}
    return {
        "FID": frechet_to_the_others(drawn["features"], reference["features"]),
        "time of day, TV": variation_to_the_others(drawn["time_of_day"], reference["time_of_day"]),
        "season, TV": variation_to_the_others(drawn["season"], reference["season"]),
    }


def coverage(read: Readings, kind: str, set_size: int, right: dict[str, float]) -> dict[str, np.ndarray]:
    """Whether each interval misses what is right: of each distance (sets, roles), -1 if it is below, 0 not, 1 above."""
    num_sets = len(read["season"]) // set_size
    misses = {name: np.zeros((num_sets, NUM_ROLES)) for name in right}
    for number in progress(range(num_sets), description=f"{kind}, sets of {set_size} layouts"):
        layouts = slice(number * set_size, (number + 1) * set_size)
        for role in range(NUM_ROLES):
            for name, of in distances(read, kind, role, layouts).items():
                value = np.subtract(*of(torch.arange(set_size)))
                resampled = bootstrap(of, set_size, num_resamples=NUM_RESAMPLES, seed=role) @ (1, -1)
                low, high, _ = centred_interval(value, resampled, of="layouts")
                misses[name][number, role] = (low > right[name]) - (high < right[name])
    return misses


def page(read: Readings) -> str:
    """The page, Markdown."""
    lines, everything = [], len(read["season"])
    for kind in (AS_IT_COMES, LATER):
        whole = distances(read, kind, 0, slice(None))
        right = {name: float(np.subtract(*of(torch.arange(everything)))) for name, of in whole.items()}
        if kind == AS_IT_COMES:
            right = dict.fromkeys(right, 0.0)
        for set_size in SET_SIZES:
            for name, misses in coverage(read, kind, set_size, right).items():
                missed = torch.from_numpy(misses != 0).double().mean(1)  # (sets,)
                low, high, _ = bootstrap_interval(lambda i, of=missed: of[i].mean().item(), len(missed))
                share, above, below = 100 * missed.mean().item(), 100 * (misses > 0).mean(), 100 * (misses < 0).mean()
                cells = [kind, name, f"{right[name]:.3f}", str(set_size), str(len(missed))]
                cells += [f"{share:.1f} [{100 * low:.1f}, {100 * high:.1f}]", f"{above:.1f}", f"{below:.1f}"]
                lines.append("| " + " | ".join(cells) + " |")
    return f"""# Does the interval cover?

Written by `python docs/scripts/interval_coverage.py`. True pictures of Scenes(seed={SEED}) stand in the samples' place,
of each layout one; {NUM_RENDERS - 2} other renders are the reference, and {NUM_ROLES} take that place in turn.
"{AS_IT_COMES}" is a perfect model, 0 above its floor. "{LATER}" is a model with another mix of seasons; what is
right there is what all {everything:,} layouts together say. A 95 % interval ({NUM_RESAMPLES} resamples) should leave
out what is right in 5 % of the sets. In brackets: 95 % percentile bootstrap over sets.

| samples | less its floor | right | layouts a set | sets | misses, % | wholly above, % | wholly below, % |
|---|---|---|---|---|---|---|---|
{chr(10).join(lines)}

Where the model is the truth the interval misses less often than it should: it is too wide there, as a squared
distance near 0 moves more when layouts are drawn from those at hand than when they are drawn anew. So it is slow to
say "above the floor", and not quick. The distances of hours and seasons are no squares: where a model is off, chance
adds less to them than it makes alone, so that less their floor they come out too low, and the interval lies below what
is right more often than it should (last column). They tell whether a model is above the floor, and by how much at
least.
"""


def main() -> None:
    """Read, resample, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/interval_coverage"), help="readings are kept here")
    parser.add_argument("--num-layouts", type=int, default=9600, help=f"a multiple of {CHUNK} (default 9600)")
    parser.add_argument("--write", action="store_true", help="read nothing more")
    args = parser.parse_args()
    if not args.write:
        read(args.output, args.num_layouts)
    parts = [load_tensors(path)[0] for path in sorted(args.output.glob("*.safetensors"))]
    if not parts:
        raise SystemExit(f"error: nothing was read yet in {args.output}: run it without --write first")
    write_whole(FOLDER / "interval_coverage.md", page({name: torch.cat([p[name] for p in parts]) for name in parts[0]}))


if __name__ == "__main__":
    main()
