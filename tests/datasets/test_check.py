"""The report on a folder: counts that are right, every bad file listed, an exit status that can be relied on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sdm_lite.datasets import CamVid
from sdm_lite.datasets.__main__ import main
from sdm_lite.datasets.check import check_split, format_bad, format_counts, format_frequencies

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def root(tmp_path):
    """Ten pictures to train on and two to validate; a quarter of each is road, the rest sky, one has a car."""
    for split, number in (("train", 10), ("val", 2)):
        for i in range(number):
            ids = np.zeros((32, 32), dtype=np.uint8)
            ids[24:] = 3
            if (split, i) == ("train", 4):
                ids[:8] = 8
            for kind, array in (("images", CamVid.palette[ids]), ("labels", ids)):
                path = tmp_path / kind / split / f"{i:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    return tmp_path


def test_the_counts(root):
    report = check_split(CamVid(root, "train", (32, 32), skip_bad=True), num_shown=3)
    assert (report.num_examples, report.num_read, report.smallest, report.bad) == (10, 10, (32, 32), [])
    share = report.num_pixels / report.num_pixels.sum()
    np.testing.assert_allclose(share[[0, 3, 8]], [0.725, 0.25, 0.025])
    assert report.num_pictures[[0, 3, 8, 1]].tolist() == [10, 10, 1, 0] and len(report.shown) == 3


def test_the_table(root):
    reports = [check_split(CamVid(root, split, (32, 32), skip_bad=True)) for split in ("train", "val")]
    lines = format_frequencies(CamVid.class_names, reports).splitlines()
    assert [line.split()[1] for line in lines[1:4]] == ["sky", "road", "car"]
    assert lines[2].split() == ["3", "road", "25.00", "%", "10", "25.00", "%", "2"]
    assert lines[4].startswith("never: building, pole")
    told = format_frequencies(CamVid.class_names, reports[::-1]).splitlines()
    assert told[4] == "in train, never in val: car" and told[5] == lines[4]


def test_void_pixels_are_counted(root):
    ids = np.full((32, 32), 255, dtype=np.uint8)
    ids[8:] = 0
    Image.fromarray(ids).save(root / "labels/val/00.png")  # a quarter of one of two pictures
    val = CamVid(root, "val", (32, 32), skip_bad=True)
    assert "void (unlabelled): 12.50 % of the pixels" in format_counts(val, check_split(val))


def test_a_folder_where_all_is_well(root, tmp_path, capsys):
    output = tmp_path / "picture.png"
    assert (
        main(["check", "camvid", str(root), "--size", "32", "32", "--output", str(output), "--num-pictures", "4"]) == 0
    )
    told = capsys.readouterr()
    assert "train: 10 photographs with label maps, 32 x 32 pixels" in told.out and "val: 2 " in told.out
    assert told.out.count("void (unlabelled): 0.00 % of the pixels, which judges and mIoU ignore") == 2
    with Image.open(output) as picture:
        colours = {tuple(colour) for colour in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    assert {tuple(CamVid.palette[k]) for k in (0, 3)} <= colours, "the label maps are not in the picture"


def test_what_is_bad_is_listed_whole_and_fails_unless_skipped(root, capsys):
    (root / "labels/train/02.png").unlink()
    (root / "images/train/05.png").write_bytes(b"")
    Image.fromarray(np.full((32, 32), 99, dtype=np.uint8)).save(root / "labels/val/01.png")
    command = ["check", "camvid", str(root), "--size", "32", "32"]
    assert main(command) == 1
    told = capsys.readouterr()
    for line in ("02.png: no label map for it", "05.png: cannot identify image file", "01.png, got 99 (1024 pixels)"):
        assert line in told.out
    assert "train: 8 photographs" in told.out and told.err.splitlines()[-1].startswith("error: 3 bad files or examples")
    assert main([*command, "--skip-bad"]) == 0
    assert "02.png: no label map for it" in capsys.readouterr().out, "left out silently"


def test_a_part_of_a_folder(root, capsys):
    assert main(["check", "camvid", str(root), "--split", "train", "--limit", "4", "--protocol", "reference"]) == 0
    told = capsys.readouterr().out
    assert "10 photographs with label maps (4 of them read)" in told and "val" not in told and "squashed" in told


def test_a_missing_split_is_an_error_beside_the_report(root, capsys):
    for kind in ("images", "labels"):
        for path in (root / kind / "val").iterdir():
            path.unlink()
    assert main(["check", "camvid", str(root)]) == 1
    told = capsys.readouterr()
    assert "train: 10 photographs" in told.out and "split val, got none" in told.err


@pytest.mark.parametrize(
    "command, told",
    [
        (["camvi", "ROOT"], "did you mean camvid?"),
        (["camvid", "ROOT/images"], "did you mean"),
        (["camvid", "ROOT", "--size", "30", "30"], "multiples of 8"),
        (["camvid", "ROOT", "--limit", "0"], "must be at least 1"),
        (["camvid", "ROOT", "--output", "picture.jpg"], "must end in .png"),
        (["camvid", "ROOT", "--output", "ROOT/images/train/00.png/picture.png"], "cannot write to"),
        (["ade20k", "ROOT"], "it looks like"),
    ],
)
def test_bad_input_is_one_line(root, capsys, command, told):
    assert main(["check", *(part.replace("ROOT", str(root)) for part in command)]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_the_command_as_a_user_starts_it(root):
    command = [sys.executable, "-m", "sdm_lite.datasets", "check", "camvid", str(root / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2], check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: expected a folder with images/")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [2, 10])  # fewer than are probed when the data set is made, and more
@pytest.mark.parametrize("options", [[], ["--skip-bad"], ["--output", "picture.png"], ["--limit", "3"]])
def test_where_nothing_is_right_it_is_listed(root, tmp_path, monkeypatch, capsys, number, options):
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val"):
        for path in sorted((root / "labels" / split).iterdir())[:number]:
            Image.fromarray(np.asarray(Image.open(path)) + 100).save(path)  # ids of another data set
        for kind in ("images", "labels"):
            for path in sorted((root / kind / split).iterdir())[number:]:
                path.unlink()
    assert main(["check", "camvid", str(root), "--size", "32", "32", *options]) == 1
    told = capsys.readouterr()
    assert "labels/train/00.png, got 100 (" in told.out and "labels/val/00.png, got 100 (" in told.out
    assert "no example of split train can be read" in told.err and "no example of split val can be read" in told.err
    assert not (tmp_path / "picture.png").exists()


def test_one_split_of_which_nothing_is_right_leaves_the_other_its_report(root, tmp_path, capsys):
    for path in (root / "labels/train").iterdir():
        path.write_bytes(b"")
    output = tmp_path / "picture.png"
    assert main(["check", "camvid", str(root), "--size", "32", "32", "--output", str(output)]) == 1
    told = capsys.readouterr()
    assert "train: 0 photographs with label maps\n  10 bad:" in told.out and "val: 2 photographs" in told.out
    assert output.exists() and told.err.count("error: ") == 2


def test_equal_faults_are_told_once_with_the_files_that_have_them(root, capsys):
    names = ["north", "south", "east of 5", "west.v2"]
    for i, name in enumerate(names):
        ids = np.full((32, 32), 40, np.uint8)
        ids[:, : 3 * i] = 90 + i  # one foreign id or two: no other fault
        Image.fromarray(ids).save(root / f"labels/train/{name}.png")
        (root / f"labels/train/{i:02d}.png").unlink()
        (root / f"images/train/{i:02d}.png").rename(root / f"images/train/{name}.png")
    (root / "images/train/05.png").write_bytes(b"")
    assert main(["check", "camvid", str(root), "--size", "32", "32"]) == 1
    told = capsys.readouterr().out
    assert told.count("expected label ids") == 1 and "  5 bad:\n" in told and "05.png: cannot identify" in told
    assert "the same in 3 more: " in told and all(f"labels/train/{name}.png" in told for name in names)


def test_many_equal_faults_are_not_listed_without_end():
    bad = [f"/data/my set/labels/a {'x' * i}.v2.png: no photograph for it" for i in range(50)]
    lines = format_bad(bad, Path("/data/my set"))
    assert len(lines) == 3 and lines[0] == "  50 bad:" and "the same in 49 more: labels/a x.v2.png, " in lines[2]
    assert lines[2].endswith(f"labels/a {'x' * 20}.v2.png and 29 more")
