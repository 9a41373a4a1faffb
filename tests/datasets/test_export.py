"""Examples written to a folder come back as they were, and a folder is there whole or not at all."""

from pathlib import Path

import pytest
import torch

from sdm_lite.batches import Example
from sdm_lite.datasets import Folder, open_dataset
from sdm_lite.datasets.__main__ import main
from sdm_lite.datasets.export import export_folder, render_scenes
from sdm_lite.scenes import TEST_SEED, VALIDATION_SEED, Scenes

pytest.importorskip("PIL.Image")


def test_rendered_scenes_are_read_as_they_are(tmp_path):
    root = render_scenes(tmp_path / "new" / "scenes", num_train=12, num_val=3, size=16, seed=5)
    for split, seed, number in (("train", 5, 12), ("val", 6, 3)):
        dataset, scenes = open_dataset("folder", root, split, size=(16, 16)), Scenes(16, number, seed)
        assert len(dataset) == number and dataset.class_names == Scenes.class_names
        for i in (0, number - 1):
            assert torch.equal(dataset[i].label_map, scenes[i].label_map)
            assert torch.equal(dataset[i].instance_map, scenes[i].instance_map)
            torch.testing.assert_close(dataset[i].image, scenes[i].image, atol=1 / 255, rtol=0)
    assert [path.name for path in root.parent.iterdir()] == ["scenes"]


def test_large_instance_ids_keep_their_value(tmp_path):
    label_map = torch.zeros(16, 16, dtype=torch.int64)
    instances = torch.arange(256).reshape(16, 16) * 200
    example = Example(torch.zeros(3, 16, 16), label_map, instances)
    export_folder(tmp_path / "a", {"train": [example]}, ["one"])
    assert torch.equal(open_dataset("folder", tmp_path / "a", "train", size=(16, 16))[0].instance_map, instances)
    with pytest.raises(ValueError, match=r"ids must lie in 0\.\.65535 to be written, got 102000"):
        export_folder(tmp_path / "b", {"train": [example._replace(instance_map=2 * instances)]}, ["one"])
    assert not (tmp_path / "b").exists(), "half a folder was left"


def test_a_folder_in_use_is_never_written_to(tmp_path):
    (tmp_path / "mine" / "images").mkdir(parents=True)
    (tmp_path / "mine" / "images" / "a.jpg").write_bytes(b"dear to me")
    with pytest.raises(ValueError, match="expected no folder at .*mine, or an empty one"):
        render_scenes(tmp_path / "mine", num_train=1, num_val=1, size=16)
    assert (tmp_path / "mine" / "images" / "a.jpg").read_bytes() == b"dear to me"


def test_an_interrupted_export_leaves_nothing(tmp_path):
    class Interrupted(Scenes):
        def __getitem__(self, i):
            if i == 2:
                raise KeyboardInterrupt
            return super().__getitem__(i)

    with pytest.raises(KeyboardInterrupt):
        export_folder(tmp_path / "scenes", {"train": Interrupted(16, 4)}, Scenes.class_names)
    assert list(tmp_path.iterdir()) == []


def test_the_command_renders_what_check_then_finds_right(tmp_path, capsys):
    target = str(tmp_path / "scenes")
    command = ["render-scenes", target, "--num-train", "5", "--num-val", "2", "--size", "16"]
    assert main(command) == 0
    assert f"python -m sdm_lite.datasets check folder {target} --size 16 16" in capsys.readouterr().out
    assert Folder.is_root(tmp_path / "scenes")
    assert main(["check", "folder", target, "--size", "16", "16"]) == 0
    assert "train: 5 photographs" in capsys.readouterr().out
    assert main(command) == 2 and "got one that is in use" in capsys.readouterr().err
    assert main([*command[:1], str(tmp_path / "other"), "--size", "15"]) == 2
    assert "size: expected a multiple of 8" in capsys.readouterr().err


@pytest.mark.parametrize("seed", [VALIDATION_SEED, TEST_SEED])
def test_layouts_that_models_are_scored_on_are_not_given_away(tmp_path, capsys, seed):
    assert main(["render-scenes", str(tmp_path / "scenes"), "--seed", str(seed), "--size", "16"]) == 2
    assert f"seed {seed} gives layouts of Scenes(2), which models are scored on" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_the_folder_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    def write_bytes(self, data):
        raise OSError(28, "No space left on device")  # as the system says it of a write: without a name

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    assert main(["render-scenes", str(tmp_path / "a b"), "--num-train", "1", "--num-val", "1", "--size", "16"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"error: {tmp_path / 'a b'} could not be written (No space left on device)")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_which_layouts_it_wrote_and_quotes_what_needs_it(tmp_path, capsys):
    target = str(tmp_path / "my scenes")
    assert main(["render-scenes", target, "--num-train", "2", "--num-val", "1", "--size", "16", "--seed", "3"]) == 0
    told = capsys.readouterr().out
    assert "wrote 2 pictures of Scenes(3) to train on and 1 of Scenes(4), held out" in told
    assert f"check folder '{target}' --size" in told
