"""Edges: which pixels they are, and sharpness of edges whose answer is known."""

import pytest
import torch

from sdm_lite import metrics


def test_edge_pixels_are_those_beside_another_class_and_no_others():
    label_map = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 7, 7], [0, 0, 7, 7]])
    expected = torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 0]]).bool()  # (1, 1) touches a corner
    assert torch.equal(metrics.edge_pixels(label_map), expected)
    assert torch.equal(metrics.edge_pixels(label_map.expand(2, 3, 4, 4))[1, 2], expected)
    assert not metrics.edge_pixels(torch.zeros(4, 4)).any()


def across(*profile: float) -> torch.Tensor:
    """A picture whose rows are all this profile."""
    return torch.tensor(profile).expand(3, 6, len(profile))


def test_sharpness_of_hard_soft_and_ramped_edges_whatever_contrast_and_direction():
    label_map = torch.tensor([0, 0, 0, 1, 1, 1]).expand(6, 6)
    hard, soft, ramp = across(0, 0, 0, 1, 1, 1), across(0, 0, 0.25, 1, 1, 1), across(0, 1, 2, 3, 4, 5)
    images, label_maps = torch.stack([hard, 0.2 * hard - 1, soft, ramp]), label_map.expand(4, 6, 6)
    expected = torch.tensor([1, 1, 0.75, 1 / 3]).double()
    torch.testing.assert_close(metrics.edge_sharpness(images, label_maps), expected)
    torch.testing.assert_close(metrics.edge_sharpness(images.mT, label_maps.mT), expected)
    torch.testing.assert_close(metrics.edge_sharpness(-images.flip(3), 1 - label_maps), expected)


def test_what_happens_away_from_edges_and_within_objects_does_not_count():
    label_map = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]).expand(1, 6, 8)
    smooth, textured = across(0, 0, 0, 0, 1, 1, 1, 1), across(9, 0, 0, 0, 1, 1, 1, 5)
    assert metrics.edge_sharpness(smooth[None], label_map).item() == 1
    assert metrics.edge_sharpness(textured[None], label_map).item() == 1
    assert metrics.edge_sharpness(smooth[None], torch.zeros(1, 6, 8)).isnan().all()  # no edge, no number


def test_sharpness_refuses_pictures_of_other_maps():
    with pytest.raises(ValueError, match=r"images must be \(B, 3, H, W\) .* got \(1, 3, 6, 6\) and \(1, 6, 8\)"):
        metrics.edge_sharpness(torch.zeros(1, 3, 6, 6), torch.zeros(1, 6, 8))
    with pytest.raises(ValueError, match="at least 4 pixels"):
        metrics.edge_sharpness(torch.zeros(1, 3, 6, 3), torch.zeros(1, 6, 3))
    with pytest.raises(ValueError, match="at least 4 pixels"):
        metrics.edge_sharpness(torch.zeros(1, 3, 3, 6), torch.zeros(1, 3, 6))


def test_mixtures_of_known_edges():
    label_map = torch.tensor([0, 0, 0, 1, 1, 1]).expand(1, 6, 6)
    picture = across(0, 0, 0.25, 0.875, 1, 1)[None]  # of the left pixel a quarter, of the right an eighth
    expected = torch.tensor([0.25, 0.125]).double().repeat_interleave(6)
    torch.testing.assert_close(metrics.edge_mixtures(picture, label_map), expected)
    torch.testing.assert_close(metrics.edge_mixtures(1 - 2 * picture.mT, label_map.mT), expected)
    assert len(metrics.edge_mixtures(0.2 * picture, label_map)) == 0  # too little contrast
    thin = torch.tensor([0, 0, 0, 1, 2, 2]).expand(1, 6, 6)
    assert len(metrics.edge_mixtures(picture, thin)) == 0  # no side of two pixels
