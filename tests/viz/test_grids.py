"""Grids: pixels are kept whole, nothing overlaps, labels are counted."""

import io
import itertools
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tiles import PALETTE, noise_tile

from sdm_lite import viz

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


class FakeStep(NamedTuple):
    t: object
    x_t: torch.Tensor
    x0: torch.Tensor


def test_show_grid_keeps_pixels_whole():
    tiles = [noise_tile(i, 8, 8) for i in range(2)]
    figure = viz.show_grid([tiles], row_labels=["a row"], column_labels=["one", "two"], scale=5, title="Title")
    png = decode(viz.figure_png(figure))
    grid = viz.image_grid([tiles], scale=5)
    windows = np.lib.stride_tricks.sliding_window_view(png, grid.shape)[..., 0, :, :, :]
    assert (windows == grid).all(axis=(-3, -2, -1)).any()


def extents(figure):
    """What lies where: boxes of all visible texts, and the box of the images."""
    figure.draw_without_rendering()
    axes = figure.axes[0]
    titles = [child for child in axes.get_children() if child in axes.texts or getattr(child, "get_text", str)()]
    artists = [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.get_legend(), *titles]
    boxes = [artist.get_window_extent() for artist in artists]
    return [box for box in boxes if box.width > 1], axes.bbox


def test_nothing_overlaps_in_a_grid():
    tiles = [[noise_tile(10 * i + j, 16, 16) for j in range(6)] for i in range(2)]
    figure = viz.show_grid(
        tiles,
        row_labels=["label map", "a long name for a row of samples"],
        column_labels=["s = 0", "unconditional", "incomprehensibilities", "a few words in a row", "s = 2", "s = 3"],
        scale=3,
        title="A title that is a good deal longer than the grid under it is wide, so that it has to be wrapped",
        caption="A caption of several words, which has to be wrapped as well. " * 3,
        column_footers=["0.1", "0.22", "0.333", "", "5", "6"],
        legend=([f"class {i}" for i in range(12)], viz.default_palette(12)),
    )
    boxes, images = extents(figure)
    assert len(boxes) == 2 + 6 + 5 + 3
    for box in boxes:
        assert not box.padded(-2).overlaps(images)
    for a, b in itertools.combinations(boxes, 2):
        assert not a.padded(-1).overlaps(b)


def test_what_a_sign_joins_stays_in_one_line():
    tiles = [noise_tile(i, 32, 32) for i in range(3)]
    names = ["s = 1", "s = 3, every step", "s = 3, t <= 800"]
    title = "Four maps, three samplers, the same noise in each of the rows: s = 1.5, 25 steps"
    axes = viz.show_grid([tiles], column_labels=names, scale=3, title=title).axes[0]
    texts = [axes.get_title("left"), *(label.get_text() for label in axes.get_xticklabels())]
    lines = "\n".join(texts).replace("\xa0", " ").splitlines()
    assert len(lines) == 7 and [line for line in lines if line.strip(" =<>") != line] == []


def test_show_grid_stays_small_and_draws_its_caption():
    images = [torch.randn(8, 3, 32, 32).clamp(-1, 1) for _ in range(3)]
    plain = viz.figure_png(viz.show_grid(images))
    assert len(plain) < 150_000
    captioned = decode(viz.figure_png(viz.show_grid(images, caption="What is to be seen here.")))
    below = captioned[decode(plain).shape[0] :]
    assert (below < 200).any()


def test_show_grid_counts_its_labels():
    with pytest.raises(ValueError, match="expected 1 row labels, got 2"):
        viz.show_grid([[noise_tile(0)]], row_labels=["a", "b"])
    with pytest.raises(ValueError, match="expected 1 column footer labels, got 2"):
        viz.show_grid([[noise_tile(0)]], column_footers=["a", "b"])
    with pytest.raises(ValueError, match="expected 1 column labels, got 0"):
        viz.show_grid([[noise_tile(0)]], column_labels=[])


def test_legend_lists_the_classes_that_occur():
    names = ["sky", "grass", "water"]
    both = viz.legend(names, PALETTE, label_map=torch.tensor([[0, 2], [2, 2]]))
    texts = [text.get_text() for text in both.axes[0].get_legend().get_texts()]
    assert texts == ["sky", "water"]
    colours = [patch.get_facecolor()[:3] for patch in both.axes[0].get_legend().get_patches()]
    np.testing.assert_allclose(colours, PALETTE[[0, 2]] / 255)
    with pytest.raises(ValueError, match="expected 3 class labels, got 2"):
        viz.legend(names[:2], PALETTE)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_denoising_strip_shows_first_and_last(as_tensor):
    def step(t):
        x = torch.full((2, 3, 4, 4), t / 50 - 1)
        x[0] = 0
        return FakeStep(torch.tensor([t, t]) if as_tensor else t, x, -x)

    figure = viz.denoising_strip((step(t) for t in range(100, -1, -10)), num_columns=3, sample=1, scale=1)
    axes = figure.axes[0]
    assert [" ".join(label.get_text().split()) for label in axes.get_xticklabels()] == [
        "$t$ = 100",
        "$t$ = 50",
        "$t$ = 0",
    ]
    shown = np.asarray(axes.images[0].get_array())
    assert shown[0, [0, 8, 16], 0].tolist() == [255, 128, 0]  # x_t of sample 1, tiles of 4 and padding of 4
    assert shown[8, [0, 8, 16], 0].tolist() == [0, 128, 255]  # x0


def test_denoising_strip_of_few_steps_and_of_none():
    step = FakeStep(1, torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    assert len(viz.denoising_strip([step], num_columns=8).axes[0].get_xticklabels()) == 1
    with pytest.raises(ValueError, match="0 steps"):
        viz.denoising_strip([])
