"""What was found, as JSON has it: the stored run table1, which the page, the plane, the ledger and a notebook read.

Whatever is missing is left out or None: a table of four systems and one seed is a table of four systems and one seed.
"""

from __future__ import annotations

from pathlib import Path

from sdm_lite.baselines.comparison.cells import (
    LAYOUTS_AND_SEEDS,
    Best,
    Cell,
    Found,
    best_of,
    count_no_worse,
    difference,
    mean_of,
    no_worse,
    ratio_to_truth,
    sdm_cell,
    truth_of,
)
from sdm_lite.baselines.comparison.costs import costs
from sdm_lite.baselines.comparison.rates import FACTORS, SEARCH
from sdm_lite.baselines.comparison.readings import (
    GUIDED,
    NAMES,
    SAMPLER,
    SCORES,
    SIZES,
    UNGUIDED,
    layouts,
    where_made,
)
from sdm_lite.baselines.comparison.runs import (
    GANS,
    GANS_OF_SIZE,
    HOUR,
    LESSON,
    PICTURE_MILLISECONDS,
    SDM,
    STEP_TIMES,
    has_perceptual,
    systems_of,
)
from sdm_lite.baselines.gan import SYSTEMS
from sdm_lite.ledger.evidence import EVIDENCE_DIR, StoredClaim, write_evidence
from sdm_lite.ledger.published_tables import TABLE_1, TABLE_3

COMMAND = "python -m sdm_lite.baselines table1"
# What decides the numbers most directly: the networks, the two loops, how they are drawn, what they are told by.
MODULES = (
    "sdm_lite.baselines.comparison.cells",
    "sdm_lite.baselines.comparison.runs",
    "sdm_lite.baselines.comparison.things",
    "sdm_lite.baselines.gan.blocks",
    "sdm_lite.baselines.gan.discriminators",
    "sdm_lite.baselines.gan.losses",
    "sdm_lite.baselines.gan.training",
    "sdm_lite.diffusion",
    "sdm_lite.evaluate.floors",
    "sdm_lite.guidance",
    "sdm_lite.sampling",
    "sdm_lite.spade",
    "sdm_lite.train.loop",
    "sdm_lite.unet",
)
NO_DIVERSITY = 0.1  # of that of true pictures: the ledger's rule of "next to none"
# From a row of the ledger to the score whose best GAN decides it.
AGAINST_THE_BEST = {
    "table1-fid": "frechet",
    "table1-lpips/highest": "diversity",
    "table3-miou": "miou",
    "fine-detail": "small_things",
    "hard-scenes": "miou_fullest",
}
# Size, length of training, whether the perceptual term is in the loss.
Table = tuple[int, str, bool]
TABLES: tuple[Table, ...] = (
    (32, LESSON, True),
    (32, LESSON, False),
    (64, LESSON, True),
    (64, LESSON, False),
    (32, HOUR, True),
    (64, HOUR, True),
)


def gan_cells(table: Table) -> list[Cell]:
    """The GANs of a table that are in the package."""
    size, length, perceptual = table
    return [Cell(size, system, length, perceptual) for system in systems_of(size)]


def sdm_cells(table: Table) -> list[Cell]:
    """SDM's rows of a table, guided and not."""
    return [sdm_cell(table[0], scale, table[1]) for scale in (GUIDED, UNGUIDED)]


def is_begun(table: Table, output: Path) -> bool:
    """Whether any GAN of a table was read, one that differs from the other tables' if that is what it is about."""
    own = [cell for cell in gan_cells(table) if table[2] or has_perceptual(cell.system)]
    return any(cell.readings(output) for cell in own)


def title_of(system: str) -> str:
    """A system as a table names it."""
    return "SDM" if system == SDM else SYSTEMS[system].title if system in SYSTEMS else system


def told(found: Found | None) -> dict[str, object] | None:
    """A number as JSON."""
    if found is None:
        return None
    return {
        "value": found.value,
        "interval": list(found.interval[:2]),
        "over": found.kind,
        "seeds": list(found.seeds),
        "num_layouts": found.num_layouts,
    }


def row(cell: Cell, output: Path) -> dict[str, object] | None:
    """A row of a table; None if nothing of it was read."""
    seeds = sorted(cell.readings(output))
    if not seeds:
        return None
    counted, run = costs(cell.system, cell.size), cell.runs()[0]
    made = [where_made(one, cell.scale, output) for one in cell.runs() if one.seed in seeds]
    return {
        "system": cell.system,
        "title": title_of(cell.system),
        "scale": cell.scale,
        "training_seeds": seeds,
        "made": made,
        "steps": run.num_steps,
        "rate_factor": None if cell.system == SDM else SYSTEMS[cell.system].rate_factor,
        "pictures_seen": run.num_steps * (8 if cell.system == SDM else 16),
        "parameters": counted.parameters,
        "other_parameters": counted.other_parameters,
        "operations": counted.operations,
        "milliseconds": PICTURE_MILLISECONDS[cell.size].get(cell.system),
        "step_time": STEP_TIMES[cell.size].get(cell.system),
        "diversity_by_truth": ratio_to_truth(cell, "diversity", output),
        **{score: told(mean_of(cell, score, output)) for score in SCORES},
    }


def best_told(best: Best | None) -> dict[str, object] | None:
    """SDM beside the best GAN, as JSON."""
    if best is None:
        return None
    return {**told(best.difference), "best": best.system, "share": best.share}


def table_results(table: Table, output: Path) -> dict[str, object]:
    """One table."""
    size, length, perceptual = table
    gans, (guided, unguided) = gan_cells(table), sdm_cells(table)
    rows = [found for cell in (*gans, guided, unguided) if (found := row(cell, output)) is not None]
    there = [cell for cell in gans if cell.readings(output)]
    missing = [system for system in GANS_OF_SIZE[size] if system not in {cell.system for cell in there}]
    return {
        "size": size,
        "length": length,
        "perceptual": perceptual,
        "rows": rows,
        "missing": missing,
        "truth": {score: told(truth_of(size, score, output)) for score in SCORES},
        "less_best": {
            str(sdm.scale): {score: best_told(best_of(sdm, there, score, output)) for score in SCORES}
            for sdm in (guided, unguided)
        },
        "less_each": {
            str(sdm.scale): {
                gan.system: {score: told(difference(sdm, gan, score, output)) for score in SCORES} for gan in there
            }
            for sdm in (guided, unguided)
        },
        "both_at_once": {str(sdm.scale): no_worse(sdm, there, output) for sdm in (guided, unguided)},
        "count_of_both": {str(sdm.scale): told(count_no_worse(sdm, there, output)) for sdm in (guided, unguided)},
        "without_diversity": [
            cell.system for cell in there if ratio_to_truth(cell, "diversity", output) < NO_DIVERSITY
        ],
    }


def results(output: Path) -> dict[str, object]:
    """Everything that was found."""
    tables = [table_results(table, output) for table in TABLES if is_begun(table, output)]
    paper = {
        system: {"table_1": TABLE_1[name], "table_3": TABLE_3[name]}
        for system, name in zip((*GANS, SDM), TABLE_1, strict=True)
    }
    return {
        "scores": NAMES,
        "num_layouts": SIZES.num_layouts,
        "num_diversity_layouts": SIZES.num_diversity_layouts,
        "samples_per_layout": SIZES.samples_per_layout,
        "scenes_seed": SIZES.scenes_seed,
        "sampler": SAMPLER,
        "scales": {"guided": GUIDED, "unguided": UNGUIDED},
        "largest_small_thing": {str(table["size"]): layouts(table["size"], SIZES).things.most for table in tables},
        "paper": paper,
        "rate_search": {
            system: {f"{factor:g}": one._asdict() for factor, one in zip(FACTORS, tried, strict=True)}
            for system, tried in SEARCH.items()
        },
        "tables": tables,
    }


def claims(output: Path) -> list[StoredClaim]:
    """What the tables of nine GANs say of the paper's claims; nothing where one of the nine, or SDM, is missing.

    SDM is guided, as in the paper.
    """
    found: list[StoredClaim] = []
    for table in TABLES:
        size, length, perceptual = table
        gans, sdm = gan_cells(table), sdm_cells(table)[0]
        if size != 32 or length != LESSON or len(gans) < len(GANS) or not is_begun(table, output):
            continue
        term = "with" if perceptual else "without"
        scale = f"Scenes {size} px, ten minutes of training on one thread, GANs {term} a perceptual term"
        best = {id: best_of(sdm, gans, score, output) for id, score in AGAINST_THE_BEST.items()}
        if None in best.values():
            continue
        found += [_claim(id, one.difference, scale) for id, one in best.items()]
        num_seeds = min(len(cell.readings(output)) for cell in (sdm, *gans))
        none = sum(ratio_to_truth(gan, "diversity", output) < NO_DIVERSITY for gan in gans)
        found.append(StoredClaim("table1-lpips/six-have-none", none, None, "", SIZES.num_layouts, num_seeds, scale))
        both = count_no_worse(sdm, gans, output)
        number, interval = SIZES.num_layouts, both.interval[:2]
        found.append(StoredClaim("both-at-once", both.value, interval, both.kind, number, num_seeds, scale))
    return found


def _claim(id: str, found: Found, scale: str) -> StoredClaim:
    num_seeds = len(found.seeds) if found.kind == LAYOUTS_AND_SEEDS else 1
    return StoredClaim(id, found.value, found.interval[:2], found.kind, found.num_layouts, num_seeds, scale)


def store(output: Path, folder: Path = EVIDENCE_DIR) -> Path:
    """Write the stored run `table1`.

    Raises:
        ValueError: if no GAN was read.
    """
    found = results(output)
    if not found["tables"]:
        raise ValueError(f"no GAN was read in {output}: run {COMMAND} without --write first")
    sizes = sorted({table["size"] for table in found["tables"]})
    systems = {one["system"] for table in found["tables"] for one in table["rows"]} - {SDM}
    return write_evidence(
        "table1",
        command=COMMAND,
        modules=[*MODULES, *(f"sdm_lite.baselines.gan.{system}" for system in systems)],
        weights=[f"{kind}-{size}" for kind in ("judge", "perceptual") for size in sizes],
        num_layouts=SIZES.num_layouts,
        results=found,
        claims=claims(output),
        folder=folder,
    )
