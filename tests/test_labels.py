"""A label map becomes one channel a class and edges; the null label is none of them; what is no label map is told."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from sdm_lite.labels import drop_condition, encode_labels, instance_edges, null_like


def test_one_hot_puts_each_pixel_in_its_class():
    label_map = torch.tensor([[[0, 2], [1, 1]]])
    condition = encode_labels(label_map, 3)
    assert condition.shape == (1, 3, 2, 2) and condition.dtype == torch.float32
    assert torch.equal(condition.argmax(1), label_map)
    assert torch.equal(condition.sum(1), torch.ones(1, 2, 2))


def test_edges_of_a_hand_made_example_mark_both_sides():
    instance_map = torch.tensor([[[7, 7, 7], [7, 9, 9], [7, 9, 9]]])
    expected = torch.tensor([[[[0, 1, 1], [1, 1, 1], [1, 1, 0]]]]).float()
    assert torch.equal(instance_edges(instance_map), expected)


def test_touching_instances_of_one_class_have_an_edge_between_them():
    label_map = torch.zeros(1, 2, 4, dtype=torch.long)
    instance_map = torch.tensor([[[26001, 26001, 26002, 26002]] * 2])
    condition = encode_labels(label_map, 1, instance_map)
    assert torch.equal(condition[0, 1], torch.tensor([[0.0, 1, 1, 0]] * 2))


@pytest.mark.parametrize("bad", [3, -1, 255])
def test_an_id_outside_the_classes_is_named(bad):
    label_map = torch.zeros(1, 4, 4, dtype=torch.long)
    label_map[0, 0, :2] = bad
    with pytest.raises(ValueError, match=rf"0\.\.2.*{bad} \(2 pixels\)"):
        encode_labels(label_map, 3)


def test_of_many_wrong_ids_the_first_five_are_named():
    with pytest.raises(ValueError, match=r"got 3 \(1 pixels\), 4 .*, 7 \(1 pixels\) and 2 more ids:"):
        encode_labels(torch.arange(10).view(1, 2, 5), 3)


@pytest.mark.parametrize(
    ("label_map", "message"),
    [
        (torch.zeros(4, 4, dtype=torch.long), "shape"),
        (torch.zeros(1, 4, 4), "integer"),
        (torch.zeros(0, 4, 4, dtype=torch.long), "empty"),
    ],
)
def test_what_is_no_label_map_is_rejected(label_map, message):
    with pytest.raises(ValueError, match=message):
        encode_labels(label_map, 3)


def test_instances_of_another_size_are_rejected():
    with pytest.raises(ValueError, match="shape"):
        encode_labels(torch.zeros(1, 4, 4, dtype=torch.long), 3, torch.zeros(1, 4, 5, dtype=torch.long))


def test_null_is_zero_and_not_a_class():
    condition = encode_labels(torch.zeros(2, 4, 4, dtype=torch.long), 3)
    assert null_like(condition).abs().sum() == 0 and condition.abs().sum() > 0


def test_dropping_takes_whole_examples_at_the_given_rate():
    condition = torch.ones(4000, 2, 2, 2)
    dropped = drop_condition(condition, 0.2, generator=torch.Generator().manual_seed(0))
    per_example = dropped.flatten(1)
    assert torch.equal(per_example.amin(1), per_example.amax(1))
    share = (per_example.amax(1) == 0).float().mean().item()
    assert abs(share - 0.2) < 4 * (0.2 * 0.8 / 4000) ** 0.5
    torch.rand(1)  # of the global stream, which has no say
    assert torch.equal(drop_condition(condition, 0.2, generator=torch.Generator().manual_seed(0)), dropped)
    assert torch.equal(drop_condition(condition, 0.0), condition)
    assert drop_condition(condition, 1.0).abs().sum() == 0
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        drop_condition(condition, 1.2)


# Whatever is given.

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64")


@st.composite
def maps(draw, dtypes, ids, shapes):
    """A small tensor of any of these types, its ids as far as the type holds them; as from a file read by numpy."""
    shape = draw(shapes)
    values = draw(st.lists(ids, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return torch.from_numpy(np.array(values, dtype=np.int64).reshape(shape).astype(draw(st.sampled_from(dtypes))))


FEW_IDS, ANY_SHAPE = st.integers(0, 5), st.lists(st.integers(0, 4), max_size=4).map(tuple)
NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))
label_maps = st.one_of(
    maps(INTEGERS, FEW_IDS, st.tuples(*[st.integers(1, 4)] * 3)),
    maps((*INTEGERS, "bool", "float32", "float64", "complex64"), st.integers(-3, 300), ANY_SHAPE),
)


@given(label_map=label_maps, num_classes=st.integers(4, 8), data=st.data())
def test_any_label_map_is_encoded_rightly_or_refused_in_one_line(label_map, num_classes, data):
    same_shape = maps(INTEGERS, FEW_IDS, st.just(tuple(label_map.shape)))
    instance_map = data.draw(st.none() | same_shape | maps(INTEGERS, FEW_IDS, ANY_SHAPE))
    integer = label_map.dtype not in (torch.bool, torch.float32, torch.float64, torch.complex64)
    ids = label_map.long() if integer else label_map
    right = integer and ids.ndim == 3 and ids.numel() > 0 and bool(((ids >= 0) & (ids < num_classes)).all())
    if not right or instance_map is not None and instance_map.shape != ids.shape:
        with pytest.raises(ValueError) as caught:
            encode_labels(label_map, num_classes, instance_map)
        assert "\n" not in str(caught.value) and "got" in str(caught.value)
        return
    condition = encode_labels(label_map, num_classes, instance_map)
    assert condition.dtype == torch.float32 and condition.shape[1] == num_classes + (instance_map is not None)
    assert torch.equal(condition[:, :num_classes], F.one_hot(ids, num_classes).movedim(-1, 1).float())
    if instance_map is not None:
        padded = F.pad(instance_map.double()[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]  # no edge at the border
        around = [padded[:, 1 + y : padded.shape[1] - 1 + y, 1 + x : padded.shape[2] - 1 + x] for y, x in NEIGHBOURS]
        touching = torch.stack([other != instance_map.double() for other in around]).any(0)
        assert torch.equal(condition[:, -1], touching.float())
