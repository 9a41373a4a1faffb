"""Numbers that compare generated pictures with true ones, of whatever features they are handed.

Apart from the models, so that every number says by its arguments what it was measured with: the functions here know no
network and no data set. Heusel et al. (2017) for the Frechet distance, Binkowski et al. (2018) for the kernel distance,
Zhang et al. (2018) for LPIPS, Efron & Tibshirani (1993) for the bootstrap.

Shapes: N samples, D feature dimensions, K classes, P pairs, H x W pixels, R bootstrap resamples.
"""

import hashlib
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]  # (P, 3, H, W), (P, 3, H, W) -> (P,)

# The files that torchvision publishes: eight digits of the file's sha256 are in its name.
LPIPS_BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}


class LpipsUnavailableError(RuntimeError):
    """LPIPS cannot be computed here; the message says what is missing and what to do."""


class Moments(NamedTuple):
    """Mean (D,) and unbiased covariance (D, D) of a set of features, float64."""

    mean: Tensor
    covariance: Tensor


class Interval(NamedTuple):
    """How far to trust a number: (low, high), and in words what interval that is and over what."""

    low: float
    high: float
    kind: str


# Frechet and kernel distance between two sets of features.


def feature_moments(features: Tensor) -> Moments:
    """Mean and covariance of a set of features, in float64.

    Args:
        features: (N, D), N >= 2, finite.

    Returns:
        Mean (D,) and covariance (D, D), divided by N - 1.

    Raises:
        ValueError: if features is not (N, D) with N >= 2 and every number finite.
    """
    features = _checked_features(features)
    mean = features.mean(0)
    centred = features - mean
    return Moments(mean, centred.T @ centred / (len(features) - 1))


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Squared Frechet distance of the two Gaussians that have the features' means and covariances.

        |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))

    Dowson & Landau (1982); on Inception features this is FID, Heusel et al. (2017). It is biased upwards, about as
    1 / N: compare only sets of equal size against one and the same reference.

    Args:
        features_a: (N, D), N >= 2, finite.
        features_b: (M, D), M >= 2, finite.

    Returns:
        The distance, >= 0.

    Raises:
        ValueError: if a set is not (N, D) with N >= 2 and finite, or the two D differ.
    """
    _check_same_dimension(features_a, features_b)
    return frechet_distance_of_moments(feature_moments(features_a), feature_moments(features_b))


def frechet_distance_of_moments(a: Moments, b: Moments) -> float:
    """Squared Frechet distance of two Gaussians given by mean and covariance; see `frechet_distance`.

    S_a S_b is not symmetric, but S_a^(1/2) S_b S_a^(1/2) is and has the same eigenvalues, so that two symmetric
    eigendecompositions do and singular covariances (fewer samples than dimensions) need no special case.

    Args:
        a: mean (D,) and covariance (D, D).
        b: the same.

    Returns:
        The distance, >= 0.
    """
    values, vectors = torch.linalg.eigh(a.covariance)
    root_a = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    inner = root_a @ b.covariance @ root_a
    trace_of_root = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp(min=0).sqrt().sum()
    distance = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * trace_of_root
    return max(distance.item(), 0.0)


def kernel_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Squared maximum mean discrepancy of two sets of features under a cubic kernel, without bias (KID).

        mean_{i != j} k(a_i, a_j) + mean_{i != j} k(b_i, b_j) - 2 mean_{i, j} k(a_i, b_j),   k(x, y) = (x.y / D + 1)^3

    Binkowski et al. (2018), section 4.

    Args:
        features_a: (N, D), N >= 2, finite.
        features_b: (M, D), M >= 2, finite.

    Returns:
        The distance; unbiased, so a little below 0 now and then for equal distributions.

    Raises:
        ValueError: if a set is not (N, D) with N >= 2 and finite, or the two D differ.
    """
    _check_same_dimension(features_a, features_b)
    a, b = _checked_features(features_a), _checked_features(features_b)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def mean_off_diagonal(gram: Tensor) -> Tensor:
        return (gram.sum() - gram.trace()) / (len(gram) * (len(gram) - 1))

    return (mean_off_diagonal(kernel(a, a)) + mean_off_diagonal(kernel(b, b)) - 2 * kernel(a, b).mean()).item()


# Agreement of two label maps.


def confusion_matrix(predicted: Tensor, target: Tensor, num_classes: int, *, ignore_label: int | None = None) -> Tensor:
    """How many pixels of each true class were predicted as each class.

    Args:
        predicted: any shape, int64 in 0..K-1.
        target: the same shape, int64 in 0..K-1, or ignore_label.
        num_classes: K.
        ignore_label: pixels whose target is this are left out. None = every pixel counts.

    Returns:
        (K, K) int64: row = true class, column = predicted class. Matrices of several images add up.

    Raises:
        ValueError: if the shapes differ or a counted label is not in 0..K-1.
    """
    if predicted.shape != target.shape:
        raise ValueError(f"predicted and target must have one shape, got {_shape(predicted)} and {_shape(target)}")
    counted = target != ignore_label if ignore_label is not None else torch.ones_like(target, dtype=torch.bool)
    predicted, target = predicted[counted].long(), target[counted].long()
    for name, labels in (("predicted", predicted), ("target", target)):
        if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            found = sorted(set(labels.unique().tolist()) - set(range(num_classes)))
            raise ValueError(
                f"{name} labels must be in 0..{num_classes - 1}, got {found}; pass ignore_label to skip one"
            )
    counts = torch.bincount(target * num_classes + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def intersection_over_union(confusion: Tensor) -> Tensor:
    """Intersection over union of every class.

    Args:
        confusion: (..., K, K) from `confusion_matrix`, summed over images first where one number for all is wanted.

    Returns:
        (..., K) float64 in [0, 1]; nan for a class that is neither in the target nor in the prediction.
    """
    confusion = confusion.double()
    intersection = confusion.diagonal(dim1=-2, dim2=-1)
    return intersection / (confusion.sum(-1) + confusion.sum(-2) - intersection)  # 0 / 0 is nan


def mean_iou(confusion: Tensor) -> float:
    """Mean over the classes present of the intersection over union of all pixels (mIoU).

    Args:
        confusion: (K, K) from `confusion_matrix`, summed over the images.

    Returns:
        In [0, 1], or nan if no pixel was counted.
    """
    return intersection_over_union(confusion).nanmean().item()


# Diversity and shares.


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


# How far to trust a number.


def bootstrap(
    statistic: Callable[[Tensor], float], num_items: int, *, num_resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """The statistic of resampled data: N items drawn from the N there are, with replacement, again and again.

    Efron & Tibshirani (1993), chapter 6. Two statistics bootstrapped with one seed see the same resamples.

    Args:
        statistic: indices of items, (N,) int64 -> a number.
        num_items: N.
        num_resamples: R.
        seed: of the resampling.

    Returns:
        (R,) float64.

    Raises:
        ValueError: if there are no items or no resamples.
    """
    if num_items < 1 or num_resamples < 1:
        raise ValueError(f"num_items and num_resamples must be at least 1, got {num_items} and {num_resamples}")
    generator = torch.Generator().manual_seed(seed)
    draws = (torch.randint(num_items, (num_items,), generator=generator) for _ in range(num_resamples))
    return np.array([float(statistic(indices)) for indices in draws])


def bootstrap_interval(
    statistic: Callable[[Tensor], float],
    num_items: int,
    *,
    items: str = "items",
    num_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a statistic; see `bootstrap`. Efron & Tibshirani (1993), chapter 13.

    Args:
        statistic: indices of items, (N,) int64 -> a number, for instance `lambda i: values[i].mean()`.
        num_items: N.
        items: what these are, for the interval's kind.
        num_resamples: R.
        level: share of the resampled statistics inside the interval, in (0, 1).
        seed: of the resampling.

    Returns:
        "95 % percentile bootstrap over N items".

    Raises:
        ValueError: if level is not in (0, 1), or there are no items or no resamples.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    values = bootstrap(statistic, num_items, num_resamples=num_resamples, seed=seed)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), f"{100 * level:g} % percentile bootstrap over {num_items} {items}")


# LPIPS: the one door to the lpips package.


def lpips_distance(net: str = "alex", *, device: str | torch.device = "cpu") -> Distance:
    """The LPIPS distance of Zhang et al. (2018), by the authors' package and weights.

    Args:
        net: the backbone: "alex" (the usual one for diversity), "vgg" or "squeeze".
        device: where to compute; images are moved there.

    Returns:
        A function of two batches (P, 3, H, W) in [-1, 1] that returns (P,) distances.

    Raises:
        ValueError: if there is no such backbone.
        LpipsUnavailableError: if lpips or torchvision is missing or broken, or the backbone's weights can be neither
            found nor downloaded, or are not the published ones. Never a random backbone.
    """
    if net not in LPIPS_BACKBONES:
        raise ValueError(f"net must be one of {', '.join(LPIPS_BACKBONES)}, got {net!r}")
    weights_file = Path(torch.hub.get_dir()) / "checkpoints" / LPIPS_BACKBONES[net]
    model = _load_lpips(net, weights_file).to(device).eval().requires_grad_(False)

    @torch.no_grad()
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return model(a.to(device), b.to(device)).flatten()

    return distance


def _load_lpips(net: str, weights_file: Path) -> torch.nn.Module:
    """The lpips package's network on a backbone whose file was checked, or LpipsUnavailableError."""
    try:
        import lpips
    except Exception as error:  # torchvision beside another build of torch raises RuntimeError at import
        raise LpipsUnavailableError(
            "LPIPS needs the packages lpips and torchvision, the latter built for this torch "
            f"({torch.__version__}): pip install lpips; got {type(error).__name__}: {_first_line(error)}"
        ) from error
    if weights_file.exists():  # torch.hub uses what lies there unchecked
        _check_published(weights_file)
    try:
        model = lpips.LPIPS(net=net, verbose=False)
    except Exception as error:
        raise LpipsUnavailableError(
            f"LPIPS could not load its {net} backbone: expected {weights_file}; get it from "
            f"download.pytorch.org/models/{weights_file.name}; got {type(error).__name__}: {_first_line(error)}"
        ) from error
    _check_published(weights_file)
    return model


def _check_published(weights_file: Path) -> None:
    """Raise unless the file is there and its sha256 begins as its name says."""
    expected = weights_file.stem.rsplit("-", 1)[1]
    if not weights_file.exists():
        raise LpipsUnavailableError(f"LPIPS needs the published backbone weights in {weights_file}, which is not there")
    got = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    if not got.startswith(expected):
        raise LpipsUnavailableError(
            f"LPIPS needs the published backbone weights, sha256 {expected}...; got {got[:8]}... in {weights_file}: "
            "delete the file, or put the published one there"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _check_same_dimension(features_a: Tensor, features_b: Tensor) -> None:
    if features_a.shape[-1:] != features_b.shape[-1:]:
        raise ValueError(f"features must have one dimension D, got {_shape(features_a)} and {_shape(features_b)}")


def _checked_features(features: Tensor) -> Tensor:
    features = torch.as_tensor(features).double()
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be (N, D) with N >= 2, got {_shape(features)}")
    if not features.isfinite().all():
        raise ValueError(f"features must be finite, got {int((~features.isfinite()).sum())} nan or infinite numbers")
    return features
