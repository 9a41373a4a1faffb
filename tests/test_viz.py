"""Figures: files are whole, pixels are kept whole, nothing overlaps."""

import io
import itertools
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tiles import PALETTE, noise_tile

from sdm_lite import files, viz

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


class FakeStep(NamedTuple):
    t: object
    x_t: torch.Tensor
    x0: torch.Tensor


# Files.


def test_png_keeps_every_byte(tmp_path):
    tile = noise_tile(3, 31, 17)
    assert np.array_equal(decode(viz.png_bytes(tile)), tile)
    path = viz.save_png(tmp_path / "new" / "folder" / "tile.png", tile)
    assert np.array_equal(decode(path.read_bytes()), tile)


def test_save_png_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = viz.save_png(tmp_path / "tile.png", noise_tile(0))
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        viz.save_png(path, noise_tile(1))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


# Figures.


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
        title="A title that is a good deal longer than the grid under it is wide, and has to be wrapped",
        caption="A caption of several words, which has to be wrapped as well. " * 3,
        legend=([f"class {i}" for i in range(12)], viz.default_palette(12)),
    )
    boxes, images = extents(figure)
    assert len(boxes) == 2 + 6 + 3
    for box in boxes:
        assert not box.padded(-2).overlaps(images)
    for a, b in itertools.combinations(boxes, 2):
        assert not a.padded(-1).overlaps(b)


def test_what_a_sign_joins_stays_in_one_line():
    tiles = [noise_tile(i, 32, 32) for i in range(3)]
    names = ["s = 1", "s = 3, every step", "s = 3, t <= 800"]
    title = "Four maps, three samplers, one noise: s = 1.5, 25 steps"
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
    with pytest.raises(ValueError, match="expected 1 column labels, got 0"):
        viz.show_grid([[noise_tile(0)]], column_labels=[])


def test_figures_are_not_left_open():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()  # of tests that ran earlier
    viz.show_grid([[noise_tile(0)]])
    viz.plot_lines([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y")
    assert plt.get_fignums() == before


def test_the_style_does_not_leak_until_asked_for():
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        viz.show_grid([[noise_tile(0)]])
        assert matplotlib.rcParams["legend.frameon"]
        viz.use_style()
        assert not matplotlib.rcParams["legend.frameon"]


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


def test_plot_lines_draws_what_it_is_given():
    y = np.array([3.0, 2.0, 1.0])
    figure = viz.plot_lines(
        [1, 2, 4],
        {"DDIM": y, "DDPM": 2 * y},
        xlabel="steps",
        ylabel="distance",
        intervals={"DDIM": (y - 1, y + 1)},
        references={"floor": 0.5},
        log_x=True,
    )
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.get_lines()] == ["DDIM", "DDPM", "floor"]
    assert axes.get_lines()[1].get_ydata().tolist() == [6, 4, 2]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), axes.get_yscale()) == (
        "steps",
        "distance",
        "log",
        "linear",
    )
    band = axes.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == (0, 4)


def test_plot_lines_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="expected 2 values for line 'a'"):
        viz.plot_lines([1, 2], {"a": [1]}, xlabel="x", ylabel="y")
    with pytest.raises(ValueError, match="got one for 'b'"):
        viz.plot_lines([1], {"a": [1]}, intervals={"b": ([0], [1])}, xlabel="x", ylabel="y")


NAMES = [r"a$\frac$b", "_background_", "$", "costs $5 or $6", "\u6a39\u6728", "\u0434\u043e\u0440\u043e\u0433\u0430"]


@pytest.fixture
def drawn_without_a_warning():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Glyph|The label")  # an empty box, a label that is left out
        yield


def test_class_names_are_no_equations_and_have_no_empty_boxes(drawn_without_a_warning):
    figure = viz.legend(NAMES, viz.default_palette(len(NAMES)))
    assert viz.figure_png(figure).startswith(b"\x89PNG")
    written = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert written[:4] == NAMES[:4] and written[5] == NAMES[5]
    assert written[4] in (NAMES[4], r"\u6a39\u6728"), "the letters, or where no font has them their numbers"


def test_letters_of_another_font_are_written_in_it(monkeypatch, drawn_without_a_warning):
    monkeypatch.setattr(viz, "_font_with", lambda letters: "DejaVu Serif" if "x" in letters else None)
    written = viz.legend(["x\u00e9", "y\u00e9"], viz.default_palette(2)).axes[0].get_legend().get_texts()
    assert [text.get_text() for text in written] == ["x\u00e9", r"y\xe9"]
    assert written[0].get_fontfamily() == ["sans-serif", "DejaVu Serif"]


def test_dollars_that_are_no_equation_are_drawn_as_dollars(drawn_without_a_warning):
    row = np.zeros((2, 8, 8, 3), np.uint8)
    labels = {"column_labels": [r"a$\frac$b", "$x_t$"], "row_labels": [r"$\nope$"], "title": r"$\frac$ and $5"}
    figure = viz.show_grid([row], **labels, caption=r"$\frac$")
    assert viz.figure_png(figure).startswith(b"\x89PNG")
    first, second = figure.axes[0].get_xticklabels()
    assert r"\$" in first.get_text() and second.get_text() == "$x_t$"
    assert viz.figure_png(viz.plot_lines([0, 1], {r"$\frac$": [0, 1], "b": [1, 0]}, xlabel="", ylabel=""))


def test_a_command_draws_whatever_screen_is_asked_for(tmp_path):
    code = "from sdm_lite import viz; viz.draw_for_files(); import numpy as np; "
    code += "viz.save_png('a.png', viz.show_grid([np.zeros((1, 8, 8, 3), np.uint8)]))"
    environment = os.environ | {"MPLBACKEND": "nonsense", "PYTHONPATH": str(Path(viz.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    assert (tmp_path / "a.png").exists()


def test_a_plane_has_a_cross_for_each_point_and_the_point_to_hold_them_against():
    points = {"A": ((2.0, -1.0, 3.0), (0.5, 0.4, 0.8)), "B": ((4.0, 3.0, 6.0), (0.0, 0.0, 0.0))}
    figure = viz.plot_plane(
        points, xlabel="FID", ylabel="diversity", reference=("truth", 1.0, 0.9), marked=["B"], log_x=True
    )
    (axes,) = figure.axes
    places = {tuple(line.get_xydata()[0]) for line in axes.lines if len(line.get_xydata()) == 1}
    assert {(2.0, 0.5), (4.0, 0.0), (1.0, 0.9)} <= places and axes.get_xscale() == "log"
    ends = [segment for one in axes.collections for segment in one.get_segments()]
    upright = [[end[1] for end in one] for one in ends if one[0][0] == one[1][0] == 2.0]
    assert np.allclose(sorted(upright[0]), (0.4, 0.8))
    across = [[end[0] for end in one] for one in ends if one[0][1] == one[1][1] == 0.5]
    assert 0 < min(across[0]) < 0.1 and max(across[0]) == 3.0, "what lies below 0 has no place on a logarithm"
    assert {text.get_text() for text in axes.texts} == {"A", "B", "truth"}
    with pytest.raises(ValueError, match="expected at least one point, got none"):
        viz.plot_plane({}, xlabel="", ylabel="", reference=("truth", 1.0, 0.9))


def test_names_in_a_plane_are_legible_where_points_crowd():
    from matplotlib.text import Text

    points = {f"system {n}": ((2 + n / 50,) * 3, (0.5 * (n > 5),) * 3) for n in range(12)}
    figure = viz.plot_plane(points, xlabel="FID", ylabel="diversity", reference=("truth", 1.0, 0.9))
    (axes,) = figure.axes
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in axes.texts]  # without their lines
    assert len(boxes) == 13 and not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(axes.get_window_extent().contains(*corner) for box in boxes for corner in (box.p0, box.p1))
