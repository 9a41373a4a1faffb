"""The losses, as small objects: a system is a generator, a discriminator and a list of these.

Apart from the systems because they share them. Each has its weight in it and gives a scalar.

Shapes: B pictures, K condition channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite.baselines.gan.system import DiscriminatorStep, GeneratorStep, Scores


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()


class LeastSquares(NamedTuple):
    """Least squares GAN, summed over scales: 1 for true pictures, 0 for drawn ones. Mao et al. (2017); pix2pixHD.

    D = 1/2 sum_scales (mean (D(real) - 1)^2 + mean D(fake)^2), G = sum_scales mean (D(fake) - 1)^2.
    """

    chance: float = 0.5  # two scales that say 1/2 everywhere

    def discriminator_loss(self, step: DiscriminatorStep) -> Tensor:
        """Scalar."""
        real = sum((scores.logits - 1).square().mean() for scores in step.real_scores)
        fake = sum(scores.logits.square().mean() for scores in step.fake_scores)
        return (real + fake) / 2

    def generator_loss(self, step: GeneratorStep) -> Tensor:
        """Scalar."""
        return sum((scores.logits - 1).square().mean() for scores in step.fake_scores)


class Hinge(NamedTuple):
    """Hinge GAN, mean over scales. Lim & Ye (2017); Park et al. (2019).

    D = mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake)), G = -mean D(fake).
    """

    chance: float = 2.0  # zero everywhere

    def discriminator_loss(self, step: DiscriminatorStep) -> Tensor:
        """Scalar."""
        real = _mean([F.relu(1 - scores.logits).mean() for scores in step.real_scores])
        fake = _mean([F.relu(1 + scores.logits).mean() for scores in step.fake_scores])
        return real + fake

    def generator_loss(self, step: GeneratorStep) -> Tensor:
        """Scalar."""
        return -_mean([scores.logits.mean() for scores in step.fake_scores])


class FeatureMatching(NamedTuple):
    """Distance of the discriminator's features of true and drawn pictures. Wang et al. (2018), Eq. 4.

    weight * mean over scales of sum over layers from `first_layer` of mean |f(fake) - f(real)|.

    Attributes:
        weight: 10 in most of the nine.
        first_layer: 0, or the index of the first that counts; negative from the end: -1 is the deepest alone (INADE).
    """

    weight: float = 10.0
    first_layer: int = 0
    name: str = "feature_matching"
    reads_real_scores: bool = True

    def __call__(self, step: GeneratorStep) -> Tensor:
        """Scalar."""
        pairs = zip(step.fake_scores, step.real_scores, strict=True)
        return self.weight * _mean([self._scale(fake, real) for fake, real in pairs])

    def _scale(self, fake: Scores, real: Scores) -> Tensor:
        first = self.first_layer
        pairs = zip(fake.features[first:], real.features[first:], strict=True)
        return torch.stack([F.l1_loss(ours, theirs.detach()) for ours, theirs in pairs]).sum()


class Perceptual(NamedTuple):
    """Distance of a frozen network's features of true and drawn pictures. Johnson et al. (2016).

    sum over stages of weight_k * mean |f_k(fake) - f_k(real)|.

    Attributes:
        network: from pictures (B, 3, H, W) in [-1, 1] to features, shallow to deep; frozen, in evaluation mode, and
            never the judge that scores the pictures.
        weights: of its stages.
    """

    network: Callable[[Tensor], Sequence[Tensor]]
    weights: tuple[float, ...]
    name: str = "perceptual"
    reads_real_scores: bool = False

    def __call__(self, step: GeneratorStep) -> Tensor:
        """Scalar."""
        with torch.no_grad():
            real = self.network(step.real)
        fake = self.network(step.drawing.image)
        terms = zip(self.weights, fake, real, strict=True)
        return torch.stack([weight * F.l1_loss(ours, theirs) for weight, ours, theirs in terms if weight]).sum()


class KullbackLeibler(NamedTuple):
    """KL(posterior || N(0, 1)) of the encoder, summed over the latents and averaged over the batch; nats.

    Published: .05 times the sum over the pictures of one GPU, about 4, which acts like .2 times the mean.
    """

    weight: float = 0.2
    name: str = "kl"
    reads_real_scores: bool = False

    def __call__(self, step: GeneratorStep) -> Tensor:
        """Scalar."""
        posterior = step.posterior
        assert posterior is not None, "a KL term without an encoder"
        pairs = zip(posterior.means, posterior.log_variances, strict=True)
        terms = [0.5 * (mean.square() + spread.exp() - 1 - spread).flatten(1).sum(1).mean() for mean, spread in pairs]
        return self.weight * torch.stack(terms).sum()


class PictureLoss(NamedTuple):
    """Mean absolute difference of the generator's sketches and the true pictures (SCGAN)."""

    weight: float = 2.0
    name: str = "picture"
    reads_real_scores: bool = False

    def __call__(self, step: GeneratorStep) -> Tensor:
        """Scalar."""
        return self.weight * _mean([F.l1_loss(sketch, step.real) for sketch in step.drawing.sketches])
