"""Labelled mixtures of normals: noisy densities, scores and best predictions by formula.

Apart because it stands where a network would, and needs none: what guidance and samplers do to it is their doing alone.
Noise turns a mixture of normals into another, so every answer is exact. Robbins (1956) and Efron (2011) for the mean of
x_0 given x_t by the score (Tweedie's formula); Bao et al. (2022, Analytic-DPM) for the best variance of a step.

Shapes: N points, K components, C coordinates. A point is a picture of one pixel with C channels: n of them are
(1, C, 1, n), so that everything that draws pictures draws points.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.diffusion import GaussianDiffusion


class Explained(NamedTuple):
    """Noisy points as each component would explain them.

    Attributes:
        log_joint: (N, K), log of the component's weight times its density there; -inf where the label excludes it.
        pull: (N, K, C), the gradient of the component's own log-density.
        x0: (N, K, C), the mean of the clean point, were it of that component.
        x0_variance: (N, K, C), its variance, coordinate by coordinate.
    """

    log_joint: Tensor
    pull: Tensor
    x0: Tensor
    x0_variance: Tensor


class LabelledMixture:
    """A mixture of normal distributions, each with a label.

    Args:
        weights: (K,), positive; they need not sum to 1.
        means: (K, C).
        covariances: (K, C, C), symmetric and positive definite.
        labels: (K,) int64, the label of each component.

    Raises:
        ValueError: if the shapes do not fit, a weight is not positive, or a covariance is not positive definite.
    """

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor, labels: Tensor):
        num, size = means.shape
        shapes = [tuple(weights.shape), tuple(covariances.shape), tuple(labels.shape)]
        if shapes != [(num,), (num, size, size), (num,)]:
            raise ValueError(
                f"expected weights, covariances and labels of shapes {(num,)}, {(num, size, size)} and {(num,)}, as "
                f"means are {(num, size)}, got {', '.join(map(str, shapes))}"
            )
        if not bool((weights > 0).all()):
            raise ValueError(f"weights must be positive, got {weights.min().item():g}")
        self.weights, self.means = weights.double() / weights.double().sum(), means.double()
        self.labels = labels
        self.variances, self.axes = torch.linalg.eigh(covariances.double())  # (K, C), (K, C, C): columns are axes
        if not bool((self.variances > 0).all()):
            raise ValueError(f"covariances must be positive definite, got an eigenvalue {self.variances.min():g}")

    def sample(self, num: int, label: int | None = None, *, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Draw clean points of one label, or of all.

        Returns:
            (num, C) float64 and the component of each, (num,) int64.
        """
        generator = torch.Generator("cpu").manual_seed(seed)
        which = torch.multinomial(self._weights_of(label), num, replacement=True, generator=generator)
        noise = torch.randn(num, self.means.shape[1], generator=generator, dtype=torch.float64, device="cpu")
        return self.means[which] + _turn(self.axes[which], self.variances[which].sqrt() * noise), which

    def explain(self, x: Tensor, alpha_bar: Tensor | float, label: int | None = None) -> Explained:
        """Noisy points by each component.

            x_t given component k ~ N(sqrt(alpha_bar) m_k, alpha_bar C_k + (1 - alpha_bar) I)

        Args:
            x: (N, C).
            alpha_bar: the noise level, a number or (N,); 1 is none.
            label: of the components that count; None for all.
        """
        alpha_bar = torch.as_tensor(alpha_bar, dtype=x.dtype, device=x.device).reshape(-1, 1, 1)
        means, clean, axes = self.means.to(x), self.variances.to(x), self.axes.to(x)
        noisy = alpha_bar * clean + 1 - alpha_bar  # (N, K, C), variances along the axes
        along = _turn(axes.mT, x[:, None] - alpha_bar.sqrt() * means)  # (N, K, C), how far from the mean
        log_density = -0.5 * (along**2 / noisy + torch.log(2 * math.pi * noisy)).sum(2)  # (N, K)
        x0 = means + alpha_bar.sqrt() * _turn(axes, clean * along / noisy)
        x0_variance = torch.einsum("kcd,nkd->nkc", axes**2, clean * (1 - alpha_bar) / noisy)
        return Explained(
            log_density + self._weights_of(label).to(x).log(), -_turn(axes, along / noisy), x0, x0_variance
        )

    def log_density(self, x: Tensor, alpha_bar: Tensor | float = 1.0, label: int | None = None) -> Tensor:
        """Log p(x_t | label), or log p(x_t) without one: (N,) for x (N, C)."""
        return self.explain(x, alpha_bar, label).log_joint.logsumexp(1)

    def log_label(self, x: Tensor, label: int, alpha_bar: Tensor | float = 1.0) -> Tensor:
        """Log p(label | x_t) by Bayes' rule: (N,) for x (N, C)."""
        every = self.explain(x, alpha_bar).log_joint  # (N, K)
        return every[:, self.labels == label].logsumexp(1) - every.logsumexp(1)

    def score(self, x: Tensor, alpha_bar: Tensor | float = 1.0, label: int | None = None) -> Tensor:
        """The gradient of log p(x_t | label), or of log p(x_t): (N, C) for x (N, C).

        Each component pulls with its own gradient, weighted by the probability that the point is of it.
        """
        by = self.explain(x, alpha_bar, label)
        return (by.log_joint.softmax(1)[..., None] * by.pull).sum(1)

    def output(self, x_t: Tensor, t: Tensor, diffusion: GaussianDiffusion, label: int | None = None) -> Tensor:
        """What a perfect network would say: the best noise, and the best variance of the step from t to t - 1.

            eps      = -sqrt(1 - alpha_bar_t) grad log p(x_t | label)
            variance = beta~ + w^2 Var(x_0 | x_t),    w the weight of x_0 in the posterior's mean

        Args:
            x_t: (B, C, H, W).
            t: (B,) int64 in 1..T.
            diffusion: the process, with prediction type "eps".
            label: None for the null label.

        Returns:
            (B, 2 C, H, W), as `GaussianDiffusion.predict` reads it.
        """
        num_pixels = x_t.shape[2] * x_t.shape[3]
        points = x_t.permute(0, 2, 3, 1).flatten(0, 2)  # (B H W, C)
        alpha_bar = diffusion.alpha_bar(t).flatten().repeat_interleave(num_pixels)  # (B H W,)
        by = self.explain(points, alpha_bar, label)
        share = by.log_joint.softmax(1)[..., None]  # (B H W, K, 1)
        eps = -(1 - alpha_bar[:, None]).sqrt() * (share * by.pull).sum(1)
        x0 = (share * by.x0).sum(1)
        spread = (share * (by.x0_variance + (by.x0 - x0[:, None]) ** 2)).sum(1)  # Var(x_0 | x_t), by the two causes
        eps, spread = (part.unflatten(0, (len(x_t), *x_t.shape[2:])).permute(0, 3, 1, 2) for part in (eps, spread))
        lower, upper = diffusion.log_variance_bounds(t, t - 1)  # (B, 1, 1, 1) each
        weight = diffusion.posterior(torch.ones_like(x_t), torch.zeros_like(x_t), t, t - 1).mean
        known = torch.where((t > 1)[:, None, None, None], lower.exp(), 0.0)  # beta~ is 0 where the step ends at x_0
        best = torch.log(known + weight**2 * spread)
        return torch.cat([eps, 2 * (best - lower) / (upper - lower) - 1], dim=1)

    def _weights_of(self, label: int | None) -> Tensor:
        """The weights of the components of a label, 0 for the others, together 1; ValueError if it has none."""
        if label is None:
            return self.weights
        if label not in self.labels:
            raise ValueError(f"label must be one of {sorted(set(self.labels.tolist()))} or None, got {label!r}")
        own = self.weights * (self.labels == label)
        return own / own.sum()


def _turn(axes: Tensor, vectors: Tensor) -> Tensor:
    """Matrices (..., C, C) times vectors (..., C)."""
    return (axes @ vectors[..., None])[..., 0]
