"""The U-Net: what depends on what, the published architecture, and an independent implementation's outputs."""

from dataclasses import replace

import pytest
import torch
from networks import TINY, formula_weights, randomised, stored_example, tiny_inputs

from sdm_lite.checkpoints import load_published
from sdm_lite.labels import encode_labels
from sdm_lite.presets import PRESETS, preset
from sdm_lite.unet import SDMUNet, timestep_embedding


def test_outputs_equal_an_independent_implementation():
    stored = stored_example()
    stored.check(load_published(formula_weights(stored.config), channels_per_head=stored.config.channels_per_head))


@pytest.mark.parametrize(
    ("name", "count"),
    [("celebamask-hq-256", 653_062_918), ("ade20k-256", 660_608_518), ("cityscapes-256x512", 653_984_518)],
)
def test_paper_presets_have_the_published_number_of_parameters(name, count):
    with torch.device("meta"):
        unet = SDMUNet(PRESETS[name])
    assert sum(parameter.numel() for parameter in unet.parameters()) == count


def test_encoder_has_no_label_and_modulation_no_image():
    unet = randomised(TINY)
    x_t, t, condition = tiny_inputs()
    x_t.requires_grad_()
    condition.requires_grad_()
    features = unet.encode(x_t, t)
    modulation = unet.modulate(condition)
    (gradient,) = torch.autograd.grad(features.h.sum(), condition, allow_unused=True)
    assert gradient is None
    (gradient,) = torch.autograd.grad(modulation[0].scale.sum(), x_t, allow_unused=True)
    assert gradient is None
    output = unet.decode(features, modulation)
    for wanted in torch.autograd.grad(output.sum(), (x_t, condition)):
        assert wanted.abs().max() > 0


def test_forward_is_decode_of_encode_and_modulate():
    unet = randomised(TINY)
    x_t, t, condition = tiny_inputs()
    with torch.no_grad():
        assert torch.equal(unet(x_t, t, condition), unet.decode(unet.encode(x_t, t), unet.modulate(condition)))


def test_output_is_zero_at_first():
    x_t, t, condition = tiny_inputs()
    assert SDMUNet(TINY)(x_t, t, condition).abs().max() == 0


def test_every_weight_learns():
    unet = randomised(TINY)
    unet(*tiny_inputs()).square().mean().backward()
    idle = [
        name for name, parameter in unet.named_parameters() if parameter.grad is None or parameter.grad.abs().max() == 0
    ]
    # One label channel or another may be absent from a tiny batch, but no whole tensor may be unused.
    assert idle == []


@pytest.mark.parametrize("name", ["scenes-32", "scenes-64"])
def test_lite_presets_run_at_their_size_and_another(name):
    config = PRESETS[name]
    unet = SDMUNet(config).eval()
    for size in (config.image_size[0], config.image_size[0] * 2):
        label_map = torch.zeros(1, size, size, dtype=torch.long)
        with torch.no_grad():
            output = unet(torch.zeros(1, 3, size, size), torch.tensor([1]), encode_labels(label_map, 11, label_map))
        assert output.shape == (1, 6, size, size)


def test_sides_may_differ():
    x_t, t, _ = tiny_inputs()
    condition = encode_labels(torch.zeros(2, 16, 32, dtype=torch.long), 4)
    with torch.no_grad():
        assert randomised(TINY)(torch.cat([x_t, x_t], 3), t, condition).shape == (2, 6, 16, 32)


def test_preset_for_another_size_keeps_attention_at_its_levels():
    config = preset("scenes-32", image_size=(48, 64))
    assert [config.attends(level) for level in range(3)] == [PRESETS["scenes-32"].attends(level) for level in range(3)]


def test_null_label_gives_a_constant_modulation_inside():
    unet = randomised(TINY)
    scale, shift = unet.modulate(torch.zeros(1, 4, 16, 16))[-1]
    for map_ in (scale, shift):
        inside = map_[:, :, 1:-1, 1:-1]
        assert (inside - inside[:, :, :1, :1]).abs().max() < 1e-6


def test_timestep_embedding_tells_all_timesteps_apart():
    embedding = timestep_embedding(torch.arange(1000), 32)
    assert embedding.shape == (1000, 32)
    distance = torch.cdist(embedding, embedding) + torch.eye(1000) * 100
    assert distance.min() > 1e-3
    odd = timestep_embedding(torch.arange(3), 5)
    assert torch.equal(odd[:, :4], timestep_embedding(torch.arange(3), 4)) and not odd[:, 4].any()


def test_all_of_it_is_computed_where_the_network_is():
    inputs = (tensor.to("meta") for tensor in tiny_inputs())  # a device whose tensors do not mix with the CPU's
    assert SDMUNet(TINY).to("meta")(*inputs).device.type == "meta"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": (18, 17)}, "divisible by 2"),
        ({"num_groups": 5}, "groups"),
        ({"channels_per_head": 7}, "channels_per_head"),
        ({"spade_kernel_size": 2}, "odd"),
        ({"num_classes": 0}, "class"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_told(change, message):
    from dataclasses import replace

    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_inputs_that_do_not_fit_are_told():
    unet = SDMUNet(TINY)
    x_t, t, condition = tiny_inputs()
    with pytest.raises(ValueError, match="differ in size"):
        unet(x_t, t, condition[:, :, :8, :8])
    with pytest.raises(ValueError, match=r"condition must have shape \(B, 4, H, W\)"):
        unet(x_t, t, condition[:, :3])
    with pytest.raises(ValueError, match="divisible by 2"):
        unet.encode(x_t[..., :15], t)
    with pytest.raises(ValueError, match="x_t must have shape"):
        unet.encode(x_t[:, :2], t)
    with pytest.raises(ValueError, match="preset must be one of"):
        preset("scenes-31")


def test_the_condition_is_what_the_network_was_trained_to_read():
    label_map, instance_map = torch.randint(0, 4, (2, 16, 16)), torch.randint(0, 9, (2, 16, 16))
    plain = SDMUNet(replace(TINY, num_classes=4, instance_edges=False))
    edged = SDMUNet(replace(TINY, num_classes=4, instance_edges=True))
    assert torch.equal(plain.condition(label_map, instance_map), encode_labels(label_map, 4))
    assert torch.equal(edged.condition(label_map, instance_map), encode_labels(label_map, 4, instance_map))
    with pytest.raises(ValueError, match="got no instance_map"):
        edged.condition(label_map)
    with pytest.raises(ValueError, match="label ids must lie in 0..3, got 4"):
        plain.condition(label_map + 1)


def test_a_printed_network_reads_as_its_architecture():
    with torch.device("meta"):
        lite, paper = (str(SDMUNet(PRESETS[name])) for name in ("scenes-32", "celebamask-hq-256"))
    assert len(lite.splitlines()) < 30 and len(paper.splitlines()) < 50
    for line in (
        "(3): [16 x 16] halve",
        "(4): [8 x 8] ResBlock(48 -> 72, PlainNorm), Attention(72, 3 heads)",
        "(3): [16 x 16] ResBlock(72 -> 48, SPADE), double",
    ):
        assert line in lite
    assert "[64 x 64] ResBlock(768 -> 512, SPADE), ResBlock(512 -> 512, SPADE, double)" in paper
