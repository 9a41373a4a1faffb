"""Editing: the region is the change and its margin; outside of it the image comes back exactly."""

import pytest
import torch

from sdm_lite.diffusion import GaussianDiffusion, Prediction, linear_betas
from sdm_lite.edit import changed_region, keep_outside
from sdm_lite.sampling import SampleNoise, last, sample_ddim, sample_ddpm, sample_dpmpp_2m


@pytest.fixture
def diffusion():
    return GaussianDiffusion(linear_betas(1000))


def test_margin_by_hand():
    old = torch.zeros(1, 5, 6, dtype=torch.int64)
    new = old.clone()
    new[0, 1, 0] = 3
    by_hand = torch.tensor(
        [
            [1, 1, 0, 0, 0, 0],
            [1, 1, 0, 0, 0, 0],
            [1, 1, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
        ]
    )
    assert torch.equal(changed_region(old, new, margin=1)[0, 0], by_hand.bool())
    assert changed_region(old, new, margin=0).sum() == 1
    assert changed_region(old, new, margin=5).all()


def test_equal_maps_change_nothing():
    label_map = torch.randint(0, 5, (2, 8, 8))
    region = changed_region(label_map, label_map)
    assert region.shape == (2, 1, 8, 8) and region.dtype == torch.bool and not region.any()


@pytest.mark.parametrize(
    "old, new, margin, message",
    [
        (torch.zeros(1, 4, 4), torch.zeros(1, 4, 5), 1, "one shape"),
        (torch.zeros(4, 4), torch.zeros(4, 4), 1, "label_map\\[None\\]"),
        (torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), -1, "margin >= 0"),
    ],
)
def test_bad_maps(old, new, margin, message):
    with pytest.raises(ValueError, match=message):
        changed_region(old.long(), new.long(), margin=margin)


def test_at_the_end_the_outside_is_the_image_exactly(diffusion):
    torch.manual_seed(0)
    image, noise, x_s = torch.rand(2, 3, 8, 8) * 2 - 1, torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    region = torch.rand(2, 1, 8, 8) < 0.5
    kept = keep_outside(diffusion, image, region, noise)(x_s, torch.zeros(2, dtype=torch.int64))
    inside = region.expand_as(image)
    assert torch.equal(kept[~inside], image[~inside])
    assert torch.equal(kept[inside], x_s[inside])


def test_an_empty_region_gives_the_image_back(diffusion):
    image, noise = torch.rand(1, 3, 8, 8) * 2 - 1, torch.randn(1, 3, 8, 8)
    region = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    project = keep_outside(diffusion, image, region, noise)
    assert torch.equal(project(torch.randn(1, 3, 8, 8), torch.tensor([0])), image)


def test_on_the_way_the_outside_has_the_noise_of_its_timestep(diffusion):
    torch.manual_seed(1)
    image, noise = torch.rand(2, 3, 8, 8) * 2 - 1, torch.randn(2, 3, 8, 8)
    project = keep_outside(diffusion, image, torch.zeros(2, 1, 8, 8, dtype=torch.bool), noise)
    betas = linear_betas(1000)
    for s in (1, 400, 1000):
        alpha_bar = torch.prod(1 - betas[:s])
        by_hand = alpha_bar.sqrt() * image.double() + (1 - alpha_bar).sqrt() * noise.double()
        kept = project(torch.zeros(2, 3, 8, 8), torch.full((2,), s))
        torch.testing.assert_close(kept.double(), by_hand, rtol=1e-5, atol=1e-5)


def test_shapes_that_do_not_fit(diffusion):
    image, region = torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    with pytest.raises(ValueError, match="one shape"):
        keep_outside(diffusion, image, region, torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="bool region of shape \\(2, 1, 8, 8\\)"):
        keep_outside(diffusion, image, region[:, 0], image)
    with pytest.raises(ValueError, match="changed_region"):
        keep_outside(diffusion, image, region.float(), image)


def grey_denoiser(diffusion):
    """Says that every image is a flat grey, so that what a sampler draws freely is grey."""

    def denoise(x_t, t):
        x0 = torch.full_like(x_t, 0.25)
        return Prediction(diffusion.eps_from_x0(x0, x_t, t), x0, torch.zeros_like(x_t))

    return denoise


@pytest.mark.parametrize("sample", [sample_ddpm, sample_ddim, sample_dpmpp_2m])
def test_every_sampler_redraws_the_region_and_nothing_else(diffusion, sample):
    noise = SampleNoise([0, 1])
    x_T = noise((3, 8, 8))
    image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(2)) * 2 - 1
    region = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    region[..., 2:6, 3:7] = True
    arguments = (noise,) if sample is sample_ddpm else ()
    project = keep_outside(diffusion, image, region, x_T)
    edited = last(sample(grey_denoiser(diffusion), diffusion, x_T, 10, *arguments, project=project))
    inside = region.expand_as(image)
    assert torch.equal(edited[~inside], image[~inside])
    torch.testing.assert_close(edited[inside], torch.full_like(edited[inside], 0.25), atol=1e-3, rtol=0)
