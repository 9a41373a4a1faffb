"""`python -m sdm_lite.cache`: build the cache of a data set before a run needs it, or check those that are there.

Apart from building and reading so that they stay functions; training builds what it needs by itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.cache import Cache, cache_root, open_cache
from sdm_lite.cache.stored import DESCRIPTION
from sdm_lite.command import run
from sdm_lite.datasets.options import add_dataset, open_asked
from sdm_lite.files import expanded
from sdm_lite.progress import byte_count

USUAL = "$SDM_LITE_CACHE, else ~/.cache/sdm_lite"  # not looked up for its --help: a home is not everywhere


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `run` is what it asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.cache",
        description="Build the cache of a data set before a run needs it, or check those that are there.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    text = "Read a data set into its cache, at one size; what is there already is kept. Training does it by itself."
    build = commands.add_parser("build", help="read a data set into its cache", description=text)
    add_dataset(build)
    build.add_argument("--split", default="train", help="which split (default: %(default)s)")
    build.add_argument("--crops", type=int, default=1, help="examples made of each picture (default: %(default)s)")
    build.add_argument("--workers", type=int, help="threads that read (default: one a core)")
    build.add_argument("--folder", type=Path, help=f"where caches are kept (default: {USUAL})")
    build.set_defaults(run=run_build)

    text = "Compare every example of the caches in a folder with its checksum; 1 if one is damaged."
    verify = commands.add_parser("verify", help="compare caches with their checksums", description=text)
    verify.add_argument("--folder", type=Path, help=f"where caches are kept, or one cache (default: {USUAL})")
    verify.set_defaults(run=run_verify)
    return parser.parse_args(argv)


def run_build(args: argparse.Namespace) -> int:
    """Build, and print where the cache is."""
    if args.workers is not None and args.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {args.workers}")
    dataset = open_asked(args, args.split, args.size, crops=args.crops)
    print(_line(open_cache(dataset, args.folder, num_threads=args.workers)))
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Verify all caches of a folder, and print a line for each; 1 if one is damaged."""
    folder = cache_root() if args.folder is None else expanded(args.folder)
    found = [*folder.glob(DESCRIPTION), *sorted(folder.glob(f"*/{DESCRIPTION}"))]
    if not found:
        raise ValueError(f"there is no cache in {folder}: give the folder of one, or of several, as --folder")
    num_damaged = 0
    for path in found:
        try:
            cache = Cache(path.parent)
            cache.verify()
            print(f"as written: {_line(cache)}")
        except ValueError as error:
            num_damaged += 1
            print(f"error: {error}", file=sys.stderr)
    return 1 if num_damaged else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: 0 if all is well, 1 if a cache is damaged, 2 on bad input, 130 if interrupted."""
    args = parse(argv)
    return run(lambda: args.run(args), interrupted="interrupted; the same command goes on from here")


def _line(cache: Cache) -> str:
    num_bytes = sum(path.stat().st_size for path in cache.folder.iterdir())
    left_out = f", {len(cache.left_out)} left out" if cache.left_out else ""
    height, width = cache.size
    return f"{cache.folder}: {len(cache)} examples of {height} x {width}{left_out}, {byte_count(num_bytes)}"


if __name__ == "__main__":
    raise SystemExit(main())
