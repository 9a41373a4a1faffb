"""Where two classes meet: which pixels are at an edge, and how sharply the picture changes there.

Shapes: B pictures, H x W pixels.
"""

import torch
from torch import Tensor


def edge_pixels(label_map: Tensor) -> Tensor:
    """The pixels that have a pixel of another class to the left, to the right, above or below.

    Args:
        label_map: (..., H, W), any whole numbers.

    Returns:
        (..., H, W) bool.
    """
    edges = torch.zeros_like(label_map, dtype=torch.bool)
    across, down = label_map[..., 1:] != label_map[..., :-1], label_map[..., 1:, :] != label_map[..., :-1, :]
    edges[..., 1:] |= across
    edges[..., :-1] |= across
    edges[..., 1:, :] |= down
    edges[..., :-1, :] |= down
    return edges


def edge_sharpness(images: Tensor, label_maps: Tensor) -> Tensor:
    """How much of the change of colour across a label edge falls on the single step between the two classes.

        sum_edges d_1 / sum_edges (d_0 + d_1 + d_2),   d: length of the step in colour between neighbouring pixels

    Four pixels in a row, two on either side of the edge, make three steps; d_1 is the one over the edge. Of a hard edge
    between flat colours this is 1, of a ramp over the four pixels 1 / 3. Contrast cancels, so that a night is no less
    sharp than a day. Edges in the outermost steps of the picture, which have no neighbour, are left out.

    Args:
        images: (B, 3, H, W), any range.
        label_maps: (B, H, W), any whole numbers.

    Returns:
        (B,) in [0, 1]; nan where a map has no edge or a picture no change of colour at one. Neither less nor more than
        true pictures of the same label maps have is right.

    Raises:
        ValueError: if images and label maps do not go together, or a side is shorter than 4 pixels.
    """
    if images.ndim != 4 or images.shape[:1] + images.shape[2:] != label_maps.shape or min(images.shape[2:]) < 4:
        raise ValueError(
            "images must be (B, 3, H, W) with sides of at least 4 pixels and label_maps (B, H, W), "
            f"got {tuple(images.shape)} and {tuple(label_maps.shape)}"
        )
    over, around = 0.0, 0.0
    for pictures, maps in ((images, label_maps), (images.transpose(2, 3), label_maps.transpose(1, 2))):
        steps = (pictures[..., 1:] - pictures[..., :-1]).double().square().sum(1).sqrt()  # (B, H, W - 1)
        edges = (maps[..., 1:] != maps[..., :-1])[..., 1:-1]
        over = over + (steps[..., 1:-1] * edges).sum((1, 2))
        around = around + ((steps[..., :-2] + steps[..., 1:-1] + steps[..., 2:]) * edges).sum((1, 2))
    return over / around  # 0 / 0 is nan


def edge_mixtures(images: Tensor, label_maps: Tensor, *, least_contrast: float = 0.5) -> Tensor:
    """How much of the other side's colour there is in pixels at label edges.

    Four pixels a, b | c, d in a row, two on either side of the edge: the part of b along the way from a to d, and that
    of c along the way from d to a. 0 is a pure pixel; anti-aliasing mixes by how much of the pixel lies beyond the
    edge, and a pixel of 1 / 2 or more says little of what its label is.

    Args:
        images: (B, 3, H, W), any range.
        label_maps: (B, H, W), any whole numbers.
        least_contrast: shortest way from a to d at which a mixture can be told, in units of the images.

    Returns:
        (P,) float64, two for every edge whose sides are each of one class and whose contrast suffices; texture takes
        some below 0 and above 1.
    """
    found = []
    for pictures, maps in ((images, label_maps), (images.transpose(2, 3), label_maps.transpose(1, 2))):
        num = pictures.shape[-1] - 3
        a, b, c, d = (pictures[..., k : k + num].double() for k in range(4))
        of_a, of_b, of_c, of_d = (maps[..., k : k + num] for k in range(4))
        contrast = (d - a).square().sum(1)  # (B, H, W - 3)
        used = (of_a == of_b) & (of_b != of_c) & (of_c == of_d) & (contrast >= least_contrast**2)
        for part in (b - a, d - c):
            found.append((part * (d - a)).sum(1)[used] / contrast[used])
    return torch.cat(found)
