"""The losses, by hand."""

import math

import pytest
import torch

from sdm_lite.baselines.gan.losses import (
    FeatureMatching,
    Hinge,
    KullbackLeibler,
    LeastSquares,
    Perceptual,
    PictureLoss,
)
from sdm_lite.baselines.gan.system import DiscriminatorStep, Drawing, GeneratorStep, Posterior, Scores


def scale(*logits, features=()):
    return Scores(torch.tensor(logits).reshape(1, 1, 1, -1), features)


def of_generator(fake_scores, real_scores=(), real=None, drawing=None, posterior=None):
    return GeneratorStep(None, real, drawing, real_scores, fake_scores, posterior)


def of_discriminator(real_scores, fake_scores):
    return DiscriminatorStep(None, None, None, real_scores, fake_scores, None, None)


def test_hinge():
    real, fake = [scale(0.5, 3.0), scale(-1.0)], [scale(-2.0, 0.0), scale(1.0)]
    assert Hinge().discriminator_loss(of_discriminator(real, fake)).item() == pytest.approx(
        (0.25 + 2) / 2 + (0.5 + 2) / 2
    )
    assert Hinge().generator_loss(of_generator(fake)).item() == pytest.approx((1.0 - 1.0) / 2)
    nothing = [scale(0.0), scale(0.0)]
    assert Hinge().discriminator_loss(of_discriminator(nothing, nothing)).item() == Hinge().chance


def test_least_squares():
    real, fake = [scale(0.5), scale(1.0)], [scale(0.5), scale(-1.0)]
    assert LeastSquares().discriminator_loss(of_discriminator(real, fake)).item() == pytest.approx(
        (0.25 + 0.25 + 1) / 2
    )
    assert LeastSquares().generator_loss(of_generator(fake)).item() == pytest.approx(0.25 + 4)
    half = [scale(0.5), scale(0.5)]
    assert LeastSquares().discriminator_loss(of_discriminator(half, half)).item() == LeastSquares().chance


def test_feature_matching_sums_layers_and_averages_scales():
    real = [
        scale(0.0, features=(torch.zeros(1, 2), torch.zeros(3))),
        scale(0.0, features=(torch.zeros(1), torch.zeros(1))),
    ]
    fake = [scale(0.0, features=(torch.ones(1, 2), torch.full((3,), 2.0))), scale(0.0, features=(torch.zeros(1),) * 2)]
    assert FeatureMatching(10.0)(of_generator(fake, real)).item() == pytest.approx(10 * (1 + 2) / 2)
    assert FeatureMatching(10.0, first_layer=-1)(of_generator(fake, real)).item() == pytest.approx(10 * 2 / 2)
    assert FeatureMatching()(of_generator(real, real)).item() == 0


def test_perceptual_weighs_stages_and_asks_nothing_of_those_of_weight_zero():
    def network(image):
        return [image, None, 2 * image]

    real, fake = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2, requires_grad=True)
    loss = Perceptual(network, (0.5, 0.0, 3.0))
    found = loss(of_generator([], real=real, drawing=Drawing(fake)))
    assert found.item() == pytest.approx(0.5 + 6)
    found.backward()
    assert fake.grad.sum().item() == pytest.approx(6.5)
    assert loss(of_generator([], real=real, drawing=Drawing(real))).item() == 0


def test_kl_is_that_of_normal_distributions():
    means, log_variances = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, math.log(4)], [0.0, 0.0]])
    posterior = Posterior((means,), (log_variances,))
    normal = torch.distributions.Normal(means, (0.5 * log_variances).exp())
    true = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    assert KullbackLeibler(0.2)(of_generator([], posterior=posterior)).item() == pytest.approx(0.2 * true.item())
    prior = Posterior((torch.zeros(2, 3),), (torch.zeros(2, 3),))
    assert KullbackLeibler()(of_generator([], posterior=prior)).item() == 0


def test_a_posterior_moves_noise_and_the_prior_does_not():
    noise = (torch.tensor([[1.0, -2.0]]),)
    moved = Posterior((torch.tensor([[10.0, 0.0]]),), (torch.tensor([[math.log(4), 0.0]]),)).sample(noise)
    assert torch.allclose(moved[0], torch.tensor([[12.0, -2.0]]))


def test_picture_loss():
    real = torch.zeros(1, 3, 2, 2)
    step = of_generator([], real=real, drawing=Drawing(real, (real + 0.5,)))
    assert PictureLoss(2.0)(step).item() == pytest.approx(1.0)
