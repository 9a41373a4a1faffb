"""What an evaluation leaves behind: of photographs a grid, a report and single pictures, of a model its card.

Apart from measuring because these are words and files, and what a few pictures can show and cannot is said here.

    FOLDER/report.md  scores.json  samples.png  photographs/NAME.png  samples/NAME.png

Shapes: L label maps, N samples of each, H x W pixels.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import default_collate

from sdm_lite import __version__
from sdm_lite.datasets.photographs import Photographs, spread
from sdm_lite.evaluate.measures import Scores, format_scores, scores_json
from sdm_lite.evaluate.photographs.pairs import APART, LEAST_AGREEMENT, LEAST_PAIRS
from sdm_lite.evaluate.photographs.seen import KEY, Seen, nearest_seen
from sdm_lite.evaluate.repeats import format_repeats
from sdm_lite.files import write_whole
from sdm_lite.pictures import colorize, png_bytes, scale_to_see, to_uint8
from sdm_lite.presets import UNetConfig
from sdm_lite.progress import counted
from sdm_lite.viz import save_png, show_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_COLUMNS = 8
WEAK_JUDGE = 0.5  # mIoU on photographs: it reads less than half of what is there
CALLED = "no command: a call of sdm_lite.evaluate.report.write_photograph_report"  # by a notebook, for instance
NOT_SAID = {"command": CALLED, "sdm_lite": __version__, "torch": torch.__version__}
VERY_FEW, FEW = 50, 1000  # photographs: below, the numbers are chance; below, they rank but do not measure


def program(argv: Sequence[str], *, module: str = "sdm_lite.evaluate") -> dict[str, str]:
    """Which program wrote a report: its command line, its version, and that of torch."""
    command = shlex.join(["python", "-m", module, *argv])
    return {"command": command, "sdm_lite": __version__, "torch": torch.__version__}


def sample_figure(
    held_out: Photographs,
    samples: Tensor,
    *,
    seen: Seen | None = None,
    num_columns: int = NUM_COLUMNS,
    title: str = "",
) -> Figure:
    """Held-out label maps, their photographs, and samples, a column each, with a legend of the classes in them.

    Small pictures are enlarged until they can be looked at.

    Args:
        held_out: L photographs.
        samples: (L, N, 3, H, W) in [-1, 1].
        seen: training photographs, of which the one nearest to the first sample stands below; or None.
        num_columns: how many of the L are shown, evenly spread.
        title: above everything.
    """
    chosen = spread(len(held_out), num_columns)
    photographs = default_collate([held_out[i] for i in chosen])
    rows = [colorize(photographs.label_map, held_out.palette), to_uint8(photographs.image)]
    rows += [to_uint8(samples[chosen, n]) for n in range(min(samples.shape[1], 4))]
    names = ["label map", "photograph", *(f"sample {n}" for n in range(1, len(rows) - 1))]
    if seen is not None:
        rows.append(nearest_seen(samples[chosen, 0], seen).image.movedim(1, -1).numpy())
        names.append("nearest to sample 1 of what was trained on")
    present = photographs.label_map.unique().tolist()
    legend = [held_out.class_names[k] for k in present], held_out.palette[present]
    return show_grid(rows, row_labels=names, title=title or None, legend=legend, scale=scale_to_see(samples.shape[-1]))


def photograph_report(
    scores: Scores,
    dataset: Photographs,
    *,
    model: str,
    facts: dict[str, object],
    bad: Sequence[str] = (),
    program: Mapping[str, str] = NOT_SAID,
) -> str:
    """The report, Markdown: every number in it a measured one, and what they can and cannot show.

    Args:
        scores: of the model.
        dataset: the held-out split.
        model: its name or file.
        facts: that its file holds of its making.
        bad: a line for each photograph that was left out.
        program: which wrote it, see `program`.
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
    return f"""# {model} on {dataset.name}

{scores.num_images} samples for the label maps of {scores.num_held_out} held-out photographs ({dataset.split} split)
at {dataset.size[0]} x {dataset.size[1]} pixels, by a network{steps}.
{made}
![label maps, photographs, samples](samples.png)

```
{format_scores(dataclasses.replace(scores, left_out=[]))}
```
{class_table(scores)}
## What these numbers can show, and what not

{chr(10).join(f"- {line}" for line in caveats(scores))}
{lists}
Every number was written by

    {program["command"]}

(sdm_lite {program["sdm_lite"]}, torch {program["torch"]}).
"""


def class_table(scores: Scores) -> str:
    """IoU of each class, of samples and of true pictures, as a Markdown table; nothing where no judge read them."""
    if not scores.class_iou:
        return ""
    rows = "".join(
        f"| {name} | {iou:.2f} | {scores.class_iou_true.get(name, math.nan):.2f} |\n"
        for name, iou in scores.class_iou.items()
    )
    return f"\n| {scores.measures['miou'].name.removeprefix('m')} | samples | photographs |\n|---|---|---|\n{rows}"


def caveats(scores: Scores) -> list[str]:
    """What a reader should know before believing the numbers, in sentences."""
    lines = []
    if "bound" in scores.measures:
        lines.append(
            "The bound is measured on held-out and on training photographs. Where it is lower on the latter, some of "
            "that was learned by heart, or the two parts show different places. It says nothing of how samples look."
        )
    lines.append(
        "Fine detail is no quality: less than the photographs' is blur, more is noise, as much may be some of each."
    )
    if "miou" in scores.measures:
        ceiling = scores.measures["miou"].yardstick.value
        weak = " It is a weak witness." if ceiling < WEAK_JUDGE else ""
        seen = scores.settings["num_training"]
        lines.append(
            f"The judge learned from the same {seen} photographs as the network. On held-out ones its "
            f"own mIoU is {ceiling:.3f}: what it misreads there it misreads in samples.{weak} Samples that score more "
            "than photographs look more like what it expects, not more like photographs."
        )
    diversity = [measure for key, measure in scores.measures.items() if key.startswith(("diversity", "lpips"))]
    if diversity and diversity[0].yardstick is None:
        lines.append(
            f"Diversity has no yardstick here: fewer than {LEAST_PAIRS} pairs of these photographs are of near-equal "
            "label maps, and of no map are there two. More is not better: noise is diverse."
        )
    elif diversity:
        lines.append(
            f"Diversity stands beside that {diversity[0].yardstick.name} ({LEAST_AGREEMENT:.0%} of pixels alike, files "
            f"{APART} or more places apart, as neighbours may be frames of one film). Near-equal is not equal, so that "
            "errs high; of one film it errs low, as hour and place are the same. Much more than it is noise."
        )
    if KEY in scores.measures:
        lines.append(
            "Samples much nearer to training photographs than held-out photographs are would be copies; compare with "
            "the last row of the grid. Nearest is by pixels, mirrored or not, and a blur is near to everything."
        )
    if "num_void_pixels" in scores.settings:
        void, total = (scores.settings[key] for key in ("num_void_pixels", "num_pixels"))
        lines.append(
            f"mIoU is over labelled pixels: {void:,} of {total:,} ({100 * void / total:.1f} %) are void and ignored, "
            "whatever was drawn there."
        )
    if "frechet" in scores.measures:
        half, frechet = scores.num_held_out // 2, scores.measures["frechet"]
        below = " Here it is below its floor, where photographs are: these are too few to tell."
        lines.append(
            f"The Frechet distance compares {half} samples with {half} photographs. Read it beside its floor alone: it "
            "can be compared with no number elsewhere. Where neighbouring photographs are frames of one film the floor "
            f"is too low, as each half has seen the other.{below if frechet.value < frechet.yardstick.value else ''}"
        )
    if "kid_pretrained" in scores.measures:
        lines.append(
            "What a judge pretrained on ImageNet says is of its own kind: it has seen none of these photographs and "
            "reads them enlarged. Its KID and FID rank networks on this data set at this size and number; they are no "
            "Inception scores."
        )
    if scores.num_held_out < VERY_FEW:
        lines.append(f"{scores.num_held_out} photographs can show that the pipeline runs, and little else.")
    elif scores.num_held_out < FEW:
        lines.append(
            f"{scores.num_held_out} photographs can show whether a network obeys its label maps, and which of two "
            "networks is clearly better. They cannot show how good a method is."
        )
    return lines


def write_photograph_report(
    folder: Path,
    scores: Scores,
    held_out: Photographs,
    samples: Tensor,
    *,
    model: str,
    facts: dict[str, object],
    seen: Seen | None = None,
    program: Mapping[str, str] = NOT_SAID,
) -> Path:
    """Write the report, the numbers, the grid, and the single pictures that other tools measure.

    Args:
        folder: made if missing.
        scores: of the model.
        held_out: L photographs.
        samples: (L, N, 3, H, W) in [-1, 1].
        model: its name or file.
        facts: that its file holds of its making.
        seen: training photographs, to show the nearest; or None.
        program: which writes it, see `program`.

    Returns:
        The report's path.
    """
    for name, example, sample in zip(held_out.names, held_out, samples[:, 0], strict=True):
        write_whole(folder / "photographs" / f"{name}.png", png_bytes(to_uint8(example.image)))
        write_whole(folder / "samples" / f"{name}.png", png_bytes(to_uint8(sample)))
    data = {"model": model, "dataset": held_out.name, "size": held_out.size, "bad_photographs": held_out.left_out}
    write_whole(folder / "scores.json", scores_json(scores, data | {"facts": facts, "program": program}))
    report = photograph_report(scores, held_out, model=model, facts=facts, bad=held_out.left_out, program=program)
    path = write_whole(folder / "report.md", report)
    # The numbers are on the disk before anything is drawn.
    title = f"{held_out.name}, held out: label maps, photographs, samples"
    save_png(folder / "samples.png", sample_figure(held_out, samples, seen=seen, title=title))
    return path


def model_card(
    name: str,
    config: UNetConfig,
    facts: dict[str, object],
    scores: Scores,
    again: dict[str, Scores],
    *,
    command: str,
) -> str:
    """A model's card, Markdown: the facts that its file holds of its making, and its scores on Scenes.

    Args:
        name: of the model.
        config: of its network.
        facts: of its file, as `sdm_lite.train` writes them.
        scores: on held-out Scenes.
        again: from `repeats.repeat`, or nothing.
        command: by which these scores can be measured again.
    """
    recipe = facts["train_config"]
    device = f"{facts['device']}, {counted(facts['threads'], 'thread')}, torch {facts['torch']}"
    made = (
        f"{facts['steps']:,} steps of {recipe['batch_size']} images, {facts['images']:,} images in {facts['seconds']} s"
    )
    moved = ""
    if again:
        moved = f"""
How much that moves with the seed of the noise and with the layouts, the same network each time:

```
{format_repeats(scores, again)}
```
"""
    commands = "\n".join(f"    {phase['command']}" for phase in [*facts.get("before", []), facts])
    kind = {"spade": "An SDM U-Net", "concat": "A U-Net with labels concatenated at the input"}[config.conditioning]
    return f"""# {name}

{kind} for Scenes at {config.image_size[0]} x {config.image_size[1]} with {config.base_channels} base channels and
multipliers {tuple(round(multiplier, 3) for multiplier in config.channel_multipliers)}. Written by

{commands}

The last phase: {made} ({device}).
Trained on Scenes(seed={facts["data_seed"]}), scored on Scenes(seed={scores.settings["scenes_seed"]}).
Labels dropped with probability {recipe["null_probability"]}.
The whole recipe is inside the file: `checkpoints.load_facts`.

Scores by `{command}`:

```
{format_scores(scores, with_time=False)}
```
{moved}
Every number here was written by a command. The judge is a small network of this package: nothing here can be compared
with the paper's tables.
"""
