"""What an evaluation on photographs leaves behind: a grid to look at, a report to read, numbers, single pictures.

Apart from measuring because these are words and files, and what a few pictures can show and cannot is said here.

    FOLDER/report.md  scores.json  samples.png  photographs/NAME.png  samples/NAME.png

Shapes: L label maps, N samples of each, H x W pixels.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor
from torch.utils.data import default_collate

from sdm_lite.datasets.photographs import Photographs, spread
from sdm_lite.evaluate.measures import Measure
from sdm_lite.evaluate.photographs import PhotographScores
from sdm_lite.files import write_whole
from sdm_lite.pictures import colorize, png_bytes, to_uint8
from sdm_lite.viz import save_png, show_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_COLUMNS = 8
WEAK_JUDGE = 0.5  # mIoU on photographs: it reads less than half of what is there
VERY_FEW, FEW = 50, 1000  # photographs: below, the numbers are chance; below, they rank but do not measure


def sample_figure(held_out: Photographs, samples: Tensor, *, num_columns: int = NUM_COLUMNS, title: str = "") -> Figure:
    """Held-out label maps, their photographs, and samples, a column each, with a legend of the classes in them.

    Args:
        held_out: L photographs.
        samples: (L, N, 3, H, W) in [-1, 1].
        num_columns: how many of the L are shown, evenly spread.
        title: above everything.
    """
    chosen = spread(len(held_out), num_columns)
    photographs = default_collate([held_out[i] for i in chosen])
    rows = [colorize(photographs.label_map, held_out.palette), to_uint8(photographs.image)]
    rows += [to_uint8(samples[chosen, n]) for n in range(min(samples.shape[1], 4))]
    names = ["label map", "photograph", *(f"sample {n}" for n in range(1, len(rows) - 1))]
    seen = photographs.label_map.unique().tolist()
    legend = [held_out.class_names[k] for k in seen], held_out.palette[seen]
    return show_grid(rows, row_labels=names, title=title or None, legend=legend)


def format_measures(scores: PhotographScores) -> str:
    """The measures as lines for a terminal or a notebook, each with its yardstick below it."""
    lines = []
    for measure in scores.measures.values():
        lines.append(f"{measure.name}: {_number(measure.value, measure.interval)}")
        if measure.beside:
            lines.append(f"    {measure.beside}: {_number(measure.beside_value, measure.beside_interval)}")
    lines += [f"left out: {line}" for line in scores.left_out]
    return "\n".join(lines)


def measure_table(scores: PhotographScores) -> str:
    """The measures as a Markdown table, each beside its yardstick."""
    rows = [_row(measure) for measure in scores.measures.values()]
    return "\n".join(["| what | value, 95 % interval | beside it |", "|---|---|---|", *rows])


def format_report(
    scores: PhotographScores, dataset: Photographs, *, model: str, facts: dict[str, object], bad: Sequence[str] = ()
) -> str:
    """The report, Markdown: every number in it a measured one, and what they can and cannot show.

    Args:
        scores: of the model.
        dataset: the held-out split.
        model: its name or file.
        facts: that its file holds of its making.
        bad: a line for each photograph that was left out.
    """
    made = f"\nTrained by\n\n    {facts['command']}\n" if "command" in facts else ""
    steps = f" trained for {facts['steps']:,} steps" if "steps" in facts else ""
    listed = {
        "Left out": scores.left_out,
        "Photographs that were bad, and left out": bad,
    }
    lists = "".join(
        f"\n## {heading}\n\n" + "".join(f"- {line}\n" for line in lines) for heading, lines in listed.items() if lines
    )
    settings = ", ".join(f"{name} {value}" for name, value in scores.settings.items())
    return f"""# {model} on {dataset.name}

{scores.num_samples} samples for the label maps of {scores.num_photographs} held-out photographs ({dataset.split} split)
at {dataset.size[0]} x {dataset.size[1]} pixels, by a network{steps}; {1000 * scores.seconds_per_image:.0f} ms a sample.
{made}
![label maps, photographs, samples](samples.png)

{measure_table(scores)}

## What these numbers can show, and what not

{chr(10).join(f"- {line}" for line in caveats(scores))}
{lists}
Settings: {settings}. Every number was written by `python -m sdm_lite.evaluate`.
"""


def caveats(scores: PhotographScores) -> list[str]:
    """What a reader should know before believing the numbers, in sentences."""
    lines = [
        "The bound is measured on held-out and on training photographs. Where it is lower on the latter, some of that "
        "was learned by heart, or the two parts show different places. It says nothing of how samples look.",
        "Fine detail is no quality: less than the photographs' is blur, more is noise, as much may be some of each.",
    ]
    if "miou" in scores.measures:
        ceiling = scores.measures["miou"].beside_value
        weak = " It is a weak witness." if ceiling < WEAK_JUDGE else ""
        lines.append(
            f"The judge learned from the same {scores.num_training} photographs as the network. On held-out ones its "
            f"own mIoU is {ceiling:.3f}: what it misreads there it misreads in samples.{weak} Samples that score more "
            "than photographs look more like what it expects, not more like photographs."
        )
    if "frechet" in scores.measures:
        half, frechet = scores.num_photographs // 2, scores.measures["frechet"]
        below = " Here it is below its floor, where photographs are: these are too few to tell."
        lines.append(
            f"The Frechet distance compares {half} samples with {half} photographs. Read it beside its floor alone: it "
            "can be compared with no number elsewhere. Where neighbouring photographs are frames of one film the floor "
            f"is too low, as each half has seen the other.{below if frechet.value < frechet.beside_value else ''}"
        )
    if scores.num_photographs < VERY_FEW:
        lines.append(f"{scores.num_photographs} photographs can show that the pipeline runs, and little else.")
    elif scores.num_photographs < FEW:
        lines.append(
            f"{scores.num_photographs} photographs can show whether a network obeys its label maps, and which of two "
            "networks is clearly better. They cannot show how good a method is."
        )
    return lines


def write_report(
    folder: Path,
    scores: PhotographScores,
    held_out: Photographs,
    samples: Tensor,
    *,
    model: str,
    facts: dict[str, object],
) -> Path:
    """Write the report, the numbers, the grid, and the single pictures that other tools measure.

    Args:
        folder: made if missing.
        scores: of the model.
        held_out: L photographs.
        samples: (L, N, 3, H, W) in [-1, 1].
        model: its name or file.
        facts: that its file holds of its making.

    Returns:
        The report's path.
    """
    for name, example, sample in zip(held_out.names, held_out, samples[:, 0], strict=True):
        file = re.sub(r"[^\w.#-]", "_", name) + ".png"
        write_whole(folder / "photographs" / file, png_bytes(to_uint8(example.image)))
        write_whole(folder / "samples" / file, png_bytes(to_uint8(sample)))
    title = f"{held_out.name}, held out: label maps, photographs, samples"
    save_png(folder / "samples.png", sample_figure(held_out, samples, title=title))
    told = dataclasses.asdict(scores)
    told["measures"] = {name: measure._asdict() for name, measure in scores.measures.items()}
    told |= {"model": model, "dataset": held_out.name, "size": held_out.size, "facts": facts}
    told["bad_photographs"] = held_out.left_out
    write_whole(folder / "scores.json", (json.dumps(_plain(told), indent=1) + "\n").encode())
    report = format_report(scores, held_out, model=model, facts=facts, bad=held_out.left_out)
    return write_whole(folder / "report.md", report.encode())


def _row(measure: Measure) -> str:
    yardstick = ""
    if measure.beside:
        yardstick = f"{_number(measure.beside_value, measure.beside_interval)} {measure.beside}"
    name = measure.name.replace("|", "\\|")
    return f"| {name} | {_number(measure.value, measure.interval)} | {yardstick} |"


def _number(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.4g} [{interval[0]:.4g}, {interval[1]:.4g}]"


def _plain(value: object) -> object:
    """The same with null for numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
