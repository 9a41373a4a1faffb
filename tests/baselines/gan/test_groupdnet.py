"""GroupDNet: a latent a class, groups that do not mix until late, an encoder of class pictures."""

import pytest
import torch
from gans import (
    check_noise,
    check_pictures,
    check_posterior,
    drawn,
    form_of,
    made_generator,
    num_parameters,
    scene_layouts,
    scenes,
)

from sdm_lite.baselines.gan.groupdnet import GROUPDNET, ClassEncoder, class_pictures, with_edges
from sdm_lite.baselines.gan.system import LayoutForm, draw_noise, layout_of


@pytest.mark.parametrize("size, millions", [(32, (1.06, 0.03)), (64, (1.12, 0.09))])
def test_shapes_and_parameters(size, millions):
    generator = made_generator(GROUPDNET, size)
    encoder = ClassEncoder(form_of(size))
    for network, expected in zip((generator, encoder), millions, strict=True):
        assert num_parameters(network) == pytest.approx(1e6 * expected, abs=1e4)
    assert generator.noise_shapes == ((11, 4, 4, 4),)
    check_pictures(GROUPDNET, size)
    check_posterior(GROUPDNET, size)


@pytest.mark.parametrize("size", [32, 64])
def test_the_same_noise_the_same_picture_other_noise_another(size):
    check_noise(GROUPDNET, size)


def groups_changed(generator, layout, noise, other):
    """Which of the 11 groups of channels change, after each block, coarse to fine: sets."""
    kept = []
    hooks = [block.register_forward_hook(lambda *seen: kept.append(seen[2])) for block in generator.decoder.blocks]
    for which in (noise, other):
        drawn(generator, layout, which)
    for hook in hooks:
        hook.remove()
    half = len(kept) // 2
    pairs = [
        (a.unflatten(1, (11, -1)), b.unflatten(1, (11, -1))) for a, b in zip(kept[:half], kept[half:], strict=True)
    ]
    return [set((a != b).movedim(1, 0).flatten(1).any(1).nonzero().flatten().tolist()) for a, b in pairs]


@pytest.mark.parametrize("size", [32, 64])
def test_the_noise_of_a_class_changes_its_own_channels_alone_until_groups_merge(size):
    generator = made_generator(GROUPDNET, size)
    (noise,) = draw_noise(generator, range(4))
    other = noise.clone()
    other[:, 4] = -other[:, 4]
    changed = groups_changed(generator, scene_layouts(size), (noise,), (other,))
    assert changed[:2] == [{4}, {4}]
    assert {4} < changed[2] < set(range(11))  # as many groups as there are classes no more, yet not one
    assert changed[-1] == set(range(11))


@pytest.mark.parametrize("size", [32, 64])
def test_the_layout_of_a_class_changes_its_own_channels_alone_until_groups_merge(size):
    generator = made_generator(GROUPDNET, size)
    layout, noise = scene_layouts(size), draw_noise(generator, range(4))
    condition = layout.condition.clone()
    condition[:, 4] = 1 - condition[:, 4]
    kept = []
    generator.decoder.blocks[1].register_forward_hook(lambda *seen: kept.append(seen[2].unflatten(1, (11, -1))))
    drawn(generator, layout, noise)
    drawn(generator, layout._replace(condition=condition), noise)
    assert (kept[0] != kept[1]).movedim(1, 0).flatten(1).any(1).nonzero().flatten().tolist() == [4]


def test_every_group_reads_the_edges():
    pairs = with_edges(scene_layouts(32), form_of(32)).unflatten(1, (11, 2))
    assert torch.equal(pairs[:, :, 0], scene_layouts(32).condition[:, :11])
    assert torch.equal(pairs[:, :, 1], scene_layouts(32).condition[:, 11:].expand(-1, 11, -1, -1))


def test_a_class_is_blown_up_to_the_picture():
    classes = torch.zeros(1, 32, 32, dtype=torch.int64)
    classes[0, 8:16, 4:8] = 1  # 8 rows, 4 columns: every row 4 times, every column 8 times
    classes[0, 8, 4] = 0
    image = torch.randn(1, 3, 32, 32)
    pictures = class_pictures(layout_of(classes, 3, classes), image, 3)
    patch = image[0, :, 8:16, 4:8].clone()
    patch[:, 0, 0] = 0  # a pixel of another class
    assert torch.equal(pictures[0, 1], patch.repeat_interleave(4, dim=1).repeat_interleave(8, dim=2))
    assert torch.equal(pictures[0, 0], image[0] * (classes == 0))  # it fills the picture already
    assert (pictures[0, 2] == 0).all()  # it is not there


def test_the_encoder_reads_a_class_off_its_own_pixels():
    torch.manual_seed(0)
    encoder, layout, picture = ClassEncoder(form_of(32)).eval(), scene_layouts(32), scenes(32).x0
    grass = (layout.classes == 4)[:, None]
    before, after = (encoder(layout, image).means[0] for image in (picture, torch.where(grass, -picture, picture)))
    assert (before != after).movedim(1, 0).flatten(1).any(1).nonzero().flatten().tolist() == [4]


@pytest.mark.parametrize("num_classes, has_instances", [(12, True), (7, False), (150, False)])
def test_widths_fit_any_number_of_classes(num_classes, has_instances):
    form = LayoutForm((32, 32), num_classes, has_instances)
    generator = GROUPDNET.make_generator(form).eval()
    classes = torch.randint(num_classes, (1, 32, 32))
    drawn(generator, layout_of(classes, num_classes, classes if has_instances else None), draw_noise(generator, [0]))
