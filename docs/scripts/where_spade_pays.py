"""At which point does the decoder path pay? Writes docs/where_spade_pays.md and its picture from stored runs.

python -m sdm_lite.baselines table4                  # hours; makes the stored run table4
python docs/scripts/photograph_ablation.py ...       # makes the stored run photograph_ablation
python docs/scripts/where_spade_pays.py              # seconds
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.baselines.ablation.figure import class_changes_lines, draw_where_it_pays, where_it_pays_lines
from sdm_lite.baselines.ablation.runs import CLASS_STEPS, CONCAT, SDM, num_steps
from sdm_lite.files import expanded, write_whole
from sdm_lite.ledger.evidence import EVIDENCE_DIR, evidence_names, read_evidence
from sdm_lite.viz import draw_for_files, save_png

FOLDER = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evidence", default=EVIDENCE_DIR, help="folder of the stored runs")
    folder = expanded(parser.parse_args(arguments).evidence)
    draw_for_files()
    names = [name for name in ("table4", "photograph_ablation") if name in evidence_names(folder=folder)]
    runs = {name: read_evidence(name, folder=folder) for name in names}
    if "table4" not in runs:
        raise SystemExit("error: no stored run table4: run python -m sdm_lite.baselines table4 first")
    table4 = runs["table4"].results
    photographs = runs["photograph_ablation"].results if "photograph_ablation" in runs else None
    save_png(FOLDER / "images" / "where_spade_pays.png", draw_where_it_pays(table4, photographs))
    devices = [*table4.get("devices", []), *([f"photographs: {photographs['device']}"] if photographs else [])]
    steps = [num_steps(32, system, "time", CLASS_STEPS[32][0]) for system in (SDM, CONCAT)]
    made_by = "\n".join(f"    {run.command}" for run in runs.values())
    differences = "\n".join(where_it_pays_lines(table4, photographs))
    changes = "\n".join(class_changes_lines(table4))
    page = f"""# Where does the decoder path pay?

Written by `python docs/scripts/where_spade_pays.py` from stored runs, made by

{made_by}

on {"; ".join(devices)}. Runs that were read before their device was kept were trained and drawn on one CPU thread.

![SDM less concatenation against training time, size, things, classes and on photographs](images/where_spade_pays.png)

Two networks of about as many weights: SDM, whose decoder reads labels through SPADE, and one that reads them at its
input. Each is trained three times; both are guided (s = 1.5 but where told) and have had equal time of one thread, but
where told, by which concatenation takes 1.28 (32 px) or 1.48 (64 px) times as many steps. mIoU is that of the judge's
reading by that of
true pictures, FID is less its floor. As in the ledger, one is better where the whole interval, 95 % over layouts and
seeds, lies on its side of 0; undecided otherwise. FID of a quarter of the layouts, of 64 px and of photographs is
each of its own scale: compare within a panel.

{differences}

## Classes

The same pictures labelled with 5 classes (sky, ground, building or car, tree, water), with 11 and with 23: large and
small clouds, far and near mountains and meadows, roads ahead and across, houses from the front and from the corner,
conifers and broadleaved trees far and near, cars from behind and from the side, sea, lake and river. The judge reads 11
classes; mIoU here is that of its reading merged to the 5, which all three ask for. Edges between instances are in the
condition under every label set, so that outlines are known to all. SDM has 3.5 % fewer weights than concatenation at 5
classes, 1.2 % fewer at 11 and 3.5 % more at 23: SPADEs read labels in many places. Both took as many steps under every
label set, {steps[0]} of SDM and {steps[1]} of concatenation. That is equal time at 5 and 11 classes (a step of SDM
takes 1.23 and 1.25 times as long, measured anew, one thread), but not at 23, where it takes 1.71 times as long: a lead
of SDM there has a third more time behind it.

Does SPADE pay more with more classes? The difference of differences:

{changes}
"""
    write_whole(FOLDER / "where_spade_pays.md", page)
    print(f"wrote {FOLDER / 'where_spade_pays.md'}")


if __name__ == "__main__":
    main()
