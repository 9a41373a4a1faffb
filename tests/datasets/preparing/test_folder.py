"""A folder as people have it, made into one that training opens: right, whole or not at all, and gone on with."""

import os
import shutil

import numpy as np
import pytest
from photograph_files import save

from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.__main__ import main
from sdm_lite.datasets.class_names import read_classes
from sdm_lite.datasets.image_files import read_ids
from sdm_lite.datasets.preparing.draft import draft_of
from sdm_lite.datasets.preparing.folder import prepare_folder
from sdm_lite.datasets.preparing.reader import Reader

Image = pytest.importorskip("PIL.Image")
COLOURS = np.array([(128, 64, 128), (0, 0, 192), (128, 128, 128), (0, 0, 0)], dtype=np.uint8)
NAMES = ("road", "pavement", "sky", "Void")


def ids_of(seed, size=(32, 48)):
    return np.random.default_rng(seed).integers(0, 4, (size[0] // 8, size[1] // 8)).repeat(8, 0).repeat(8, 1)


def photograph(seed, size=(32, 48)):
    return np.random.default_rng(100 + seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.fixture
def source(tmp_path):
    """Six photographs in as many formats, with maps in colours named _L; four to train on and two to validate."""
    source = tmp_path / "my source"
    suffixes = ("png", "jpg", "tif", "webp", "jpeg", "PNG")
    for seed, suffix in enumerate(suffixes):
        split = "train" if seed < 4 else "val"
        save(source / split / f"frame {seed}.{suffix}", photograph(seed))
        save(source / f"{split}_labels" / f"frame {seed}_L.png", COLOURS[ids_of(seed)])
    lines = [f"{r} {g} {b}\t{name}\n" for (r, g, b), name in zip(COLOURS.tolist(), NAMES, strict=True)]
    (source / "label_colors.txt").write_text("".join(lines))
    return source


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def command(source, target, *more):
    return ["prepare", "folder", str(source), str(target), "--workers", "1", *map(str, more)]


def test_colours_become_ids_and_everything_else_stays(source, tmp_path, capsys):
    before = tree(source)
    assert main(command(source, tmp_path / "out", "--colours", source / "label_colors.txt")) == 0
    told = capsys.readouterr().out
    assert tree(source) == before, "the source was written to"
    names, colours = read_classes(tmp_path / "out/classes.txt")
    assert names == ("road", "pavement", "sky", "unlabelled") and colours[:3].tolist() == COLOURS[:3].tolist()
    for split, seeds in (("train", range(4)), ("val", (4, 5))):
        data = open_dataset("folder", tmp_path / "out", split, size=(32, 48))
        assert data.names == [f"frame {seed}" for seed in seeds] and data.void_id == 3
        np.testing.assert_array_equal(data.palette, colours)
        for example, seed in zip(data.read_all(), seeds, strict=True):
            np.testing.assert_array_equal(example.label_map, ids_of(seed))
    assert (tmp_path / "out/images/train/frame 3.webp").read_bytes() == (source / "train/frame 3.webp").read_bytes()
    shares = [f"{100 * np.mean([ids_of(seed) == k for seed in range(6)]):.2f} %" for k in range(4)]
    lines = told.splitlines()
    for k, (name, share) in enumerate(zip(names, shares, strict=True)):
        (line,) = [line for line in lines if line.split()[:2] == [str(k), name]]
        assert share in line and line.endswith(" ".join(map(str, COLOURS[k])))
    assert "label maps: train_labels/*_L.png (4), val_labels/*_L.png (2)" in told and "next: " in lines[-1]
    assert not list(tmp_path.glob(".*")) and "train 4, val 2" in (tmp_path / "out/prepared.txt").read_text()
    with Image.open(tmp_path / "out/prepared.png") as picture:
        seen = {tuple(colour) for colour in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    assert {tuple(colour) for colour in COLOURS[:3]} <= seen


def test_colours_are_found_where_no_table_says_them(source, tmp_path, capsys):
    assert main(command(source, tmp_path / "out", "--dry-run", "--output", tmp_path / "look.png")) == 0
    told = capsys.readouterr().out
    assert "4 classes of 4 colours: the colours that were found" in told and "#804080" in told
    assert not (tmp_path / "out").exists() and (tmp_path / "look.png").is_file() and not list(tmp_path.glob(".out*"))
    assert main(command(source, tmp_path / "out", "--void", "0 0 0")) == 0
    names, colours = read_classes(tmp_path / "out/classes.txt")
    assert sorted(names[:3]) == ["#0000c0", "#804080", "#808080"] and names[3] == "unlabelled"
    label_map = read_ids(tmp_path / "out/labels/val/frame 5.png")
    np.testing.assert_array_equal(label_map == 3, ids_of(5) == 3)
    np.testing.assert_array_equal(
        colours[label_map][ids_of(5) == 0], COLOURS[0][None].repeat((ids_of(5) == 0).sum(), 0)
    )


def test_a_few_stray_pixels_make_a_class_for_void(source, tmp_path, capsys):
    colours = COLOURS[ids_of(2)]
    colours[3, 3:8] = 1, 2, 3
    save(source / "train_labels/frame 2_L.png", colours)
    (source / "label_colors.txt").write_text("128 64 128 road\n0 0 192 pavement\n128 128 128 sky\n0 0 0 night\n")
    assert main(command(source, tmp_path / "out", "--colours", source / "label_colors.txt")) == 0
    assert "0.05 % are far from any: 0.00 % took a colour beside them, 0.05 % are void" in capsys.readouterr().out
    data = open_dataset("folder", tmp_path / "out", "train", size=(32, 48))
    assert data.class_names == ("road", "pavement", "sky", "night", "unlabelled") and data.void_id == 4
    np.testing.assert_array_equal(data[2].label_map == 4, (colours == (1, 2, 3)).all(axis=-1))


def test_halves_of_one_file(tmp_path):
    for side, name in (("map-right", "a"), ("map-left", "b")):
        parts = [photograph(0), COLOURS[ids_of(0)]][:: 1 if side == "map-right" else -1]
        save(tmp_path / name / "train" / "1.png", np.concatenate(parts, axis=1))
        done = prepare_folder(tmp_path / name, tmp_path / f"{name}-out", Reader(side_by_side=side, void=("0 0 0",)))
        data = open_dataset("folder", done.target, "train", size=(32, 48))
        np.testing.assert_array_equal(data[0].label_map == data.void_id, ids_of(0) == 3)
        np.testing.assert_allclose((data[0].image.movedim(0, -1) + 1) * 127.5, photograph(0), atol=0.01)


def test_the_colours_of_jpeg_files_are_found_without_their_seams(tmp_path):
    """Noisy halves as pix2pix publishes them: as many classes as colours, and few pixels of the wrong one."""
    true = {}
    for seed in range(3):
        ids = ids_of(seed, (128, 128)).repeat(2, 0).repeat(2, 1)
        both = np.concatenate([photograph(seed, (256, 256)), COLOURS[ids]], axis=1)
        save(tmp_path / f"in/{seed}.jpg", both, quality=75, subsampling=2)
        true[seed] = ids
    done = prepare_folder(tmp_path / "in", tmp_path / "out", Reader(side_by_side="map-right"))
    assert len(done.table.class_names) == 4 and done.tally.num_void == 0
    nearest = np.abs(done.table.palette.astype(int)[:, None] - COLOURS).sum(-1)
    assert nearest.min(axis=1).max() <= 6, "a class has the colour of a seam"
    wrong = [nearest.argmin(axis=1)[read_ids(done.target / f"labels/{seed}.png")] != ids for seed, ids in true.items()]
    assert np.mean(wrong) < 0.005


@pytest.mark.parametrize("ending", ["_labelIds", "_gtFine_labelIds"])
def test_ids_with_an_offset_and_an_ending(tmp_path, ending):
    for seed in range(2):
        save(tmp_path / "in/pictures" / f"{seed}.jpg", photograph(seed))
        ids = ids_of(seed).astype(np.uint8) + 7
        ids[0, 0], ids[0, 1] = 255, 3
        save(tmp_path / "in/pictures" / f"{seed}{ending}.png", ids)
    (tmp_path / "names.txt").write_text("road\npavement\nsky\ntree\n")
    done = prepare_folder(tmp_path / "in", tmp_path / "out", Reader(classes=str(tmp_path / "names.txt"), id_offset=7))
    label_map = read_ids(done.target / "labels/1.png")
    assert done.table.class_names == ("road", "pavement", "sky", "tree", "unlabelled")
    assert label_map[0, :2].tolist() == [4, 4]
    np.testing.assert_array_equal(label_map[1:], ids_of(1)[1:])
    (tmp_path / "ids.txt").write_text("7 ground\n8 ground\n9 sky\n10 tree\n3 void\n")
    done = prepare_folder(tmp_path / "in", tmp_path / "merged", Reader(id_map=str(tmp_path / "ids.txt")))
    np.testing.assert_array_equal(read_ids(done.target / "labels/1.png")[1:], np.array([0, 0, 1, 2])[ids_of(1)[1:]])


def test_a_smaller_label_map_is_scaled_and_one_of_another_shape_is_bad(source, tmp_path, capsys):
    save(source / "train_labels/frame 0_L.png", COLOURS[ids_of(0)][::2, ::2])
    save(source / "train_labels/frame 1_L.png", COLOURS[ids_of(1)].transpose(1, 0, 2))
    save(source / "val_labels/frame 4_L.png", COLOURS[ids_of(4)].transpose(1, 0, 2))
    assert main(command(source, tmp_path / "out")) == 1
    told = capsys.readouterr()
    assert "1 label map of another size scaled" in told.out and "  2 bad:" in told.out
    assert "the same in 1 more: val/frame 4.jpeg" in told.out and "48 x 32 in" in told.out
    assert told.err.count("\n") == 3 and "error: 2 bad files, listed above, nothing is written" in told.err
    assert not (tmp_path / "out").exists()
    assert main(command(source, tmp_path / "out", "--skip-bad")) == 0
    np.testing.assert_array_equal(
        open_dataset("folder", tmp_path / "out", "train", size=(32, 48)).names, ["frame 0", "frame 2", "frame 3"]
    )


def test_a_run_goes_on_where_it_was_and_leaves_no_target_before(source, tmp_path, capsys):
    good = (source / "val/frame 5.PNG").read_bytes()
    (source / "val/frame 5.PNG").write_bytes(good[:100])
    options = ("--colours", source / "label_colors.txt")
    assert main(command(source, tmp_path / "out", *options)) == 1
    assert not (tmp_path / "out").exists() and "what is done is kept" in capsys.readouterr().err
    draft = draft_of(tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in draft.rglob("*.png")}
    (source / "val/frame 5.PNG").write_bytes(good)
    (draft / "labels/train/frame 0.png").unlink()  # somebody tidied
    save(source / "train_labels/frame 1_L.png", COLOURS[(ids_of(1) + 1) % 4])  # somebody painted on
    os.utime(source / "train_labels/frame 1_L.png", ns=(1, 1))
    for path in (source / "train/frame 3.webp", source / "train_labels/frame 3_L.png"):
        path.unlink()  # somebody changed their mind
    with open(draft / ".done.jsonl", "a") as file:
        file.write('["train", "frame 2", [')  # the machine crashed
    assert main(command(source, tmp_path / "out", *options)) == 0
    assert "wrote 5 examples" in (told := capsys.readouterr().out) and "2 of them from an earlier run" in told
    assert len(list((tmp_path / "out/labels").rglob("*.png"))) == len(list((tmp_path / "out/images").rglob("*.*"))) == 5
    np.testing.assert_array_equal(read_ids(tmp_path / "out/labels/train/frame 1.png"), (ids_of(1) + 1) % 4)
    kept = tmp_path / "out/labels/train/frame 2.png"
    assert kept.stat().st_mtime_ns == times[draft / "labels/train/frame 2.png"]
    whole = prepare_folder(source, tmp_path / "at once", Reader(colours=str(source / "label_colors.txt"))).target
    assert tree(whole / "labels") == tree(tmp_path / "out/labels")


def test_what_was_done_otherwise_is_not_gone_on_with(source, tmp_path):
    (source / "val/frame 5.PNG").rename(tmp_path / "away.png")
    assert prepare_folder(source, tmp_path / "out", Reader(colours=str(source / "label_colors.txt"))).target is None
    (tmp_path / "away.png").rename(source / "val/frame 5.PNG")
    lines = (source / "label_colors.txt").read_text().splitlines()
    (source / "label_colors.txt").write_text("\n".join(lines[::-1]))
    shutil.rmtree(source / "train")
    shutil.rmtree(source / "train_labels")
    done = prepare_folder(source, tmp_path / "out", Reader(colours=str(source / "label_colors.txt")))
    assert done.num_before == 0 and done.table.class_names == ("sky", "pavement", "road", "unlabelled")
    assert sorted(path.name for path in (done.target / "labels").rglob("*.png")) == ["frame 4.png", "frame 5.png"]


def test_a_stop_on_the_way_leaves_no_target(source, tmp_path, monkeypatch, capsys):
    from sdm_lite.datasets.preparing import pairs

    link, calls = pairs.link, []

    def stopped(*files):
        calls.append(files)
        if len(calls) == 3:
            raise KeyboardInterrupt
        link(*files)

    monkeypatch.setattr(pairs, "link", stopped)
    assert main(command(source, tmp_path / "out")) == 130
    assert "the same command goes on from here" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main(command(source, tmp_path / "out")) == 0
    assert len(list((tmp_path / "out/images").rglob("*.*"))) == 6


@pytest.mark.parametrize(
    "more, told",
    [
        (["--tolerance", "500"], "--tolerance must be from 0 to 441"),
        (["--id-offset", "1"], "--id-offset 1 needs --classes FILE"),
        (["--side-by-side", "map-left", "--labels", "x"], "leave out --labels"),
        (["--labels", "x"], "expected --labels to be a folder in"),
        (["--void", "grass"], "expected --void to name a class or a value"),
        (["--output", "look.jpg"], "--output must end in .png"),
        (["--colours", "nowhere.txt"], "nowhere.txt"),
        (["--workers", "-1"], "must not be negative"),
    ],
)
def test_bad_options_are_one_line_before_any_work(source, tmp_path, capsys, more, told):
    assert main([*command(source, tmp_path / "out"), *more]) == 2
    error = capsys.readouterr().err.splitlines()
    assert told in error[-1] and error[-1].startswith("error: ") and not list(tmp_path.glob("*out*"))


def test_places_that_cannot_be(source, tmp_path, capsys):
    (tmp_path / "used").mkdir()
    (tmp_path / "used/file").touch()
    (tmp_path / "file").touch()
    for places, told in (
        ((source, source / "out"), "expected a target outside of"),
        ((source, source), "expected a target outside of"),
        ((source, tmp_path / "used"), "got one that is in use"),
        ((source, tmp_path / "file/out"), "cannot write to"),
        ((tmp_path / "nowhere", tmp_path / "out"), "got no such folder"),
        ((tmp_path / "used", tmp_path / "out"), "got no photographs and no label maps"),
    ):
        assert main(command(*places)) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1


def test_four_hundred_equal_faults_are_two_lines(tmp_path, capsys):
    for i in range(400):
        path = tmp_path / "in/images" / f"{i:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    save(tmp_path / "in/images/good.jpg", photograph(0))
    save(tmp_path / "in/labels/good.png", COLOURS[ids_of(0)])
    assert main(command(tmp_path / "in", tmp_path / "out")) == 1
    told = capsys.readouterr()
    assert "  400 bad:" in told.out and told.out.count("no label map for it") == 1 and "and 379 more" in told.out


def test_a_photograph_that_is_turned_by_its_exif_tag(tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    for name, ids in (("a", np.rot90(ids_of(0), -1)), ("b", ids_of(1))):
        save(tmp_path / f"in/images/{name}.jpg", photograph(0), exif=exif)
        save(tmp_path / f"in/labels/{name}.png", ids.astype(np.uint8))
    assert main(command(tmp_path / "in", tmp_path / "out", "--skip-bad")) == 0
    assert "b.png: the photograph's EXIF tag turns it upright, turn the label map the same" in capsys.readouterr().out
    np.testing.assert_array_equal(read_ids(tmp_path / "out/labels/a.png"), np.rot90(ids_of(0), -1))
    assert open_dataset("folder", tmp_path / "out", "all", size=(48, 32)).names == ["a"]


def test_files_that_are_not_what_they_seem(source, tmp_path, capsys):
    """A JPEG file named .png among ids, ids among colours, a grey PNG of four bits: told, or read rightly."""
    for kind in ("images", "labels"):
        (tmp_path / "in" / kind).mkdir(parents=True)
    for seed in range(3):
        save(tmp_path / "in/images" / f"{seed}.png", photograph(seed))
        image = Image.fromarray(ids_of(seed).astype(np.uint8))
        image.save(tmp_path / "in/labels" / f"{seed}.png", **({"bits": 4} if seed == 0 else {}))
    image.save(tmp_path / "in/labels/2.png", format="JPEG")
    assert main(command(tmp_path / "in", tmp_path / "out")) == 1
    told = capsys.readouterr().out
    assert "2.png, got JPEG, which can change them: give the PNG file" in told and "  1 bad:" in told
    assert main(command(tmp_path / "in", tmp_path / "out", "--skip-bad")) == 0
    np.testing.assert_array_equal(read_ids(tmp_path / "out/labels/0.png"), ids_of(0))
    save(source / "train_labels/frame 0_L.png", photograph(0))
    assert main(command(source, tmp_path / "other", "--colours", source / "label_colors.txt")) == 1
    assert "frame 0_L.png, got 1536 pixels of others, most of them" in capsys.readouterr().out
