"""The nearest reference is the nearest, and a copy is at distance 0."""

import pytest
import torch

from sdm_lite.evaluate.nearest import nearest


def test_agrees_with_all_distances():
    torch.manual_seed(0)
    queries, references = torch.randn(5, 3, 4, 4), torch.randn(40, 3, 4, 4)
    distances = (queries[:, None] - references[None]).square().mean((2, 3, 4)).sqrt()  # (5, 40)
    expected = distances.sort(dim=1)
    found = nearest(queries, references, num_nearest=3, chunk_size=7)
    torch.testing.assert_close(found.distance, expected.values[:, :3])
    assert torch.equal(found.index, expected.indices[:, :3])


def test_a_copy_is_found_at_distance_0_among_near_copies():
    """Where the short form of the distance has no digits left."""
    torch.manual_seed(1)
    picture = torch.full((1, 3, 32, 32), 50.0)
    references = picture + torch.randn(30, 3, 32, 32) * 1e-3
    found = nearest(references[17:18], references)
    assert found.index.tolist() == [[17]] and found.distance.tolist() == [[0.0]]


def test_near_copies_are_told_apart_beside_queries_that_are_far_away():
    """There the short form orders a few of them wrongly, and comparing again in full puts that right."""
    torch.manual_seed(2)
    copies = torch.ones(5, 3, 32, 32) + torch.randn(5, 3, 32, 32) * 1e-4
    references = torch.cat([torch.randn(25, 3, 32, 32), copies])
    found = nearest(torch.cat([copies, torch.full((5, 3, 32, 32), -20.0)]), references)
    assert found.index[:5, 0].tolist() == [25, 26, 27, 28, 29] and not found.distance[:5].any()


def test_bytes_are_compared_as_numbers():
    references = torch.tensor([[0, 255], [255, 0], [250, 250]], dtype=torch.uint8)
    found = nearest(torch.tensor([[255.0, 255.0]]), references, num_nearest=3)
    assert found.index.tolist()[0][0] == 2
    torch.testing.assert_close(found.distance[0, 0], torch.tensor(5.0))
    torch.testing.assert_close(found.distance[0, 1:], torch.tensor([255.0, 255.0]) / 2**0.5)


def test_bad_input():
    with pytest.raises(ValueError, match="one shape"):
        nearest(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="num_nearest must be in 1..2"):
        nearest(torch.zeros(2, 3), torch.zeros(2, 3), num_nearest=3)
