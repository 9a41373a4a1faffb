"""Pictures for label maps in files: each fault is told before anything is drawn, each option reaches the sampler."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import TINY
from photograph_files import Image

from sdm_lite.checkpoints import load_model, save_model
from sdm_lite.evaluate.drawing import SampleSettings, draw_groups
from sdm_lite.pictures import to_uint8
from sdm_lite.sample.__main__ import main
from sdm_lite.student import Student
from sdm_lite.train import LITE_DIFFUSION
from sdm_lite.unet import SDMUNet

SIZE, CLASSES = TINY.image_size, TINY.num_classes


def finished(folder, network=TINY):
    """A finished run: a folder that holds model.safetensors."""
    torch.manual_seed(0)
    unet = SDMUNet(network)
    for weight in unet.parameters():  # what starts at zero hides the labels
        torch.nn.init.normal_(weight, std=0.2)
    facts = {"dataset": "scenes", "train_config": {"null_probability": 0.2}}
    save_model(folder / "model.safetensors", unet, LITE_DIFFUSION, facts=facts)
    return folder


@pytest.fixture
def run_folder(tmp_path):
    return finished(tmp_path / "run")


def write_map(path, ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids.astype(np.uint8)).save(path)
    return path


def halves(size=SIZE):
    ids = np.zeros(size, dtype=np.uint8)
    ids[:, size[1] // 2 :] = 1
    return ids


def test_pictures_are_those_of_the_sampler(run_folder, tmp_path, capsys):
    maps = tmp_path / "maps"
    write_map(maps / "b.png", halves())
    write_map(maps / "a.png", 1 - halves())
    words = [str(run_folder), str(maps), "--output", str(tmp_path / "out"), "--num-samples", "2", "--num-steps", "2"]
    assert main([*words, "--seed", "3"]) == 0
    assert "guidance_scale 1.5" in capsys.readouterr().out, "the data set's, as labels were dropped"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"a-0.png", "a-1.png", "b-0.png", "b-1.png", "grid.png"}
    labels = torch.from_numpy(np.stack([1 - halves(), halves()]).astype(np.int64))
    model = load_model(run_folder / "model.safetensors")
    expected = draw_groups(model, labels, labels, [2, 2], SampleSettings(1.5, 2, seed=3))
    for name, group in zip("ab", expected, strict=True):
        for number, picture in enumerate(to_uint8(group)):
            assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / f"{name}-{number}.png")), picture)
    assert main([*words, "--seed", "4"]) == 0
    assert not np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a-0.png")), to_uint8(expected[0])[0])


def test_a_map_of_another_size_is_brought_to_the_models(run_folder, tmp_path, capsys):
    small = write_map(tmp_path / "small.png", halves())
    large = write_map(tmp_path / "large.png", np.kron(halves(), np.ones((3, 3))))
    wide = write_map(tmp_path / "wide.png", np.kron(halves(), np.ones((1, 2))))
    pictures = []
    for path in (small, large, wide):
        assert main([str(run_folder), str(path), "--output", str(tmp_path / path.stem), "--num-steps", "1"]) == 0
        pictures.append(np.asarray(Image.open(tmp_path / path.stem / f"{path.stem}-0.png")))
        assert ("is stretched" in capsys.readouterr().out) == (path == wide)
    assert np.array_equal(pictures[0], pictures[1]) and np.array_equal(pictures[0], pictures[2])
    other = write_map(tmp_path / "other.png", halves().T)
    assert main([str(run_folder), str(other), "--output", str(tmp_path / "other"), "--num-steps", "1"]) == 0
    assert not np.array_equal(pictures[0], np.asarray(Image.open(tmp_path / "other" / "other-0.png")))


def test_unlabelled_is_the_last_class(run_folder, tmp_path):
    ids = halves()
    ids[:2] = 255
    given = write_map(tmp_path / "void.png", ids)
    ids[:2] = CLASSES - 1
    meant = write_map(tmp_path / "meant.png", ids)
    few = ["--num-steps", "1", "--num-samples", "1"]
    assert main([str(run_folder), str(given), *few, "--output", str(tmp_path / "refused")]) == 2
    assert not (tmp_path / "refused").exists()
    read = []
    for path, more in ((given, ["--unlabelled", "255"]), (meant, [])):
        output = tmp_path / path.stem
        assert main([str(run_folder), str(path), *few, *more, "--output", str(output)]) == 0
        read.append(np.asarray(Image.open(output / f"{path.stem}-0.png")))
    assert np.array_equal(*read)


def test_instances_draw_edges_that_labels_have_not(tmp_path):
    folder = finished(tmp_path / "run", replace(TINY, instance_edges=True))
    flat = write_map(tmp_path / "flat.png", np.zeros(SIZE))
    write_map(tmp_path / "instances" / "flat.png", halves())
    words = [str(folder), str(flat), "--num-steps", "1", "--num-samples", "1"]
    assert main([*words, "--output", str(tmp_path / "without")]) == 0
    assert main([*words, "--output", str(tmp_path / "with"), "--instances", str(tmp_path / "instances")]) == 0
    labels, objects = (torch.from_numpy(of.astype(np.int64))[None] for of in (np.zeros(SIZE), halves()))
    model = load_model(folder / "model.safetensors")
    for name, of in (("without", labels), ("with", objects)):
        (expected,) = draw_groups(model, labels, of, [1], SampleSettings(1.5, 1))
        assert np.array_equal(np.asarray(Image.open(tmp_path / name / "flat-0.png")), to_uint8(expected)[0]), name


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["missing.png"], "missing.png, which is not there"),
        (["empty"], "expected label maps"),
        (["high.png"], f"expected ids 0 to {CLASSES - 1}"),
        (["many"], f"got {CLASSES}, {CLASSES + 1}: --unlabelled says which id means the last class"),
        (["many"], "(the same in 2 more)"),
        (["photo.jpg"], "JPEG"),
        (["colours.png"], "colours"),
        (["good.png", "again/good.png"], "2 called good"),
        (["good.png", "--num-samples", "0"], "--num-samples must be at least 1, got 0"),
        (["good.png", "--num-steps", "0"], "num_steps"),
        (["good.png", "--guidance-scale", "-1"], "guidance_scale"),
        (["good.png", "--instances", "empty"], "expected an instance map called good"),
    ],
)
def test_faults_are_one_line_before_anything_is_drawn(words, told, run_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write_map(tmp_path / "good.png", halves())
    write_map(tmp_path / "again" / "good.png", halves())
    for name in ("high.png", "many/a.png", "many/b.png", "many/c.png"):
        write_map(tmp_path / name, halves() + CLASSES)
    write_map(tmp_path / "photo.jpg", halves())
    write_map(tmp_path / "colours.png", np.random.default_rng(0).integers(256, size=(*SIZE, 3)))
    assert main([str(run_folder), *words, "--output", "out"]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and error.startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_a_student_is_sampled_in_four_steps_at_its_teacher_s_scale(tmp_path, capsys):
    facts = {"teacher": "scenes-32", "train_config": {"null_probability": 0.0}}
    save_model(tmp_path / "student.safetensors", Student(TINY), LITE_DIFFUSION, facts=facts)
    words = [str(tmp_path / "student.safetensors"), str(write_map(tmp_path / "a.png", halves())), "--num-samples", "1"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert "num_steps 4, guidance_scale 1.5" in capsys.readouterr().out
    assert main([*words, "--output", str(tmp_path / "out"), "--num-steps", "3"]) == 2
    assert "num_steps of a student must be one of [1, 2, 4], got 3" in capsys.readouterr().err
