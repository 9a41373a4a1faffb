"""Which score sees what, and how hard the edges of samples are, measured: writes docs/rulers.md.

True pictures of the test layouts are spoiled in known ways and scored like samples, next to clean ones. Then samples of
the same layouts, drawn with several samplers, steps and scales, are read at edges and inside. Every row is kept in
--output and not measured again.

    python docs/scripts/rulers.py --samples FOLDER    # measure what is missing, then write
    python docs/scripts/rulers.py --write             # only write, from the rows that are there

FOLDER has a NAME.npy for each of `SAMPLES`, float32 (P, 3, 32, 32) in [-1, 1]: one sample of each layout, then a second
of each of the diversity layouts, and so on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdm_lite import markdown, metrics
from sdm_lite.evaluate import Measurements, Sizes, Truth, evaluate_images, layout_diversity, measure_truth
from sdm_lite.evaluate.corruptions import CORRUPTIONS, differences, measured_as_samples, sees, spoiled_and_clean
from sdm_lite.evaluate.scene_scores import Statistic, statistics
from sdm_lite.files import to_json, write_whole
from sdm_lite.judge import Judge, load_judge
from sdm_lite.progress import progress
from sdm_lite.scenes import Scenes

FOLDER = Path(__file__).parents[1]
GOOD = "card-scenes-32"  # the shipped network as its card draws it: s = 1.5 for t <= 800, DDIM, 25 steps
COLUMNS = {
    "frechet": "FID",
    "frechet_within": "FID within",
    "kernel_within": "kernel within",
    "miou": "mIoU",
    "miou_edges": "mIoU edges",
    "miou_inside": "mIoU inside",
    "edge_sharpness": "sharpness",
    "high_frequency_ratio": "Laplacian",
    "time_of_day_tv": "hours",
    "season_tv": "seasons",
    "diversity": "diversity",
}
NUM_RESAMPLES = 200
RANKED = ("frechet", "frechet_within", "kernel_within")
RANKED_CORRUPTIONS = ("flat colours", "blur", "noise", "hard edges")
SAMPLES = {  # by file: how they were drawn
    "card-scenes-32": ("DDIM", 25, "1.5 for t <= 800"),
    "card-scenes-32-all-t": ("DDIM", 25, "1.5"),
    "scenes-32-s1": ("DDIM", 25, "1"),
    "card-scenes-32-conditional": ("DDIM, before null-label fine-tuning", 25, "1"),
    "ddim-25-r2": ("DDIM", 25, "1.5 for t >= 200"),
    "ddim-25-r3": ("DDIM", 25, "1.5 for 200 <= t <= 800"),
    "ddim-25-r4": ("DDIM, dynamic thresholding, 99.5 %", 25, "1.5"),
    **{f"ddim-{n}-none": ("DDIM", n, "1.5") for n in (5, 10, 15, 50)},
    **{f"dpm-{n}-none": ("DPM-Solver++(2M)", n, "1.5") for n in (5, 8, 10, 15, 25)},
    **{f"anc-{n}-none": ("ancestral", n, "1.5") for n in (10, 25, 50, 100, 250)},
}


def measure_rulers(folder: Path, samples: Path, judge: Judge, truth: Truth) -> None:
    """Every corruption less clean pictures, and less good samples: corruptions.json."""
    path = folder / "corruptions.json"
    if path.exists():
        return
    found = {name: memoised(one) for name, one in spoiled_and_clean(judge, truth, progress=progress).items()}
    good = memoised(measured_as_samples(judge, *groups_of(samples / f"{GOOD}.npy", truth), truth))
    rows = {}
    for name in (*CORRUPTIONS, "samples"):
        spoiled = good if name == "samples" else found[name]
        rows[name] = {"clean": told(differences(spoiled, found["clean"], num_resamples=NUM_RESAMPLES))}
        if name in RANKED_CORRUPTIONS:
            rows[name]["samples"] = told(
                differences({key: spoiled[key] for key in RANKED}, good, num_resamples=NUM_RESAMPLES)
            )
        print(f"{name}: measured", flush=True)
    everything = torch.arange(truth.sizes.num_layouts)
    rows["true pictures"] = {key: one.of(everything[: one.num_layouts]) for key, one in found["clean"].items()}
    write_whole(path, to_json({"sizes": truth.sizes._asdict(), "rows": rows}, indent=1))


def memoised(found: dict[str, Statistic]) -> dict[str, Statistic]:
    """The same statistics, each computed once on each resample: all comparisons use the same ones."""

    def once(statistic: Statistic) -> Statistic:
        known: dict[bytes, tuple[float, float]] = {}

        def of(i: Tensor) -> tuple[float, float]:
            key = i.numpy().tobytes()
            if key not in known:
                known[key] = statistic.of(i)
            return known[key]

        return statistic._replace(of=of)

    return {key: once(one) for key, one in found.items()}


def told(found: dict) -> dict[str, list]:
    """Measures as [value, low, high, seen]."""
    return {key: [one.value, *one.interval[:2], sees(one)] for key, one in found.items()}


def groups_of(path: Path, truth: Truth) -> tuple[list[Tensor], Tensor]:
    """The pictures of a file by layout, and the label maps."""
    sizes = truth.sizes
    pictures, num = torch.from_numpy(np.load(path)), sizes.num_layouts
    further = pictures[num:].unflatten(0, (-1, sizes.num_diversity_layouts))
    groups = [
        torch.cat([pictures[i : i + 1], further[:, i]]) if i < sizes.num_diversity_layouts else pictures[i : i + 1]
        for i in range(num)
    ]
    scenes = Scenes(pictures.shape[-1], length=num, seed=sizes.scenes_seed)
    return groups, torch.stack([scenes.layout(i)[0] for i in range(num)])


def mixtures(pictures: Tensor, label_maps: Tensor) -> dict[str, list[float]]:
    """Of the pixels at edges: the mean mixture, its standard deviation, and the share of those of a half or more."""
    of_layouts = [metrics.edge_mixtures(*pair) for pair in zip(pictures[:, None], label_maps[:, None], strict=True)]
    sums = torch.tensor([[len(m), m.sum(), m.square().sum(), (m >= 0.5).sum()] for m in of_layouts]).double()

    def moments(i: Tensor) -> tuple[float, float, float]:
        number, total, squares, half = sums[i].sum(0).tolist()
        return total / number, (squares / number - (total / number) ** 2) ** 0.5, half / number

    names = ("mixture", "mixture_spread", "mixture_half")
    return {name: with_interval(lambda i, k=k: moments(i)[k], len(sums)) for k, name in enumerate(names)}


def measure_samples(folder: Path, samples: Path, judge: Judge, truth: Truth) -> None:
    """Edges and insides of the samples of each file that is there and not measured yet."""
    for name in SAMPLES:
        path = folder / f"{name}.json"
        if path.exists() or not (samples / f"{name}.npy").exists():
            continue
        groups, label_maps = groups_of(samples / f"{name}.npy", truth)
        generated = evaluate_images(judge, torch.stack([group[:1] for group in groups]), label_maps)
        several = torch.stack(groups[: truth.sizes.num_diversity_layouts])
        found = statistics(generated, layout_diversity(judge, several), truth)
        row = errors(generated) | mixtures(torch.stack([group[0] for group in groups]), label_maps)
        for key in ("edge_sharpness", "miou_edges", "miou_inside", "miou", "frechet_within", "kernel_within"):
            row[key] = with_interval(found[key].beside_truth, truth.sizes.num_layouts)
        write_whole(path, to_json(row, indent=1))
        print(f"{name}: measured", flush=True)
    scenes = Scenes(32, length=truth.sizes.num_layouts, seed=truth.sizes.scenes_seed)
    label_maps = torch.stack([scenes.layout(i)[0] for i in range(len(scenes))])
    clean = torch.stack([scenes.render(i, 0) for i in range(len(scenes))])
    write_whole(folder / "truth.json", to_json(errors(truth.reference) | mixtures(clean, label_maps), indent=1))


def errors(of: Measurements) -> dict[str, list[float]]:
    """Share of pixels that the judge reads as another class, at edges and inside, with intervals."""
    parts = {"edge_error": of.edge_confusion, "inside_error": of.confusion - of.edge_confusion}

    def error(confusion: Tensor) -> Callable[[Tensor], float]:
        right, all_pixels = confusion.diagonal(dim1=1, dim2=2).sum(1), confusion.sum((1, 2))
        return lambda i: 1 - (right[i].sum() / all_pixels[i].sum()).item()

    return {key: with_interval(error(confusion), len(confusion)) for key, confusion in parts.items()}


def with_interval(statistic: Callable[[Tensor], float], num_layouts: int) -> list[float]:
    """[value, low, high], centred bootstrap over layouts."""
    value, interval = metrics.centred_bootstrap(statistic, num_layouts, of="layouts", num_resamples=NUM_RESAMPLES)
    return [value, *interval[:2]]


# Writing.


def number(value: float, low: float, high: float, *, percent: bool = False) -> str:
    """12.3 [11.0, 13.5]."""
    scale, spec = (100, ".2f") if percent else (1, ".3f")
    return markdown.number(scale * value, (scale * low, scale * high), spec)


def corruption_table(rows: dict) -> list[str]:
    """A line a corruption: how much farther from the truth than clean pictures."""
    lines = []
    for name, row in rows.items():
        if name == "true pictures":
            continue
        claimed = CORRUPTIONS[name].seen_by if name in CORRUPTIONS else ()
        cells = []
        for key in COLUMNS:
            value, low, high, seen = row["clean"][key]
            cell = number(value, low, high)
            cells.append(f"**{cell}**" if seen and key in claimed else f"BLIND {cell}" if key in claimed else cell)
        title = "samples of scenes-32" if name == "samples" else name
        lines.append([title, *cells])
    return markdown.table(["", *COLUMNS.values()], lines)


def rank_table(rows: dict) -> list[str]:
    """Flat colours and blurs against good samples."""
    lines = []
    for name in RANKED_CORRUPTIONS:
        cells = []
        for key in RANKED:
            value, low, high, _ = rows[name]["samples"][key]
            said = "farther" if low > 0 else "nearer" if high < 0 else "undecided"
            cells.append(f"{number(value, low, high)}, {said}")
        lines.append([name, *cells])
    return markdown.table(["less samples of scenes-32", *(COLUMNS[key] for key in RANKED)], lines)


def sample_table(found: dict[str, dict], truth: dict) -> list[str]:
    """A line for each way to sample."""
    percents = {"edge_error": "error at edges, %", "inside_error": "error inside, %", "mixture_half": "half mixed, %"}
    plain = {
        "mixture": "mixture",
        "mixture_spread": "its spread",
        "edge_sharpness": "sharpness / true",
        "miou_edges": "mIoU edges / true",
        "frechet_within": "FID within - floor",
        "kernel_within": "kernel within",
    }
    lines = []
    names = {"true pictures": ("true pictures", "", "")} | SAMPLES
    right = {"edge_sharpness": "1", "miou_edges": "1", "frechet_within": "0", "kernel_within": "0"}
    for name, row in {"true pictures": truth, **found}.items():
        cells = [*map(str, names[name]), *(number(*row[key], percent=True) for key in percents)]
        cells += [number(*row[key]) if key in row else right[key] for key in plain]
        lines.append(cells)
    return markdown.table(["sampler", "steps", "s", *percents.values(), *plain.values()], lines)


def write(folder: Path) -> None:
    """Write the page."""
    stored = json.loads((folder / "corruptions.json").read_text())
    truth = json.loads((folder / "truth.json").read_text())
    found = {name: json.loads(p.read_text()) for name in SAMPLES if (p := folder / f"{name}.json").exists()}
    sizes, rows = stored["sizes"], stored["rows"]
    template = (Path(__file__).parent / "rulers.md").read_text()
    text = template
    for key, value in {
        "LAYOUTS": str(sizes["num_layouts"]),
        "RENDERS": str(sizes["num_renders"]),
        "GROUPS": str(sizes["num_diversity_layouts"]),
        "CORRUPTIONS": "\n".join(corruption_table(rows)),
        "RANKS": "\n".join(rank_table(rows)),
        "SAMPLES": "\n".join(sample_table(found, truth)),
    }.items():
        text = text.replace(f"@{key}@", value)
    write_whole(FOLDER / "rulers.md", text)


def main() -> None:
    """Measure what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, default=Path("runs/draw"), help="folder of NAME.npy")
    parser.add_argument("--output", type=Path, default=Path("runs/rulers"), help="finished rows are kept here")
    parser.add_argument("--write", action="store_true", help="measure nothing, write what is there")
    args = parser.parse_args()
    if not args.write:
        judge = load_judge("judge-32")
        truth = measure_truth(judge, Sizes(), progress=progress)
        measure_samples(args.output, args.samples, judge, truth)
        measure_rulers(args.output, args.samples, judge, truth)
    write(args.output)


if __name__ == "__main__":
    main()
