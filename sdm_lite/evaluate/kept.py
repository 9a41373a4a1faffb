"""Samples in a file: drawn once, in minutes or hours, and read by whoever measures them, later or by another ruler.

Apart from drawing and measuring, which know no files: `python -m sdm_lite.evaluate --samples` and the scripts of docs/
keep what they draw before they measure anything, so that they can be stopped at any time.

Shapes: L layouts, D of them with N samples, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.checkpoints import load_tensors, save_tensors
from sdm_lite.evaluate.measurements import Measurements
from sdm_lite.evaluate.scene_scores import Truth
from sdm_lite.evaluate.scenes import evaluate_images, layout_diversity
from sdm_lite.judge.network import Judge


def keep_samples(path: Path, groups: Sequence[Tensor], *, more: Mapping[str, Tensor] | None = None) -> None:
    """Write samples.

    Args:
        path: of the file, .safetensors.
        groups: from `draw_groups`, a (N, 3, H, W) in [-1, 1] for each of L layouts; N is 1 of layouts that only the
            first sample is asked of.
        more: what else was found in drawing, kept under these names.

    The file has "first", (L, 3, H, W), the first sample of each layout, and "several", (D, N, 3, H, W), all samples of
    those layouts that have more than one, where there are such layouts.
    """
    tensors = {"first": torch.stack([group[0] for group in groups])}
    several = [group for group in groups if len(group) > 1]
    if several:
        tensors["several"] = torch.stack(several)
    save_tensors(path, {**tensors, **(more or {})}, {"format": "sdm_lite samples 1"})


def measure_kept(path: Path, judge: Judge, truth: Truth) -> tuple[Measurements, Tensor]:
    """Let the judge read samples that `keep_samples` wrote.

    Args:
        path: of the file.
        judge: in evaluation mode.
        truth: of the layouts that were drawn.

    Returns:
        What `statistics` and `score` take beside the truth: measurements of the first sample of each layout, and the
        diversities of those that have several, (D,) float64.

    Raises:
        ValueError: if the file holds other numbers of samples than the truth's sizes ask for.
    """
    tensors, _ = load_tensors(path)
    first, sizes = tensors["first"], truth.sizes
    expected = sizes.num_layouts, sizes.num_diversity_layouts, sizes.samples_per_layout
    got = len(first), *(tensors["several"].shape[:2] if "several" in tensors else (0, 0))
    if got != expected:
        raise ValueError(
            f"{path}: expected samples of {expected[0]} layouts, {expected[1]} of them with {expected[2]} each, got "
            f"{got[0]}, {got[1]} and {got[2]}: delete it and draw again"
        )
    label_maps, _ = sizes.layouts(first.shape[-1])
    return evaluate_images(judge, first[:, None], label_maps), layout_diversity(judge, tensors["several"])
