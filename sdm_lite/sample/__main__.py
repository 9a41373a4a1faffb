"""`python -m sdm_lite.sample MODEL LABELS... --output DIR`: weights and label maps in, pictures out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.command import run
from sdm_lite.files import check_writable_folder, expanded
from sdm_lite.progress import progress
from sdm_lite.sample import find_maps, palette_of, read_maps, write_samples
from sdm_lite.sample.options import add_settings, check_numbers, in_words, load_asked, tell_stretched

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
    add_settings(made)
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
    check_numbers(args)
    output, paths = expanded(args.output), find_maps([expanded(path) for path in args.labels])
    check_writable_folder(output)
    model, facts, settings = load_asked(args)
    instances = None if args.instances is None else expanded(args.instances)
    maps = read_maps(paths, model, instances=instances, unlabelled=args.unlabelled)
    height, width = model.unet.config.image_size
    tell_stretched(maps, (height, width))
    told = in_words(settings)
    print(f"{len(paths)} label maps, {args.num_samples} pictures each, {height} x {width}; {told}")
    palette = palette_of(facts, model.unet.config.num_classes)
    files = list(
        write_samples(model, maps, settings, output, num_samples=args.num_samples, palette=palette, progress=progress)
    )
    print(f"wrote {len(files) - 1} pictures and {files[-1]}")


if __name__ == "__main__":
    raise SystemExit(main())
