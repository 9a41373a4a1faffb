"""The concatenation baseline: the SDM U-Net's own parts, labels at the input alone, two whole passes of guidance."""

import dataclasses

import pytest
import torch
from networks import LEAST, TINY, randomised, tiny_inputs

from sdm_lite.checkpoints import load_model, save_model
from sdm_lite.concat import ConcatUNet, make_unet
from sdm_lite.diffusion import DiffusionConfig, GaussianDiffusion, linear_betas
from sdm_lite.edit import sample_repaint
from sdm_lite.evaluate import SampleSettings, draw_samples
from sdm_lite.guidance import denoiser, guide
from sdm_lite.labels import null_like
from sdm_lite.presets import PRESETS, preset_name
from sdm_lite.sampling import SampleNoise, last, sample_ddim, sample_ddpm, sample_dpmpp_2m
from sdm_lite.spade import SPADE
from sdm_lite.unet import SDMUNet

CONCAT = dataclasses.replace(TINY, conditioning="concat")


@pytest.fixture(scope="module")
def unet():
    return randomised(CONCAT)


@pytest.fixture(scope="module")
def diffusion():
    return GaussianDiffusion(linear_betas())


def test_nothing_but_the_input_and_the_norms_of_middle_and_decoder_differs():
    ours, sdm = make_unet(CONCAT).state_dict(), make_unet(TINY).state_dict()
    norms = {name for name in sdm if "_norm." in name and not name.startswith(("encoder", "output"))}
    assert {name for name in sdm if name not in ours} == {n for n in norms if ".shared." in n or ".gamma_beta." in n}
    assert all(name.endswith(("_norm.weight", "_norm.bias")) for name in ours.keys() - sdm.keys())
    assert [name for name in ours.keys() & sdm.keys() if ours[name].shape != sdm[name].shape] == ["input.weight"]
    assert ours["input.weight"].shape[1] == 3 + TINY.condition_channels
    assert not any(isinstance(module, SPADE) for module in make_unet(CONCAT).modules())


@pytest.mark.parametrize("preset", ["scenes-32", "scenes-64"])
def test_the_presets_have_as_many_weights_within_two_percent(preset):
    ours, sdm = (
        sum(weight.numel() for weight in make_unet(PRESETS[name]).parameters()) for name in (f"{preset}-concat", preset)
    )
    assert ours == pytest.approx(sdm, rel=0.02)
    assert preset_name(PRESETS[f"{preset}-concat"]) == f"{preset}-concat"


def test_it_reads_the_labels(unet):
    x_t, t, condition = tiny_inputs()
    with torch.no_grad():
        assert not torch.equal(unet(x_t, t, condition), unet(x_t, t, condition.flip(0)))
        one = unet(x_t, t, condition[:1])
    with torch.no_grad():
        torch.testing.assert_close(one, unet(x_t, t, condition[:1].expand(2, -1, -1, -1)))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 1.5])
def test_guidance_is_two_whole_passes_bit_for_bit(unet, diffusion, scale, shared):
    x_t, t, condition = tiny_inputs(3)
    condition = condition[:1] if shared else condition
    with torch.no_grad():
        with_labels, without = unet(x_t, t, condition), unet(x_t, t, null_like(condition))
    full = {0.0: without, 1.0: with_labels}.get(scale, guide(with_labels, without, scale))
    expected = diffusion.predict(full, x_t, t)
    got = denoiser(unet, diffusion, condition, scale, decode_together=False)(x_t, t)
    together = denoiser(unet, diffusion, condition, scale, decode_together=True)(x_t, t)
    for ours, theirs, stacked in zip(got, expected, together, strict=True):
        assert torch.equal(ours, theirs)
        torch.testing.assert_close(stacked, theirs, rtol=1e-4, atol=1e-5)


def test_outside_of_the_interval_the_scale_is_one(unet, diffusion):
    x_t, _, condition = tiny_inputs()
    t = torch.tensor([900, 900])
    guided = denoiser(unet, diffusion, condition, 3.0, guidance_interval=(1, 800))(x_t, t)
    assert torch.equal(guided.eps, denoiser(unet, diffusion, condition, 1.0)(x_t, t).eps)


@pytest.mark.parametrize("sampler", [sample_ddpm, sample_ddim, sample_dpmpp_2m, sample_repaint])
def test_every_sampler_draws_with_it(unet, diffusion, sampler):
    _, _, condition = tiny_inputs()
    noise = SampleNoise([0, 1])
    drawn = last(sampler(denoiser(unet, diffusion, condition, 1.5), diffusion, noise((3, 16, 16)), 3, noise=noise))
    assert drawn.shape == (2, 3, 16, 16) and drawn.isfinite().all()


def test_a_file_remembers_what_it_is(tmp_path):
    unet = randomised(dataclasses.replace(LEAST, conditioning="concat"))
    save_model(tmp_path / "model.safetensors", unet, DiffusionConfig("cosine", 10, "v"))
    model = load_model(tmp_path / "model.safetensors")
    assert isinstance(model.unet, ConcatUNet) and model.unet.config == unet.config
    maps = torch.zeros(2, 16, 16, dtype=torch.long)
    settings = SampleSettings(num_steps=2)
    same = [draw_samples(model._replace(unet=of), maps, maps, [0, 1], settings) for of in (unet, model.unet)]
    assert torch.equal(*same)


def test_what_does_not_go_together_is_told_in_one_line(unet, diffusion):
    x_t, t, condition = tiny_inputs()
    with pytest.raises(ValueError, match="has conditioning 'spade', the configuration asks for 'concat': make_unet"):
        SDMUNet(CONCAT)
    with pytest.raises(ValueError, match="conditioning must be spade or concat, got 'concatenation'"):
        dataclasses.replace(TINY, conditioning="concatenation")
    with pytest.raises(ValueError, match=r"condition must have shape \(B, 4, H, W\)"):
        denoiser(unet, diffusion, condition[:, :3])
    with pytest.raises(ValueError, match="image and label map differ in size"):
        unet(x_t, t, condition[..., :8])
    with pytest.raises(ValueError, match="is no number of channels"):
        dataclasses.replace(TINY, channel_multipliers=(1, 1.7))
