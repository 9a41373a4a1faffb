"""A batch is a function of its step: in memory or resumed, whole or shared out, encoded here or on a device."""

import pytest
import torch

from sdm_lite.batches import Batch, BatchOrder, Example, ImageBatches, collate, encode, mirror, step_generator
from sdm_lite.labels import encode_labels, instance_edges

NUM_IMAGES, NUM_CLASSES = 11, 4
RECIPE = {"batch_size": 4, "flip_probability": 0.5, "seed": 3}


def pictures(num_images=NUM_IMAGES, num_classes=NUM_CLASSES):
    """Random examples; instance ids as Cityscapes has them, which differ only above 8 bits."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (num_images, 3, 8, 16), generator=generator, dtype=torch.uint8)
    label_maps = torch.randint(0, num_classes, (num_images, 8, 16), generator=generator)
    instance_maps = 256 * torch.randint(0, 3, (num_images, 8, 16), generator=generator, dtype=torch.int32)
    return images, label_maps, instance_maps


def together(images, label_maps, instance_maps, num_classes=NUM_CLASSES):
    """As one batch, its edges found here."""
    edges = None if instance_maps is None else instance_edges(instance_maps)[:, 0].to(torch.uint8)
    return Batch(images, label_maps, edges, num_classes)


def batches(**change):
    return ImageBatches(together(*pictures()), **(RECIPE | change))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a[:3], b[:3], strict=True))


def test_a_batch_is_what_its_rule_says():
    images, label_maps, instance_maps = pictures()
    served = batches()
    for step in (0, 1, 2, 5, 40):  # two batches an epoch, three images over
        epoch, position = divmod(step, 2)
        order = torch.randperm(NUM_IMAGES, generator=step_generator(3, epoch, 1))
        chosen = order[4 * position : 4 * position + 4]
        flip = torch.rand(4, generator=step_generator(3, step, 2)) < 0.5
        batch = served(step)
        for k, (i, mirrored) in enumerate(zip(chosen.tolist(), flip.tolist(), strict=True)):
            sides = [-1] if mirrored else []
            assert torch.equal(batch.images[k], images[i].flip(sides))
            assert torch.equal(batch.label_map[k].long(), label_maps[i].flip(sides))
            edges = instance_edges(instance_maps[i][None].flip(sides))[0, 0]
            assert torch.equal(batch.edges[k].float(), edges)


def test_the_order_of_asking_does_not_matter():
    forwards = [batches()(step) for step in range(6)]
    served = batches()
    assert all(same(served(step), forwards[step]) for step in (5, 0, 3, 2, 4, 1))


def test_every_epoch_visits_every_image_once_in_an_order_of_its_own():
    order = BatchOrder(12, batch_size=4, flip_probability=0.0, seed=0)
    epochs = [torch.cat([order(step)[0] for step in range(3 * e, 3 * e + 3)]).tolist() for e in range(3)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_images_over_at_the_end_of_an_epoch_have_their_turn_in_others():
    order = BatchOrder(NUM_IMAGES, batch_size=4, flip_probability=0.0, seed=0)
    epochs = [torch.cat([order(2 * e)[0], order(2 * e + 1)[0]]).tolist() for e in range(20)]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert set().union(*epochs) == set(range(NUM_IMAGES))


@pytest.mark.parametrize("num_shards", [2, 4])
def test_shards_put_together_are_the_batch_of_one_process(num_shards):
    whole = batches()
    shards = [batches(shard=(rank, num_shards)) for rank in range(num_shards)]
    for step in range(5):
        parts = [shard(step) for shard in shards]
        assert all(len(part.images) == 4 // num_shards for part in parts)
        joined = [torch.cat([part[field] for part in parts]) for field in range(3)]
        assert same(joined, whole(step))


def test_a_batch_may_be_one_image_and_an_image_the_whole_set():
    order = BatchOrder(1, batch_size=1, flip_probability=1.0, seed=0)
    assert [(chosen.tolist(), flip.tolist()) for chosen, flip in map(order, range(3))] == [([0], [True])] * 3


def test_half_of_the_examples_are_mirrored():
    order = BatchOrder(100, batch_size=100, flip_probability=0.5, seed=0)
    flips = torch.cat([order(step)[1] for step in range(100)]).float()
    assert abs(flips.mean() - 0.5) < 4 * 0.5 / 100


def test_objects_told_apart_are_chosen_and_mirrored_with_their_pictures():
    images, label_maps, instance_maps = pictures()
    examples = [
        Example(image / 127.5 - 1, *maps) for image, *maps in zip(images, label_maps, instance_maps, strict=True)
    ]
    kept = collate(examples, NUM_CLASSES, has_instances=True, keeps_instance_ids=True)
    assert torch.equal(kept.instances, instance_maps // 256)  # ids 0, 256, 512 as 0, 1, 2
    served, plain = ImageBatches(kept, **RECIPE), batches()
    assert served.fingerprint() != plain.fingerprint()
    for step in range(3):
        batch = served(step)
        assert same(batch, plain(step))
        assert torch.equal(instance_edges(batch.instances)[:, 0].to(torch.uint8), batch.edges)
        assert batch.instances.dtype == torch.int16 and batch.at(slice(2)).instances.shape == (2, 8, 16)


def test_edges_of_a_mirrored_map_are_the_mirrored_edges():
    _, _, instance_maps = pictures()
    flip = torch.arange(NUM_IMAGES) % 2 == 0
    assert torch.equal(instance_edges(mirror(instance_maps, flip)), mirror(instance_edges(instance_maps), flip))
    assert instance_edges(instance_maps).sum() > instance_edges(instance_maps.to(torch.uint8)).sum() == 0


@pytest.mark.parametrize("num_classes", [NUM_CLASSES, 256, 257])
@pytest.mark.parametrize("with_instances", [False, True])
def test_encoding_a_batch_is_encoding_its_label_maps(num_classes, with_instances):
    images, label_maps, instance_maps = pictures(num_classes=num_classes)
    instance_maps = instance_maps if with_instances else None
    examples = together(images, label_maps, instance_maps, num_classes)
    served = ImageBatches(examples, batch_size=NUM_IMAGES, flip_probability=0.0, seed=0)
    order, _ = served.order(0)
    x0, condition = encode(served(0))
    expected = encode_labels(label_maps[order], num_classes, instance_maps[order] if with_instances else None)
    assert served(0).label_map.dtype == (torch.uint8 if num_classes <= 256 else torch.int16)
    assert torch.equal(condition, expected) and condition.dtype == torch.float32
    assert condition.shape[1] == num_classes + with_instances
    assert torch.equal(x0, images[order].float() / 127.5 - 1) and x0.min() >= -1 and x0.max() <= 1


@pytest.mark.parametrize("has_instances", [False, True])
def test_examples_become_a_batch_to_the_last_bit(has_instances):
    images, label_maps, instance_maps = pictures()
    examples = map(Example, images.float() / 127.5 - 1, label_maps, instance_maps)
    batch = collate(examples, NUM_CLASSES, has_instances=has_instances)
    expected = together(images, label_maps.to(torch.uint8), instance_maps)
    assert torch.equal(batch.images, images) and torch.equal(batch.label_map, expected.label_map)
    assert batch.label_map.dtype == torch.uint8 and batch.num_classes == NUM_CLASSES
    assert torch.equal(batch.edges, expected.edges) if has_instances else batch.edges is None


def test_a_batch_goes_to_a_device_whole():
    batch = batches()(0)
    moved = batch.to("meta")
    assert {tensor.device.type for tensor in moved[:3]} == {"meta"} and moved.num_classes == NUM_CLASSES
    assert same(batch.to("cpu"), batch)


def test_the_fingerprint_is_of_the_pixels():
    images, label_maps, instance_maps = pictures()
    fingerprint = batches().fingerprint()
    assert ImageBatches(together(images, label_maps.int(), instance_maps), **RECIPE).fingerprint() == fingerprint
    assert ImageBatches(together(images, label_maps, None), **RECIPE).fingerprint() != fingerprint
    images[3, 0, 0, 0] += 1
    assert ImageBatches(together(images, label_maps, instance_maps), **RECIPE).fingerprint() != fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 12}, "11 images, fewer than a batch of 12"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"shard": (0, 3)}, "batch_size 4 cannot be shared evenly by 3"),
        ({"shard": (2, 2)}, r"got \(2, 2\)"),
        ({"flip_probability": 1.5}, "flip_probability"),
    ],
)
def test_a_wrong_recipe_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        batches(**change)


def test_pictures_that_do_not_go_together_are_told():
    images, label_maps, instance_maps = pictures()
    with pytest.raises(ValueError, match="label maps .* do not go together"):
        ImageBatches(together(images, label_maps[:, :, :8], None), **RECIPE)
    with pytest.raises(ValueError, match="edges .* do not go together"):
        ImageBatches(together(images, label_maps, instance_maps[1:]), **RECIPE)
    with pytest.raises(ValueError, match=r"lie in 0\.\.2, got 3"):
        ImageBatches(together(images, label_maps, None, 3), **RECIPE)
    with pytest.raises(ValueError, match=r"lie in 0\.\.3, got -1"):
        ImageBatches(together(images, label_maps - 1, None), **RECIPE)
    with pytest.raises(ValueError, match="uint8, got .* torch.float32"):
        ImageBatches(together(images.float(), label_maps, None), **RECIPE)
