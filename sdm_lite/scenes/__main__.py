"""`python -m sdm_lite.scenes --output grid.png`: a grid of layouts and renders.

Apart from the data set because a command only draws.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdm_lite.command import check_packages, check_seed, run
from sdm_lite.files import check_writable
from sdm_lite.pictures import colorize, image_grid
from sdm_lite.scenes.dataset import Scenes
from sdm_lite.viz import save_png


def grid_picture(scenes: Scenes, num_rows: int, num_renders: int, zoom: int = 1) -> np.ndarray:
    """Layouts and several renders of each, (H, W, 3) uint8: two layouts to a row, each pixel enlarged `zoom` times."""
    rows = [[] for _ in range(num_rows)]
    for k in range(2 * num_rows):
        rows[k // 2].append(colorize(scenes.layout(k)[0], scenes.palette))
        rows[k // 2] += [scenes.render(k, seed) for seed in range(num_renders)]
    return image_grid(rows, scale=zoom)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.scenes",
        description="Write a grid of layouts and renders as a picture, and print how fast scenes are drawn.",
    )
    parser.add_argument("--output", type=Path, required=True, help="PNG file to write, for example grid.png")
    parser.add_argument("--size", type=int, default=64, help="pixels a side, a multiple of 8 in 16..256 (default 64)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data set (default 0)")
    parser.add_argument("--rows", type=int, default=8, help="rows of two layouts each (default 8)")
    parser.add_argument("--renders", type=int, default=4, help="renders of each layout (default 4)")
    parser.add_argument("--zoom", type=int, default=1, help="enlarge each pixel so many times (default 1)")
    args = parser.parse_args(argv)
    return run(lambda: _draw(args))


def _draw(args: argparse.Namespace) -> None:
    """Check, draw, write, tell."""
    check_packages("PIL")
    check_seed(args.seed)
    if min(args.rows, args.renders, args.zoom) < 1:
        raise ValueError("--rows, --renders and --zoom must be at least 1")
    if args.output.suffix.lower() != ".png":
        raise ValueError(f"--output must end in .png, got {args.output}")
    check_writable(args.output)
    scenes = Scenes(size=args.size, seed=args.seed)
    save_png(args.output, grid_picture(scenes, args.rows, args.renders, args.zoom))
    start = time.perf_counter()
    for i in range(200):
        scenes[i]
    rate = 200 / (time.perf_counter() - start)
    print(f"wrote {args.output}; {rate:.0f} pictures/s at {args.size} px (layout and render)")


if __name__ == "__main__":
    raise SystemExit(main())
