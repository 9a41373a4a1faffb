"""`python -m sdm_lite.evaluate`: score a model on held-out Scenes or photographs, or compare two folders of pictures.

Apart from measuring so that a notebook calls the functions that the command calls.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from sdm_lite.checkpoints import Model, load_facts, load_model
from sdm_lite.command import check_device, check_packages, default_device, run
from sdm_lite.datasets import DATASETS, Photographs
from sdm_lite.datasets.options import add_treatment, open_asked
from sdm_lite.evaluate.drawing import SAMPLER_WORDS, SampleSettings, guidance_scale_of, usual_steps
from sdm_lite.evaluate.folders import command as folders
from sdm_lite.evaluate.kept import keep_samples
from sdm_lite.evaluate.measures import Scores, format_scores, scores_json
from sdm_lite.evaluate.photographs import MoreMeasures, PhotographSizes, evaluate_photographs
from sdm_lite.evaluate.photographs.seen import nearest_measures, read_seen
from sdm_lite.evaluate.pretrained import pretrained_at_hand
from sdm_lite.evaluate.published import LPIPS_CHOICES, PublishedJudges, load_diversity
from sdm_lite.evaluate.repeats import format_repeats, repeat
from sdm_lite.evaluate.report import model_card, program, write_photograph_report
from sdm_lite.evaluate.scene_scores import Sizes
from sdm_lite.evaluate.scenes import check_evaluation, evaluate_model, measure_truth
from sdm_lite.files import check_writable, check_writable_folder, write_whole
from sdm_lite.judge.inception import load_inception
from sdm_lite.judge.network import Judge, load_judge
from sdm_lite.judge.photographs import load_own_judge
from sdm_lite.judge.segmenter import load_segmenter
from sdm_lite.progress import progress
from sdm_lite.scenes.dataset import TEST_SEED, VALIDATION_SEED
from sdm_lite.timesteps import TIME_GRIDS
from sdm_lite.viz import draw_for_files

# Options that only one of the two kinds of data has; None on the command line, these where it applies.
SCENES_OPTIONS = {
    "layouts": "test",
    "num_layouts": 512,
    "num_renders": 16,
    "num_diversity_layouts": None,  # NUM_DIVERSITY_LAYOUTS, but no more than there are
    "num_repeats": 0,
    "samples": None,
    "json": None,
    "card": None,
}
NUM_DIVERSITY_LAYOUTS = 128
SEEDS = {"test": TEST_SEED, "validation": VALIDATION_SEED}
PHOTOGRAPHS_OPTIONS = {
    "root": None,
    "split": "val",
    "num_photographs": 256,
    "num_bound": 32,
    "num_nearest": 2000,
    "output": Path("runs/evaluation"),
}
PHOTOGRAPHS_OPTIONS |= {"inception": None, "lpips": (), "segmenter": None, "segmenter_ids": None}
PHOTOGRAPHS_OPTIONS |= {"segmenter_size": None, "weights": None}


def main(argv: Sequence[str] | None = None) -> int:
    """Score a model on held-out Scenes and print the table; or on held-out photographs, and write a report.

    The word `folders` in place of a model compares two folders of pictures, with options of its own.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["folders"]:
        return folders.main(words[1:])
    arguments = _parser().parse_args(words)
    arguments.argv = words
    return run(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> None:
    check_device(arguments.device)
    if arguments.dataset == "scenes":
        _fill_in(arguments, SCENES_OPTIONS, PHOTOGRAPHS_OPTIONS)
        print(format_scores(_run_scenes(arguments)))
    else:
        _fill_in(arguments, PHOTOGRAPHS_OPTIONS, SCENES_OPTIONS)
        _run_photographs(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.evaluate", description=main.__doc__)
    parser.add_argument(
        "model",
        help="a shipped name such as scenes-32, a file, a run's folder; or the word folders, see `folders --help`",
    )
    parser.add_argument("--dataset", default="scenes", help=f"scenes, {', '.join(DATASETS)} (default scenes)")
    parser.add_argument("--judge", help="a shipped name or a file (default judge-SIZE; of photographs none)")
    parser.add_argument(
        "--guidance-scale",
        type=float,
        help="s >= 0 (default: that of the run that trained the model; 1 if no labels were dropped)",
    )
    parser.add_argument(
        "--guidance-interval",
        type=int,
        nargs=2,
        metavar=("FIRST", "LAST"),
        help="timesteps that are guided; the others are plain conditional (default: all are guided)",
    )
    parser.add_argument("--num-steps", type=int, help="of the sampler (default 25, of a student 4)")
    parser.add_argument("--sampler", choices=list(SAMPLER_WORDS), default="ddim", help="default ddim")
    parser.add_argument("--grid", choices=list(TIME_GRIDS), default="trailing", help="timesteps visited (trailing)")
    parser.add_argument("--samples-per-layout", type=int, default=4, help="for diversity (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="of the samples (default 0)")
    parser.add_argument("--batch-size", type=int, default=32, help="samples at a time (default 32)")
    parser.add_argument("--device", default=default_device(), help="where to compute (default %(default)s)")
    scenes = parser.add_argument_group("Scenes")
    scenes.add_argument("--layouts", choices=list(SEEDS), help="test to report, validation to choose (default test)")
    scenes.add_argument("--num-layouts", type=int, help="held-out layouts (default 512)")
    scenes.add_argument("--num-renders", type=int, help="true pictures a layout to compare with (default 16)")
    scenes.add_argument("--num-diversity-layouts", type=int, help="of them for diversity (default 128, or all)")
    scenes.add_argument(
        "--num-repeats",
        type=int,
        help="also score with so many other seeds of the noise, and once on the other layouts: how much scores move",
    )
    scenes.add_argument("--samples", type=Path, help="keep the samples in this .safetensors file, before measuring")
    scenes.add_argument("--json", type=Path, help="also write the scores to this file")
    scenes.add_argument("--card", type=Path, help="also write the model's card: how it was made, and its scores")
    photographs = parser.add_argument_group("photographs", "at the model's size")
    photographs.add_argument("--root", type=Path, help="the data set's folder")
    photographs.add_argument(
        "--split", help="the held-out part: val, or another that the data set has, such as test (default val)"
    )
    photographs.add_argument("--num-photographs", type=int, help="held out, evenly spread, at most (default 256)")
    photographs.add_argument("--num-bound", type=int, help="of each split for the bound, at most (default 32)")
    photographs.add_argument(
        "--num-nearest", type=int, help="training photographs to look for copies in, at most; 0 = none (default 2000)"
    )
    photographs.add_argument("--output", type=Path, help="folder for the report (default runs/evaluation)")
    add_treatment(photographs)
    published = parser.add_argument_group("photographs, by published networks", "nothing is downloaded: docs/judges.md")
    published.add_argument(
        "--inception",
        nargs="?",
        const="plain",
        choices=["plain", "squashed"],
        help="FID by Inception-v3; squashed: of pictures brought to 256 x 256 first, as the paper's script does",
    )
    published.add_argument(
        "--lpips", nargs="+", choices=LPIPS_CHOICES, help="diversity by LPIPS (default alex, if its weights are here)"
    )
    published.add_argument("--segmenter", help="mIoU by a segmenter of transformers: its folder, or a cached name")
    published.add_argument(
        "--segmenter-ids", help="which of its classes are the data set's: same, names or a JSON file {its: the data's}"
    )
    published.add_argument(
        "--segmenter-size", type=int, nargs=2, metavar=("H", "W"), help="that it reads (default what its files say)"
    )
    published.add_argument("--weights", type=Path, help="folder of Inception's and LPIPS' files (default: torch's own)")
    return parser


def _fill_in(arguments: argparse.Namespace, defaults: dict[str, object], others: dict[str, object]) -> None:
    """Set the defaults of one kind of data; ValueError if an option of the other kind was given."""
    for name in others:
        if getattr(arguments, name) is not None:
            flag, kind = f"--{name.replace('_', '-')}", "photographs" if others is PHOTOGRAPHS_OPTIONS else "Scenes"
            raise ValueError(f"{flag} is an option of {kind}, and --dataset is {arguments.dataset}: leave one out")
    for name, value in defaults.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)


def _settings(arguments: argparse.Namespace, facts: dict[str, object], model: Model) -> SampleSettings:
    usual = guidance_scale_of(facts, arguments.dataset)
    return SampleSettings(
        usual if arguments.guidance_scale is None else arguments.guidance_scale,
        usual_steps(model) if arguments.num_steps is None else arguments.num_steps,
        SAMPLER_WORDS[arguments.sampler],
        None if arguments.guidance_interval is None else tuple(arguments.guidance_interval),
        arguments.seed,
        arguments.batch_size,
        grid=TIME_GRIDS[arguments.grid],
    )


# Photographs.


def _run_photographs(arguments: argparse.Namespace) -> None:
    """Read, draw, measure, write, and only then tell."""
    check_packages("PIL", "matplotlib")
    draw_for_files()
    model, facts = load_model(arguments.model, device=arguments.device), load_facts(arguments.model)
    if arguments.split in ("train", "all"):
        raise ValueError(
            f"--split must be held out, got {arguments.split}, which the model was trained on: val, or test"
        )
    splits = "train", arguments.split
    training, val = (open_asked(arguments, split, model.unet.config.image_size) for split in splits)
    settings = _settings(arguments, facts, model)
    sizes = PhotographSizes(arguments.samples_per_layout, arguments.num_bound)
    _check_not_negative("--num-nearest", arguments.num_nearest)
    judge = _own_judge(arguments, val)
    more = [*pretrained_at_hand(arguments.device), *_published(arguments, val)]
    check_writable_folder(arguments.output)
    held_out = val.thinned(arguments.num_photographs)
    seen = read_seen(training, arguments.num_nearest) if arguments.num_nearest else None
    if seen is not None:
        more.append(partial(nearest_measures, seen))
    scores, samples = evaluate_photographs(
        model, held_out, training, settings, sizes, judge=judge, more=more, progress=progress
    )
    report = write_photograph_report(
        arguments.output,
        scores,
        held_out,
        samples,
        model=arguments.model,
        facts=facts,
        seen=seen,
        program=program(arguments.argv),
    )
    for line in held_out.left_out + training.left_out:
        print(f"left out: {line}")
    print(format_scores(scores))
    print(f"wrote {report}, and beside it samples.png, scores.json and the single pictures")


def _own_judge(arguments: argparse.Namespace, dataset: Photographs) -> Judge | None:
    if arguments.judge is None:
        return None
    judge, note = load_own_judge(arguments.judge, dataset, device=arguments.device)
    if note:
        print(note)
    return judge


def _published(arguments: argparse.Namespace, dataset: Photographs) -> list[MoreMeasures]:
    """The paper's measures that were asked for, their networks loaded before any picture is drawn."""
    if not (arguments.inception or arguments.lpips or arguments.segmenter):
        return []
    inception = segmenter = None
    if arguments.inception:
        squashed = arguments.inception == "squashed"
        inception = load_inception(arguments.weights, squashed=squashed, device=arguments.device)
    diversity = dict(load_diversity(net, arguments.weights, device=arguments.device) for net in arguments.lpips)
    if arguments.segmenter:
        if arguments.segmenter_ids is None:
            raise ValueError("--segmenter-ids must say which classes are which: same, names or a JSON file, got none")
        size = arguments.segmenter_size and tuple(arguments.segmenter_size)
        segmenter = load_segmenter(
            arguments.segmenter,
            dataset.class_names,
            arguments.segmenter_ids,
            void_id=dataset.void_id,
            input_size=size,
            device=arguments.device,
        )
        print(f"classes of {segmenter.name}: {segmenter.told_ids(dataset.class_names)}")
    return [PublishedJudges(inception, diversity, segmenter, arguments.batch_size)]


# Scenes.


def _run_scenes(arguments: argparse.Namespace) -> Scores:
    """Draw, measure, and write what was asked for."""
    outputs = {"--samples": arguments.samples, "--json": arguments.json, "--card": arguments.card}
    for option, path in outputs.items():
        if path is not None:
            check_writable(path, option=option)
    _check_not_negative("--num-repeats", arguments.num_repeats)
    facts = load_facts(arguments.model)
    if arguments.num_diversity_layouts is None:
        arguments.num_diversity_layouts = min(NUM_DIVERSITY_LAYOUTS, arguments.num_layouts)
    sizes = Sizes(
        **{name: getattr(arguments, name) for name in Sizes._fields if name != "scenes_seed"},
        scenes_seed=SEEDS[arguments.layouts],
    )
    for seed in SEEDS.values() if arguments.num_repeats else (sizes.scenes_seed,):
        _check_not_trained_on(arguments.model, facts, seed)
    if arguments.card is not None and not {"train_config", "command", "images"} <= facts.keys():
        raise ValueError(f"{arguments.model} does not say how it was made: --card needs what sdm_lite.train wrote")
    model = load_model(arguments.model, device=arguments.device)
    judge = arguments.judge or f"judge-{model.unet.config.image_size[0]}"
    settings = _settings(arguments, facts, model)
    keep = None if arguments.samples is None else lambda groups: _keep(arguments.samples, groups)
    reader = load_judge(judge, device=arguments.device)
    check_evaluation(model, reader, settings, sizes)
    truth = measure_truth(reader, sizes, progress=progress)
    scores = evaluate_model(model, reader, settings, sizes, truth=truth, keep=keep, progress=progress)
    if arguments.json is not None:
        write_whole(
            arguments.json,
            scores_json(scores, {"model": arguments.model, "judge": judge, "program": program(arguments.argv)}),
        )
    again = {}
    if arguments.num_repeats:
        print(format_scores(scores) + "\n", flush=True)
        again = repeat(model, reader, settings, sizes, arguments.num_repeats, truth=truth, progress=progress)
        print(format_repeats(scores, again) + "\n", flush=True)
    if arguments.card is not None:
        command = f"python -m sdm_lite.evaluate {shlex.quote(arguments.model)} {_asked(arguments, settings)}"
        name = Path(arguments.model).stem
        write_whole(arguments.card, model_card(name, model.unet.config, facts, scores, again, command=command))
    return scores


def _check_not_negative(option: str, number: int) -> None:
    if number < 0:
        raise ValueError(f"{option} must be at least 0, got {number}")


def _check_not_trained_on(model: str, facts: dict[str, object], scenes_seed: int) -> None:
    """ValueError if a model would be scored on the layouts that it was trained on."""
    phases = [*facts.get("before", []), facts]
    if any(phase.get("data_seed") == scenes_seed and phase.get("dataset", "scenes") == "scenes" for phase in phases):
        others = " or ".join(f"--layouts {name}" for name, seed in SEEDS.items() if seed != scenes_seed)
        raise ValueError(
            f"{model} was trained on Scenes(seed={scenes_seed}), the layouts that it would be scored on: give {others}"
        )


def _keep(path: Path, groups: list[Tensor]) -> None:
    """Keep samples, and say so."""
    keep_samples(path, groups)
    print(f"wrote {path}, samples (L, 3, H, W) and (layouts, N, 3, H, W) in [-1, 1]")


def _asked(arguments: argparse.Namespace, settings: SampleSettings) -> str:
    """The options that decide the scores, as they were given, defaults left out."""
    chosen = [f"--guidance-scale {settings.guidance_scale}"]
    if settings.guidance_interval is not None:
        chosen.append("--guidance-interval {} {}".format(*settings.guidance_interval))
    names = ("judge", "num_steps", "sampler", "grid", "samples_per_layout", "seed")
    defaults = {name: _parser().get_default(name) for name in names}
    counted = ("layouts", "num_layouts", "num_renders", "num_diversity_layouts", "num_repeats")
    defaults |= {name: SCENES_OPTIONS[name] for name in counted}
    defaults["num_diversity_layouts"] = min(NUM_DIVERSITY_LAYOUTS, arguments.num_layouts)
    for name, default in defaults.items():
        if getattr(arguments, name) != default:
            chosen.append(f"--{name.replace('_', '-')} {shlex.quote(str(getattr(arguments, name)))}")
    return " ".join(chosen)


if __name__ == "__main__":
    raise SystemExit(main())
