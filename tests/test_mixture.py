"""The exact answers of a mixture against autograd of torch.distributions, and against what samplers make of it."""

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from sdm_lite import GaussianDiffusion, SampleNoise, last, linear_betas, sample_ddpm
from sdm_lite.mixture import LabelledMixture

WEIGHTS = torch.tensor([0.5, 0.2, 0.3])
MEANS = torch.tensor([[-0.8, 0.3], [0.4, -0.6], [0.7, 0.5]])
COVARIANCES = torch.tensor([[[0.10, 0.04], [0.04, 0.05]], [[0.02, 0.0], [0.0, 0.08]], [[0.03, -0.01], [-0.01, 0.03]]])
LABELS = torch.tensor([0, 0, 1])
MIXTURE = LabelledMixture(WEIGHTS, MEANS, COVARIANCES, LABELS)


def noisy(alpha_bar, label):
    """The density of noisy points by torch's own distributions."""
    keep = torch.ones(3, dtype=torch.bool) if label is None else label == LABELS
    means, covariances = MEANS[keep].double(), COVARIANCES[keep].double()
    spread = alpha_bar * covariances + (1 - alpha_bar) * torch.eye(2, dtype=torch.float64)
    return MixtureSameFamily(
        Categorical(WEIGHTS[keep].double()), MultivariateNormal(alpha_bar**0.5 * means, covariance_matrix=spread)
    )


@pytest.mark.parametrize("label", [None, 0, 1])
@pytest.mark.parametrize("alpha_bar", [1.0, 0.6, 0.01])
def test_density_and_score_are_those_of_torch_and_its_gradient(alpha_bar, label):
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    log_density = noisy(alpha_bar, label).log_prob(x)
    (gradient,) = torch.autograd.grad(log_density.sum(), x)
    assert torch.allclose(MIXTURE.log_density(x, alpha_bar, label), log_density)
    assert torch.allclose(MIXTURE.score(x, alpha_bar, label), gradient)


def test_the_label_by_bayes_rule():
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    by_hand = 0.7 * noisy(0.5, 0).log_prob(x).exp() / noisy(0.5, None).log_prob(x).exp()
    assert torch.allclose(MIXTURE.log_label(x, 0, 0.5).exp(), by_hand)
    assert torch.allclose(
        MIXTURE.log_label(x, 0, 0.5).exp() + MIXTURE.log_label(x, 1, 0.5).exp(), torch.ones(50).double()
    )


def test_output_is_the_mean_and_the_spread_of_clean_points_that_became_these():
    diffusion, t = GaussianDiffusion(linear_betas(50)), torch.tensor([1, 12, 30])
    clean = MIXTURE.sample(400_000, 0)[0]
    normal = torch.randn(3, 2, 1, 3, generator=torch.Generator().manual_seed(1))
    x_t = diffusion.q_sample(clean[:9].reshape(3, 3, 1, 2).permute(0, 3, 2, 1), t, normal)
    prediction = diffusion.predict(MIXTURE.output(x_t, t, diffusion, 0), x_t, t, clip=False)
    step = diffusion.reverse(prediction, x_t, t, t - 1)
    for k in range(3):
        signal, sigma = (part.item() for part in diffusion.signal_and_noise(t[k : k + 1]))
        one = t[k : k + 1]
        weight = diffusion.posterior(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), one, one - 1).mean.item()
        lower = diffusion.log_variance_bounds(one, one - 1)[0].exp().item() if one > 1 else 0.0
        for point in range(3):
            near = -((x_t[k, :, 0, point] - signal * clean) ** 2).sum(1) / (2 * sigma**2)
            share = near.softmax(0)[:, None]  # by brute force: how probable is each clean point
            mean = (share * clean).sum(0)
            spread = (share * (clean - mean) ** 2).sum(0)
            assert torch.allclose(prediction.x0[k, :, 0, point], mean, atol=0.01)
            best = lower + weight**2 * spread
            assert torch.allclose(step.log_variance[k, :, 0, point].exp(), best, rtol=0.04)


def test_ancestral_sampling_draws_the_mixture():
    diffusion, noise = GaussianDiffusion(linear_betas(100)), SampleNoise([0])
    x_T = noise((2, 1, 20_000))

    def denoise(x_t, t):
        return diffusion.predict(MIXTURE.output(x_t, t, diffusion, 0), x_t, t, clip=False)

    drawn = last(sample_ddpm(denoise, diffusion, x_T, 100, noise=noise))[0, :, 0].mT.double()
    share = MIXTURE.explain(drawn, 1.0, 0).log_joint.softmax(1).mean(0)
    assert torch.allclose(share, torch.tensor([5 / 7, 2 / 7, 0]).double(), atol=0.02)
    truth = MIXTURE.sample(20_000, 0)[0]
    assert torch.allclose(drawn.T.cov(), truth.T.cov(), atol=0.02)


def test_samples_have_the_weights_means_and_spreads_of_their_components():
    points, which = MIXTURE.sample(60_000)
    for k in range(3):
        own = points[which == k]
        assert len(own) / 60_000 == pytest.approx(WEIGHTS[k].item(), abs=0.01)
        assert torch.allclose(own.mean(0), MEANS[k].double(), atol=0.01)
        assert torch.allclose(own.T.cov(), COVARIANCES[k].double(), atol=0.005)
    assert set(LABELS[MIXTURE.sample(100, 1)[1]].tolist()) == {1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": torch.tensor([0.5, 0.0, 0.5])}, "weights must be positive"),
        ({"weights": torch.ones(2)}, "expected weights, covariances and labels of shapes"),
        ({"covariances": -COVARIANCES}, "covariances must be positive definite"),
    ],
)
def test_what_is_no_mixture_is_told(change, message):
    given = {"weights": WEIGHTS, "means": MEANS, "covariances": COVARIANCES, "labels": LABELS} | change
    with pytest.raises(ValueError, match=message):
        LabelledMixture(given["weights"], given["means"], given["covariances"], given["labels"])


def test_an_unknown_label_is_told():
    with pytest.raises(ValueError, match="label must be one of"):
        MIXTURE.score(torch.zeros(1, 2), 0.5, 2)
