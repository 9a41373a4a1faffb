"""Pictures: bytes, colours and places are right, palettes can be told apart."""

import itertools

import numpy as np
import pytest
import torch
from tiles import PALETTE, noise_tile

from sdm_lite import pictures
from sdm_lite.pictures import check_range

# Arrays.


def test_to_uint8_by_hand():
    image = torch.tensor([-1.0, 0.0, 1.0, -7.0, 7.0, -0.5])[None].repeat(3, 1)[..., None]  # (3, 6, 1)
    pixels = pictures.to_uint8(image)
    assert pixels.shape == (6, 1, 3) and pixels.dtype == np.uint8
    assert pixels[:, 0, 0].tolist() == [0, 128, 255, 0, 255, 64]


def test_to_uint8_undoes_the_usual_scaling():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=-1)
    images = torch.from_numpy(pixels).movedim(-1, 1).float() / 127.5 - 1
    assert np.array_equal(pictures.to_uint8(images), pixels)


def test_to_uint8_refuses_what_is_no_image():
    with pytest.raises(ValueError, match="\\(4, 8, 8\\)"):
        pictures.to_uint8(torch.zeros(4, 8, 8))
    broken = torch.zeros(3, 8, 8)
    broken[0, 0, :2] = torch.nan
    with pytest.raises(ValueError, match="2 values that are NaN"):
        pictures.to_uint8(broken)


def test_colorize_by_hand():
    label_map = torch.tensor([[0, 2], [1, 1]])
    red, green, blue = PALETTE
    expected = np.array([[red, blue], [green, green]])
    assert np.array_equal(pictures.colorize(label_map, PALETTE), expected)
    assert np.array_equal(pictures.colorize(label_map[None].numpy(), PALETTE), expected[None])


def test_colorize_names_ids_without_a_colour():
    with pytest.raises(ValueError, match="0..2, got \\[-1, 3\\]"):
        pictures.colorize(torch.tensor([[0, 3], [-1, 1]]), PALETTE)


def test_image_grid_puts_each_image_in_its_place():
    a, b, c = (noise_tile(i) for i in range(3))
    grid = pictures.image_grid([[a, None, b], [c]], padding=2, scale=3, background=77)
    assert grid.shape == (2 * 18 + 2, 3 * 15 + 2 * 2, 3)
    assert np.array_equal(grid[:18:3, :15:3], a) and np.array_equal(grid[2:18:3, 2:15:3], a)
    assert np.array_equal(grid[:18:3, 34::3], b)
    assert np.array_equal(grid[20::3, :15:3], c)
    assert (grid[18:20] == 77).all() and (grid[:18, 15:34] == 77).all() and (grid[20:, 15:] == 77).all()


def test_image_grid_takes_tensors_and_arrays_alike():
    images = torch.rand(2, 3, 4, 4) * 2 - 1
    arrays = pictures.to_uint8(images)
    from_batch = pictures.image_grid([images])
    assert np.array_equal(from_batch, pictures.image_grid([arrays]))
    assert np.array_equal(from_batch, pictures.image_grid([[images[0], arrays[1]]]))


@pytest.mark.parametrize(
    "rows, scale, message",
    [
        ([[noise_tile(0), noise_tile(0, 7)]], 1, "one size"),
        ([[None]], 1, "no image at all"),
        ([[noise_tile(0)]], 0, "scale >= 1"),
        ([[np.zeros((4, 4), dtype=np.uint8)]], 1, "colorize"),
    ],
)
def test_image_grid_refuses(rows, scale, message):
    with pytest.raises(ValueError, match=message):
        pictures.image_grid(rows, scale=scale)


# Palettes.


def test_default_palette_is_stable_and_distinct():
    long = pictures.default_palette(182)
    assert long.shape == (182, 3) and len(np.unique(long, axis=0)) == 182
    assert np.array_equal(pictures.default_palette(12), long[:12])
    for wrong in (0, 513):
        with pytest.raises(ValueError, match="1..512"):
            pictures.default_palette(wrong)


def test_default_palette_survives_red_green_blindness():
    """Seen without green cones (Machado et al. 2009), twenty colours differ by more than a wheel of hues does."""
    no_green = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    )

    def nearest_pair(palette):
        linear = np.clip((palette / 255) ** 2.2 @ no_green.T, 0, 1)
        seen = pictures._oklab(255 * linear ** (1 / 2.2))
        return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))

    angles = 2 * np.pi * np.arange(20)[:, None] / 20 + np.array([0, 2, 4]) * np.pi / 3
    hues = 127.5 + 127.5 * np.cos(angles)
    assert nearest_pair(pictures.default_palette(20)) > 2 * nearest_pair(hues)


def test_oklab_of_white_black_and_grey():
    lab = pictures._oklab(np.array([[255, 255, 255], [0, 0, 0], [128, 128, 128]]))
    np.testing.assert_allclose(lab[:, 0], [1, 0, 0.6], atol=0.001)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=0.001)


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 4, 4), 2 * torch.rand(1, 3, 4, 4) - 1, torch.empty(0, 3, 4, 4)])
def test_pictures_of_the_right_range_pass_without_a_word(images):
    check_range(images)
    check_range(1.3 * images)  # of a sampler that does not clip


def test_pictures_of_another_range_are_told():
    images = torch.rand(2, 3, 4, 4)
    with pytest.warns(UserWarning, match=r"must be in \[-1, 1\], got .*: if they are in \[0, 1\], give 2 x - 1"):
        check_range(images)
    with pytest.raises(ValueError, match="x / 127.5 - 1 of x in 0..255"):
        check_range(255 * images)
    with pytest.raises(ValueError, match="must be floats in .*, got torch.uint8"):
        check_range((255 * images).byte())
