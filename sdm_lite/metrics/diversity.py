"""How much samples differ from one another, and how much the shares of what they show differ from the truth's.

Shapes: N samples, P pairs, K outcomes, H x W pixels.
"""

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]  # (P, 3, H, W), (P, 3, H, W) -> (P,)


def pairwise_diversity(distance: Distance, samples: Tensor) -> float:
    """Mean distance over all pairs of samples of one layout.

    The diversity of Wang et al. (2022), section 4.1, when distance is LPIPS and there are 10 samples: 45 pairs.

    Args:
        distance: (P, 3, H, W) twice -> (P,).
        samples: (N, 3, H, W), N >= 2, all drawn for one label map.

    Returns:
        The mean of N (N - 1) / 2 distances.

    Raises:
        ValueError: if there are fewer than 2 samples.
    """
    if len(samples) < 2:
        raise ValueError(f"pairwise_diversity needs at least 2 samples of a layout, got {len(samples)}")
    first, second = zip(*combinations(range(len(samples)), 2), strict=True)
    return distance(samples[list(first)], samples[list(second)]).double().mean().item()


def total_variation(p: Tensor, q: Tensor) -> float:
    """Total variation distance of two discrete distributions, sum |p - q| / 2.

    Args:
        p: (K,) probabilities.
        q: (K,) probabilities.

    Returns:
        In [0, 1]: the largest difference between the probabilities that the two give to any event.

    Raises:
        ValueError: if the shapes differ or one is not a distribution.
    """
    p, q = torch.as_tensor(p).double(), torch.as_tensor(q).double()
    if p.shape != q.shape:
        raise ValueError(f"two distributions over the same outcomes expected, got {len(p)} and {len(q)} outcomes")
    for name, probabilities in (("p", p), ("q", q)):
        if (probabilities < 0).any() or not abs(probabilities.sum().item() - 1) < 1e-4:
            raise ValueError(f"{name} must be >= 0 and sum to 1, got a sum of {probabilities.sum().item():.4f}")
    return ((p - q).abs().sum() / 2).item()
