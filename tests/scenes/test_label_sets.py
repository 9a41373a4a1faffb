"""Label sets of Scenes: the same pictures and instances under fewer names, or more, that say what is there."""

import numpy as np
import pytest
import torch

from sdm_lite.scenes import Scenes
from sdm_lite.scenes.label_sets import GROUP_OF_CLASS, GROUPS, KINDS, LABEL_SETS, kind_of
from sdm_lite.scenes.render import CLASS_NAMES

SETS = {name: Scenes(32, length=400, seed=5, label_set=name) for name in LABEL_SETS}


def test_fewer_to_more_classes_each_with_a_name_and_a_colour():
    assert [(name, of.num_classes) for name, of in LABEL_SETS.items()] == [
        ("coarse", 5),
        ("standard", 11),
        ("fine", 23),
    ]
    for name, scenes in SETS.items():
        assert scenes.num_classes == len(set(scenes.class_names)) == len(LABEL_SETS[name].class_names)
        assert scenes.palette.shape == (scenes.num_classes, 3) and scenes.palette.dtype == np.uint8
        assert len({tuple(colour) for colour in scenes.palette.tolist()}) == scenes.num_classes
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(CLASS_NAMES)
    assert Scenes.num_classes == 11 and Scenes.class_names == CLASS_NAMES, "the class itself is as it was"


def test_pictures_and_instances_are_the_same_and_each_set_is_a_merging_of_the_finer():
    class_of_kind = torch.tensor([CLASS_NAMES.index(name) for name in KINDS.values()])
    for i in range(40):
        coarse, standard, fine = (scenes[i] for scenes in SETS.values())
        for other in (coarse, fine):
            assert torch.equal(other.image, standard.image) and torch.equal(other.instance_map, standard.instance_map)
        assert torch.equal(class_of_kind[fine.label_map], standard.label_map)
        assert torch.equal(torch.from_numpy(GROUP_OF_CLASS)[standard.label_map], coarse.label_map)
        items = SETS["standard"]._layout(i).items
        assert torch.equal(standard.label_map, torch.tensor([one.class_id for one in items])[standard.instance_map])
    assert SETS["fine"].materialize(range(2)).num_classes == 23


def test_every_kind_is_met_and_no_kind_is_nearly_all_of_its_class():
    """Halves that are too unequal would add a class that is never learned."""
    counts = dict.fromkeys(KINDS, 0)
    for i in range(400):
        for item in SETS["fine"]._layout(i).items:
            counts[kind_of(item)] += 1
    for name, of in KINDS.items():
        share = counts[name] / sum(counts[kind] for kind, one in KINDS.items() if one == of)
        kinds = sum(one == of for one in KINDS.values())
        assert share > 0.4 / kinds, f"{name} is {share:.2f} of {of}"


def test_what_is_behind_a_kind_is_drawn_so():
    """Conifers stay green in the layouts' winter, and far trees stand higher in the picture than near ones."""
    rows = {kind: [] for kind in KINDS}
    for i in range(100):
        label_map = SETS["fine"].layout(i)[0]
        for number, kind in enumerate(KINDS):
            where = (label_map == number).nonzero()
            if len(where):
                rows[kind].append(where[:, 0].float().mean().item())
    mean = {kind: np.mean(found) for kind, found in rows.items()}
    assert mean["far conifer"] < mean["near conifer"] and mean["far broadleaf"] < mean["near broadleaf"]
    assert mean["far meadow"] < mean["near meadow"] and mean["far mountain"] < mean["near meadow"]


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="label_set: expected one of coarse, standard, fine, got 'finer'"):
        Scenes(32, label_set="finer")
