"""`python -m sdm_lite.scenes --output grid.png`: a grid of layouts and renders.

Apart from the data set because a command only draws.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from sdm_lite.scenes.dataset import Scenes
from sdm_lite.viz import save_png


def grid_picture(scenes, num_rows, num_renders):
    """Return a (H, W, 3) uint8 picture: in each row a layout and several renders of it, two layouts to a row."""
    gap = max(scenes.size // 16, 2)
    cell = scenes.size + gap
    picture = np.full((num_rows * cell + gap, 2 * (num_renders + 1) * cell + gap, 3), 255, np.uint8)
    for k in range(2 * num_rows):
        row, half = divmod(k, 2)
        tiles = [scenes.palette[scenes.layout(k)[0].numpy()]]
        for s in range(num_renders):
            tiles.append(np.rint((scenes.render(k, s).numpy().transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8))
        for column, tile in enumerate(tiles):
            top, left = row * cell + gap, (half * (num_renders + 1) + column) * cell + gap
            picture[top : top + scenes.size, left : left + scenes.size] = tile
    return picture


def main(argv=None):
    """Write a grid of layouts and renders as a picture, and print how fast scenes are drawn."""
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.scenes", description=main.__doc__)
    parser.add_argument("--output", type=Path, required=True, help="PNG file to write, for example grid.png")
    parser.add_argument("--size", type=int, default=64, help="pixels a side, a multiple of 8 in 16..256 (default 64)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data set (default 0)")
    parser.add_argument("--rows", type=int, default=8, help="rows of two layouts each (default 8)")
    parser.add_argument("--renders", type=int, default=4, help="renders of each layout (default 4)")
    parser.add_argument("--zoom", type=int, default=1, help="enlarge each pixel so many times (default 1)")
    args = parser.parse_args(argv)
    if min(args.rows, args.renders, args.zoom) < 1:
        parser.error("--rows, --renders and --zoom must be at least 1")
    if not args.output.resolve().parent.is_dir():
        parser.error(f"--output: no folder {args.output.resolve().parent}; create it first")
    try:
        scenes = Scenes(size=args.size, seed=args.seed)
    except ValueError as error:
        parser.error(str(error))
    picture = grid_picture(scenes, args.rows, args.renders)
    save_png(args.output, picture.repeat(args.zoom, 0).repeat(args.zoom, 1))
    start = time.perf_counter()
    for i in range(200):
        scenes[i]
    rate = 200 / (time.perf_counter() - start)
    print(f"wrote {args.output}; {rate:.0f} pictures/s at {args.size} px (layout and render)")


if __name__ == "__main__":
    main()
