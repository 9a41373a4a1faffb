"""The guided denoiser: plain guidance is the package's own, methods keep to their interval, images are finished."""

from functools import partial

import pytest
import torch
from networks import TINY, randomised, tiny_inputs

from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.guidance import denoiser
from sdm_lite.guiders import annealed, apg, cfg, clipped, dynamic_thresholding, extrapolation, guided, rescale, tcfg


@pytest.fixture(scope="module")
def unet():
    return randomised(TINY)


@pytest.fixture(scope="module")
def diffusion():
    return DiffusionConfig("cosine", 1000, "v").build()


def at(x_t, t):
    return torch.full((len(x_t),), t)


def test_plain_guidance_is_that_of_the_package(unet, diffusion):
    x_t, _, condition = tiny_inputs()
    for t in (1000, 500, 20):
        ours, plain = (make(unet, diffusion, condition, 2.5)(x_t, at(x_t, t)) for make in (guided, denoiser))
        torch.testing.assert_close(ours.x0, plain.x0, atol=1e-5, rtol=0)
        torch.testing.assert_close(ours.variance_fraction, plain.variance_fraction, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", [cfg, apg, rescale, tcfg, annealed])
def test_outside_of_the_interval_every_method_is_the_plain_prediction(unet, diffusion, method):
    x_t, _, condition = tiny_inputs()
    plain = denoiser(unet, diffusion, condition)
    draw = guided(unet, diffusion, condition, 3.0, method=method, guidance_interval=(200, 800))
    for t, same in ((801, True), (800, False), (200, False), (199, True)):
        one = torch.allclose(draw(x_t, at(x_t, t)).x0, plain(x_t, at(x_t, t)).x0, atol=1e-5)
        assert one == same, (method.__name__, t)


def test_autoguidance_takes_two_conditional_networks_and_no_null_label(unet, diffusion):
    x_t, _, condition = tiny_inputs()
    weak, t = randomised(TINY, seed=1), at(x_t, 400)
    main_x0, weak_x0 = (denoiser(one, diffusion, condition, clip=False)(x_t, t).x0 for one in (unet, weak))
    nowhere = partial(clipped, below=1)
    draw = guided(unet, diffusion, condition, 3.0, weak=weak, finish=nowhere)
    torch.testing.assert_close(draw(x_t, t).x0, weak_x0 + 3 * (main_x0 - weak_x0), atol=1e-4, rtol=0)


def test_the_excess_is_told_at_every_step(unet, diffusion):
    x_t, _, condition = tiny_inputs()
    seen = []
    for method in (cfg, partial(apg, eta=1.0, momentum=0.0, norm_threshold=1e9)):
        draw = guided(unet, diffusion, condition, 3.0, method=method, guidance_interval=(1, 800), on_excess=seen.append)
        for t in (900, 400):
            draw(x_t, at(x_t, t))
    assert [one.t for one in seen] == [900, 400, 900, 400]
    assert [one.mean for one in seen] == pytest.approx([0, 2, 0, 2], abs=1e-4)


def test_dynamic_thresholding_divides_by_a_quantile_and_only_where_it_exceeds_one():
    x0 = torch.linspace(-4, 4, 3 * 64).view(1, 3, 8, 8)
    finish, t = dynamic_thresholding(quantile=0.5), torch.tensor([5])
    torch.testing.assert_close(finish(x0, t), (x0 / x0.abs().median()).clamp(-1, 1), atol=0.02, rtol=0)
    small = 0.5 * torch.tanh(x0)
    assert torch.equal(finish(small, t), small)


def test_dynamic_thresholding_equals_diffusers_but_for_its_upper_bound():
    """diffusers lets m be no larger than sample_max_value, 1 by default, with which it is plain clipping."""
    diffusers = pytest.importorskip("diffusers")
    x0 = 2 * torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for most, same in ((100.0, True), (1.0, False)):
        peer = diffusers.DDIMScheduler(thresholding=True, dynamic_thresholding_ratio=0.9, sample_max_value=most)
        ours = dynamic_thresholding(quantile=0.9)(x0, torch.tensor([5, 5]))
        assert torch.allclose(peer._threshold_sample(x0.clone()), ours, atol=1e-5) == same


def test_extrapolation_is_recursive_before_its_threshold_and_starts_anew():
    finish, one = extrapolation(strength=0.8, quantile=1.0), torch.ones(1, 1, 1, 1)
    seen = [finish(value * one, torch.tensor([t])).item() for value, t in ((0.1, 900), (0.2, 600), (0.3, 300))]
    kept = 0.2 + 0.8 * (0.2 - 0.1)
    assert seen == pytest.approx([0.1, kept, 0.3 + 0.8 * (0.3 - kept)])
    assert finish(0.4 * one, torch.tensor([900])).item() == pytest.approx(0.4), "another trajectory"


def test_extrapolation_looks_ahead_444_thousandths_of_a_step():
    """Of an x0 that moves evenly: the fixed point of lead = 0.8 (1 - lead), 0.8 / 1.8."""
    finish, one = extrapolation(strength=0.8, quantile=1.0), torch.ones(1, 1, 1, 1)
    for i in range(40):
        x0 = (-0.5 + 0.01 * i) * one
        lead = (finish(x0, torch.tensor([900 - i])) - x0).item()
    assert lead / 0.01 == pytest.approx(0.8 / 1.8, abs=1e-3)
