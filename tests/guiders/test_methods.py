"""Guidance methods against diffusers' guiders where those are right, against the papers' steps where they are not."""

import math
import sys

import pytest
import torch

from sdm_lite.diffusion import DiffusionConfig, Prediction
from sdm_lite.guiders import Pair, annealed, apg, cfg, cfg_plus_plus, cfg_zero_star, guided, rescale, tcfg
from sdm_lite.guiders.methods import velocity, x0_of_velocity
from sdm_lite.sampling import last, sample_ddim
from sdm_lite.timesteps import trailing

METHODS = (cfg, apg, cfg_zero_star, rescale, tcfg, annealed)


@pytest.fixture(scope="module")
def diffusion():
    return DiffusionConfig("cosine", 1000, "v").build()


def prediction_of(diffusion, x0, x_t, t):
    return Prediction(diffusion.eps_from_x0(x0, x_t, t), x0, torch.zeros_like(x0))


def pair_at(diffusion, t=400, seed=0, shared=0.5):
    """Two predictions that agree with one x_t, as two branches of a network do; c and n have `shared` in common."""
    x_t, common, one, two = torch.randn(4, 2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    times = torch.full((2,), t)
    x0s = [
        x0_of_velocity(diffusion, shared * common + (1 - shared) * own, Pair(None, None, x_t, times))
        for own in (one, two)
    ]
    return Pair(*(prediction_of(diffusion, x0, x_t, times) for x0 in x0s), x_t, times)


def velocities(diffusion, pair):
    return [velocity(diffusion, one, pair.t) for one in (pair.conditional, pair.other)]


def guider(name, **settings):
    guiders = pytest.importorskip("diffusers.guiders", reason="this diffusers has no guiders: nothing to compare with")
    if not hasattr(guiders, name):
        pytest.skip(f"this diffusers has no {name}")
    peer = getattr(guiders, name)(**settings)
    peer._step, peer._num_inference_steps = 1, 10
    return peer


@pytest.mark.parametrize("method", METHODS)
def test_at_scale_one_every_method_is_the_plain_prediction(diffusion, method):
    pair = pair_at(diffusion)
    guide = method(diffusion, zero_init_steps=0) if method is cfg_zero_star else method(diffusion)
    torch.testing.assert_close(guide(pair, 1.0), pair.conditional.x0, atol=1e-5, rtol=0)


def test_cfg_is_the_line_of_algorithm_2_in_eps(diffusion):
    pair = pair_at(diffusion)
    expected = diffusion.x0_from_eps(pair.other.eps + 3 * (pair.conditional.eps - pair.other.eps), pair.x_t, pair.t)
    torch.testing.assert_close(cfg(diffusion)(pair, 3.0), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("threshold", [3.0, 1e6])
@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_apg_equals_diffusers_where_it_is_told_to_start_from_c(diffusion, eta, threshold):
    """Its own base is n, which does not tend to c at s = 1: right is c + (s - 1) update, its other formulation."""
    settings = {"eta": eta, "adaptive_projected_guidance_rescale": threshold, "use_original_formulation": True}
    peer = guider("AdaptiveProjectedGuidance", guidance_scale=2.0, **settings)
    peer.momentum_buffer = sys.modules[type(peer).__module__].MomentumBuffer(-0.5)
    guide = apg(diffusion, eta=eta, momentum=-0.5, norm_threshold=threshold)
    for t, seed in ((800, 1), (400, 2), (100, 3)):
        pair = pair_at(diffusion, t, seed)
        expected = peer.forward(pair.conditional.x0, pair.other.x0).pred
        torch.testing.assert_close(guide(pair, 3.0), expected, atol=1e-4, rtol=0)


def test_diffusers_apg_as_it_comes_is_not_the_plain_prediction_at_scale_one(diffusion):
    pair = pair_at(diffusion)
    peer = guider("AdaptiveProjectedGuidance", guidance_scale=1.0 + 1e-6, eta=0.0)
    assert (peer.forward(pair.conditional.x0, pair.other.x0).pred - pair.conditional.x0).abs().max() > 0.05
    torch.testing.assert_close(apg(diffusion)(pair, 1.0 + 1e-6), pair.conditional.x0, atol=1e-4, rtol=0)


def test_apg_pushes_across_the_prediction_no_farther_than_its_threshold(diffusion):
    pair = pair_at(diffusion)
    push = apg(diffusion, eta=0.0, norm_threshold=2.0)(pair, 2.0) - pair.conditional.x0
    along = (push * pair.conditional.x0).flatten(1).sum(1)
    torch.testing.assert_close(along, torch.zeros(2), atol=1e-3, rtol=0)
    assert (push.flatten(1).norm(dim=1) <= 2.0 + 1e-4).all() and push.abs().max() > 0.01


def test_momentum_is_of_this_trajectory_alone(diffusion):
    high, low = pair_at(diffusion, 800, 1), pair_at(diffusion, 400, 2)
    guide = apg(diffusion)
    first, second, again = (guide(one, 3.0) for one in (high, low, high))
    assert torch.equal(first, again), "a new trajectory remembers the old one"
    assert not torch.allclose(second, apg(diffusion)(low, 3.0), atol=1e-2), "no momentum"


def log_snr(diffusion, t):
    return -0.5 * torch.log(torch.expm1(-diffusion.log_alpha_bar(torch.tensor([t])).double())).item()


@pytest.mark.parametrize("num_steps", [5, 10])
def test_cfg_plus_plus_is_the_published_algorithm(diffusion, num_steps):
    """x_0 of n + lambda (c - n), noised again with n's noise: written out, not clipped, against DDIM with s(t, r)."""
    grid, share = trailing(diffusion, num_steps), 0.4
    steps = list(zip(grid, [*grid[1:], 0], strict=True))

    def both(x, t):
        return torch.tanh(x) * torch.cos(t / 500).view(-1, 1, 1, 1), torch.sin(2 * x)  # x0 of c, of n

    x = expected = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for now, then in steps:
        t, r = torch.full((2,), now), torch.full((2,), then)
        c, n = both(expected, t)
        expected = diffusion.q_sample(n + share * (c - n), r, diffusion.eps_from_x0(n, expected, t))
    largest = max(1 / (1 - math.exp(log_snr(diffusion, t) - log_snr(diffusion, r))) for t, r in steps if r)
    guide = cfg_plus_plus(diffusion, timesteps=grid)

    def denoise(x_t, t):
        x0 = guide(Pair(*(prediction_of(diffusion, x0, x_t, t) for x0 in both(x_t, t)), x_t, t), share * largest)
        return Prediction(x0, x0, x0)

    torch.testing.assert_close(last(sample_ddim(denoise, diffusion, x, num_steps)), expected, atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match=r"CFG\+\+ has scales up to"):
        guide(pair_at(diffusion, grid[0]), largest + 0.1)


def test_cfg_zero_star_equals_diffusers_in_the_velocity_of_flow_matching(diffusion):
    pair = pair_at(diffusion)
    peer = guider("ClassifierFreeZeroStarGuidance", guidance_scale=3.0, zero_init_steps=0)
    c, n = (one.eps - one.x0 for one in (pair.conditional, pair.other))
    a, g = diffusion.signal_and_noise(pair.t)
    expected = (pair.x_t - g * peer.forward(c, n).pred) / (a + g)
    torch.testing.assert_close(cfg_zero_star(diffusion, zero_init_steps=0)(pair, 3.0), expected, atol=1e-4, rtol=0)


def test_a_velocity_of_zero_leaves_the_picture_where_it_is_in_flow_coordinates(diffusion):
    """diffusers zeroes the network's output instead, whatever it means; of eps that would be x_r = a_r / a_t x_t."""
    guide, pair, next_pair = cfg_zero_star(diffusion), pair_at(diffusion, 1000), pair_at(diffusion, 960)
    x0 = guide(pair, 3.0)
    moved = diffusion.q_sample(x0, next_pair.t, diffusion.eps_from_x0(x0, pair.x_t, pair.t))
    (a_t, g_t), (a_r, g_r) = (diffusion.signal_and_noise(one.t) for one in (pair, next_pair))
    torch.testing.assert_close(moved / (a_r + g_r), pair.x_t / (a_t + g_t), atol=1e-5, rtol=0)
    assert not torch.allclose(guide(next_pair, 3.0), next_pair.x_t / (a_r + g_r), atol=0.1), "the first step alone"


def test_rescale_equals_diffusers_in_v(diffusion):
    pair = pair_at(diffusion)
    peer = guider("ClassifierFreeGuidance", guidance_scale=4.0, guidance_rescale=0.7)
    expected = x0_of_velocity(diffusion, peer.forward(*velocities(diffusion, pair)).pred, pair)
    torch.testing.assert_close(rescale(diffusion)(pair, 4.0), expected, atol=1e-4, rtol=0)


def test_tcfg_equals_diffusers_in_v(diffusion):
    pair = pair_at(diffusion)
    peer = guider("TangentialClassifierFreeGuidance", guidance_scale=4.0)
    expected = x0_of_velocity(diffusion, peer.forward(*velocities(diffusion, pair)).pred, pair)
    torch.testing.assert_close(tcfg(diffusion)(pair, 4.0), expected, atol=1e-3, rtol=0)


def test_tcfg_of_two_predictions_of_one_length_is_plain_guidance_of_half_the_excess(diffusion):
    pair = pair_at(diffusion, shared=0.9)
    c, n = velocities(diffusion, pair)
    n = n * (c.flatten(1).norm(dim=1) / n.flatten(1).norm(dim=1)).view(-1, 1, 1, 1)
    x0 = x0_of_velocity(diffusion, n, pair)
    pair = pair._replace(other=prediction_of(diffusion, x0, pair.x_t, pair.t))
    torch.testing.assert_close(tcfg(diffusion)(pair, 5.0), cfg(diffusion)(pair, 3.0), atol=1e-3, rtol=0)


def test_annealed_has_the_mean_of_plain_guidance_and_rises(diffusion):
    excess = []
    for t in range(995, 0, -10):
        pair = pair_at(diffusion, t)
        push, gone = pair.conditional.x0 - pair.other.x0, annealed(diffusion)(pair, 3.0) - pair.conditional.x0
        excess.append(((gone * push).sum() / (push * push).sum()).item())
    assert excess == sorted(excess) and sum(excess) / len(excess) == pytest.approx(2.0, abs=0.02)


def test_a_scale_below_one_is_told():
    with pytest.raises(ValueError, match=r"guidance_scale must be at least 1 here, got 0\.5"):
        guided(None, None, None, 0.5)
