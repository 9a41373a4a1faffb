"""docs/walkthroughs.md, command by command, on small folders of the published layouts."""

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from photograph_files import save

from sdm_lite.datasets import DATASETS
from sdm_lite.datasets.camvid import COLOURS
from sdm_lite.datasets.celebamask import PARTS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "walkthroughs.md").read_text(encoding="utf-8")
SECTIONS = {text.split("\n")[0]: text for text in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
SHAPE = (32, 64)
# What a test adds to a command of the page: the same words, less work.
LESS = {
    "sdm_lite.train": "--preset scenes-32 --size 16 16 --num-steps 2 --batch-size 2 --warmup-steps 0 --device cpu "
    "--mixed-precision no --num-workers 0 --evaluate-steps 2 --evaluate-images 2 --crops 1",
    "sdm_lite.judge": "--size 16 16 --num-steps 2 --num-images 4 --num-held-out 2 --batch-size 2",
    "sdm_lite.evaluate": "--num-photographs 2 --num-bound 2 --num-steps 2 --samples-per-layout 2 --batch-size 2",
    "sdm_lite.sample": "--num-steps 2 --num-samples 1",
    "sdm_lite.datasets prepare celebamask-hq": "--expect 6",
}


def commands(text):
    """The words of each command in the shell blocks of a text, without the launcher of several processes."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = [shlex.split(line) for line in lines]
    assert all(
        words[:2] == ["python", "-m"] or words[:4] == "torchrun --nproc-per-node 8 -m".split() for words in found
    )
    return [words[words.index("-m") + 1 :] for words in found]


def run(words):
    """The exit status of a command, with less work."""
    module, *rest = words
    more = [text.split() for start, text in LESS.items() if " ".join(words).startswith(start)]
    return importlib.import_module(f"{module}.__main__").main([*rest, *sum(more, [])])


# Small folders as they are published.

rng = np.random.default_rng(0)


def photograph():
    return rng.integers(0, 256, (*SHAPE, 3), np.uint8)


def blocks(values):
    """A map of squares (32, 64), each of one of some values, all of which occur."""
    values = np.asarray(values)
    chosen = np.resize(rng.permutation(len(values)), 32).reshape(4, 8)
    return values[chosen].repeat(8, 0).repeat(8, 1)


def cityscapes(root):
    for split, city in (("train", "aachen"), ("val", "lindau")):
        for i in range(3):
            name = f"{city}_{i:06d}_000019"
            labels = blocks(np.array([7, 11, 23, 26, 255], dtype=np.uint8))
            save(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", photograph())
            for kind, array in (
                ("labelIds", labels),
                ("instanceIds", labels.astype(np.uint16)),
                ("color", photograph()),
            ):
                save(root / "gtFine" / split / city / f"{name}_gtFine_{kind}.png", array)


def ade20k(root):
    for folder, split in (("training", "train"), ("validation", "val")):
        for i in range(3):
            save(root / "images" / folder / f"ADE_{split}_{i:08d}.jpg", photograph())
            save(root / "annotations" / folder / f"ADE_{split}_{i:08d}.png", blocks(np.arange(8, dtype=np.uint8)))


def celebamask(root):
    for number in (0, 1, 2, 28_000, 28_001, 28_002):
        save(root / "CelebA-HQ-img" / f"{number}.jpg", rng.integers(0, 256, (64, 64, 3), np.uint8))
        for part in PARTS[:3]:
            mask = 255 * rng.integers(0, 2, (4, 4), np.uint8).repeat(8, 0).repeat(8, 1)
            save(root / "CelebAMask-HQ-mask-anno" / str(number // 2000) / f"{number:05d}_{part}.png", mask)


def coco(root):
    for split in ("train2017", "val2017"):
        for i in range(3):
            save(root / "images" / split / f"{i:012d}.jpg", photograph())
            save(
                root / "annotations" / split / f"{i:012d}.png", blocks(np.array([0, 2, 155, 181, 255], dtype=np.uint8))
            )


def camvid(root):
    named = [(colour, name) for colours in COLOURS.values() for name, colour in colours.items()]
    frames = ["0001TP_006690", "0001TP_006720", "0001TP_006750", "0016E5_07959", "0016E5_07961", "0016E5_07963"]
    for frame in [*frames, "Seq05VD_f00000", "Seq05VD_f00030"]:
        save(root / "701_StillsRaw_full" / f"{frame}.png", photograph())
        save(root / f"{frame}_L.png", blocks(np.array([colour for colour, _ in named], dtype=np.uint8)))
    lines = [f"{r} {g} {b}\t{name}\n" for (r, g, b), name in named]
    (root / "label_colors.txt").write_text("".join(lines))


def own(root):
    """`mine`, and beside it the folders of what else people have."""
    colours = np.array([(128, 64, 128), (0, 0, 192), (0, 255, 0)], dtype=np.uint8)
    for split in ("train", "val"):
        for i, suffix in enumerate(("jpg", "tif", "webp")):
            save(root / "photos" / split / f"{i}.{suffix}", photograph())
            save(root / "masks" / split / f"{i}.png", blocks(colours))
            both = np.concatenate([photograph(), blocks(colours)], axis=1)
            save(root.parent / "facades" / split / f"{i}.jpg", both, quality=90)
            for folder, ending in (("scans", "_labelIds"), ("odd/pictures/b", "")):
                ids = blocks(np.array([0, 7, 8, 255], dtype=np.uint8))
                save(root.parent / folder / split / f"{i}{ending}.png", ids)
                image = folder.replace("/b", "/a")
                save(root.parent / image / split / f"{i}.jpg", photograph())
    (root / "colours.txt").write_text("128 64 128 road\n0 0 192 pavement\n0 255 0 tree\n")
    (root.parent / "scans/ids.txt").write_text("0 void\n7 road\n8 road\n9 sky\n")
    (root.parent / "scans/names.txt").write_text("road\nsky\n")


FOLDERS = {
    "Cityscapes": ("cityscapes", cityscapes),
    "ADE20K": ("ADEChallengeData2016", ade20k),
    "CelebAMask-HQ": ("CelebAMask-HQ", celebamask),
    "COCO-Stuff": ("coco", coco),
    "CamVid": ("CamVid", camvid),
    "A folder of your own": ("mine", own),
}


def test_every_data_set_has_a_walk_through_of_all_steps():
    assert list(SECTIONS) == list(FOLDERS) and len(FOLDERS) == len(DATASETS)
    for text, name in zip(SECTIONS.values(), DATASETS_IN_ORDER, strict=True):
        told = [" ".join(words) for words in commands(text)]
        for step in (f"datasets check {name}", "plan ", "train ", "judge train", "evaluate "):
            assert any(line.startswith(f"sdm_lite.{step}") for line in told), (name, step)


DATASETS_IN_ORDER = ("cityscapes", "ade20k", "celebamask-hq", "coco-stuff", "camvid", "folder")


@pytest.mark.parametrize(
    "section", [pytest.param(name, marks=[pytest.mark.slow] * (name != "A folder of your own")) for name in FOLDERS]
)
def test_every_command_of_a_walk_through_runs(section, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDM_LITE_CACHE", str(tmp_path / "cache"))
    folder, write = FOLDERS[section]
    write(tmp_path / folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for words in commands(SECTIONS[section]):
        assert run(words) == 0, (words, capsys.readouterr())
    assert {path: path.read_bytes() for path in before} == before, "a source was written to"
    assert list((tmp_path / "runs").glob("*-scores/report.md")) and (tmp_path / "look.png").is_file()
