"""Samplers against diffusers' schedulers, against known solutions, and their seeds."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from processes import processes

from sdm_lite.diffusion import GaussianDiffusion, Prediction, cosine_betas, linear_betas
from sdm_lite.edit import sample_repaint
from sdm_lite.sampling import SampleNoise, last, sample_ddim, sample_ddpm, sample_dpmpp_2m, timestep_pairs

STD = 0.5  # of the Gaussian data for which the best denoiser is known


def toy_output(x_t, t):
    """A made-up network: any smooth function of x_t and t will do, the two sides only have to share it."""
    phase = t.float().view(-1, 1, 1, 1) / 300
    return torch.cat([0.8 * x_t + 0.1 * torch.sin(3 * x_t + phase), torch.cos(2 * x_t + phase)], dim=1)


def toy_denoiser(diffusion, *, clip):
    return lambda x_t, t: diffusion.predict(toy_output(x_t, t), x_t, t, clip=clip)


def exact_denoiser(diffusion):
    """E[x_0 | x_t] for x_0 ~ N(0, STD^2)."""

    def denoise(x_t, t):
        signal, sigma = diffusion.signal_and_noise(t)
        x0 = signal * STD**2 / (signal**2 * STD**2 + sigma**2) * x_t
        return Prediction((x_t - signal * x0) / sigma, x0, torch.zeros_like(x_t))

    return denoise


def run_scheduler(scheduler, x, num_steps, **step_options):
    scheduler.set_timesteps(num_steps)
    for index in scheduler.timesteps:
        output = toy_output(x, torch.full((len(x),), int(index) + 1))
        x = scheduler.step(output, index, x, **step_options).prev_sample
    return x


@pytest.fixture
def diffusion():
    return GaussianDiffusion(linear_betas())


@pytest.fixture
def x_T():
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


SETTINGS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}


@pytest.mark.parametrize("num_steps", [10, 50])
def test_ddim_equals_diffusers(diffusion, x_T, num_steps):
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDIMScheduler(**SETTINGS, timestep_spacing="trailing", set_alpha_to_one=True, clip_sample=True)

    def step(output, index, x, **options):
        return peer_step(output[:, :3], index, x, use_clipped_model_output=True)

    peer_step, peer.step = peer.step, step
    expected = run_scheduler(peer, x_T, num_steps)
    got = last(sample_ddim(toy_denoiser(diffusion, clip=True), diffusion, x_T, num_steps))
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers, with numpy 2
@pytest.mark.parametrize("num_steps", [10, 50])
def test_dpmpp_2m_equals_diffusers(diffusion, x_T, num_steps):
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DPMSolverMultistepScheduler(
        **SETTINGS,
        timestep_spacing="trailing",
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
        lower_order_final=True,
        euler_at_final=True,
    )

    def step(output, index, x, **options):
        return peer_step(output[:, :3], index, x)

    peer_step, peer.step = peer.step, step
    expected = run_scheduler(peer, x_T, num_steps)
    got = last(sample_dpmpp_2m(toy_denoiser(diffusion, clip=False), diffusion, x_T, num_steps))
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)


def test_ancestral_equals_diffusers_with_the_same_noise(diffusion, x_T, monkeypatch):
    diffusers = pytest.importorskip("diffusers")
    scheduling = pytest.importorskip("diffusers.schedulers.scheduling_ddpm")
    peer = diffusers.DDPMScheduler(**SETTINGS, variance_type="learned_range", clip_sample=True)
    ours, theirs = SampleNoise([1, 2]), SampleNoise([1, 2])
    monkeypatch.setattr(scheduling, "randn_tensor", lambda shape, **_: theirs(shape[1:]))
    expected = run_scheduler(peer, x_T, 1000)
    got = last(sample_ddpm(toy_denoiser(diffusion, clip=True), diffusion, x_T, 1000, noise=ours))
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)


def error_at(sampler, num_steps, until):
    """How far a sampler is from the probability flow of Gaussian data, which only rescales x, at a given timestep."""
    diffusion = GaussianDiffusion(cosine_betas(4096))  # fine enough for many steps to be exact multiples
    diffusion.double()
    # The buffers are float32 pairs; in double their sum is exact, so that rounding hides no order.
    x_T = torch.ones(1, 3, 1, 1, dtype=torch.float64)

    def scale(t):
        signal, sigma = diffusion.signal_and_noise(torch.tensor([t]))
        return torch.sqrt(signal**2 * STD**2 + sigma**2).item()

    for step in sampler(exact_denoiser(diffusion), diffusion, x_T, num_steps):
        if step.t == until:
            return abs(step.x_t.flatten()[0].item() - scale(until) / scale(4096))
    raise AssertionError(f"the sampler never stood at t = {until}")


@pytest.mark.parametrize(("sampler", "order"), [(sample_ddim, 1), (sample_dpmpp_2m, 2)])
def test_order_of_convergence(sampler, order):
    errors = [error_at(sampler, num_steps, 1024) for num_steps in (64, 128, 256)]
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.3)


def test_ancestral_samples_have_the_data_s_variance():
    diffusion = GaussianDiffusion(linear_betas())
    noise = SampleNoise([0])
    x_T = noise((3, 100, 100))
    image = last(sample_ddpm(exact_denoiser(diffusion), diffusion, x_T, 1000, noise=noise))
    assert image.std().item() == pytest.approx(STD, rel=0.02)


def test_a_sample_depends_on_its_seed_alone(diffusion):
    def draw(seeds):
        noise = SampleNoise(seeds)
        x_T = noise((3, 8, 8))
        return last(sample_ddpm(toy_denoiser(diffusion, clip=True), diffusion, x_T, 20, noise=noise))

    together, alone = draw([5, 6, 7]), draw([6])
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 0.1


@pytest.mark.parametrize("sampler", [sample_ddim, sample_dpmpp_2m])
def test_steps_count_down_to_the_image(diffusion, x_T, sampler):
    steps = list(sampler(toy_denoiser(diffusion, clip=True), diffusion, x_T, 7))
    assert len(steps) == 7 and steps[-1].t == 0
    assert [step.t for step in steps] == sorted((step.t for step in steps), reverse=True)
    torch.testing.assert_close(steps[-1].x_t, steps[-1].x0, rtol=0, atol=1e-6)


def test_projection_is_applied_after_every_step(diffusion, x_T):
    seen = []

    def project(x, s):
        seen.append(int(s[0]))
        return torch.zeros_like(x) if s[0] == 0 else x

    image = last(sample_ddim(toy_denoiser(diffusion, clip=True), diffusion, x_T, 5, project=project))
    assert seen == [800, 600, 400, 200, 0] and image.abs().max() == 0


@pytest.mark.parametrize("num_steps", [0, -1, 1001, 2.5, True])
def test_a_wrong_number_of_steps_is_told_at_the_call(diffusion, x_T, num_steps):
    for sampler in (sample_ddim, sample_dpmpp_2m):
        with pytest.raises(ValueError, match=r"1\.\.1000"):
            sampler(toy_denoiser(diffusion, clip=True), diffusion, x_T, num_steps)
    with pytest.raises(ValueError, match=r"1\.\.1000"):
        sample_ddpm(toy_denoiser(diffusion, clip=True), diffusion, x_T, num_steps, noise=SampleNoise([0]))


@given(data=st.data(), num_timesteps=st.integers(1, 4000))
def test_pairs_cover_the_way_from_T_to_0(data, num_timesteps):
    num_steps = data.draw(st.integers(1, num_timesteps))
    pairs = timestep_pairs(num_timesteps, num_steps)
    assert len(pairs) == num_steps and pairs[0][0] == num_timesteps and pairs[-1][1] == 0
    assert all(t > r for t, r in pairs) and [r for _, r in pairs[:-1]] == [t for t, _ in pairs[1:]]
    strides = [t - s for t, s in pairs]
    assert max(strides) - min(strides) <= 1, "even, but for rounding"


@given(processes(), st.integers(0, 2**31), st.data())
def test_ddim_with_the_true_image_for_a_prediction_walks_along_one_noise(diffusion, seed, data):
    """Each x_r is what the forward process makes of the image and of the noise in x_T, whatever the steps."""
    x0, eps = torch.randn(2, 1, 3, 4, 4, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)
    num_steps = data.draw(st.integers(1, min(diffusion.num_timesteps, 20)))

    def denoise(x_t, t):
        return Prediction(diffusion.eps_from_x0(x0, x_t, t), x0, torch.zeros_like(x0))

    x_T = diffusion.q_sample(x0, torch.tensor([diffusion.num_timesteps]), eps)
    for step in sample_ddim(denoise, diffusion, x_T, num_steps):
        expected = diffusion.q_sample(x0, torch.tensor([step.t]), eps)
        torch.testing.assert_close(step.x_t, expected, atol=1e-4, rtol=0)


def test_no_seed_and_no_step_are_errors():
    with pytest.raises(ValueError, match="seed"):
        SampleNoise([])
    with pytest.raises(ValueError, match="no step"):
        last(iter(()))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_torch_would_cut_short_is_told(seed):
    with pytest.raises(ValueError, match=rf"seeds must lie in 0\.\.4294967295, got {seed}"):
        SampleNoise([0, seed])
    assert SampleNoise([0, 2**32 - 1])((3,)).shape == (2, 3)


@pytest.mark.parametrize("sampler", [sample_ddpm, sample_repaint])
def test_a_sampler_that_adds_noise_asks_for_it_before_the_first_step(diffusion, sampler):
    with pytest.raises(ValueError, match=f"{sampler.__name__} adds noise .* noise=SampleNoise"):
        sampler(toy_denoiser(diffusion, clip=True), diffusion, torch.zeros(1, 3, 4, 4), 5)


def test_a_sampler_that_adds_none_does_not_touch_the_stream(diffusion):
    for sampler in (sample_ddim, sample_dpmpp_2m):
        noise, untouched = SampleNoise([3]), SampleNoise([3])
        last(sampler(toy_denoiser(diffusion, clip=True), diffusion, torch.zeros(1, 3, 4, 4), 5, noise=noise))
        assert torch.equal(noise((3,)), untouched((3,)))
