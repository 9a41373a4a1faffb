"""`python -m sdm_lite.sample MODEL LABELS... --output DIR`: weights and label maps in, pictures out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.checkpoints import load_facts, load_model
from sdm_lite.command import check_device, check_seed, default_device, run
from sdm_lite.evaluate.drawing import SAMPLER_WORDS, SampleSettings, default_guidance_scale
from sdm_lite.files import check_writable_folder, expanded
from sdm_lite.progress import progress
from sdm_lite.sample import find_maps, palette_of, read_maps, write_samples

EXAMPLE = """\
examples:
  python -m sdm_lite.sample scenes-64 map.png --output pictures             # four pictures of one label map
  python -m sdm_lite.sample runs/camvid LABELS --num-samples 2 --guidance-scale 2 --output pictures
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m sdm_lite.sample",
        description="Draw pictures for label maps: PNG or TIFF files of class ids, of any size.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("model", help="a shipped name such as scenes-32, a file, or the folder of a run")
    made.add_argument("labels", nargs="+", type=Path, help="label maps, or folders of them")
    made.add_argument("--output", type=Path, required=True, help="folder for the pictures and a grid of them")
    made.add_argument("--instances", type=Path, help="folder of instance maps of the same names (default: none)")
    made.add_argument("--unlabelled", type=int, metavar="ID", help="of the files, means the model's last class (none)")
    made.add_argument("--num-samples", type=int, default=4, help="of each label map (default %(default)s)")
    made.add_argument(
        "--guidance-scale",
        type=float,
        help="s >= 0 (default: that of the data set that the model was trained on; 1 if no labels were dropped)",
    )
    made.add_argument("--guidance-interval", type=int, nargs=2, metavar=("FIRST", "LAST"), help="timesteps (all)")
    made.add_argument("--num-steps", type=int, default=25, help="of the sampler (default %(default)s)")
    made.add_argument("--sampler", choices=list(SAMPLER_WORDS), default="ddim", help="default ddim")
    made.add_argument("--seed", type=int, default=0, help="of the pictures (default %(default)s)")
    made.add_argument("--batch-size", type=int, default=16, help="pictures at a time (default %(default)s)")
    made.add_argument("--device", default=default_device(), help="where to compute (default %(default)s)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    args = parser().parse_args(argv)
    return run(lambda: draw(args))


def draw(args: argparse.Namespace) -> None:
    """Check, load, draw, write.

    Raises:
        ValueError: before anything is drawn, if something asked for cannot be.
    """
    check_device(args.device)
    check_seed(args.seed)
    if args.num_samples < 1:
        raise ValueError(f"--num-samples must be at least 1, got {args.num_samples}")
    output, paths = expanded(args.output), find_maps([expanded(path) for path in args.labels])
    check_writable_folder(output)
    source = expanded(args.model) / "model.safetensors"
    source = source if source.is_file() else args.model  # the folder of a finished run means its averaged weights
    model, facts = load_model(source, device=args.device), load_facts(source)
    dropped = facts.get("train_config", {}).get("null_probability", 1.0)  # unknown: as if it had been
    scale = args.guidance_scale
    settings = SampleSettings(
        guidance_scale=default_guidance_scale(facts.get("dataset", "scenes"), dropped) if scale is None else scale,
        num_steps=args.num_steps,
        sampler=SAMPLER_WORDS[args.sampler],
        guidance_interval=None if args.guidance_interval is None else tuple(args.guidance_interval),
        seed=args.seed,
        batch_size=args.batch_size,
    ).check(model.diffusion)
    instances = None if args.instances is None else expanded(args.instances)
    maps = read_maps(paths, model, instances=instances, unlabelled=args.unlabelled)
    height, width = model.unet.config.image_size
    for name in maps.stretched[:3]:
        print(f"note: {name} has sides of another ratio than {height} x {width} and is stretched to it")
    if len(maps.stretched) > 3:
        print(f"note: the same of {len(maps.stretched) - 3} more")
    words = ", ".join(f"{name} {value}" for name, value in settings.told().items())
    print(f"{len(paths)} label maps, {args.num_samples} pictures each, {height} x {width}; {words}")
    palette = palette_of(facts, model.unet.config.num_classes)
    files = list(
        write_samples(model, maps, settings, output, num_samples=args.num_samples, palette=palette, progress=progress)
    )
    print(f"wrote {len(files) - 1} pictures and {files[-1]}")


if __name__ == "__main__":
    raise SystemExit(main())
