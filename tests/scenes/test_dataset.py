"""Scenes: purity, agreement between sizes, statistics of layouts and appearances, refusals."""

import numpy as np
import pytest
import torch
from colour_vision import VISIONS, nearest_colours
from commands import refused

from sdm_lite.batches import Example
from sdm_lite.labels import instance_edges
from sdm_lite.scenes import (
    SEASON_PROBABILITIES,
    SEASONS,
    TIME_OF_DAY_PROBABILITIES,
    TIMES_OF_DAY,
    Scenes,
)
from sdm_lite.scenes.__main__ import main
from sdm_lite.scenes.dataset import maps_of

SKY, SUN, CLOUD, TREE, WATER = 0, 1, 2, 8, 10


def test_example_types_and_ranges():
    scenes = Scenes(32, length=40)
    for i in range(40):
        example = scenes[i]
        assert isinstance(example, Example)
        assert example.image.shape == (3, 32, 32) and example.image.dtype == torch.float32
        assert example.image.min() >= -1 and example.image.max() <= 1
        assert example.image.std() > 0.05
        assert example.label_map.shape == example.instance_map.shape == (32, 32)
        assert example.label_map.dtype == example.instance_map.dtype == torch.int64
        assert 0 <= example.label_map.min() and example.label_map.max() < scenes.num_classes
    assert scenes.num_classes == len(scenes.class_names) == len(scenes.palette) == 11
    assert len({tuple(color) for color in scenes.palette.tolist()}) == 11


def test_pure_function_of_seed_and_index():
    first, second = Scenes(32, length=20, seed=5), Scenes(32, length=9999, seed=5)
    forward = [first[i] for i in range(6)]
    for i in reversed(range(6)):
        second.render(i + 7, 3)  # other draws in between must not matter
        again = second[i]
        assert all(torch.equal(a, b) for a, b in zip(forward[i], again, strict=True))
    assert torch.equal(first.render(4, 2), second.render(4, 2))
    other = Scenes(32, length=20, seed=6)
    assert not any(torch.equal(first.layout(i)[0], other.layout(i)[0]) for i in range(6))
    assert len({first.layout(i)[0].numpy().tobytes() for i in range(20)}) == 20


def test_negative_index_counts_from_the_end():
    scenes = Scenes(32, length=7)
    assert torch.equal(scenes[-1].image, scenes[6].image)


@pytest.mark.parametrize("size", [16, 64, 128])
def test_same_scene_at_every_size(size):
    small, large = Scenes(32, length=30), Scenes(size, length=30)
    agreement, error = [], []
    for i in range(20):
        a = torch.nn.functional.interpolate(small.layout(i)[0][None, None].float(), size=(256, 256))
        b = torch.nn.functional.interpolate(large.layout(i)[0][None, None].float(), size=(256, 256))
        agreement.append((a == b).float().mean().item())
        p = torch.nn.functional.interpolate(small.render(i, 1)[None], size=(16, 16), mode="area")
        q = torch.nn.functional.interpolate(large.render(i, 1)[None], size=(16, 16), mode="area")
        error.append((p - q).abs().mean().item())
        assert set(small.layout(i)[1].unique().tolist()) <= set(Scenes(128).layout(i)[1].unique().tolist())
    least = 0.89 if size < 32 else 0.93  # borders are a larger part of a smaller picture
    assert np.mean(agreement) > least and min(agreement) > least - 0.08
    assert np.mean(error) < 0.04


def test_many_renders_of_one_layout():
    scenes = Scenes(32, length=10)
    renders = torch.stack([scenes.render(3, s) for s in range(12)])
    assert len({r.numpy().tobytes() for r in renders}) == 12
    assert renders.std(0).mean() > 0.1
    hours = {scenes.appearance(3, s).time_of_day for s in range(12)}
    assert len(hours) > 1
    same_hour = [r for s, r in enumerate(renders) if scenes.appearance(3, s)[:2] == (0, 0)]
    assert len(same_hour) > 1 and not torch.equal(same_hour[0], same_hour[1])


def test_picture_is_aligned_with_its_label_map():
    # The disc of the sun stands out from the sky: the best shift of the mask over the picture is no shift.
    scenes = Scenes(64, length=400, seed=2)
    scores = np.zeros((5, 5))
    for i in range(60):
        label_map = scenes.layout(i)[0]
        appearance = scenes.appearance(i, 0)._replace(time_of_day=2)
        bright = scenes.render_as(i, appearance).mean(0)
        sun = (label_map == SUN).float()
        for dy in range(5):
            for dx in range(5):
                scores[dy, dx] += (torch.roll(sun, (dy - 2, dx - 2), (0, 1)) * bright).sum().item()
    assert np.unravel_index(scores.argmax(), scores.shape) == (2, 2)


def test_each_instance_has_one_class():
    scenes = Scenes(64, length=300)
    most_trees = 0
    for i in range(80):
        label_map, instance_map = scenes.layout(i)
        assert instance_map.min() >= 0 and instance_map.max() < 256
        pairs = torch.unique(torch.stack([instance_map.flatten(), label_map.flatten()]), dim=1)
        assert pairs.shape[1] == len(instance_map.unique())
        most_trees = max(most_trees, int((pairs[1] == TREE).sum()))
    assert most_trees >= 3


def test_no_instance_is_tiny():
    scenes = Scenes(32, length=300)
    for i in range(100):
        assert torch.unique(scenes.layout(i)[1], return_counts=True)[1].min() >= 6


def test_layout_statistics():
    scenes = Scenes(32, length=600, seed=1)
    present = np.zeros(11)
    for i in range(300):
        label_map = maps_of(scenes._layout(i), 32)[0]
        assert set(np.unique(label_map[0])) <= {SKY, SUN, CLOUD}
        present[np.unique(label_map)] += 1
    assert (present / 300 > 0.33).all()
    assert 0.33 < present[WATER] / 300 < 0.55


def test_appearance_frequencies():
    scenes, draws = Scenes(32, length=2000), 2000
    seen = [scenes.appearance(5, s) for s in range(draws // 2)] + [scenes.own_appearance(i) for i in range(draws // 2)]
    for values, probabilities, names in (
        ([a.time_of_day for a in seen], TIME_OF_DAY_PROBABILITIES, TIMES_OF_DAY),
        ([a.season for a in seen], SEASON_PROBABILITIES, SEASONS),
    ):
        assert len(names) == len(probabilities) and sum(probabilities) == pytest.approx(1)
        p = np.array(probabilities)
        frequency = np.bincount(values, minlength=len(names)) / draws
        assert (np.abs(frequency - p) < 4 * np.sqrt(p * (1 - p) / draws)).all()


def test_time_of_day_and_season_are_visible():
    scenes = Scenes(32, length=20)
    for i in range(8):
        looks = {}
        for hour in range(3):
            for season in range(3):
                appearance = scenes.appearance(i, 0)._replace(time_of_day=hour, season=season)
                looks[hour, season] = scenes.render_as(i, appearance)
        assert looks[0, 0].mean() > looks[1, 0].mean() > looks[2, 0].mean()
        grass = scenes.layout(i)[0] == 4
        summer, winter = looks[0, 0][:, grass].mean(1), looks[0, 2][:, grass].mean(1)
        assert summer[1] > summer[2] + 0.2  # green, not blue
        assert winter.min() > 0.4  # white


def test_flipped_scenes_have_the_statistics_of_scenes():
    # No class leans to the left or to the right by more than chance, so training may flip.
    scenes, columns = Scenes(16, length=500, seed=4), np.arange(16) - 7.5
    maps = np.stack([maps_of(scenes._layout(i), 16)[0] for i in range(300)])
    for k in range(11):
        lean = ((maps == k) * columns).mean((1, 2))  # (300,), of each scene
        assert abs(lean.mean()) < 4 * lean.std() / 300**0.5, scenes.class_names[k]


def test_materialize_is_getitem_in_8_bits():
    scenes, done = Scenes(32, length=50), []
    images, label_map, edges, num_classes, instances = scenes.materialize([4, 9, 2], progress=done.append)
    assert instances is None  # where nobody asks for them they take no memory
    instances = scenes.materialize([4, 9, 2], keeps_instance_ids=True).instances
    assert done == [1, 2, 3] and num_classes == scenes.num_classes
    assert images.dtype == label_map.dtype == edges.dtype == torch.uint8
    for n, i in enumerate([4, 9, 2]):
        example = scenes[i]
        assert (images[n] / 127.5 - 1 - example.image).abs().max() <= 0.5 / 127.5 + 1e-6
        assert torch.equal(label_map[n].long(), example.label_map)
        assert torch.equal(edges[n].float(), instance_edges(example.instance_map[None])[0, 0])
        assert torch.equal(instance_edges(instances[n][None]), instance_edges(example.instance_map[None]))
        assert instances[n].unique().tolist() == list(range(len(example.instance_map.unique())))


@pytest.mark.parametrize("size", [8, 33, 264, 0, -32, 32.5])
def test_bad_size(size):
    with pytest.raises(ValueError, match="multiple of 8"):
        Scenes(size)


def test_other_refusals():
    with pytest.raises(ValueError, match="length"):
        Scenes(32, length=0)
    with pytest.raises(ValueError, match="seed"):
        Scenes(32, seed=-1)
    scenes = Scenes(32, length=5)
    for i in (5, -6):
        with pytest.raises(IndexError, match=f"scene {i}"):
            scenes[i]
    with pytest.raises(ValueError, match="appearance_seed"):
        scenes.render(0, -1)


def test_command_line(tmp_path, capsys):
    pytest.importorskip("PIL")
    output = tmp_path / "grid.png"
    main(["--output", str(output), "--size", "16", "--rows", "1", "--renders", "1"])
    assert output.read_bytes()[:4] == b"\x89PNG"
    assert "pictures/s" in capsys.readouterr().out
    wrong = [(["--size", "17"], "multiple of 8"), (["--rows", "0"], "--rows.* must be at least 1")]
    wrong += [
        (["--seed", "-1"], "--seed must be in 0..4294967295, got -1"),
        (["--output", "s.txt"], "must end in .png, got s.txt"),
    ]
    for bad, message in wrong:
        refused(capsys, main, ["--output", str(output), *bad], message)
    (tmp_path / "folder.png").mkdir()
    refused(capsys, main, ["--output", str(tmp_path / "folder.png")], "it is a folder, give a file")


@pytest.mark.parametrize("vision", VISIONS)
def test_the_palette_is_told_apart_by_every_eye(vision):
    nearest = nearest_colours(Scenes.palette, VISIONS[vision])
    pair = Scenes.class_names[nearest.first], Scenes.class_names[nearest.second]
    assert nearest.distance > 15, f"{pair} look alike: {nearest.distance:.1f}"
