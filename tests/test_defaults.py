"""Somebody's notebook has set torch's default dtype or device: what the README shows still gives the same pictures.

No GPU is needed for it. The device `meta` has no numbers, so a tensor made there by mistake shows at once; and one that
is made on the CPU where all is on another device shows as an operation that has both.
"""

import re
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from sdm_lite import diffusion as process
from sdm_lite.batches import Batch, encode
from sdm_lite.checkpoints import load_model
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.edit import keep_outside, sample_repaint
from sdm_lite.guidance import denoiser
from sdm_lite.judge import load_judge
from sdm_lite.presets import SCENES_32, preset
from sdm_lite.sampling import SAMPLERS, last
from sdm_lite.scenes import Scenes
from sdm_lite.train import TrainConfig
from sdm_lite.train.loop import Draws, draw_step, hybrid_losses
from sdm_lite.unet import SDMUNet

README = Path(__file__).resolve().parents[1] / "README.md"
EXAMPLE = next(code for code in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S))


@contextmanager
def defaults(*, dtype=torch.float32, device="cpu"):
    """torch's defaults for a while."""
    torch.set_default_dtype(dtype)
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


def image_of_the_readme() -> torch.Tensor:
    names: dict[str, object] = {}
    exec(EXAMPLE.replace("num_steps=25", "num_steps=2"), names)
    return names["image"]


CHANGED = [{"dtype": torch.float64}, {"dtype": torch.bfloat16}, {"device": "meta"}]


@pytest.mark.parametrize("changed", CHANGED, ids=str)
def test_the_example_of_the_readme_gives_the_same_image(changed):
    expected = image_of_the_readme()
    with defaults(**changed):
        image = image_of_the_readme()
    assert image.dtype == torch.float32 and image.device.type == "cpu" and torch.equal(image, expected)


@pytest.mark.parametrize("changed", CHANGED, ids=str)
def test_a_judge_says_the_same(changed):
    images = torch.stack([Scenes(32)[i].image for i in range(2)])
    expected = load_judge("judge-32").predict(images)
    with defaults(**changed):
        assert torch.equal(load_judge("judge-32").predict(images), expected)


@pytest.mark.parametrize("changed", CHANGED, ids=str)
def test_a_step_of_training_draws_the_same(changed):
    expected = draw_step(3, (4, 3, 8, 8), 1000, TrainConfig(null_probability=0.5))
    with defaults(**changed):
        drawn = draw_step(3, (4, 3, 8, 8), 1000, TrainConfig(null_probability=0.5))
    assert all(torch.equal(*pair) for pair in zip(drawn, expected, strict=True))


class OnOneDevice(TorchDispatchMode):
    """Fails at the first operation that reads or makes a tensor elsewhere; single numbers may be anywhere."""

    def __init__(self, device: str):
        super().__init__()
        self.device_type = device

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_flatten((args, kwargs, out))[0]:
            if isinstance(tensor, torch.Tensor) and tensor.dim():
                assert tensor.device.type == self.device_type, f"{func} has {tuple(tensor.shape)} on {tensor.device}"
        return out


class MetaNoise:
    """Noise without numbers, as SampleNoise is on the CPU by its own word."""

    generators = (None, None)

    def __call__(self, shape):
        return torch.empty(2, *shape, dtype=torch.float32, device="meta")


SMALL = preset("scenes-32")
LARGE_CONDITION = preset("scenes-32", num_classes=24)  # enough channels to look up on a CPU
NO_RESAMPLING_BUT_3X3 = SMALL.__class__(**{**vars(SCENES_32), "spade_kernel_size": 3, "residual_resampling": True})


@pytest.fixture
def no_value_is_read(monkeypatch):
    """Steps are not compared: that reads them, and nothing else does."""
    monkeypatch.setattr(process, "check_step", lambda t, s: None)


def made(config=SMALL, side=32):
    """A network, a process, a condition and noise on `meta`."""
    unet, diffusion = SDMUNet(config).to("meta"), DiffusionConfig("cosine", 50, "v").build().to("meta")
    condition = torch.empty(2, config.condition_channels, side, side, dtype=torch.float32, device="meta")
    return unet, diffusion, condition, MetaNoise()((3, side, side))


@pytest.mark.parametrize("config", [SMALL, LARGE_CONDITION, NO_RESAMPLING_BUT_3X3], ids=["small", "24 classes", "3x3"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1.5])
def test_network_and_guidance_make_nothing_elsewhere(no_value_is_read, config, scale):
    unet, diffusion, condition, x_t = made(config)
    t = torch.full((2,), 7, device="meta")
    with OnOneDevice("meta"):
        for together in (False, True):
            denoiser(unet, diffusion, condition, scale, decode_together=together)(x_t, t)
        denoiser(unet, diffusion, condition, scale, max_modulation_bytes=0)(x_t, t)


@pytest.mark.parametrize("sample", [*SAMPLERS.values(), sample_repaint], ids=lambda sample: sample.__name__)
def test_samplers_and_edits_make_nothing_elsewhere(no_value_is_read, sample):
    unet, diffusion, condition, x_t = made()
    region = torch.empty(2, 1, 32, 32, dtype=torch.bool, device="meta")
    with OnOneDevice("meta"):
        draw = denoiser(unet, diffusion, condition, 1.5)
        for project in (keep_outside(diffusion, x_t, region, noise) for noise in (x_t, MetaNoise())):
            image = last(sample(draw, diffusion, x_t, 3, noise=MetaNoise(), project=project))
    assert image.shape == x_t.shape


def test_the_losses_make_nothing_elsewhere(no_value_is_read):
    unet, diffusion, _, _ = made()
    images = torch.empty(2, 3, 32, 32, dtype=torch.uint8, device="meta")
    maps = torch.empty(2, 32, 32, dtype=torch.uint8, device="meta")
    batch = Batch(images, maps, maps, SMALL.num_classes)
    draws = Draws(*(part.to("meta") for part in draw_step(0, (2, 3, 32, 32), 50, TrainConfig())))
    with OnOneDevice("meta"):
        assert encode(batch)[1].shape == (2, 12, 32, 32)
        hybrid_losses(unet, diffusion, batch, draws, TrainConfig()).total.mean().backward()


def test_the_watch_sees_a_tensor_of_the_cpu():
    with pytest.raises(AssertionError, match="on cpu"), OnOneDevice("meta"):
        torch.zeros(3, device="cpu")


def test_a_model_is_loaded_to_the_device_that_is_asked_for():
    with defaults(dtype=torch.float64):
        unet, diffusion = load_model("scenes-32", device="meta")
    assert {part.device.type for part in [*unet.parameters(), *diffusion.buffers()]} == {"meta"}
    assert {part.dtype for part in unet.parameters()} == {torch.float32}
