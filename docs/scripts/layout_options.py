"""The options of the scripts that draw test layouts of Scenes, keep the pictures and score them."""

from __future__ import annotations

import argparse

from sdm_lite.evaluate import Sizes
from sdm_lite.scenes import TEST_SEED


def layout_parser(
    description: str, *, output: str, num_diversity_layouts: int = 128, samples_per_layout: int = 2
) -> argparse.ArgumentParser:
    """The command line of such a script.

    Args:
        description: of the script, its own docstring.
        output: default folder of the pictures.
        num_diversity_layouts: default of the option.
        samples_per_layout: default of the option.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default=output, help="pictures are kept here (default %(default)s)")
    parser.add_argument("--num-layouts", type=int, default=512, help="test layouts (default %(default)s)")
    parser.add_argument(
        "--num-diversity-layouts",
        type=int,
        default=num_diversity_layouts,
        help="of them for diversity (default %(default)s)",
    )
    parser.add_argument(
        "--samples-per-layout", type=int, default=samples_per_layout, help="for diversity (default %(default)s)"
    )
    parser.add_argument("--num-resamples", type=int, default=400, help="of the bootstrap (default %(default)s)")
    parser.add_argument("--write", action="store_true", help="draw nothing, write what is there")
    return parser


def sizes_of(args: argparse.Namespace) -> Sizes:
    """The test layouts that were asked for; ValueError if nothing could be measured with these numbers."""
    sizes = Sizes(
        args.num_layouts,
        samples_per_layout=args.samples_per_layout,
        num_diversity_layouts=args.num_diversity_layouts,
        scenes_seed=TEST_SEED,
    )
    sizes.check()
    return sizes
