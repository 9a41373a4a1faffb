"""How often the interval of "FID less its floor" misses and the exchange test rejects: the truth, and known faults.

Many sets of fresh layouts of Scenes; of each layout 17 true pictures, of which one is the "sample" and 15 are the
reference. Drawn as it comes it is a model that draws the truth: FID less floor is 0. Taken as the later in the year of
two, it is a model with another mix of seasons, whose distance all the layouts together tell. A 95 % interval should
leave the right number out one time in twenty; the exchange test should call a model that draws the truth "not the
truth" one time in twenty, and others more often. Writes docs/interval_coverage.md. What the judge reads is kept in
--output, a file for 480 layouts, and what is found in its folder found, so that it can be stopped at any time.

    python docs/scripts/interval_coverage.py             # read what is missing, resample, write: an hour of a core
    python docs/scripts/interval_coverage.py --write     # only resample and write
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import load_tensors, save_tensors
from sdm_lite.evaluate.exchange import LEVEL, exchange_test, frechet_of_choices, variation_of_choices
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
NUM_EXCHANGES = 39  # of each test, which costs little; 40 times 5 % is whole, or the test could not be exact
TEST_SIZES, NUM_TEST_ROLES = (48, 96), 4
AS_IT_COMES, FEW_LATER, LATER = "as they come", "the later of two in every fourth layout", "the later of two"
EVERY = {AS_IT_COMES: 0, FEW_LATER: 4, LATER: 1}  # the later of two is taken in every so-manieth layout
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
    if EVERY[kind]:
        taken = torch.arange(len(chosen)) % EVERY[kind] == 0
        chosen[taken & (read["season"][:, -1] > read["season"][:, role])] = NUM_RENDERS - 1
    return {key: values[torch.arange(len(chosen)), chosen] for key, values in read.items()}


def of_set(read: Readings, kind: str, role: int, layouts: slice) -> tuple[Readings, Readings]:
    """The samples of a set of layouts, (layouts,) of each, and their reference, (layouts, 15)."""
    few = {key: values[layouts] for key, values in read.items()}
    others = [n for n in range(NUM_RENDERS - 1) if n != role]
    return samples(few, kind, role), {key: values[:, others] for key, values in few.items()}


def distances(read: Readings, kind: str, role: int, layouts: slice) -> dict[str, ToTheOthers]:
    """The distances of a set of layouts, as functions of indices into it."""
    drawn, reference = of_set(read, kind, role, layouts)
    return {
        "FID": frechet_to_the_others(drawn["features"], reference["features"]),
        "time of day, TV": variation_to_the_others(drawn["time_of_day"], reference["time_of_day"]),
        "season, TV": variation_to_the_others(drawn["season"], reference["season"]),
    }


def intervals(read: Readings, kind: str, set_size: int) -> dict[str, np.ndarray]:
    """The interval of each distance less its floor, (sets, roles, 2)."""
    num_sets, found = len(read["season"]) // set_size, {}
    for number in progress(range(num_sets), description=f"{kind}, sets of {set_size} layouts"):
        layouts = slice(number * set_size, (number + 1) * set_size)
        for role in range(NUM_ROLES):
            for name, of in distances(read, kind, role, layouts).items():
                value = np.subtract(*of(torch.arange(set_size)))
                resampled = bootstrap(of, set_size, num_resamples=NUM_RESAMPLES, seed=role) @ (1, -1)
                ends = centred_interval(value, resampled, of="layouts")[:2]
                found.setdefault(name, np.zeros((num_sets, NUM_ROLES, 2)))[number, role] = ends
    return found


def p_values(read: Readings, kind: str, set_size: int) -> dict[str, np.ndarray]:
    """The p of each exchange test, of each distance (sets, roles)."""
    num_sets, found = len(read["season"]) // set_size, {}
    num_roles = NUM_TEST_ROLES if kind == AS_IT_COMES else NUM_ROLES
    for number in progress(range(num_sets), description=f"{kind}, exchange tests of {set_size} layouts"):
        for role in range(num_roles):
            drawn, reference = of_set(read, kind, role, slice(number * set_size, (number + 1) * set_size))
            features, hours, seasons = (
                torch.cat([drawn[key][:, None], reference[key]], 1) for key in ("features", "time_of_day", "season")
            )
            of_choices = {
                "FID": frechet_of_choices(features),
                "time of day, TV": variation_of_choices(hours),
                "season, TV": variation_of_choices(seasons),
            }
            for name, of in of_choices.items():
                seed = number * NUM_RENDERS + role
                test = exchange_test(of, *seasons.shape, num_exchanges=NUM_EXCHANGES, seed=seed)
                found.setdefault(name, np.zeros((num_sets, num_roles)))[number, role] = test.p_value
    return found


def percent(hits: np.ndarray) -> str:
    """The share of (sets, roles) that are true, in percent, with its interval over sets."""
    shares = torch.from_numpy(hits).double().mean(1)
    low, high, _ = bootstrap_interval(lambda i: shares[i].mean().item(), len(shares))
    return f"{100 * shares.mean().item():.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def kept(path: Path, found: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What was found, from its file if it is there: the work can be stopped between any two."""
    if not path.exists():
        arrays = found()
        write_whole(path, lambda file: np.savez(file, **arrays))
    with np.load(path) as arrays:
        return dict(arrays)


def rows(read: Readings, folder: Path) -> tuple[list[str], list[str]]:
    """The rows of both tables: how often intervals miss, and what exchange tests say."""
    lines, tests, everything = [], [], len(read["season"])

    def found_of(what: Callable[[Readings, str, int], dict[str, np.ndarray]], kind: str, size: int):
        numbers = (size, everything, NUM_ROLES, NUM_TEST_ROLES, NUM_RESAMPLES, NUM_EXCHANGES)  # of others, other files
        name = "-".join(map(str, (what.__name__, kind.replace(" ", "-"), *numbers)))
        return kept(folder / "found" / f"{name}.npz", lambda: what(read, kind, size))

    for kind in EVERY:
        whole = distances(read, kind, 0, slice(None))
        right = {name: float(np.subtract(*of(torch.arange(everything)))) for name, of in whole.items()}
        if kind == AS_IT_COMES:
            right = dict.fromkeys(right, 0.0)
        for set_size in TEST_SIZES:
            for name, p in found_of(p_values, kind, set_size).items():
                cells = [kind, name, f"{right[name]:.3f}", str(set_size), str(len(p)), str(p.size), percent(p <= LEVEL)]
                tests.append("| " + " | ".join(cells) + " |")
        for set_size in SET_SIZES if kind in (AS_IT_COMES, LATER) else ():
            for name, ends in found_of(intervals, kind, set_size).items():
                above, below = ends[..., 0] > right[name], ends[..., 1] < right[name]
                cells = [kind, name, f"{right[name]:.3f}", str(set_size), str(len(ends)), percent(above | below)]
                cells += [f"{100 * side.mean():.1f}" for side in (above, below)]
                lines.append("| " + " | ".join(cells) + " |")
    return lines, tests


def page(read: Readings, folder: Path) -> str:
    """The page, Markdown; what is found on the way is kept in a folder."""
    everything = len(read["season"])
    lines, tests = (chr(10).join(of) for of in rows(read, folder))
    return f"""# Does the interval cover, and is the test exact?

Written by `python docs/scripts/interval_coverage.py`. True pictures of Scenes(seed={SEED}) stand in the samples' place,
of each layout one; {NUM_RENDERS - 2} other renders are the reference, and {NUM_ROLES} take that place in turn.
"{AS_IT_COMES}" is a perfect model, 0 above its floor. "{LATER}" is a model with another mix of seasons; what is
right there is what all {everything:,} layouts together say.

Two questions, two answers:

* **How far off is the model?** The interval of a distance less its floor. Where the model is off FID's misses about as
  often as it should; where the model is the truth it is too wide. That 0 lies inside does not say that it is the truth.
* **Is it off at all?** The exchange test. Where the model is the truth it is exact: one perfect model in twenty fails
  it, whatever the number of layouts. It does not say how far off, and with enough layouts a difference that matters to
  nobody fails it too.

## How far off: intervals

A 95 % interval ({NUM_RESAMPLES} resamples) should leave out what is right in 5 % of the sets. In brackets: 95 %
percentile bootstrap over sets.

| samples | less its floor | right | layouts a set | sets | misses, % | wholly above, % | wholly below, % |
|---|---|---|---|---|---|---|---|
{lines}

Where the model is the truth the interval misses less often than it should: it is too wide there, as a squared
distance near 0 moves more when layouts are drawn from those at hand than when they are drawn anew. So it is slow to
say "above the floor", and not quick. The distances of hours and seasons are no squares: where a model is off, chance
adds less to them than it makes alone, so that less their floor they come out too low, and the interval lies below what
is right more often than it should (last column). They tell whether a model is above the floor, and by how much at
least.

## Off at all: exchange tests

If the model is the truth, the sample and the true pictures of a layout are draws of one distribution, so that each is
equally likely to be the one called the sample. The test draws anew which one that is, in every layout by itself and
{NUM_EXCHANGES} times, the reference always all the others: p = (1 + exchanges whose distance is at least the observed
one) / (1 + {NUM_EXCHANGES}), Phipson & Smyth (2010). The rule: p <= {LEVEL:g} is "not the truth". Of perfect models it
should say so in {100 * LEVEL:g} %. Of "{AS_IT_COMES}" {NUM_TEST_ROLES} pictures take the sample's place in turn, of
the others {NUM_ROLES}; "{FEW_LATER}" mixes the two models.

| samples | distance | right | layouts a set | sets | tests | "not the truth", % |
|---|---|---|---|---|---|---|
{tests}

Of perfect models about one in twenty is called "not the truth"; the interval of FID hardly ever lies above 0 for them,
as the first table says. A small fault is often missed on so few layouts: "cannot be told from the truth" says that
these layouts do not tell, and not that the model is the truth. `evaluate` exchanges 999 times, which steadies p, and
tests the distances with hour and season held fixed too; that those tests are exact is shown on toy sets alone
(`tests/evaluate/test_exchange.py`).
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
    readings = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    write_whole(FOLDER / "interval_coverage.md", page(readings, args.output))


if __name__ == "__main__":
    main()
