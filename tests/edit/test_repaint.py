"""Editing: the region is the change and its margin; outside of it the image comes back exactly; resampling helps."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import default_collate

from sdm_lite.diffusion import GaussianDiffusion, Prediction, linear_betas
from sdm_lite.edit import changed_region, keep_outside, q_between, repaint_pairs, sample_repaint, seam
from sdm_lite.labels import encode_labels
from sdm_lite.sampling import SampleNoise, last, sample_ddim, sample_ddpm, sample_dpmpp_2m, timestep_pairs
from sdm_lite.scenes import Scenes
from sdm_lite.scenes.edits import known_edits


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
    image, noise, x_r = torch.rand(2, 3, 8, 8) * 2 - 1, torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    region = torch.rand(2, 1, 8, 8) < 0.5
    kept = keep_outside(diffusion, image, region, noise)(x_r, torch.zeros(2, dtype=torch.int64))
    inside = region.expand_as(image)
    assert torch.equal(kept[~inside], image[~inside])
    assert torch.equal(kept[inside], x_r[inside])


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
    for r in (1, 400, 1000):
        alpha_bar = torch.prod(1 - betas[:r])
        by_hand = alpha_bar.sqrt() * image.double() + (1 - alpha_bar).sqrt() * noise.double()
        kept = project(torch.zeros(2, 3, 8, 8), torch.full((2,), r))
        torch.testing.assert_close(kept.double(), by_hand, rtol=1e-5, atol=1e-5)


def test_new_noise_is_new_at_every_step_and_each_sample_has_its_own(diffusion):
    image, nowhere = torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    time = torch.full((2,), 1000)
    project = keep_outside(diffusion, image, nowhere, SampleNoise([5, 6]))
    first, second = project(image, time), project(image, time)
    assert first.std() > 0.9 and (first - second).abs().mean() > 0.5
    alone = keep_outside(diffusion, image[:1], nowhere[:1], SampleNoise([6]))
    assert torch.equal(alone(image[:1], time[:1])[0], first[1])


def test_shapes_that_do_not_fit(diffusion):
    image, region = torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    with pytest.raises(ValueError, match="one shape"):
        keep_outside(diffusion, image, region, torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="\\(2, 3, 8, 8\\) and \\(3, 3, 8, 8\\)"):
        keep_outside(diffusion, image, region, SampleNoise([0, 1, 2]))
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


@pytest.mark.parametrize("sample", [sample_ddpm, sample_ddim, sample_dpmpp_2m, sample_repaint])
@pytest.mark.parametrize("thing", ["house", "car"])
@pytest.mark.parametrize("new_noise", [False, True])
def test_every_sampler_redraws_the_region_and_nothing_else(diffusion, sample, thing, new_noise):
    edits = [edit for edit, _ in zip(known_edits(Scenes(16, seed=1), thing, min_pixels=6), range(3), strict=False)]
    image, old, _ = default_collate([edit.with_thing for edit in edits])
    region = changed_region(old, default_collate([edit.without for edit in edits])[1], margin=1)
    noise = SampleNoise([0, 1, 2])
    x_T = noise((3, 16, 16))
    project = keep_outside(diffusion, image, region, noise if new_noise else x_T)
    edited = last(sample(grey_denoiser(diffusion), diffusion, x_T, 10, noise=noise, project=project))
    inside = region.expand_as(image)
    assert inside.any() and not inside.all()
    assert torch.equal(edited[~inside], image[~inside])
    torch.testing.assert_close(edited[inside], torch.full_like(edited[inside], 0.25), atol=1e-3, rtol=0)


@pytest.mark.parametrize("sample", [sample_ddpm, sample_ddim, sample_dpmpp_2m, sample_repaint])
def test_the_network_always_sees_surroundings_that_fit(diffusion, sample):
    noise, seen = SampleNoise([0, 1]), []
    x_T, image, region = noise((3, 8, 8)), torch.rand(2, 3, 8, 8) * 2 - 1, torch.rand(2, 1, 8, 8) < 0.5
    grey = grey_denoiser(diffusion)

    def denoise(x_t, t):
        seen.append((x_t, t))
        return grey(x_t, t)

    last(sample(denoise, diffusion, x_T, 10, noise=noise, project=keep_outside(diffusion, image, region, x_T)))
    outside = ~region.expand_as(image)
    for x_t, t in seen[1:]:  # after a jump back into the noise too
        assert torch.equal(x_t[outside], diffusion.q_sample(image, t, x_T)[outside])


def test_outside_of_the_region_the_condition_is_the_old_one():
    """Edges of instances included, also where one house hides another and the label of a pixel stays."""
    labels_were_not_enough = False
    for edit, _ in zip(known_edits(Scenes(32, seed=1), "house"), range(12), strict=False):
        _, maps, instances = default_collate([edit.with_thing, edit.without])
        condition = encode_labels(maps, Scenes.num_classes, instances)
        changed = (condition[0] != condition[1]).any(0)
        assert torch.equal(changed_region(condition[:1], condition[1:], margin=0)[0, 0], changed)
        labels_were_not_enough |= bool((changed & ~changed_region(maps[:1], maps[1:], margin=1)[0, 0]).any())
    assert labels_were_not_enough, "otherwise the edges were not tested"


def test_objects_that_change_without_their_labels_are_found_by_their_edges():
    one, two = torch.zeros(2, 1, 4, 4, dtype=torch.int64)
    two[..., 2:] = 1  # one car becomes two
    conditions = [encode_labels(torch.full_like(one, 9), 11, instances) for instances in (one, two)]
    assert torch.equal(changed_region(*conditions, margin=0)[0, 0].any(0), torch.tensor([False, True, True, False]))


def test_resampled_moves_by_hand():
    assert repaint_pairs(100, 4, jump_length=2, num_resamples=2) == [
        (100, 75), (75, 50), (50, 100), (100, 75), (75, 50),
        (50, 25), (25, 0), (0, 50), (50, 25), (25, 0),
    ]  # fmt: skip
    assert repaint_pairs(100, 4, jump_length=3, num_resamples=1) == timestep_pairs(100, 4)


@given(st.data(), st.integers(1, 1000), st.integers(1, 12), st.integers(1, 5))
def test_moves_are_connected_and_cost_what_is_said(data, num_timesteps, jump_length, num_resamples):
    num_steps = data.draw(st.integers(1, min(num_timesteps, 60)))
    moves = repaint_pairs(num_timesteps, num_steps, jump_length=jump_length, num_resamples=num_resamples)
    assert moves[0][0] == num_timesteps and moves[-1][1] == 0
    assert all(before[1] == after[0] for before, after in zip(moves, moves[1:], strict=False))
    steps = [(t, r) for t, r in moves if r < t]
    assert len(steps) == num_steps * num_resamples and set(steps) == set(timestep_pairs(num_timesteps, num_steps))


@pytest.mark.parametrize("wrong", [{"jump_length": 0}, {"num_resamples": 0}])
def test_numbers_out_of_range_are_told_before_the_first_step(diffusion, wrong):
    noise = SampleNoise([0])
    with pytest.raises(ValueError, match="at least 1"):
        sample_repaint(grey_denoiser(diffusion), diffusion, noise((3, 8, 8)), 5, noise=noise, **wrong)
    with pytest.raises(ValueError, match="num_steps"):
        sample_repaint(grey_denoiser(diffusion), diffusion, noise((3, 8, 8)), 0, noise=noise)


def test_a_jump_undoes_nothing_but_the_noise_level(diffusion):
    """Noise up to t and then up to r is noise up to r: signal and noise have the weights of r."""
    one, zero = torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)
    for now, then in ((0, 300), (10, 11), (200, 1000)):
        t, r = torch.tensor([now]), torch.tensor([then])
        of_x0 = q_between(diffusion, diffusion.q_sample(one, t, zero), t, r, zero)
        of_old, of_new = (
            q_between(diffusion, diffusion.q_sample(zero, t, one), t, r, zero),
            q_between(diffusion, zero, t, r, one),
        )
        signal, sigma = diffusion.signal_and_noise(r)
        torch.testing.assert_close(of_x0, signal.expand_as(one))
        torch.testing.assert_close(of_old**2 + of_new**2, (sigma**2).expand_as(one))
        assert (of_new > 0).all() and (of_old >= 0).all()


def pair_denoiser(diffusion, correlation):
    """The best prediction for two pixels side by side, normal with variance 1 and a correlation."""
    spread = torch.tensor([1 + correlation, 1 - correlation])  # variances of sum and difference, each by sqrt(2)

    def denoise(x_t, t):
        signal, sigma = diffusion.signal_and_noise(t)
        turned = torch.stack([x_t[..., 0] + x_t[..., 1], x_t[..., 0] - x_t[..., 1]], dim=-1) / math.sqrt(2)
        best = signal * spread / (signal**2 * spread + sigma**2) * turned
        x0 = torch.stack([best[..., 0] + best[..., 1], best[..., 0] - best[..., 1]], dim=-1) / math.sqrt(2)
        return Prediction(diffusion.eps_from_x0(x0, x_t, t), x0, torch.ones_like(x_t))

    return denoise


def redrawn_pixel(diffusion, num_steps, num_resamples, num_samples=4000):
    """The left pixel of many pairs whose right one is known to be 1: (3, num_samples)."""
    noise = SampleNoise([0])
    x_T = noise((3, num_samples, 2))
    image, region = torch.ones_like(x_T), torch.zeros(1, 1, num_samples, 2, dtype=torch.bool)
    region[..., 0] = True
    project = keep_outside(diffusion, image, region, x_T)
    arguments = {"noise": noise, "project": project, "num_resamples": num_resamples}
    return last(sample_repaint(pair_denoiser(diffusion, 0.9), diffusion, x_T, num_steps, **arguments))[0, ..., 0]


def test_resampling_comes_nearer_to_the_known_conditional_distribution(diffusion):
    """Of two pixels with correlation 0.9, the left one given that the right one is 1: mean 0.9, variance 0.19."""
    once, often = (redrawn_pixel(diffusion, 50, num_resamples) for num_resamples in (1, 8))
    assert abs(often.mean() - 0.9) < abs(once.mean() - 0.9) / 2
    assert abs(often.var() - 0.19) < abs(once.var() - 0.19) / 2


def test_without_jumps_resampling_is_ancestral_sampling_bit_for_bit(diffusion):
    image, region = torch.rand(2, 3, 8, 8) * 2 - 1, torch.rand(2, 1, 8, 8) < 0.5
    results = []
    for sample, options in ((sample_ddpm, {}), (sample_repaint, {"num_resamples": 1, "jump_length": 3})):
        noise = SampleNoise([3, 4])
        x_T = noise((3, 8, 8))
        project = keep_outside(diffusion, image, region, x_T)
        steps = list(sample(grey_denoiser(diffusion), diffusion, x_T, 12, noise=noise, project=project, **options))
        results.append([(step.t, step.x_t, step.x0) for step in steps])
    for (t, *tensors), (other_t, *others) in zip(*results, strict=True):
        assert t == other_t and all(torch.equal(a, b) for a, b in zip(tensors, others, strict=True))


def test_seam_by_hand():
    image = torch.zeros(1, 3, 3, 4)
    region = torch.zeros(1, 1, 3, 4, dtype=torch.bool)
    region[..., :2, :2] = True
    image[..., :2, :2] = 0.5  # four pairs across the border, each a step of 0.5
    assert seam(image, region).tolist() == [0.5]
    image[0, 0, 2, 1] = 0.9  # one channel of one pair: a step of 0.4 in the place of 0.5
    torch.testing.assert_close(seam(image, region), torch.tensor([(0.5 * 12 - 0.1) / 12]))
    image[..., 0, 0] = 7  # inside, at no border
    torch.testing.assert_close(seam(image, region), torch.tensor([(0.5 * 12 - 0.1) / 12]))


def test_a_seam_needs_a_border():
    image, region = torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    region[0, ..., 0] = True
    with pytest.raises(ValueError, match="sample 1 .* no border"):
        seam(image, region)
    with pytest.raises(ValueError, match="bool region"):
        seam(image, region.float())
