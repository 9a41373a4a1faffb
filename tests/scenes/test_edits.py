"""A scene without one of its things is the same scene everywhere else."""

import pytest
import torch
from torch.utils.data import default_collate

from sdm_lite.edit import changed_region
from sdm_lite.scenes import Scenes
from sdm_lite.scenes.edits import THINGS, known_edit, known_edits

SCENES = Scenes(32, length=60, seed=1)
CLASSES = {"house": {"wall", "roof"}, "car": {"car"}, "tree": {"tree"}}


@pytest.mark.parametrize("thing", THINGS)
def test_only_the_thing_and_its_shadow_change(thing):
    ids = [SCENES.class_names.index(name) for name in CLASSES[thing]]
    edits = list(known_edits(SCENES, thing))
    assert len(edits) >= 10
    for edit in edits:
        images, maps, instances = default_collate([edit.with_thing, edit.without])
        assert all(torch.equal(a, b) for a, b in zip(edit.with_thing, SCENES[edit.index], strict=True))
        changed = maps[0] != maps[1]
        assert changed.sum() >= 12
        assert torch.isin(maps[0][changed], torch.tensor(ids)).all()
        far = ~changed_region(maps[:1], maps[1:], margin=6)[0, 0]
        assert torch.equal(images[0][:, far], images[1][:, far])
        assert not torch.equal(images[0][:, changed], images[1][:, changed])
        # What stays is cut into the same objects; their numbers may have moved up.
        for number in instances[0][~changed].unique():
            of_this = (instances[0] == number) & ~changed
            assert len(instances[1][of_this].unique()) == 1


def test_a_house_goes_whole():
    """Its wall and its roof: where the only house of a scene is taken away, neither class is left."""
    houses = [SCENES.class_names.index(name) for name in ("wall", "roof")]
    gone = 0
    for edit in known_edits(SCENES, "house"):
        left = torch.isin(edit.without.label_map, torch.tensor(houses))
        if not left.any():
            gone += 1
        taken = torch.isin(edit.with_thing.label_map, torch.tensor(houses)) & ~left
        assert set(edit.with_thing.label_map[taken].tolist()) == set(houses) or left.any()
    assert gone


def test_the_same_scene_at_another_size():
    big = Scenes(64, length=60, seed=1)
    for edit in known_edits(SCENES, "car"):
        assert known_edit(big, edit.index, "car") is not None


def test_scenes_without_and_things_unheard_of():
    without = [i for i in range(len(SCENES)) if not (SCENES.layout(i)[0] == SCENES.class_names.index("car")).any()]
    assert known_edit(SCENES, without[0], "car") is None
    with pytest.raises(ValueError, match="house, car, tree, got 'boat'"):
        known_edit(SCENES, 0, "boat")
    with pytest.raises(IndexError):
        known_edit(SCENES, 60, "car")
