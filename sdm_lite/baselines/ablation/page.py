"""Table 4 told: as text, and as a stored run that the ledger and notebook "The ablation" read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sdm_lite.baselines.ablation.contrasts import (
    GUIDED,
    NAMES,
    UNGUIDED,
    Cell,
    Contrast,
    Found,
    change,
    classes_contrasts,
    curve_contrasts,
    difference,
    mean_of,
    table_cells,
    table_contrasts,
)
from sdm_lite.baselines.ablation.readings import (
    BY_THINGS,
    IN_GROUPS,
    NUM_QUARTERS,
    NUM_SAMPLING_STEPS,
    SCORES,
    SIZES,
    devices,
    layouts,
    num_things,
    quarters,
)
from sdm_lite.baselines.ablation.runs import CONCAT, FULL_STEPS, MATCHES, SDM, SEEDS, num_steps
from sdm_lite.ledger.evidence import StoredClaim, write_evidence
from sdm_lite.markdown import number, table
from sdm_lite.scenes.label_sets import LABEL_SETS

COMMAND = "python -m sdm_lite.baselines table4"
# What decides the numbers most directly: the two networks, process and loop, how they are drawn, what they are told by.
MODULES = (
    "sdm_lite.baselines.ablation.runs",
    "sdm_lite.concat",
    "sdm_lite.diffusion",
    "sdm_lite.evaluate.floors",
    "sdm_lite.guidance",
    "sdm_lite.sampling",
    "sdm_lite.spade",
    "sdm_lite.train.loop",
    "sdm_lite.unet",
)
KIND = "layouts and seeds"
# From a claim of the paper to the contrast and the score that decide it.
STRUCTURE = {"structure-fid": "frechet", "structure-miou": "miou", "structure-lpips": "diversity"}
GUIDANCE = {"guidance-fid": "frechet", "guidance-miou": "miou", "guidance-lpips": "diversity"}


def cell_name(cell: Cell) -> str:
    """A cell in words: "SDM, guided" or "concat (equal time), unguided"."""
    system = "SDM" if cell.system == SDM else f"concat (equal {cell.match})"
    return f"{system}, {'guided' if cell.scale == GUIDED else 'unguided'}"


def sizes_read(output: Path) -> list[int]:
    """The sizes whose whole table was read."""
    return [size for size in FULL_STEPS if all(cell.readings(output) is not None for cell in table_cells(size))]


def lines(output: Path) -> Iterator[str]:
    """The table, as lines of Markdown, of what is there."""
    for size in sizes_read(output):
        yield f"## {size} x {size}"
        yield from _table(
            "cell (steps)",
            {
                f"{cell_name(cell)} ({num_steps(size, cell.system, cell.match)})": [
                    mean_of(cell, score, output) for score in SCORES
                ]
                for cell in table_cells(size)
            },
        )
        yield from _table(
            "difference",
            {one.name: [difference(one, score, output) for score in SCORES] for one in table_contrasts(size)},
        )
        others = [*curve_contrasts(size), *classes_contrasts(size).values()]
        yield from _table(
            "difference, equal time", {one.name: [difference(one, score, output) for score in SCORES] for one in others}
        )


def _table(title: str, rows: dict[str, list[Found | None]]) -> Iterator[str]:
    """A table of all scores, a row a name; none of what was not read."""
    rows = {name: found for name, found in rows.items() if None not in found}
    told = [[name, *(number(one.value, one.interval) for one in found)] for name, found in rows.items()]
    yield from ("", *table([title, *(NAMES[score] for score in SCORES)], told), "")


def results(output: Path) -> dict[str, object]:
    """Everything that was found, for the stored run."""
    found: dict[str, object] = {
        "seeds": list(SEEDS),
        "num_layouts": SIZES.num_layouts,
        "num_diversity_layouts": SIZES.num_diversity_layouts,
        "scenes_seed": SIZES.scenes_seed,
        "sampler": f"DPM-Solver++(2M), {NUM_SAMPLING_STEPS} steps",
        "devices": sorted(set(devices(output).values())),
        "equal_time": "by the ratio of two steps on one thread of a CPU, on whatever device",
        "scales": {"unguided": UNGUIDED, "guided": GUIDED},
        "scores": NAMES,
        "sizes": {},
    }
    for size in sizes_read(output):
        things = num_things(layouts(size)[1])
        of_quarter = [things[quarter] for quarter in quarters(size)]
        found["sizes"][str(size)] = {
            "cells": [
                {
                    "name": cell_name(cell),
                    "system": cell.system,
                    "match": cell.match,
                    "scale": cell.scale,
                    "steps": num_steps(size, cell.system, cell.match),
                    **{score: _json(mean_of(cell, score, output)) for score in SCORES},
                }
                for cell in table_cells(size)
            ],
            "contrasts": [_contrast(contrast, output) for contrast in table_contrasts(size)],
            "curve": [
                {"steps": num_steps(size, SDM, "time", one.one.of_sdm), **_contrast(one, output)}
                | {
                    system: {score: _json(mean_of(cell, score, output)) for score in SCORES}
                    for system, cell in ((SDM, one.one), (CONCAT, one.other))
                }
                for one in curve_contrasts(size)
                if difference(one, "miou", output) is not None
            ],
            "classes": _classes(size, output),
            "things": {
                "fewest": [int(of.min()) for of in of_quarter],
                "most": [int(of.max()) for of in of_quarter],
                "differences": [_by_things(contrast, output) for contrast in table_contrasts(size)],
            },
        }
    return found


def _classes(size: int, output: Path) -> dict[str, object]:
    """SDM less concat under every label set that was trained, and what more classes add to the difference."""
    contrasts = classes_contrasts(size)
    scores = (*SCORES, IN_GROUPS)
    of_set = [
        {
            "label_set": name,
            "num_classes": LABEL_SETS[name].num_classes,
            "name": one.name,
            "steps": num_steps(size, SDM, "time", one.one.of_sdm),
            **{score: _json(difference(one, score, output)) for score in scores},
            **{
                system: {score: _json(mean_of(cell, score, output)) for score in scores}
                for system, cell in ((SDM, one.one), (CONCAT, one.other))
            },
        }
        for name, one in contrasts.items()
        if difference(one, IN_GROUPS, output) is not None
    ]
    names = [one["label_set"] for one in of_set]
    return {
        "label_sets": of_set,
        "changes": [
            {
                "name": f"{LABEL_SETS[more].num_classes} classes less {LABEL_SETS[fewer].num_classes}",
                **{score: _json(change(contrasts[more], contrasts[fewer], score, output)) for score in scores},
            }
            for fewer, more in (("coarse", "standard"), ("standard", "fine"), ("coarse", "fine"))
            if fewer in names and more in names
        ],
    }


def _by_things(contrast: Contrast, output: Path) -> dict[str, object]:
    """A contrast on each quarter of the layouts, few things to many."""
    of_score = {
        score: [_json(difference(contrast, f"{score}, quarter {number}", output)) for number in range(NUM_QUARTERS)]
        for score in BY_THINGS
    }
    return {"name": contrast.name, **of_score}


def claims(output: Path) -> list[StoredClaim]:
    """What the table says of the paper's claims, one value at each size and match."""
    found = []
    for size in sizes_read(output):
        by_name = {contrast.name: contrast for contrast in table_contrasts(size)}
        for match in MATCHES:
            contrast = by_name[f"SDM less concat, guided, equal {match}"]
            scale = f"Scenes {size} px, equal {match}, {num_steps(size, SDM, match)} steps of SDM"
            found += [_claim(id, difference(contrast, score, output), scale) for id, score in STRUCTURE.items()]
        scale = f"Scenes {size} px, {FULL_STEPS[size]} steps of SDM"
        contrast = by_name["guided less unguided, sdm"]
        found += [_claim(id, difference(contrast, score, output), scale) for id, score in GUIDANCE.items()]
    return found


def store(output: Path, folder: Path | None = None) -> Path:
    """Write the stored run `table4`.

    Raises:
        ValueError: if no size is measured whole.
    """
    if not sizes_read(output):
        raise ValueError(f"no size is measured whole in {output}: run {COMMAND} without --write first")
    where = {} if folder is None else {"folder": folder}
    return write_evidence(
        "table4",
        command=COMMAND,
        modules=MODULES,
        weights=[f"judge-{size}" for size in sizes_read(output)],
        num_layouts=SIZES.num_layouts,
        results=results(output),
        claims=claims(output),
        **where,
    )


def _claim(id: str, found: Found, scale: str) -> StoredClaim:
    return StoredClaim(id, found.value, found.interval[:2], KIND, found.num_layouts, len(found.seeds), scale)


def _contrast(contrast: Contrast, output: Path) -> dict[str, object]:
    return {"name": contrast.name, **{score: _json(difference(contrast, score, output)) for score in SCORES}}


def _json(found: Found | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {"value": found.value, "interval": list(found.interval[:2]), "seeds": list(found.seeds)}
