"""Colour distances against published CIELAB values, and what colour-blind eyes cannot tell apart."""

import numpy as np
import pytest
from colour_vision import (
    DEUTERANOPIA,
    PROTANOPIA,
    TRITANOPIA,
    VISIONS,
    contrast,
    lab,
    nearest_colours,
    simulate,
)

from sdm_lite.pictures import default_palette


def test_cielab_of_known_colours():
    # White, red, green, blue: Lindbloom's calculator, sRGB under D65.
    colours = np.array([(255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
    expected = [(100, 0, 0), (53.24, 80.09, 67.20), (87.73, -86.18, 83.18), (32.30, 79.19, -107.86)]
    assert lab(colours) == pytest.approx(np.array(expected), abs=0.02)


@pytest.mark.parametrize("vision", VISIONS.values(), ids=VISIONS)
def test_greys_look_the_same_to_all(vision):
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    assert np.abs(simulate(greys, vision).astype(int) - greys).max() <= 1


def test_red_and_green_of_one_lightness_are_confused_by_red_green_blind_eyes_alone():
    palette = np.array([(200, 90, 90), (120, 125, 60)], np.uint8)
    apart = {name: nearest_colours(palette, vision).distance for name, vision in VISIONS.items()}
    assert apart["deuteranopia"] < apart["normal vision"] / 3
    assert apart["protanopia"] < apart["normal vision"]
    assert apart["tritanopia"] > apart["normal vision"] / 2


@pytest.mark.parametrize("vision", [PROTANOPIA, DEUTERANOPIA, TRITANOPIA])
def test_black_and_white_stay_black_and_white(vision):
    ends = np.array([(0, 0, 0), (255, 255, 255)], np.uint8)
    assert np.abs(simulate(ends, vision).astype(int) - ends).max() <= 1


def test_nearest_names_the_pair():
    found = nearest_colours(np.array([(0, 0, 0), (250, 0, 0), (0, 0, 255), (255, 0, 0)], np.uint8))
    assert {found.first, found.second} == {1, 3} and 0 < found.distance < 3


def test_the_default_palette_is_told_apart_by_all_common_eyes():
    for vision in (np.eye(3), PROTANOPIA, DEUTERANOPIA):
        assert nearest_colours(default_palette(8), vision).distance > 10


def test_contrast_of_black_on_white():
    black, white = np.zeros(3, np.uint8), np.full(3, 255, np.uint8)
    assert contrast(black, white) == contrast(white, black) == pytest.approx(21, abs=0.01)
    assert contrast(white, white) == 1


@pytest.mark.parametrize("palette", [np.zeros((1, 3)), np.zeros(3), np.zeros((4, 4))])
def test_no_palette(palette):
    with pytest.raises(ValueError, match="at least two colours"):
        nearest_colours(palette)
