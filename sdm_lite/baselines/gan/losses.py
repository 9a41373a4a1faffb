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

from sdm_lite.baselines.gan.system import DiscriminatorStep, GeneratorStep, Layout, Scores


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


def class_weights(condition: Tensor, cap: float) -> Tensor:
    """How much a pixel of each class counts, so that the classes of a batch count the same: (K,).

    pixels / (classes present * pixels of the class), at most `cap`, 0 for a class that is not there. Uncapped, the
    mean over the pixels of the batch is 1. Sushko et al. (2021).

    Args:
        condition: (B, K, H, W) of zeros and ones, one channel a class and nothing else.
        cap: a class of a few pixels would else weigh hundreds of times as much as the others.
    """
    counts = condition.sum((0, 2, 3))  # exact in float32; no bincount, for which a GPU waits
    balanced = counts.sum() / ((counts > 0).sum() * counts.clamp(min=1))
    return balanced.clamp(max=cap) * (counts > 0)


class SegmentationLoss(NamedTuple):
    """The discriminator as a segmenter of K + 1 classes, class-balanced cross entropy. Sushko et al. (2021).

    D = CE_w(real, class + 1) + CE(fake, 0), G = CE_w(fake, class + 1); channel 0 is "fake", which is not balanced.
    No class is taken for "unknown": the published code gives class 0 no weight where the data set has one.

    Attributes:
        cap: of the class weights; not published. A batch of 16 Scenes has none above 13.
        chance: ln(K + 1) twice, for the 11 classes of Scenes.
    """

    cap: float = 20.0
    chance: float = 2 * 2.4849

    def discriminator_loss(self, step: DiscriminatorStep) -> Tensor:
        """Scalar."""
        (real,), (fake,) = step.real_scores, step.fake_scores
        is_fake = torch.zeros_like(step.layout.classes)
        return self._as_classes(real, step.layout) + F.cross_entropy(fake.logits, is_fake)

    def generator_loss(self, step: GeneratorStep) -> Tensor:
        """Scalar."""
        (fake,) = step.fake_scores
        return self._as_classes(fake, step.layout)

    def _as_classes(self, scores: Scores, layout: Layout) -> Tensor:
        """Weighted cross entropy of being each pixel's class, mean over all pixels."""
        num_classes = scores.logits.shape[1] - 1
        weights = class_weights(layout.condition[:, :num_classes], self.cap)
        losses = F.cross_entropy(scores.logits, layout.classes + 1, reduction="none")  # (B, H, W)
        return (weights[layout.classes] * losses).mean()


class LabelMix(NamedTuple):
    """The verdict on a picture mixed of regions, true and drawn, must be the mixed verdicts. Sushko et al. (2021).

    weight * mean (D(M real + (1 - M) fake) - (M D(real) + (1 - M) D(fake)))^2 over logits; M is whole classes of the
    layout, one coin a class for the batch. The coins are a table that is looked up: the published code writes them into
    the map class by class, and class 0 is overwritten by what class 1 draws.

    Attributes:
        weight: 10 published, 5 on Cityscapes.
    """

    weight: float = 10.0
    name: str = "label_mix"

    def __call__(self, step: DiscriminatorStep) -> Tensor:
        """Scalar."""
        (real,), (fake,) = step.real_scores, step.fake_scores
        num_classes = real.logits.shape[1] - 1
        coins = torch.rand(num_classes, generator=step.generator, dtype=torch.float32, device="cpu") < 0.5
        is_real = coins.to(step.real.device)[step.layout.classes][:, None]  # (B, 1, H, W)
        (mixed,) = step.discriminator(step.layout, torch.where(is_real, step.real, step.fake))
        expected = torch.where(is_real, real.logits, fake.logits)
        return self.weight * F.mse_loss(mixed.logits, expected)
