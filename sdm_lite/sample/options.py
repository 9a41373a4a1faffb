"""How commands that draw for label maps in files are told with what and how: the model, the settings of a sample.

Apart from the commands so that `sample` and `edit` ask in the same words and mean the same by them.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

from sdm_lite.checkpoints import Model, load_facts, load_model
from sdm_lite.command import check_device, check_seed, default_device
from sdm_lite.evaluate.drawing import SAMPLER_WORDS, SampleSettings, guidance_scale_of, usual_steps
from sdm_lite.sample import Maps
from sdm_lite.sampling import Sampler
from sdm_lite.timesteps import TIME_GRIDS


class Asked(NamedTuple):
    """What a command line asks for: the model, what its file says of its making, and checked settings."""

    model: Model
    facts: dict[str, object]
    settings: SampleSettings


def add_settings(parser: argparse.ArgumentParser, *, samplers: dict[str, Sampler] = SAMPLER_WORDS) -> None:
    """Add all that a sample depends on besides its label map, and where to compute.

    Args:
        parser: to add to.
        samplers: by the word of each; ddim is the default.
    """
    parser.add_argument("--num-samples", type=int, default=4, help="pictures of each map (default %(default)s)")
    parser.add_argument(
        "--guidance-scale",
        type=float,
        help="s >= 0 (default: that of the run that trained the model; 1 if no labels were dropped)",
    )
    parser.add_argument("--guidance-interval", type=int, nargs=2, metavar=("FIRST", "LAST"), help="timesteps (all)")
    parser.add_argument("--num-steps", type=int, help="of the sampler (default 25, of a student 4)")
    parser.add_argument("--sampler", choices=list(samplers), default="ddim", help="default ddim")
    parser.add_argument("--grid", choices=list(TIME_GRIDS), default="trailing", help="timesteps visited (trailing)")
    parser.add_argument("--seed", type=int, default=0, help="of the pictures (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, help="pictures at a time (default %(default)s)")
    parser.add_argument("--device", default=default_device(), help="where to compute (default %(default)s)")


def check_numbers(args: argparse.Namespace) -> None:
    """Raise ValueError if the device, the seed or the number of samples cannot be; needs no model."""
    check_device(args.device)
    check_seed(args.seed)
    if args.num_samples < 1:
        raise ValueError(f"--num-samples must be at least 1, got {args.num_samples}")


def load_asked(args: argparse.Namespace, *, samplers: dict[str, Sampler] = SAMPLER_WORDS) -> Asked:
    """The model and the settings of a command line with `model` and what `add_settings` adds.

    Raises:
        FileNotFoundError: if there are no such weights.
        ValueError: if the file is no model, or a setting cannot be.
    """
    model, facts = load_model(args.model, device=args.device), load_facts(args.model)
    settings = SampleSettings(
        guidance_scale=guidance_scale_of(facts) if args.guidance_scale is None else args.guidance_scale,
        num_steps=usual_steps(model) if args.num_steps is None else args.num_steps,
        sampler=samplers[args.sampler],
        guidance_interval=None if args.guidance_interval is None else tuple(args.guidance_interval),
        seed=args.seed,
        batch_size=args.batch_size,
        grid=TIME_GRIDS[args.grid],
    )
    return Asked(model, facts, settings.check(model))


def tell_stretched(maps: Maps, size: tuple[int, int]) -> None:
    """Print a line for each label map whose sides had another ratio than the model's, the first three of them."""
    for name in maps.stretched[:3]:
        print(f"note: {name} has sides of another ratio than {size[0]} x {size[1]} and is stretched to it")
    if len(maps.stretched) > 3:
        print(f"note: the same of {len(maps.stretched) - 3} more")


def in_words(settings: SampleSettings) -> str:
    """The settings in a line: "sampler sample_ddim, num_steps 25, ..."."""
    return ", ".join(f"{name} {value}" for name, value in settings.told().items())
