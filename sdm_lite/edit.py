"""Redraw a region under a new label map and keep the rest of the image.

Apart because it is no sampler: it is one function that a sampler applies after every step. Wherever the label map did
not change, the running sample is replaced by the known image with the noise of that timestep. So the network always
sees surroundings that fit, and at s = 0 they are the image itself. Lugmayr et al. (2022), "RePaint", Eq. 8, without its
resampling.

Shapes: B batch, H x W pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sdm_lite.diffusion import GaussianDiffusion
from sdm_lite.sampling import Projection


def changed_region(old_label_map: Tensor, new_label_map: Tensor, *, margin: int = 4) -> Tensor:
    """Where two label maps differ, grown by a margin so that seams and shadows can be redrawn too.

    A pixel belongs to the region if some pixel at most `margin` rows and columns away has changed.

    Args:
        old_label_map: (B, H, W) int64, the map of the image that exists.
        new_label_map: (B, H, W) int64, the map wanted.
        margin: in pixels, at least 0.

    Returns:
        (B, 1, H, W) bool, true where the image is to be redrawn.

    Raises:
        ValueError: if the maps differ in shape or are not (B, H, W), or the margin is negative.
    """
    if old_label_map.shape != new_label_map.shape or old_label_map.dim() != 3:
        raise ValueError(
            f"expected two label maps of one shape (B, H, W), got {tuple(old_label_map.shape)} and "
            f"{tuple(new_label_map.shape)}; add the batch dimension with label_map[None]"
        )
    if margin < 0:
        raise ValueError(f"expected margin >= 0 pixels, got {margin}")
    changed = (old_label_map != new_label_map)[:, None].float()  # (B, 1, H, W)
    return F.max_pool2d(changed, kernel_size=2 * margin + 1, stride=1, padding=margin) > 0


def keep_outside(diffusion: GaussianDiffusion, image: Tensor, region: Tensor, noise: Tensor) -> Projection:
    """The projection that holds everything outside a region to a known image.

        x_s <- x_s                                            inside the region
        x_s <- sqrt(alpha_bar_s) image + sqrt(1 - alpha_bar_s) noise     outside

    Lugmayr et al. (2022), Eq. 8. They draw new noise at each step; here one noise serves all steps, so that what stays
    outside is one smooth trajectory, which deterministic samplers (DDIM, DPM-Solver++) need. Hand over the x_T that
    sampling starts from, and the trajectory starts there too.

    Args:
        diffusion: the process whose `q_sample` noises the image.
        image: (B, 3, H, W) in [-1, 1], what is to be kept.
        region: (B, 1, H, W) bool, true where the sampler is free, as `changed_region` gives it.
        noise: (B, 3, H, W), standard normal.

    Returns:
        A callable (x_s, s) -> x_s for the samplers' `project`. At s = 0 its result outside the region is the image,
        exactly.

    Raises:
        ValueError: if the shapes do not fit together or `region` is not boolean.
    """
    if image.dim() != 4 or noise.shape != image.shape:
        raise ValueError(
            f"expected image and noise of one shape (B, 3, H, W), got {tuple(image.shape)} and {tuple(noise.shape)}"
        )
    if region.shape != (image.shape[0], 1, *image.shape[2:]) or region.dtype != torch.bool:
        expected = (image.shape[0], 1, *image.shape[2:])
        raise ValueError(
            f"expected a bool region of shape {expected}, got {region.dtype} {tuple(region.shape)}; "
            "make it with changed_region(old_label_map, new_label_map)"
        )

    def project(x_s: Tensor, s: Tensor) -> Tensor:
        return torch.where(region, x_s, diffusion.q_sample(image, s, noise))

    return project
