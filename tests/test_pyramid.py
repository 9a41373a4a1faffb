"""Every resolution is the nearest neighbour of the first, and looking up is the convolution with its gradients."""

import pytest
import torch
from torch import nn

from sdm_lite.labels import encode_labels
from sdm_lite.presets import UNetConfig
from sdm_lite.pyramid import MAX_ONES, MIN_CHANNELS, condition_pyramid, convolve, find_ones
from sdm_lite.unet import SDMUNet


def a_condition(num_classes, *, edges, size=(12, 20), batch=3):
    generator = torch.Generator().manual_seed(num_classes)
    label_map = torch.randint(0, num_classes, (batch, *size), generator=generator)
    return encode_labels(label_map, num_classes, label_map // 2 if edges else None)


def test_pyramid_is_nearest_neighbour():
    condition = torch.rand(1, 2, 16, 24)
    for level, (small, _) in enumerate(condition_pyramid(condition, 4)):
        expected = torch.nn.functional.interpolate(condition, size=(16 >> level, 24 >> level), mode="nearest")
        assert torch.equal(small, expected)


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_looking_up_is_the_convolution_and_its_gradients(kernel_size, edges):
    condition = a_condition(30, edges=edges)
    condition[0] = 0  # the null label, as null-label fine-tuning has it
    convolution = nn.Conv2d(condition.shape[1], 16, kernel_size, padding=kernel_size // 2)
    level = condition_pyramid(condition, 1)[0]
    assert level.ones is not None
    gradients = []
    for out in (convolution(condition), convolve(level, convolution)):
        convolution.zero_grad()
        out.square().sum().backward()
        gradients.append((out.detach(), convolution.weight.grad.clone(), convolution.bias.grad.clone()))
    for looked_up, multiplied in zip(*gradients, strict=True):
        torch.testing.assert_close(looked_up, multiplied, rtol=1e-4, atol=1e-4)


def test_each_level_knows_its_own_ones():
    condition = a_condition(25, edges=True, size=(16, 16))
    for level in condition_pyramid(condition, 4):
        rebuilt = torch.zeros(level.condition.shape[0], 27, *level.condition.shape[2:])
        rebuilt.scatter_(1, torch.where(level.ones < 0, 26, level.ones), 1.0)
        assert torch.equal(rebuilt[:, :26], level.condition)


def test_what_is_no_label_map_is_convolved():
    condition = a_condition(MIN_CHANNELS, edges=False)
    assert condition_pyramid(a_condition(MIN_CHANNELS - 1, edges=False), 1)[0].ones is None
    assert find_ones(condition) is not None
    assert find_ones(condition * 0.5) is None  # a mixture of two label maps, for instance
    crowded = condition.clone()
    crowded[:, : MAX_ONES + 1] = 1
    assert find_ones(crowded) is None
    assert find_ones(condition.clone().requires_grad_()) is None  # its gradient would be lost


def test_the_network_is_the_same_either_way(monkeypatch):
    unet = SDMUNet(UNetConfig(30, True, (16, 16), 32, (1, 2), 1, (), 32, 16, 3, 8, False)).eval()
    for parameter in unet.parameters():
        nn.init.normal_(parameter, std=0.05)
    x_t, t, condition = torch.randn(3, 3, 12, 20), torch.tensor([1, 500, 1000]), a_condition(30, edges=True)
    with torch.no_grad():
        looked_up = unet(x_t, t, condition)
        monkeypatch.setattr("sdm_lite.pyramid.MIN_CHANNELS", 10**6)
        multiplied = unet(x_t, t, condition)
    torch.testing.assert_close(looked_up, multiplied, rtol=1e-4, atol=1e-5)
