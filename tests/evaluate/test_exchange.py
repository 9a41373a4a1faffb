"""The exchange test: against plain loops, exact where the model is the truth, and able to say that it is not."""

import pytest
import torch

from sdm_lite import metrics
from sdm_lite.evaluate import Measurements
from sdm_lite.evaluate.exchange import (
    exchange_test,
    exchange_tests,
    frechet_of_choices,
    kernel_of_choices,
    variation_of_choices,
)

CONTINUOUS = ("frechet", "frechet_within", "kernel_within")
DISCRETE = ("time_of_day_tv", "season_tv")


def toy(generator, num_layouts=12, num_pictures=3, *, shift=0.0, nights=0.0):
    """A sample and true pictures of layouts that differ; the features of a picture follow its hour."""

    def noise(number):
        return torch.randn(num_layouts, num_pictures, number, generator=generator)

    hours, seasons = (torch.randint(3, (num_layouts, num_pictures), generator=generator) for _ in range(2))
    hours[:, 0] = torch.where(torch.rand(num_layouts, generator=generator) < nights, 2, hours[:, 0])
    features = noise(2) + 2 * noise(2)[:, :1] + hours[..., None]
    features[:, 0] += shift
    levels = torch.cat([features, noise(2)], -1)
    unused = dict.fromkeys(("confusion", "roughness", "edge_confusion", "edge_sharpness"))
    parts = {"features": features, "levels": levels, "time_of_day": hours, "season": seasons}
    pictures = ({key: part[:, of] for key, part in parts.items()} for of in (slice(1), slice(1, None)))
    return tuple(Measurements(**of, **unused) for of in pictures)


def others(pictures, choices):
    """All pictures of each layout but the chosen one, (L, M - 1, ...)."""
    kept = [torch.cat([one[:c], one[c + 1 :]]) for one, c in zip(pictures, choices.tolist(), strict=True)]
    return torch.stack(kept)


def shares_apart(some, rest):
    return metrics.total_variation(
        *(torch.bincount(of.flatten(), minlength=3).double() / of.numel() for of in (some, rest))
    )


def test_distances_are_of_the_chosen_pictures_to_all_others():
    generator = torch.Generator().manual_seed(0)
    features, read = 3 + torch.randn(9, 4, 5, generator=generator), torch.randint(3, (9, 4), generator=generator)
    choices = torch.randint(4, (60, 9), generator=generator)  # more than are computed at a time
    found = [
        of(pictures)(choices)
        for of, pictures in (
            (frechet_of_choices, features),
            (kernel_of_choices, features),
            (variation_of_choices, read),
        )
    ]
    for some, frechet, kernel, variation in zip(choices, *found, strict=True):
        chosen, rest = features[torch.arange(9), some], others(features, some)
        assert frechet.item() == pytest.approx(metrics.frechet_distance(chosen, rest.flatten(0, 1)), rel=1e-6)
        pairs = metrics.pair_kernel(chosen[:, None].double(), rest.double())
        assert kernel.item() == pytest.approx(metrics.kernel_distance_of_pairs(pairs, torch.arange(9)), abs=1e-3)
        assert variation.item() == pytest.approx(shares_apart(read[torch.arange(9), some], others(read, some)))


def test_p_is_that_of_a_plain_loop_and_every_layout_draws_for_itself():
    seen = []

    def statistic(choices):
        seen.append(choices)
        return choices.double().sum(1)

    test = exchange_test(lambda choices: -(statistic(choices) - 4).abs(), 6, 3, num_exchanges=40)
    (choices,) = seen
    assert choices.shape == (41, 6) and not choices[0].any()
    assert choices[1:].unique().tolist() == [0, 1, 2] and (choices[1:] != choices[1:, :1]).any(1).float().mean() > 0.9
    reached = sum(-abs(sum(one) - 4) >= -abs(0 - 4) for one in choices[1:].tolist())
    assert test.p_value == (1 + reached) / 41 and test.num_exchanges == 40
    assert exchange_test(lambda choices: -statistic(choices), 6, 3, num_exchanges=40).verdict == "not the truth"
    twice = [exchange_test(statistic, 6, 3, seed=seed).p_value for seed in (1, 1)]
    assert twice[0] == twice[1]


def test_of_perfect_models_one_in_twenty_one_is_rejected():
    """With 20 exchanges p <= 0.05 is p = 1 / 21; without the 1 in p or with a reference that stays it is more."""
    generator, number = torch.Generator().manual_seed(0), 800
    found = [exchange_tests(*toy(generator), num_exchanges=20, seed=seed) for seed in range(number)]
    for key in (*CONTINUOUS, *DISCRETE):
        p = torch.tensor([of[key].p_value for of in found])
        rejected = torch.tensor([of[key].verdict == "not the truth" for of in found]).double().mean()
        assert ((p <= 0.05) == (p < 1.5 / 21)).all() and rejected == (p <= 0.05).double().mean()
        for below in (1, 5, 10):  # of 21 values of p
            share, expected = (p < (below + 0.5) / 21).double().mean().item(), below / 21
            bound = 3.5 * (expected * (1 - expected) / number) ** 0.5
            assert share < expected + bound, (key, below)
            assert share > expected - bound or key in DISCRETE, (key, below)


def test_what_is_not_the_truth_is_told():
    generator = torch.Generator().manual_seed(1)
    shifted = exchange_tests(*toy(generator, num_layouts=60, num_pictures=5, shift=1.5))
    for key in CONTINUOUS:
        assert str(shifted[key]) == "p = 0.001 (999 exchanges): not the truth", key
    assert shifted["frechet"].of == "the sample of each of 60 layouts exchanged with its 4 true pictures"
    nights = exchange_tests(*toy(generator, num_layouts=60, num_pictures=5, nights=0.8))
    assert nights["time_of_day_tv"].p_value == 0.001 and nights["frechet"].verdict == "not the truth"
    assert nights["frechet_within"].p_value > 0.1 and nights["kernel_within"].p_value > 0.1, "hours are not held fixed"


def test_what_ties_or_cannot_be_compared_is_no_evidence():
    same = exchange_test(variation_of_choices(torch.ones(5, 3, dtype=torch.long)), 5, 3)
    assert same.p_value == 1 and same.verdict == "cannot be told from the truth"
    assert exchange_test(lambda choices: torch.full((len(choices),), torch.nan), 5, 3).p_value == 1


@pytest.mark.parametrize("numbers", [(0, 3, 9), (5, 1, 9), (5, 3, 0)])
def test_an_exchange_needs_something_to_exchange(numbers):
    num_layouts, num_pictures, num_exchanges = numbers
    with pytest.raises(ValueError, match=f"must be at least 1, 2 and 1, got {num_layouts}, {num_pictures} and"):
        exchange_test(lambda choices: choices.sum(1), num_layouts, num_pictures, num_exchanges=num_exchanges)
