"""The named configurations: the paper's numbers, exactly, and what can be asked of a preset."""

from dataclasses import replace

import pytest
import torch

from sdm_lite.presets import PRESETS, preset, preset_name
from sdm_lite.unet import SDMUNet

PAPER = {
    "celebamask-hq-256": (653_062_918, 19 + 1),
    "ade20k-256": (660_608_518, 151),
    "cityscapes-256x512": (653_984_518, 35 + 1),
    "coco-stuff-256": (662_509_318, 183 + 1),
}


@pytest.mark.parametrize("name", PAPER)
def test_paper_presets_have_the_published_size_and_run_at_their_aspect(name):
    config = PRESETS[name]
    with torch.device("meta"):
        unet = SDMUNet(config)
        output = unet(
            torch.zeros(1, 3, *config.image_size), torch.ones(1), torch.zeros(1, PAPER[name][1], *config.image_size)
        )
    assert sum(parameter.numel() for parameter in unet.parameters()) == PAPER[name][0]
    assert output.shape == (1, 6, 256, 512 if name.startswith("cityscapes") else 256)


@pytest.mark.parametrize("name", PAPER)
def test_paper_presets_attend_at_32_16_and_8(name):
    config = PRESETS[name]
    heights = [256 >> level for level in range(6) if config.attends(level)]
    assert heights == [32, 16, 8] and config.channels_per_head == 64 and config.num_res_blocks == 2


PHOTOGRAPHS = [name for name in PRESETS if name.startswith("photographs")]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_presets_for_photographs_draw_at_their_size_with_any_classes(name):
    config = preset(name, 7, True)
    with torch.device("meta"):
        output = SDMUNet(config)(
            torch.zeros(1, 3, *config.image_size), torch.ones(1), torch.zeros(1, 8, *config.image_size)
        )
    assert output.shape == (1, 6, *[int(name.rpartition("-")[2])] * 2)
    assert [config.image_size[0] >> level for level in range(6) if config.attends(level)] == [16, 8]


def test_presets_grow_from_the_lite_ones_to_the_papers():
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in SDMUNet(PRESETS[name]).parameters()) for name in ("scenes-64", *PHOTOGRAPHS)]
    ratios = [after / before for before, after in zip(sizes, [*sizes[1:], 653_062_918], strict=True)]
    assert len(PHOTOGRAPHS) == 3 and all(2 < ratio < 10 for ratio in ratios), "no gap of ten between neighbours"


def test_a_preset_is_known_by_its_numbers_at_any_size():
    for name, config in PRESETS.items():
        assert preset_name(config) == name
    assert preset_name(preset("ade20k-256", image_size=(512, 768))) == "ade20k-256"
    assert preset_name(replace(PRESETS["ade20k-256"], num_classes=7)) is None
    assert preset_name(replace(PRESETS["scenes-32"], image_size=(8, 8), attention_resolutions=(2,))) == "scenes-32"


@pytest.mark.parametrize("name", ["base_channels", "channels_per_head", "num_groups"])
def test_a_count_below_one_is_told(name):
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got 0$"):
        replace(PRESETS["scenes-32"], **{name: 0})


def test_a_size_of_nothing_is_told():
    with pytest.raises(ValueError, match="divisible by 4"):
        replace(PRESETS["scenes-32"], image_size=(0, 32))
