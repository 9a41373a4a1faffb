"""Pictures as arrays: images and label maps as bytes, grids of them, PNG files, palettes.

Apart because it needs no matplotlib; Pillow comes in here. Arrays are uint8 (H, W, 3). Small images are enlarged by
whole factors, pixel by pixel, so that 32 pixels can be looked at.

Shapes: B batch, H x W pixels.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

Row = Tensor | np.ndarray | Sequence[Tensor | np.ndarray | None]
"""One row of a grid: a batch of images, or a sequence of single ones, where None leaves a gap."""

WIDTH_TO_SEE = 192  # pixels of a screen

# Okabe and Ito (2008), told apart with every common colour blindness. Black is kept for text: a dark grey is last.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#50545C")


# Arrays.


def to_uint8(images: Tensor) -> np.ndarray:
    """Images in [-1, 1] as bytes: round(127.5 (x + 1)), clipped to 0..255.

    Args:
        images: (..., 3, H, W) float; the range is usually [-1, 1], what lies beyond is clipped.

    Returns:
        (..., H, W, 3) uint8.

    Raises:
        ValueError: if the third dimension from the end is not 3, or a value is not finite.
    """
    if images.dim() < 3 or images.shape[-3] != 3:
        raise ValueError(f"expected images of shape (..., 3, H, W), got {tuple(images.shape)}")
    images = images.detach().float().cpu()
    num_bad = int((~torch.isfinite(images)).sum())
    if num_bad:
        raise ValueError(f"expected finite images, got {num_bad} values that are NaN or infinite: the run has diverged")
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1).numpy()


def check_range(images: Tensor) -> None:
    """Look whether images can be in [-1, 1], as whatever reads pictures here takes them; one look at their ends.

    Of pictures in [0, 1] a judge sees half the contrast, and reads them worse without a word: that is warned of, as a
    very bright picture may be one. What is no float, or far beyond 1, is refused.

    Args:
        images: (..., H, W), [-1, 1] as a rule, a little more where a sampler has not clipped.

    Raises:
        ValueError: if they are whole numbers, or in 0..255.
    """
    if images.numel() == 0 or images.is_meta:
        return
    if not images.is_floating_point():
        raise ValueError(f"images must be floats in [-1, 1], got {images.dtype}: x / 127.5 - 1 of bytes x")
    low, high = (float(end) for end in images.detach().aminmax())
    if max(-low, high) > 10:
        raise ValueError(f"images must be in [-1, 1], got {low:.3g} to {high:.3g}: x / 127.5 - 1 of x in 0..255")
    if 0 <= low < high <= 1:
        text = f"images must be in [-1, 1], got {low:.3g} to {high:.3g}: if they are in [0, 1], give 2 x - 1"
        warnings.warn(text, stacklevel=3)


def colorize(label_map: Tensor | np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The colour of each pixel's class.

    Args:
        label_map: (..., H, W) integers in 0..num_classes-1.
        palette: (num_classes, 3) uint8.

    Returns:
        (..., H, W, 3) uint8.

    Raises:
        ValueError: if an id has no colour in the palette.
    """
    ids = label_map.detach().cpu().numpy() if isinstance(label_map, Tensor) else np.asarray(label_map)
    palette = np.asarray(palette, dtype=np.uint8)
    outside = np.unique(ids[(ids < 0) | (ids >= len(palette))])
    if outside.size:
        raise ValueError(f"expected label ids 0..{len(palette) - 1}, got {outside[:8].tolist()}; extend the palette")
    return palette[ids]  # (..., H, W, 3)


def image_grid(rows: Sequence[Row], *, padding: int = 4, scale: int = 1, background: int = 255) -> np.ndarray:
    """All images in one array, row by row, each enlarged by a whole factor.

    Args:
        rows: each a float tensor (B, 3, H, W) in [-1, 1], an array (B, H, W, 3) uint8, or a sequence of single images
            of either kind with None for a gap. All images have one size; rows may differ in length.
        padding: pixels between images, after enlarging. There is none around the outside.
        scale: how many pixels a pixel becomes, along each side.
        background: grey value 0..255 of padding and gaps.

    Returns:
        (H', W', 3) uint8.

    Raises:
        ValueError: if there is no image, sizes differ, or scale is below 1.
    """
    if scale < 1:
        raise ValueError(f"expected scale >= 1, got {scale}")
    tiles = [as_tiles(row) for row in rows]  # (H, W, 3) each, or None
    height, width = tile_size(tiles)
    num_columns = max(len(row) for row in tiles)
    step_y, step_x = height * scale + padding, width * scale + padding
    grid = np.full((len(tiles) * step_y - padding, num_columns * step_x - padding, 3), background, dtype=np.uint8)
    for i, row in enumerate(tiles):
        for j, tile in enumerate(row):
            if tile is not None:
                big = tile.repeat(scale, axis=0).repeat(scale, axis=1)  # (scale H, scale W, 3)
                grid[i * step_y : i * step_y + len(big), j * step_x : j * step_x + big.shape[1]] = big
    return grid


def scale_to_see(width: int) -> int:
    """The whole factor that enlarges pictures of so many pixels to about 192, to be looked at; 1 of larger ones."""
    return max(1, round(WIDTH_TO_SEE / width))


def as_tiles(row: Row) -> list[np.ndarray | None]:
    """A row of a grid as a list of uint8 (H, W, 3) arrays and gaps; ValueError if it holds anything else."""
    if isinstance(row, Tensor):
        return list(to_uint8(row if row.dim() == 4 else row[None]))
    if isinstance(row, np.ndarray) and row.ndim == 3:
        row = row[None]
    tiles = [to_uint8(image) if isinstance(image, Tensor) else image for image in row]
    for tile in tiles:
        if tile is not None and (tile.ndim != 3 or tile.shape[-1] != 3 or tile.dtype != np.uint8):
            raise ValueError(
                f"expected images as uint8 (H, W, 3) or float tensors (3, H, W), got {tile.dtype} {tile.shape}; "
                "turn label maps into colours with colorize(label_map, palette)"
            )
    return tiles


def tile_size(tiles: Sequence[Sequence[np.ndarray | None]]) -> tuple[int, int]:
    """The height and width that all images of a grid have; ValueError if there is no such."""
    sizes = {tile.shape[:2] for row in tiles for tile in row if tile is not None}
    if len(sizes) != 1:
        raise ValueError(f"expected images of one size, got {sorted(sizes) if sizes else 'no image at all'}")
    return sizes.pop()


# Files.


def png_bytes(array: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8, or an id map (H, W) uint8 or uint16, as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(buffer, format="PNG")
    return buffer.getvalue()


# Palettes.


@lru_cache
def default_palette(num_classes: int) -> np.ndarray:
    """Colours for any number of classes, chosen to be told apart without red-green vision too.

    The eight of Okabe and Ito (2008), then each the one farthest from all before it in OKLab, where red against green,
    the difference that colour-blind eyes miss, counts a sixth. A shorter palette is the beginning of a longer one.

    Args:
        num_classes: 1..512.

    Returns:
        (num_classes, 3) uint8, read-only.

    Raises:
        ValueError: if num_classes is outside 1..512.
    """
    if not 1 <= num_classes <= 512:
        raise ValueError(f"expected 1..512 classes, got {num_classes}")
    chosen = [[int(code[k : k + 2], 16) for k in (1, 3, 5)] for code in OKABE_ITO]
    levels = np.arange(0, 256, 17)
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    lightness = _oklab(candidates)[:, 0]
    candidates = candidates[(lightness > 0.35) & (lightness < 0.93)]  # neither as dark as text nor as light as paper
    places, seeds = (_oklab(np.array(colours)) * (1, 1 / 6, 1) for colours in (candidates, chosen))
    nearest = np.linalg.norm(places[:, None] - seeds, axis=-1).min(axis=1)
    while len(chosen) < num_classes:
        best = int(nearest.argmax())
        chosen.append(candidates[best].tolist())
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=-1))
    palette = np.array(chosen[:num_classes], dtype=np.uint8)
    palette.setflags(write=False)
    return palette


def _oklab(colours: np.ndarray) -> np.ndarray:
    """OKLab lightness, red-green and blue-yellow (N, 3) of sRGB colours (N, 3) in 0..255. Ottosson (2020)."""
    srgb = colours / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    cones = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
    axes = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
    return np.cbrt(linear @ np.array(cones).T) @ np.array(axes).T
