"""How often the interval of "FID less its floor" misses when the truth itself stands in the samples' place.

Many sets of fresh layouts of Scenes; of each layout 17 true pictures, of which each in its turn is the "sample" and the
other 16 are the reference. A model that draws the truth has FID less floor 0, so a 95 % interval should leave 0 out one
time in twenty. Writes docs/interval_coverage.md. What the judge reads is kept in --output, a file for 480 layouts, so
that it can be stopped at any time.

    python docs/scripts/interval_coverage.py             # read what is missing, resample, write: an hour of a core
    python docs/scripts/interval_coverage.py --write     # only resample and write
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import load_tensors, save_tensors
from sdm_lite.evaluate.floors import frechet_to_the_others, variation_to_the_others
from sdm_lite.files import write_whole
from sdm_lite.judge import load_judge
from sdm_lite.metrics import bootstrap, bootstrap_interval, centred_interval
from sdm_lite.progress import progress
from sdm_lite.scenes import Scenes

FOLDER = Path(__file__).parents[1]
SEED = 4  # of Scenes, that nothing else uses
NUM_RENDERS, CHUNK = 17, 480
SET_SIZES = (48, 96, 240)
NUM_ROLES, NUM_RESAMPLES = 4, 200  # renders of each set that stand in the samples' place


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


def differences(read: dict[str, Tensor], role: int, layouts: Tensor) -> Iterator[tuple[str, np.ndarray]]:
    """For each distance, the value less its floor of all layouts of a set, and of resampled ones: (1 + R,)."""
    others = [n for n in range(NUM_RENDERS) if n != role]
    for name, to_the_others in (
        ("FID", frechet_to_the_others),
        ("time of day, TV", variation_to_the_others),
        ("season, TV", variation_to_the_others),
    ):
        key = {"FID": "features", "time of day, TV": "time_of_day", "season, TV": "season"}[name]
        of = to_the_others(read[key][layouts, role], read[key][layouts][:, others])
        everything = np.array([of(torch.arange(len(layouts)))])
        resampled = bootstrap(of, len(layouts), num_resamples=NUM_RESAMPLES, seed=role)
        yield name, np.concatenate([everything, resampled]) @ (1, -1)


def coverage(read: dict[str, Tensor], set_size: int) -> dict[str, np.ndarray]:
    """Whether each interval misses 0: of each distance (sets, roles), -1 below, 0 not, 1 above."""
    num_sets = len(read["season"]) // set_size
    misses: dict[str, np.ndarray] = {}
    for number in progress(range(num_sets), description=f"sets of {set_size} layouts"):
        layouts = torch.arange(number * set_size, (number + 1) * set_size)
        for role in range(NUM_ROLES):
            for name, values in differences(read, role, layouts):
                low, high, _ = centred_interval(values[0], values[1:], of="layouts")
                misses.setdefault(name, np.zeros((num_sets, NUM_ROLES)))[number, role] = (low > 0) - (high < 0)
    return misses


def page(read: dict[str, Tensor]) -> str:
    """The page, Markdown."""
    lines = []
    for set_size in SET_SIZES:
        for name, misses in coverage(read, set_size).items():
            missed = torch.from_numpy(misses != 0).double().mean(1)  # (sets,)
            low, high, _ = bootstrap_interval(lambda i, of=missed: of[i].mean().item(), len(missed))
            share, above, below = 100 * missed.mean().item(), 100 * (misses > 0).mean(), 100 * (misses < 0).mean()
            cells = [name, str(set_size), str(len(missed)), f"{share:.1f} [{100 * low:.1f}, {100 * high:.1f}]"]
            lines.append("| " + " | ".join([*cells, f"{above:.1f}", f"{below:.1f}"]) + " |")
    return f"""# Does the interval cover?

Written by `python docs/scripts/interval_coverage.py`. True pictures of Scenes(seed={SEED}) stand in the samples' place:
of each layout one of {NUM_RENDERS} renders is the sample, the other {NUM_RENDERS - 1} are the reference;
{NUM_ROLES} renders take that place in turn. A perfect model is 0 above its floor, so that a 95 % interval
({NUM_RESAMPLES} resamples) should leave 0 out in 5 % of the sets. In brackets: 95 % percentile bootstrap over sets.

| less its floor | layouts a set | sets | misses, % | wholly above 0, % | wholly below 0, % |
|---|---|---|---|---|---|
{chr(10).join(lines)}

Before, the quotient of FID and floor was told with an interval of its own: with true pictures in the samples' place it
lay wholly above 1 in 29 of 160 sets of 96 layouts.
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
