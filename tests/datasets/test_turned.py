"""A photograph that its EXIF tag turns beside a label map that nothing turns; photographs of 100 megapixels."""

import warnings

import numpy as np
import pytest

from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.check import check_split, format_counts
from sdm_lite.datasets.image_files import EXIF_ORIENTATION, open_photograph, orientation

Image = pytest.importorskip("PIL.Image")


def folder(root, tag, height=16, width=24):
    """Four photographs, all with one EXIF orientation, whose label maps lie as the photographs' bytes do."""
    for name in ("images", "labels"):
        (root / name / "train").mkdir(parents=True)
    (root / "classes.txt").write_text("sky\nroad\n")
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = tag
    for i in range(4):
        picture = np.random.default_rng(i).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(picture).save(root / "images" / "train" / f"{i}.jpg", exif=exif)
        Image.fromarray(np.ones((height, width), np.uint8)).save(root / "labels" / "train" / f"{i}.png")
    return root


@pytest.mark.parametrize("tag", [5, 6, 7, 8])
def test_a_label_map_beside_a_turned_photograph_is_to_be_turned_and_not_resized(tmp_path, tag):
    assert orientation(folder(tmp_path, tag) / "images" / "train" / "0.jpg") == tag
    with pytest.raises(ValueError, match=r"24 x 16 .*0.jpg, which its EXIF tag turns upright, and 16 x 24 .*0.png"):
        open_dataset("folder", tmp_path, "train", size=(16, 16))


@pytest.mark.parametrize("tag, size", [(3, (16, 24)), (6, (16, 16))])
def test_where_sizes_do_not_show_it_the_check_counts_the_turned(tmp_path, tag, size):
    dataset = open_dataset("folder", folder(tmp_path, tag, *size), "train", size=(16, 16), skip_bad=True)
    report = check_split(dataset)
    assert report.num_turned == 4
    assert "4 of them are turned upright by their EXIF tag, and no label map is" in format_counts(dataset, report)


def test_upright_photographs_are_told_nothing_of(tmp_path):
    dataset = open_dataset("folder", folder(tmp_path, 1), "train", size=(16, 16), skip_bad=True)
    report = check_split(dataset)
    assert report.num_turned == 0 and "EXIF" not in format_counts(dataset, report)


def test_a_large_photograph_is_read_without_a_word_and_one_too_large_is_named(tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    Image.new("L", (60, 50)).save(path)  # three thousand pixels
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # Pillow warns beyond this, and refuses beyond its double
        assert open_photograph(path).size == (60, 50)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="megapixels, got .*large.png: shrink it"):
        open_photograph(path)
