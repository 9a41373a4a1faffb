"""`python -m sdm_lite.edit MODEL IMAGE OLD_MAP NEW_MAP --output DIR`: what changed is redrawn, the rest is kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.command import run
from sdm_lite.edit.redrawing import SAMPLERS, default_margin, read_edit, write_edit
from sdm_lite.files import check_writable_folder, expanded
from sdm_lite.progress import progress
from sdm_lite.sample import palette_of
from sdm_lite.sample.options import add_settings, check_numbers, in_words, load_asked, tell_stretched

EXAMPLE = """\
examples:
  python -m sdm_lite.edit scenes-64 photo.png map.png map-without-car.png --output pictures
  python -m sdm_lite.edit runs/camvid photo.jpg old.png new.png --unlabelled 255 --sampler repaint --output pictures
Make the new map from the old one in any editor that saves PNG without other ids: one number a pixel, no colours.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m sdm_lite.edit",
        description="Redraw a picture where its label map has changed, and keep the rest: at the model's size.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("model", help="a shipped name such as scenes-32, a file, or the folder of a run")
    made.add_argument("image", type=Path, help="the picture that exists: PNG, JPEG, TIFF, WebP")
    made.add_argument("old_map", type=Path, help="its label map: a PNG or TIFF file of class ids, of the same shape")
    made.add_argument("new_map", type=Path, help="the label map of the picture wanted")
    made.add_argument("--output", type=Path, required=True, help="folder for the pictures and a grid of them")
    made.add_argument(
        "--margin", type=int, help="pixels around what changed that are redrawn too (a sixteenth of the shorter side)"
    )
    made.add_argument("--instances", type=Path, nargs=2, metavar=("OLD", "NEW"), help="instance maps of both (none)")
    made.add_argument("--unlabelled", type=int, metavar="ID", help="of the maps, means the model's last class (none)")
    add_settings(made, samplers=SAMPLERS)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    args = parser().parse_args(argv)
    return run(lambda: edit(args))


def edit(args: argparse.Namespace) -> None:
    """Check, load, draw, write.

    Raises:
        ValueError: before anything is drawn, if something asked for cannot be.
    """
    check_numbers(args)
    if args.margin is not None and args.margin < 0:
        raise ValueError(f"--margin must be at least 0, got {args.margin}")
    image, *given = (expanded(path) for path in (args.image, args.old_map, args.new_map, *(args.instances or ())))
    for path in (image, *given):
        if not path.is_file():
            raise ValueError(f"expected a file, got {path}, which is {'a folder' if path.is_dir() else 'not there'}")
    output = expanded(args.output)
    check_writable_folder(output)
    model, facts, settings = load_asked(args, samplers=SAMPLERS)
    height, width = size = model.unet.config.image_size
    asked = read_edit(
        image,
        given[:2],
        model,
        margin=default_margin(size) if args.margin is None else args.margin,
        instances=given[2:] or None,
        unlabelled=args.unlabelled,
    )
    tell_stretched(asked.maps, size)
    if asked.size != size:
        print(f"note: {image.name}, {asked.size[0]} x {asked.size[1]}, is brought to the model's {height} x {width}")
    share = asked.region.float().mean().item()
    print(f"{share:.0%} of the picture is redrawn, {args.num_samples} times; {in_words(settings)}")
    if share == 1:
        print("note: that is all of it, nothing is kept: change less of the map, or give a smaller --margin")
    palette, number = palette_of(facts, model.unet.config.num_classes), args.num_samples
    files = write_edit(
        model, asked, settings, output, name=image.stem, num_samples=number, palette=palette, progress=progress
    )
    print(
        f"wrote {len(files) - 1} pictures and {files[-1]}: what exists, what changes, what is drawn; above it the maps"
    )


if __name__ == "__main__":
    raise SystemExit(main())
