"""Guidance is Algorithm 2, bit for bit what two full passes give, and a sample does not depend on its batch."""

import pytest
import torch
from networks import TINY, randomised, tiny_inputs

from sdm_lite.diffusion import DiffusionConfig, GaussianDiffusion, linear_betas
from sdm_lite.guidance import check_guidance_interval, decodes_faster_together, denoiser, guide
from sdm_lite.labels import encode_labels, null_like
from sdm_lite.presets import PRESETS
from sdm_lite.sampling import SampleNoise, last, sample_ddim


@pytest.fixture(scope="module")
def unet():
    return randomised(TINY)


@pytest.fixture(scope="module")
def diffusion():
    return GaussianDiffusion(linear_betas())


@pytest.mark.parametrize("batch", [1, 2, 3, 8])
@pytest.mark.parametrize("scale", [0.5, 1.5, 3.0])
def test_one_encode_and_two_decodes_equal_two_full_forwards_bit_for_bit(unet, diffusion, scale, batch):
    x_t, t, condition = tiny_inputs(batch)
    with torch.no_grad():
        full = guide(unet(x_t, t, condition), unet(x_t, t, null_like(condition)), scale)
        expected = diffusion.predict(full, x_t, t)
    got = denoiser(unet, diffusion, condition, scale, decode_together=False)(x_t, t)
    for ours, theirs in zip(got, expected, strict=True):
        assert torch.equal(ours, theirs)


def test_scale_one_is_the_network_and_zero_ignores_the_labels(unet, diffusion):
    x_t, t, condition = tiny_inputs()
    with torch.no_grad():
        plain = diffusion.predict(unet(x_t, t, condition), x_t, t)
        null = diffusion.predict(unet(x_t, t, null_like(condition)), x_t, t)
    assert torch.equal(denoiser(unet, diffusion, condition)(x_t, t).eps, plain.eps)
    assert torch.equal(denoiser(unet, diffusion, condition, 0.0)(x_t, t).eps, null.eps)
    other = denoiser(unet, diffusion, condition.flip(0), 0.0)(x_t, t)
    assert torch.equal(other.eps, null.eps)


def test_guided_noise_is_algorithm_2_and_the_variance_the_conditional_one_s(unet, diffusion):
    x_t, t, condition = tiny_inputs()
    cond = denoiser(unet, diffusion, condition, 1.0)(x_t, t)
    null = denoiser(unet, diffusion, condition, 0.0)(x_t, t)
    guided = denoiser(unet, diffusion, condition, 2.5)(x_t, t)
    torch.testing.assert_close(guided.eps, null.eps + 2.5 * (cond.eps - null.eps), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(guided.variance_fraction, cond.variance_fraction, rtol=1e-5, atol=1e-6)


def test_guiding_v_is_guiding_eps(unet):
    """The weights of the two branches sum to 1, so that the x_t that both contain does not change."""
    diffusion = DiffusionConfig("linear", 1000, "v").build()
    x_t, t, condition = tiny_inputs()
    cond, null, guided = (denoiser(unet, diffusion, condition, s)(x_t, t).eps for s in (1.0, 0.0, 3.0))
    torch.testing.assert_close(guided, null + 3 * (cond - null), rtol=1e-4, atol=1e-5)


def test_one_label_map_serves_many_samples(unet, diffusion):
    x_t, t, condition = tiny_inputs(batch=3)
    shared = denoiser(unet, diffusion, condition[:1], 1.5)(x_t, t)
    each = denoiser(unet, diffusion, condition[:1].expand(3, -1, -1, -1), 1.5)(x_t, t)
    torch.testing.assert_close(shared.eps, each.eps, rtol=0, atol=1e-5)


def test_a_sample_does_not_depend_on_its_batch(unet, diffusion):
    condition = tiny_inputs(batch=3)[2]

    def draw(chosen):
        x_T = SampleNoise([10 + i for i in chosen])((3, 16, 16))
        return last(sample_ddim(denoiser(unet, diffusion, condition[chosen], 1.5), diffusion, x_T, 5))

    torch.testing.assert_close(draw([0, 1, 2])[1:2], draw([1]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 4])
def test_bit_for_bit_at_the_shipped_size_too(batch):
    unet, diffusion = randomised(PRESETS["scenes-32"]), DiffusionConfig("cosine", 1000, "v").build()
    generator = torch.Generator().manual_seed(0)
    x_t = torch.randn(batch, 3, 32, 32, generator=generator)
    label_map = torch.randint(0, 11, (batch, 32, 32), generator=generator)
    condition, t = encode_labels(label_map, 11, label_map), torch.arange(1, batch + 1) * 200
    with torch.no_grad():
        expected = guide(unet(x_t, t, condition), unet(x_t, t, null_like(condition)), 1.5)
    got = denoiser(unet, diffusion, condition, 1.5, decode_together=False)(x_t, t)
    assert torch.equal(got.eps, diffusion.predict(expected, x_t, t).eps)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.0])
def test_outside_of_its_interval_guidance_pushes_nothing_beyond_the_plain_prediction(unet, diffusion, scale):
    x_t, _, condition = tiny_inputs()
    guided, plain = (denoiser(unet, diffusion, condition, s) for s in (scale, min(scale, 1.0)))
    limited = denoiser(unet, diffusion, condition, scale, guidance_interval=(200, 800))
    for timestep, same in ((1, plain), (199, plain), (200, guided), (800, guided), (801, plain)):
        t = torch.full((len(x_t),), timestep)
        torch.testing.assert_close(limited(x_t, t).eps, same(x_t, t).eps, rtol=0, atol=1e-6)
    for interval in ((0, 10), (20, 10), (1, 1001), (5,)):
        with pytest.raises(ValueError, match="guidance_interval must be"):
            denoiser(unet, diffusion, condition, scale, guidance_interval=interval)


@pytest.mark.parametrize("shared", [False, True])
def test_both_branches_can_be_decoded_in_one_batch(unet, diffusion, shared):
    x_t, t, condition = tiny_inputs(batch=3)
    condition = condition[:1] if shared else condition
    apart, together = (denoiser(unet, diffusion, condition, 2.0, decode_together=one)(x_t, t) for one in (False, True))
    torch.testing.assert_close(together.eps, apart.eps, rtol=0, atol=1e-5)
    torch.testing.assert_close(together.variance_fraction, apart.variance_fraction, rtol=0, atol=1e-5)


def test_small_images_are_decoded_together_whatever_the_batch():
    for batch in (1, 300):
        assert decodes_faster_together(torch.zeros(batch, 1, 64, 64))
        assert not decodes_faster_together(torch.zeros(batch, 1, 128, 128))


def test_the_image_is_clipped_unless_it_is_asked_for_as_it_is(unet, diffusion):
    x_t, t, condition = tiny_inputs()
    clipped, whole = (denoiser(unet, diffusion, condition, 1.5, clip=clip)(x_t, t) for clip in (True, False))
    assert whole.x0.abs().max() > 1 and torch.equal(clipped.x0, whole.x0.clamp(-1, 1))
    assert torch.equal(clipped.eps, whole.eps)


@pytest.mark.parametrize("scale", [-0.1, float("nan"), float("inf"), "much", None])
def test_a_scale_that_means_nothing_is_told_before_any_work(unet, diffusion, scale):
    with pytest.raises(ValueError, match="guidance_scale must be a finite number >= 0"):
        denoiser(unet, diffusion, tiny_inputs()[2], scale)


def test_a_label_map_of_another_size_or_batch_is_told(unet, diffusion):
    x_t, t, condition = tiny_inputs()
    with pytest.raises(ValueError, match="do not go together"):
        denoiser(unet, diffusion, condition[:, :, :8, :8])(x_t, t)
    with pytest.raises(ValueError, match="do not go together"):
        denoiser(unet, diffusion, torch.cat([condition, condition]))(x_t, t)


def test_null_label_is_not_a_class():
    assert null_like(encode_labels(torch.zeros(1, 2, 2, dtype=torch.long), 3)).sum() == 0


@pytest.mark.parametrize("interval", [5, (5,), (1, 2, 3), ("a", "b"), None, 2.5])
def test_what_is_no_interval_is_told_in_one_line(interval):
    with pytest.raises(
        ValueError, match=r"guidance_interval must be \(first, last\) with 1 <= first <= last <= 50, got"
    ):
        check_guidance_interval(interval, 50)
