"""A cache holds what the data set reads, is made anew when that changes, and says what is wrong with it."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from cached_files import NUM_EXAMPLES, Files, all_of, cut, finished, flip_a_byte, flip_a_byte_of, make_files, write

from sdm_lite.cache import Cache, cache_root, open_cache
from sdm_lite.cache.__main__ import main
from sdm_lite.cache.stored import folder_names, identity
from sdm_lite.labels import instance_edges


@pytest.fixture
def root(tmp_path):
    return make_files(tmp_path / "files")


def test_a_cache_holds_what_the_data_set_reads(root, tmp_path):
    dataset = Files(root)
    cache = open_cache(dataset, tmp_path / "caches")
    assert len(cache) == NUM_EXAMPLES and cache.names == dataset.names and cache.size == (16, 20)
    chosen = torch.tensor([7, 0, 39, 7])
    examples = cache.read(chosen)
    assert examples.images.dtype == examples.label_map.dtype == examples.edges.dtype == torch.uint8
    for k, i in enumerate(chosen.tolist()):
        assert torch.allclose(examples.images[k] / 127.5 - 1, dataset[i].image)
        assert torch.equal(examples.label_map[k].long(), dataset[i].label_map)
        assert torch.equal(examples.edges[k].float(), instance_edges(dataset[i].instance_map[None])[0, 0])
    assert 0 < examples.edges.float().mean() < 1


def test_a_data_set_without_instances_has_no_edges(root, tmp_path):
    dataset = Files(root)
    dataset.has_instances = False
    assert all_of(open_cache(dataset, tmp_path / "caches")).edges is None


def test_more_than_256_classes_take_16_bits(root, tmp_path):
    class Many(Files):
        num_classes = 300

        def __getitem__(self, i):
            example = super().__getitem__(i)
            return example._replace(label_map=example.label_map + 290)

    dataset = Many(root)
    label_maps = all_of(open_cache(dataset, tmp_path / "caches")).label_map
    assert label_maps.dtype == torch.int16 and label_maps.min() == 290 and label_maps.max() == 292


def test_a_cache_is_built_once(root, tmp_path):
    open_cache(Files(root), tmp_path / "caches")
    again = Files(root)
    open_cache(again, tmp_path / "caches").verify()
    assert again.asked == []


def test_a_changed_file_makes_another_cache_in_its_place(root, tmp_path):
    before = open_cache(Files(root), tmp_path / "caches")
    (old,) = finished(tmp_path / "caches")
    write(root / "005.raw", 99)
    after = open_cache(Files(root), tmp_path / "caches")
    (new,) = finished(tmp_path / "caches")
    assert new != old and after.fingerprint() != before.fingerprint()
    different = (all_of(after).images != all_of(before).images).flatten(1).any(1)
    assert different.nonzero().flatten().tolist() == [5]


def test_a_file_with_a_new_date_is_read_again_and_found_the_same(root, tmp_path):
    before = open_cache(Files(root), tmp_path / "caches")
    os.utime(root / "005.raw", (1, 1))
    dataset = Files(root)
    after = open_cache(dataset, tmp_path / "caches")
    assert len(dataset.asked) == NUM_EXAMPLES and after.fingerprint() == before.fingerprint()


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("split", "val"),
        ("size", (16, 24)),
        ("protocol", "reference"),
        ("crops", 2),
        ("class_names", ("a", "b", "d")),
        ("has_instances", False),
        ("name", "other"),
    ],
)
def test_what_decides_the_examples_decides_the_cache(root, attribute, value):
    plain, other = Files(root), Files(root)
    setattr(other, attribute, value)
    assert folder_names(plain)[0] != folder_names(other)[0]
    assert folder_names(plain) == folder_names(Files(root, skip_bad=True))


def test_another_folder_with_the_same_names_has_a_cache_of_its_own(root, tmp_path):
    shutil.copytree(root, tmp_path / "copy")
    assert identity(Files(root)) != identity(Files(tmp_path / "copy"))
    open_cache(Files(root), tmp_path / "caches")
    open_cache(Files(tmp_path / "copy"), tmp_path / "caches")
    assert len(finished(tmp_path / "caches")) == 2


@pytest.mark.parametrize("name", ["images", "label_maps", "edges"])
def test_a_damaged_example_is_told_when_it_is_read(root, tmp_path, name):
    folder = open_cache(Files(root), tmp_path / "caches").folder
    flip_a_byte_of(folder, 20, name)
    cache = Cache(folder)
    cache.read(torch.arange(20))
    for _ in range(2):
        with pytest.raises(
            ValueError, match="checksums of 1 examples differ, the first of them 020; delete the folder"
        ):
            cache.read(torch.tensor([1, 20]))
    with pytest.raises(ValueError, match="checksums of 1 .* 020;"):
        Cache(folder).verify()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: cut(folder / "images.npy", 1), "no whole cache .*greater than file size"),
        (lambda folder: cut(folder / "cache.json", 5), "no whole cache"),
        (lambda folder: (folder / "edges.npy").unlink(), "no whole cache .*edges.npy"),
        (lambda folder: flip_a_byte(folder / "checksums.npy", -3), "checksums are not those that were written"),
        (lambda folder: np.save(folder / "images.npy", np.zeros((2, 3, 16, 20), np.uint8)), "not all of as many"),
        (lambda folder: (folder / "cache.json").write_text("{}"), "no whole cache .*format"),
        (
            lambda folder: (folder / "cache.json").write_text(json.dumps({"format": "sdm_lite cache 1"})),
            "expected the format 'sdm_lite cache 2', got 'sdm_lite cache 1'",
        ),
    ],
)
def test_a_damaged_cache_is_told_when_it_is_opened(root, tmp_path, damage, message):
    damage(open_cache(Files(root), tmp_path / "caches").folder)
    with pytest.raises(ValueError, match=message) as told:
        open_cache(Files(root), tmp_path / "caches")
    assert "delete" in str(told.value) and str(tmp_path / "caches") in str(told.value)


def tiny_folder(root):
    """Three photographs with label maps and classes of one's own."""
    image = pytest.importorskip("PIL.Image")
    for kind, suffix in (("images", "jpg"), ("labels", "png")):
        (root / kind).mkdir(parents=True)
        for i in range(3):
            pixels = np.full((16, 16, 3), 80 * i, dtype=np.uint8)
            image.fromarray(pixels if kind == "images" else pixels[..., 0] // 80).save(root / kind / f"{i}.{suffix}")
    (root / "classes.txt").write_text("a\nb\nc\n")
    return root


def test_the_command_builds_verifies_and_tells_what_is_wrong(tmp_path, capsys):
    folder = tiny_folder(tmp_path / "mine")
    where = ["--folder", str(tmp_path / "caches")]
    build = ["build", "folder", str(folder), "--split", "all", "--size", "16", "16", *where]
    assert main(["verify", *where]) == 2
    assert "no cache in" in capsys.readouterr().err
    assert main(build) == 0 and main(build) == 0
    (cache,) = finished(tmp_path / "caches")
    assert f"{cache}: 3 examples of 16 x 16, " in capsys.readouterr().out
    assert main(["verify", *where]) == 0 and main(["verify", "--folder", str(cache)]) == 0
    assert capsys.readouterr().out.count("as written") == 2
    flip_a_byte(cache / "images.npy", -1)
    assert main(["verify", *where]) == 1
    assert "checksums of 1 examples differ, the first of them 2;" in capsys.readouterr().err
    assert main([*build, "--workers", "-1"]) == 2
    (folder / "images" / "1.jpg").write_bytes(b"no picture")
    assert main(build) == 2
    assert "1.jpg" in capsys.readouterr().err
    assert main([*build, "--skip-bad"]) == 0
    assert "2 examples" in capsys.readouterr().out


def test_the_folder_of_caches_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SDM_LITE_CACHE", str(tmp_path / "mine"))
    assert cache_root() == tmp_path / "mine"
    monkeypatch.delenv("SDM_LITE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "sdm_lite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "sdm_lite"
