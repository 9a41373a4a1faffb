"""Yardsticks that photographs give: near-equal maps for diversity, training photographs for copies, IoU by class."""

import pytest
import torch

from sdm_lite.batches import Example
from sdm_lite.evaluate.measures import Scores, format_scores
from sdm_lite.evaluate.photographs.measures import Readings, class_ious, diversity_measure
from sdm_lite.evaluate.photographs.pairs import APART, LEAST_PAIRS, different_photographs, near_equal_pairs
from sdm_lite.evaluate.photographs.seen import Seen, nearest_measures, nearest_seen

SIZE = (8, 12)


def maps(number):
    """Label maps of which no two agree in more than half of their pixels."""
    return torch.randint(4, (number, *SIZE), generator=torch.Generator().manual_seed(0))


def photographs(label_maps):
    images = torch.rand(len(label_maps), 3, *SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return Example(images, label_maps, label_maps)


def test_pairs_are_near_equal_maps_some_way_apart_and_no_map_is_in_two():
    label_maps = maps(40)
    label_maps[APART] = label_maps[0]
    label_maps[2 * APART] = label_maps[0]
    label_maps[2 * APART, 0, :9] = 7  # nine of 96 pixels: near-equal, but less so
    label_maps[3] = label_maps[1]  # neighbours: of one film
    label_maps[35] = label_maps[5]
    label_maps[35, 0, :] = label_maps[35, 1, :4] = 7  # all of a row and four: 16 of 96, too many
    assert near_equal_pairs(label_maps).tolist() == [[0, APART]]
    label_maps[35, 0, :] = label_maps[5, 0, :]
    assert near_equal_pairs(label_maps).tolist() == [[0, APART], [5, 35]]
    assert near_equal_pairs(label_maps[:3]).tolist() == []


def test_diversity_stands_beside_that_of_different_photographs_or_has_no_yardstick():
    def spread(pictures):
        return (pictures[:, 0] - pictures[:, 1]).abs().flatten(1).mean(1)

    few = photographs(maps(2 * APART))
    samples = few.image[:, None].expand(-1, 2, -1, -1, -1)
    assert different_photographs(few) is None and diversity_measure("diversity", spread, samples, few).yardstick is None
    half = maps(APART)
    many = photographs(torch.cat([half, half]))
    measure = diversity_measure("diversity", spread, samples, many)
    assert measure.value == 0, "two samples that are one picture"
    assert measure.yardstick.name == f"of {APART} pairs of photographs of near-equal maps" and APART >= LEAST_PAIRS
    expected = (many.image[:APART] - many.image[APART:]).abs().mean().item()
    assert measure.yardstick.value == pytest.approx(expected, rel=1e-6)
    assert measure.yardstick.interval.kind == f"95 % percentile bootstrap over {APART} pairs of photographs"


def test_a_copy_is_found_mirrored_or_not():
    generator = torch.Generator().manual_seed(2)
    seen = Seen(["a", "b", "c"], torch.randint(256, (3, 3, *SIZE), generator=generator, dtype=torch.uint8), 30)
    pictures = seen.images[[2, 1]].float() / 127.5 - 1
    pictures[1] = pictures[1].flip(-1)
    found = nearest_seen(pictures, seen)
    assert found.index.tolist() == [2, 1] and found.distance.tolist() == pytest.approx([0, 0], abs=1e-6)
    assert torch.equal(found.image[0], seen.images[2]) and torch.equal(found.image[1], seen.images[1].flip(-1))
    held_out = photographs(maps(2))
    off = (pictures[:, None] + 0.1).expand(-1, 2, -1, -1, -1)
    measure = nearest_measures(seen, off, held_out)["nearest"]
    assert measure.value == pytest.approx(0.1, rel=1e-3), "in units of a picture in [-1, 1]"
    assert measure.name.startswith("distance to the nearest of 3 training photographs")
    true = [(held_out.image - one).square().flatten(1).mean(1).sqrt() for one in (seen.images / 127.5 - 1)]
    true += [(held_out.image.flip(-1) - one).square().flatten(1).mean(1).sqrt() for one in (seen.images / 127.5 - 1)]
    assert measure.yardstick.value == pytest.approx(torch.stack(true).amin(0).mean().item(), rel=1e-5)


def test_classes_that_are_nowhere_have_no_iou():
    class Reading:
        def __init__(self, confusion):
            self.confusion = torch.tensor(confusion)[None]

    right, wrong = Reading([[4, 0, 0], [0, 2, 0], [0, 0, 0]]), Reading([[3, 1, 0], [0, 2, 0], [0, 0, 0]])
    samples, true = class_ious(Readings(wrong, right), ("sky", "road", "void"))
    assert samples == {"sky": 0.75, "road": pytest.approx(2 / 3)} and true == {"sky": 1.0, "road": 1.0}
    miou = nearest_measures(Seen(["a"], torch.zeros(1, 3, *SIZE, dtype=torch.uint8), 1), torch.zeros(2, 1, 3, *SIZE),
                            photographs(maps(2)))["nearest"]  # fmt: skip
    scores = Scores({"miou": miou}, "photographs", 2, 2, 0.1, {}, samples, true)
    assert ", of true pictures: sky 0.75 of 1.00, road 0.67 of 1.00\n" in format_scores(scores)
