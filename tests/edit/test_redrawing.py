"""An edit of a picture in files: what did not change stays to the byte; every fault is told before it is drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import TINY, randomised
from photograph_files import Image

from sdm_lite.checkpoints import load_model, save_model
from sdm_lite.edit.__main__ import main
from sdm_lite.edit.redrawing import SAMPLERS
from sdm_lite.evaluate.drawing import SampleSettings, draw_groups
from sdm_lite.pictures import to_uint8
from sdm_lite.train import LITE_DIFFUSION

HEIGHT, WIDTH = TINY.image_size


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path)
    return str(path)


def read(path):
    return np.asarray(Image.open(path))


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A model, a picture of its size, its label map, and one in which four pixels are of another class."""
    monkeypatch.chdir(tmp_path)
    facts = {"dataset": "scenes", "train_config": {"null_probability": 0.2}}
    save_model(tmp_path / "run" / "model.safetensors", randomised(TINY), LITE_DIFFUSION, facts=facts)
    old = np.zeros((HEIGHT, WIDTH))
    new = old.copy()
    new[6:8, 6:8] = 1
    write(tmp_path / "photo.png", np.random.default_rng(0).integers(256, size=(HEIGHT, WIDTH, 3)))
    write(tmp_path / "old.png", old)
    write(tmp_path / "new.png", new)
    return ["run", "photo.png", "old.png", "new.png", "--num-steps", "3", "--num-samples", "2", "--output", "out"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_did_not_change_stays_to_the_byte(given, tmp_path, sampler, capsys):
    assert main([*given, "--margin", "1", "--sampler", sampler]) == 0
    assert "6% of the picture is redrawn, 2 times" in capsys.readouterr().out, "4 x 4 of 16 x 16 pixels"
    photo, pictures = read("photo.png"), [read(f"out/photo-{number}.png") for number in (0, 1)]
    inside = np.zeros((HEIGHT, WIDTH), dtype=bool)
    inside[5:9, 5:9] = True
    for picture in pictures:
        assert np.array_equal(picture[~inside], photo[~inside])
        assert (picture[inside] != photo[inside]).mean() > 0.5
    assert (pictures[0][inside] != pictures[1][inside]).mean() > 0.5, "noise of its own for each"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"photo-0.png", "photo-1.png", "grid.png"}


def test_maps_may_be_larger_than_the_picture_and_both_than_the_model(given, tmp_path, capsys):
    write(tmp_path / "photo.png", np.full((2 * HEIGHT, 2 * WIDTH, 3), 200))
    for name in ("old.png", "new.png"):
        write(tmp_path / name, read(name).repeat(3, axis=0).repeat(3, axis=1))
    assert main([*given, "--margin", "0"]) == 0
    assert "photo.png, 32 x 32, is brought to the model's 16 x 16" in capsys.readouterr().out
    same = (read("out/photo-0.png") == 200).all(-1)
    assert same.sum() == HEIGHT * WIDTH - 4 and not same[6:8, 6:8].any()


def test_where_all_is_redrawn_it_is_the_sample_of_the_new_map(given, capsys):
    assert main([*given, "--margin", "16"]) == 0
    assert "that is all of it, nothing is kept" in capsys.readouterr().out
    model, new = load_model("run/model.safetensors"), torch.from_numpy(read("new.png").astype(np.int64))[None]
    (expected,) = draw_groups(model, new, new, [2], SampleSettings(1.5, 3))
    assert np.array_equal(read("out/photo-1.png"), to_uint8(expected)[1])


def test_two_objects_where_there_was_one_are_a_change(given, tmp_path, capsys):
    save_model("edges.safetensors", randomised(replace(TINY, instance_edges=True)), LITE_DIFFUSION)
    halves = np.zeros((HEIGHT, WIDTH))
    halves[:, 8:] = 1
    objects = ["--instances", "old.png", write(tmp_path / "halves.png", halves)]
    words = ["edges.safetensors", "photo.png", "old.png", "old.png", *given[4:]]
    assert main(words) == 2 and "the same twice" in capsys.readouterr().err
    assert main([*words, *objects, "--margin", "0"]) == 0
    assert "12% of the picture" in capsys.readouterr().out, "the two columns of the edge"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "nothing.png", "old.png", "new.png"], "expected a file, got nothing.png, which is not there"),
        (["run", "photo.png", "old.png", "run"], "expected a file, got run, which is a folder"),
        (["run", "photo.png", "old.png", "old.png"], "the same twice: change more of the second"),
        (["run", "photo.png", "old.png", "wide.png"], "of one size (height x width), got 16 x 16 and 16 x 32"),
        (["run", "photo.png", "wide.png", "wider.png"], "of the shape of photo.png, which has 16 x 16 pixels"),
        (["run", "photo.png", "photo.png", "photo.png"], "expected label ids"),
        (["run", "photo.png", "old.png", "high.png"], "expected ids 0 to 3 in high.png"),
        (["run", "old.txt", "old.png", "new.png"], "expected a readable image, got old.txt"),
        (["run", "photo.png", "old.png", "new.png", "--margin", "-1"], "--margin must be at least 0, got -1"),
        (["run", "photo.png", "old.png", "new.png", "--num-samples", "0"], "--num-samples must be at least 1"),
        (["run", "photo.png", "old.png", "new.png", "--num-steps", "0"], "num_steps"),
    ],
)
def test_faults_are_one_line_before_anything_is_drawn(given, tmp_path, words, told, capsys):
    write(tmp_path / "wide.png", np.zeros((HEIGHT, 2 * WIDTH)))
    write(tmp_path / "wider.png", np.ones((HEIGHT, 2 * WIDTH)))
    write(tmp_path / "high.png", np.full((HEIGHT, WIDTH), 9))
    (tmp_path / "old.txt").write_text("no picture")
    assert main([*words, "--output", "out"]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and error.startswith("error: ")
    assert not (tmp_path / "out").exists()
