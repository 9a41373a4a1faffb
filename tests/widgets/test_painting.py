"""The painted label map: what each gesture does to classes and objects, and what is refused."""

import numpy as np
import pytest
import torch

from sdm_lite.labels import instance_edges
from sdm_lite.widgets.painting import GESTURES, MAX_UNDO, LabelMap, apply_gesture


def empty(height=9, width=12, num_classes=4):
    return LabelMap(np.zeros((height, width), np.int64), num_classes)


def painted(label_map, label=1):
    """The places of a class, as a set."""
    return {tuple(map(int, place)) for place in np.argwhere(label_map.label_map == label)}


def test_one_pixel():
    m = empty()
    assert m.brush([(2, 3)], 1) and painted(m) == {(2, 3)}
    assert m.label_map.dtype == np.int64


def test_a_wide_brush_is_a_disc():
    m = empty(21, 21)
    m.brush([(10, 10)], 1, diameter=9)
    rows, columns = np.indices((21, 21))
    assert np.array_equal(m.label_map == 1, (rows - 10) ** 2 + (columns - 10) ** 2 <= 4.5**2)


@pytest.mark.parametrize("end", [(0, 30), (30, 0), (30, 30), (7, 30), (30, 11)])
@pytest.mark.parametrize("diameter", [1, 3, 6])
def test_a_fast_stroke_leaves_no_gap(end, diameter):
    m = empty(31, 31)
    m.brush([(0, 0), end], 1, diameter=diameter)
    places = painted(m)
    assert {(0, 0), end} <= places
    reached, front = {(0, 0)}, [(0, 0)]
    while front:
        row, column = front.pop()
        near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & places - reached
        reached |= near
        front += near
    assert reached == places


def test_a_stroke_is_the_union_of_its_pieces():
    whole, pieces = empty(20, 20), empty(20, 20)
    whole.brush([(2, 2), (15, 4), (9, 17)], 1, diameter=4)
    pieces.brush([(2, 2), (15, 4)], 1, diameter=4)
    pieces.brush([(15, 4), (9, 17)], 1, diameter=4)
    assert np.array_equal(whole.label_map, pieces.label_map)


def test_a_stroke_may_leave_the_map():
    m = empty()
    assert m.brush([(-5, -5), (3, 3)], 1)
    assert painted(m) == {(0, 0), (1, 1), (2, 2), (3, 3)}
    assert not m.brush([(-20, 4), (-20, 9)], 2)


def test_a_rectangle_in_any_direction():
    expected = {(row, column) for row in range(2, 5) for column in range(3, 8)}
    for corner, opposite in (((2, 3), (4, 7)), ((4, 7), (2, 3)), ((2, 7), (4, 3))):
        m = empty()
        assert m.rectangle(corner, opposite, 1) and painted(m) == expected


def test_fill_stays_within_its_border():
    m = empty()
    m.rectangle((0, 5), (8, 5), 2)
    assert m.fill((4, 1), 1)
    assert painted(m) == {(row, column) for row in range(9) for column in range(5)}
    assert not m.fill((4, 99), 3)


def test_fill_does_not_leak_through_a_diagonal():
    m = LabelMap(np.eye(4, dtype=np.int64), 3)
    m.fill((0, 1), 2)
    assert painted(m, 2) == {(row, column) for row in range(4) for column in range(4) if column > row}


def test_swap_turns_a_class_into_another_everywhere():
    m = empty()
    m.rectangle((0, 0), (1, 1), 1)
    m.rectangle((5, 5), (6, 6), 1)
    objects = m.instance_map
    assert m.swap(1, 2) and painted(m, 1) == set() and len(painted(m, 2)) == 8
    assert np.array_equal(m.instance_map, objects)
    assert not m.swap(1, 3) and not m.swap(2, 2)


def test_undo_and_redo_go_back_and_forth():
    m, states = empty(), []
    for label in (1, 2, 3):
        states.append((m.label_map, m.instance_map))
        m.brush([(label, label)], label, diameter=3)
    last = m.label_map
    for labels, instances in reversed(states):
        assert m.undo()
        assert np.array_equal(m.label_map, labels) and np.array_equal(m.instance_map, instances)
    assert not m.undo()
    assert m.redo() and m.redo() and m.redo() and not m.redo()
    assert np.array_equal(m.label_map, last)
    m.undo()
    m.brush([(8, 8)], 1)
    assert not m.redo()  # a new change ends the branch that was undone


def test_what_changes_nothing_cannot_be_undone():
    m = empty()
    assert not m.brush([(3, 3)], 0) and not m.fill((3, 3), 0) and not m.undo()


def test_undo_is_bounded():
    m = empty()
    for i in range(MAX_UNDO + 20):
        m.brush([(0, 0)], 1 + i % 2)
    assert sum(m.undo() for _ in range(MAX_UNDO + 20)) == MAX_UNDO


def edges(m):
    return instance_edges(torch.from_numpy(m.instance_map)[None])[0, 0].bool().numpy()


def test_an_object_is_enlarged_without_a_seam_and_another_stands_apart():
    m = empty()
    m.rectangle((2, 2), (4, 4), 1)
    m.rectangle((2, 5), (4, 6), 1)  # touches the first: one object of 3 x 5
    assert len(np.unique(m.instance_map[m.label_map == 1])) == 1
    assert not edges(m)[3, 3:6].any()
    m.rectangle((2, 8), (4, 9), 1)
    assert len(np.unique(m.instance_map[m.label_map == 1])) == 2


def test_objects_of_a_real_layout_stay_apart():
    labels = np.ones((4, 6), np.int64)
    instances = np.repeat([[7, 7, 7, 40, 40, 40]], 4, axis=0)
    m = LabelMap(labels, 3, instance_map=instances)
    assert np.array_equal(edges(m), np.repeat([[False, False, True, True, False, False]], 4, axis=0))
    m.brush([(0, 0)], 2)
    assert len(np.unique(m.instance_map)) == 3


def test_every_object_has_one_class():
    rng = np.random.default_rng(0)
    m = empty(16, 16, 5)
    for _ in range(60):
        a, b = rng.integers(0, 16, (2, 2)).tolist()
        kind = str(rng.choice(["brush", "rectangle", "fill"]))
        places = [a] if kind == "fill" else [a, b]
        apply_gesture(m, {"kind": kind, "places": places, "label": int(rng.integers(5)), "diameter": 2})
        for one in np.unique(m.instance_map):
            assert len(np.unique(m.label_map[m.instance_map == one])) == 1


def test_replace_takes_another_layout_and_can_be_undone():
    m = empty()
    other = np.full((9, 12), 3)
    assert m.replace(other) and np.array_equal(m.label_map, other) and not m.replace(other)
    assert m.undo() and painted(m, 0) == {(row, column) for row in range(9) for column in range(12)}
    with pytest.raises(ValueError, match="9 x 12 pixels"):
        m.replace(np.zeros((3, 3), int))


def test_the_maps_handed_out_are_copies():
    m = empty()
    m.label_map[:] = 3
    m.instance_map[:] = 3
    assert m.label_map.max() == m.instance_map.max() == 0


@pytest.mark.parametrize(
    "label_map, message",
    [
        (np.zeros((0, 3), int), "empty"),
        (np.zeros(3, int), "whole numbers"),
        (np.zeros((3, 3)), "float64"),
        (np.full((3, 3), 4), "0..3, got 4 .9 pixels"),
        (np.full((3, 3), -1), "got -1 .9 pixels"),
    ],
)
def test_no_label_map(label_map, message):
    with pytest.raises(ValueError, match=message):
        LabelMap(label_map, 4)


def test_a_gesture_does_what_its_method_does():
    a, b = empty(), empty()
    gestures = [
        {"kind": "brush", "places": [[1, 1], [4, 6]], "label": 1, "diameter": 3},
        {"kind": "rectangle", "places": [[5, 2], [7, 9]], "label": 2},
        {"kind": "fill", "places": [[0, 11]], "label": 3},
        {"kind": "clear", "label": 2},
        {"kind": "undo"},
        {"kind": "swap", "old": 2, "new": 1},
        {"kind": "undo"},
        {"kind": "redo"},
    ]
    assert {gesture["kind"] for gesture in gestures} == set(GESTURES)
    assert all(apply_gesture(a, gesture) for gesture in gestures)
    b.brush([(1, 1), (4, 6)], 1, diameter=3)
    b.rectangle((5, 2), (7, 9), 2)
    b.fill((0, 11), 3)
    b.swap(2, 1)
    assert np.array_equal(a.label_map, b.label_map)
    assert apply_gesture(a, {"kind": "clear", "label": 2}) and (a.label_map == 2).all()


@pytest.mark.parametrize(
    "gesture",
    [
        {},
        {"kind": "spray"},
        {"kind": ["undo"]},
        {"kind": "brush", "label": 1},
        {"kind": "brush", "places": [[0, None]], "label": 1, "diameter": 1},
        {"kind": "brush", "places": [[0, float("nan")]], "label": 1, "diameter": 1},
        {"kind": "brush", "places": [], "label": 1, "diameter": 1},
        {"kind": "brush", "places": [[0, 0]], "label": 1, "diameter": "wide"},
        {"kind": "brush", "places": [[0, 0]], "label": 1, "diameter": 0},
        {"kind": "brush", "places": [[0, 0]], "label": 4, "diameter": 1},
        {"kind": "brush", "places": [[0, 0]], "label": "1", "diameter": 1},
        {"kind": "rectangle", "places": [[0, 0]], "label": 1},
        {"kind": "fill", "places": [[0, 0], [1, 1]], "label": 1},
        {"kind": "clear"},
        {"kind": "clear", "label": 4},
        {"kind": "swap", "old": 0},
        {"kind": "swap", "old": -1, "new": 1},
    ],
)
def test_a_bad_gesture_is_one_line_and_changes_nothing(gesture):
    m = empty()
    with pytest.raises(ValueError) as error:
        apply_gesture(m, gesture)
    assert "\n" not in str(error.value)
    assert not m.label_map.any() and not m.undo()
