"""Label sets of Scenes: the same pictures and instances under fewer names, or more, that say what is there."""

import numpy as np
import pytest
import torch

from sdm_lite.scenes import Scenes
from sdm_lite.scenes.label_sets import GROUP_OF_CLASS, GROUPS, KINDS, LABEL_SETS, kind_of
from sdm_lite.scenes.land import Cloud, Crossing, Hill, Lake, Mountains, Path, Sea
from sdm_lite.scenes.render import CLASS_NAMES, ROAD, ROOF, WALL, WATER
from sdm_lite.scenes.things import Car, House, Tree

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


CREST, NONE = np.zeros(65), ()


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (Cloud(0.5, 0.2, 0.3, NONE), "small cloud"),
        (Cloud(0.5, 0.2, 0.4, NONE), "large cloud"),
        (Mountains(CREST, 0.62, 0.5), "far mountain"),
        (Mountains(CREST, 0.28, 0.5), "near mountain"),
        (Hill(CREST, 1.0), "far meadow"),
        (Hill(CREST, 0.0), "near meadow"),
        (Path(ROAD, CREST, 0.5, 0.5, 0.5, 0.1, 0.03, 0.3), "road ahead"),
        (Path(WATER, CREST, 0.5, 0.5, 0.5, 0.1, 0.03, 0.3), "river"),
        (Crossing(CREST, 0.2), "road across"),
        (Sea(0.5), "sea"),
        (Lake(0.5, 0.7, 0.3, 0.1, 0.0), "lake"),
        (House(0.5, 0.7, 0.3, 0.3, True, 1.0, 1.0, WALL), "wall from the front"),
        (House(0.5, 0.7, 0.3, 0.3, False, 1.0, 1.0, ROOF), "roof from the corner"),
        (Tree(0.5, 0.7, 0.2, 0.3, True, NONE), "far conifer"),
        (Tree(0.5, 0.9, 0.2, 0.3, False, NONE), "near broadleaf"),
        (Car(0.5, 0.9, 0.2, 0.1, True, 1.0), "car from the side"),
        (Car(0.5, 0.9, 0.2, 0.1, False, 1.0), "car from behind"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_kind_is_what_the_layout_knows(item, kind):
    assert kind_of(item) == kind


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="label_set: expected one of coarse, standard, fine, got 'finer'"):
        Scenes(32, label_set="finer")
