"""What a set of features must be before it is compared: (N, D), two or more, every number finite and no giant."""

import torch
from torch import Tensor

LARGEST = 1e40  # any float32 fits, and its sixth power, in the kernel distance, is still a float64


def check_same_dimension(features_a: Tensor, features_b: Tensor) -> None:
    """Raise ValueError unless both are of D dimensions."""
    if features_a.shape[-1:] != features_b.shape[-1:]:
        raise ValueError(
            f"features must have one dimension D, got {tuple(features_a.shape)} and {tuple(features_b.shape)}"
        )


def checked_features(features: Tensor) -> Tensor:
    """The features (N, D) in float64; ValueError unless N >= 2 and every number is finite, from -LARGEST to LARGEST."""
    features = torch.as_tensor(features).double()
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be (N, D) with N >= 2, got {tuple(features.shape)}")
    if not features.isfinite().all():
        raise ValueError(f"features must be finite, got {int((~features.isfinite()).sum())} nan or infinite numbers")
    if features.abs().max() > LARGEST:
        raise ValueError(
            f"features must be at most {LARGEST:g}, got one of {features.abs().max():.3g}: scale them down"
        )
    return features
