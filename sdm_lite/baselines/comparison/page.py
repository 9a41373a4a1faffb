"""Tables 1 and 3 told: a page of Markdown, of what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sdm_lite import markdown
from sdm_lite.baselines.comparison.rates import TOLD
from sdm_lite.baselines.comparison.readings import GUIDED, SCORES, UNGUIDED
from sdm_lite.baselines.comparison.results import AGAINST_THE_BEST, COMMAND, NO_DIVERSITY
from sdm_lite.baselines.comparison.runs import GANS_OF_SIZE, HOUR, SDM, has_perceptual
from sdm_lite.ledger.published_tables import DATASETS
from sdm_lite.ledger.rows import find_rule

Json = Mapping[str, Any]
JUDGE = "by the Scenes judge"
LENGTHS = {"lesson": "ten minutes of training", HOUR: "an hour of training"}
SIXTH = (
    "The paper has six: the sixth, CC-FPSE, draws from noise here, where its published scripts encode the true picture."
)


def number(found: Json | None, digits: int = 3) -> str:
    """A value with its interval; a star where that is over layouts alone, though something was trained."""
    if found is None:
        return "-"
    star = "" if "seeds" in found["over"] or not found["seeds"] else " *"
    return markdown.number(found["value"], found["interval"], f".{digits}f") + star


def heading(table: Json) -> str:
    """What a table is of."""
    term = f"GANs {'with' if table['perceptual'] else 'without'} the perceptual term"
    return f"{table['size']} x {table['size']}, {LENGTHS[table['length']]} on one thread, {term}"


def figure_name(table: Json) -> str:
    """Of the file of its plane."""
    term = "" if table["perceptual"] else "-without"
    return f"table1-{table['size']}-{table['length']}{term}.png"


def name_of(row: Json) -> str:
    """A row in words."""
    if row["system"] != SDM:
        return row["title"]
    return f"**SDM**, s = {row['scale']:g}" if row["scale"] != UNGUIDED else "**SDM**, unguided"


def scores_table(table: Json, names: Json) -> list[str]:
    """Scores of every row, and the truth's own."""
    rows = [[name_of(row), *(number(row[score]) for score in SCORES)] for row in table["rows"]]
    truth = (table["truth"][score] and {**table["truth"][score], "seeds": []} for score in SCORES)
    rows.append(["true pictures", *map(number, truth)])
    return markdown.table([JUDGE, *(names[score] for score in SCORES)], rows)


def costs_table(table: Json) -> list[str]:
    """What each row was trained with, and what its pictures take."""
    heads = ["", "training seeds", "steps", "pictures seen", "rates times", "million weights", "for training alone"]
    heads += ["MMAC a picture", "ms a picture"]
    rows = []
    for row in table["rows"]:
        if row["scale"] == UNGUIDED:
            continue
        seeds, ms = ", ".join(map(str, row["training_seeds"])), row["milliseconds"]
        rates = "-" if row["rate_factor"] is None else f"{row['rate_factor']:g}"
        cells = [row["title"], seeds, f"{row['steps']:,}", f"{row['pictures_seen']:,}", rates]
        cells += [f"{row['parameters'] / 1e6:.2f}", f"{row['other_parameters'] / 1e6:.2f}"]
        rows.append([*cells, f"{row['operations'] / 2e6:,.0f}", "-" if ms is None else f"{ms:.1f}"])
    return markdown.table(heads, rows)


def said(difference: Json, *, low: float | None, high: float | None) -> str:
    """What a difference says of the paper's claim, of which it is true at or above low, or at or below high."""
    if "seeds" not in difference["over"]:
        return "undecided: one seed"
    below, above = difference["interval"]
    if low is not None:
        return "as the paper says" if below >= low else "not as the paper says" if above < low else "undecided"
    return "as the paper says" if above <= high else "not as the paper says" if below > high else "undecided"


def claims_table(table: Json, names: Json, titles: Mapping[str, str]) -> list[str]:
    """SDM beside the best GAN of every claim."""
    heads = ["claim", f"score {JUDGE}", "best GAN (in so many resamples)", "guided SDM less it", "true if"]
    rows = []
    for id, score in AGAINST_THE_BEST.items():
        guided, unguided = (table["less_best"][str(scale)][score] for scale in (GUIDED, UNGUIDED))
        rule = find_rule(id)[2]
        if guided is None:
            rows.append([id, names[score], "-", "-", rule.words, "not attempted", number(unguided)])
            continue
        best = f"{titles[guided['best']]} ({100 * guided['share']:.0f} %)"
        verdict = said(guided, low=rule.low, high=rule.high)
        rows.append([id, names[score], best, number(guided), rule.words, verdict, number(unguided)])
    return markdown.table([*heads, "so guided SDM is", "unguided SDM less it"], rows)


def sentences(table: Json, titles: Mapping[str, str]) -> Iterator[str]:
    """What is counted, and what is missing."""
    if table["missing"]:
        of = len(GANS_OF_SIZE[table["size"]])
        yield f"Not trained yet: {', '.join(table['missing'])}; {of - len(table['missing'])} of {of} GANs are here."
        if table["size"] == 32:
            yield "The best of nine is the best of those that are here, and the ledger is told nothing."
    none = table["without_diversity"]
    yield (
        f"Diversity below {NO_DIVERSITY:g} of that of true pictures: {len(none)} GAN{'s' * (len(none) != 1)}"
        + (f" ({', '.join(titles[one] for one in none)})." if none else ".")
        + (f" {SIXTH}" if table["size"] == 32 else "")
    )
    devices = sorted({str(one["device"]) for row in table["rows"] for one in row["made"]})
    trained: dict[str, list[str]] = {}
    for row in table["rows"]:
        for where in sorted({str((one["trained"] or {}).get("device")) for one in row["made"]}):
            trained.setdefault(where, []).append(row["title"])
    told = "; ".join(f"{where}: {', '.join(dict.fromkeys(of))}" for where, of in trained.items())
    yield f"Trained on {told}. Drawn and judged on: {'; '.join(devices)}."
    for scale, found in table["both_at_once"].items():
        if found is not None:
            which = f" ({', '.join(titles[one] for one in found)})" if found else ""
            yield (
                f"GANs with an FID as low as that of SDM at s = {scale} and a diversity as high, by the means of the "
                f"rows: {len(found)}{which}; over resamples {counted(table['count_of_both'][scale])}."
            )
            for one in found:
                fid, diversity = (number(table["less_each"][scale][one][score]) for score in ("frechet", "diversity"))
                yield f"SDM less {titles[one]}: FID {fid}, diversity {diversity}."


def counted(found: Json) -> str:
    """The percentiles of a count, and over what."""
    low, high = (f"{one:g}" for one in found["interval"])
    return f"of {found['over']} {low if low == high else f'{low} to {high}'} (95 % of them)"


def steps_taken(stored: Json) -> str:
    """The fewest and the most steps that a GAN of the tables was trained for, rounded outwards to hundreds."""
    steps = [row["steps"] for table in stored["tables"] for row in table["rows"] if row["system"] != SDM]
    return f"{min(steps) // 100 * 100:,} to {-(-max(steps) // 100) * 100:,}" if steps else "few"


def paper_table(stored: Json) -> list[str]:
    """The paper's own figures."""
    heads = [f"{name} {of}" for name in DATASETS for of in ("FID", "LPIPS", "mIoU")]
    rows = []
    for system, figures in stored["paper"].items():
        cells = [system]
        for (fid, lpips), miou in zip(figures["table_1"], figures["table_3"], strict=True):
            cells += ["n/a" if one is None else f"{one:g}" for one in (fid, lpips, miou)]
        rows.append(cells)
    return markdown.table(["the paper's", *heads], rows)


def perceptual_table(stored: Json) -> Iterator[str]:
    """Each GAN with its perceptual term and without, by the seeds that both have."""
    tables = {(table["size"], table["length"], table["perceptual"]): table for table in stored["tables"]}
    scores = ("frechet", "miou", "diversity", "time_of_day_tv")
    for (size, length, _), without in ((key, table) for key, table in tables.items() if not key[2]):
        both = tables.get((size, length, True))
        if both is None:
            continue
        yield from (f"## With and without the perceptual term, {size} x {size}", "")
        heads = [words for score in scores for words in (f"{stored['scores'][score]}: with", "without")]
        rows = []
        others = {row["system"]: row for row in without["rows"] if row["scale"] is None}
        for row in both["rows"]:
            other = others.get(row["system"])
            if other is None or not has_perceptual(row["system"]):
                continue
            common = [seed for seed in row["training_seeds"] if seed in other["training_seeds"]]
            cells = [row["title"], ", ".join(map(str, common))]
            for score in scores:
                for one in (row, other):
                    of_seed = dict(zip(one["training_seeds"], one[score]["seeds"], strict=True))
                    cells.append(f"{sum(of_seed[seed] for seed in common) / len(common):.3f}" if common else "-")
            rows.append(cells)
        yield from (*markdown.table(["", "seeds", *heads], rows), "")


def rates_table(stored: Json) -> list[str]:
    """The search of the factor of each system's learning rates."""
    rows = []
    for system, tried in stored["rate_search"].items():
        best = min(one["frechet"] for one in tried.values())
        cells = (f"{one['frechet']:.2f} / {one['miou']:.3f}" for one in tried.values())
        marked = (f"**{cell}**" if tried[k]["frechet"] == best else cell for k, cell in zip(tried, cells, strict=True))
        rows.append([system, *marked])
    return markdown.table(["FID / mIoU, rates times", *next(iter(stored["rate_search"].values()))], rows)


def not_run(stored: Json) -> str:
    """What of the plan is not in the stored run, in a sentence; "" if all is there."""
    there = {(table["size"], table["length"]) for table in stored["tables"]}
    plan = {(size, length) for size in GANS_OF_SIZE for length in LENGTHS}
    told = [f"{LENGTHS[length]} at {size} px" for size, length in sorted(plan - there, reverse=True)]
    return f"Not run: {'; '.join(told)}." if told else ""


def tables(stored: Json, images: str | None = None) -> Iterator[str]:
    """All tables, as lines of Markdown.

    Args:
        stored: of the stored run.
        images: folder of the planes, from the page; None = without.
    """
    names = stored["scores"]
    for table in stored["tables"]:
        titles = {row["system"]: row["title"] for row in table["rows"]}
        yield from (f"## {heading(table)}", "")
        if images is not None:
            yield from (f"![FID and diversity of every system, the truth marked]({images}/{figure_name(table)})", "")
        yield from (*scores_table(table, names), "", *costs_table(table), "")
        yield from (*claims_table(table, names, titles), "", *sentences(table, titles), "")


def page(stored: Json, images: str) -> str:
    """The whole page.

    Args:
        stored: of the stored run.
        images: folder of the planes, from the page.
    """
    largest = " and ".join(f"{pixels} pixels at {size} px" for size, pixels in stored["largest_small_thing"].items())
    of = f"{stored['samples_per_layout']} pictures of each of {stored['num_diversity_layouts']} layouts, all pairs"
    return f"""# Tables 1 and 3: nine GANs beside SDM

Written by `{COMMAND}`: every system trained on the same Scenes for as long as SDM
on one thread (steps counted from the time of a step, `benchmarks/gan_step.py`), scored on
{stored["num_layouts"]} test layouts, Scenes(seed={stored["scenes_seed"]}), one picture each; diversity from {of}.
SDM by {stored["sampler"]}. All scores are by the Scenes judge, a small network of this package that no system was
trained with: nothing compares with the paper's figures but who is ahead of whom. Small things are the third of all
suns, clouds, walls, roofs, trees and cars that has the fewest pixels (at most {largest}); the
fullest third of layouts has the most objects.

These are tables of short lessons: a GAN takes {steps_taken(stored)} steps of 16 pictures, the published ones tens of
thousands and more, and we do not expect GANs to have converged at this length. They say who learns most in so much time
of one thread, not who is best in the end.

{not_run(stored)}

The steps are those that one thread takes in the time, wherever they were taken, which stands below each table: on a GPU
convolutions are in TF32, as torch has it, and the stored runs replayed captured CUDA graphs: the same operations, and
no repeat of plain steps is exact there either (at the 30th step figures were apart by 0.7 to 2.2 of their size in three
systems, two runs of plain steps by 2.6 to 4.5; at the 15th, by 0.002 to 0.68 and 0.002 to 0.67). A time a
picture is of one thread, by the processor's own clock on a machine with other work.

A system without noise draws one look of each layout, where Scenes has many (an hour, a season, colours): its diversity
is 0. FID compares all pictures with all. It is high where a system draws most layouts alike, all at one hour for
instance, which the TV of hour and season tell; but a system without noise whose look changes with the layout may have a
low one. "FID, hour and season held fixed" compares pictures of one hour and season, and is about what else is wrong.

Neither less nor more diversity than that of true pictures is right, and of FID and the two TV theirs is the floor.
Intervals are over layouts and training seeds, of true pictures over layouts; those with a star are over layouts alone,
as there was one seed. The best of the GANs is chosen anew in every resample of the layouts and for every training seed,
so that the interval covers the choice; a best of several that are measured with noise looks better than it is, which is
against SDM. A difference decides by the ledger's rule, which stands beside it ("true if"), or is undecided. Each
interval is at 95 % by itself: of many comparisons some exclude 0 by chance. Whose diversity is next to nothing goes by
means and has no interval. How many GANs have both goes by means too, and beside it stand the counts of resamples, of
layouts and of training seeds where there are several: where these differ, it is undecided.

The perceptual term is a loss that eight of the nine were published with, by features of VGG; here it reads those of a
small network of this package. OASIS has no such term: its row is the same with and without. All are small, and most
learn at other rates than the published ones (below), so that no row is the published system.

{chr(10).join(tables(stored, images))}
{chr(10).join(perceptual_table(stored))}
## The learning rates

The published rates of a GAN are for far longer training. Those of each system are multiplied by a factor:
{TOLD}, all trained for the lesson at 32 px with the perceptual
term. Those layouts are in no table, and SDM's recipe is that of Table 4. The factors serve all seeds, the rows without
the perceptual term, and 64 px, without a search of their own: a row may be better at another.

{chr(10).join(rates_table(stored))}

## The paper's own figures

{chr(10).join(paper_table(stored))}
"""
