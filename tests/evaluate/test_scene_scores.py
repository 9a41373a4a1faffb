"""From measurements to scores: against plain sums, hand-made truths and repetitions of imaginary models."""

import numpy as np
import pytest
import torch

from sdm_lite import evaluate, metrics
from sdm_lite.evaluate import Measurements, Sizes, Truth
from sdm_lite.evaluate.scene_scores import compare, statistics


def measurements(num_layouts, num_samples, seed, *, shift=0.0, right=0.9):
    """Measurements of an imaginary model: Gaussian features, a share of pixels right, fair heads."""
    g = torch.Generator().manual_seed(seed)
    confusion = torch.zeros(num_layouts, 2, 2, dtype=torch.long)
    hits = (torch.rand(num_layouts, 2, generator=g) < right).long() + 8
    confusion[:, [0, 1], [0, 1]] = hits
    confusion[:, [0, 1], [1, 0]] = 10 - hits
    return Measurements(
        torch.randn(num_layouts, num_samples, 4, generator=g) + shift,
        confusion,
        torch.randint(3, (num_layouts, num_samples), generator=g),
        torch.randint(3, (num_layouts, num_samples), generator=g),
        1 + 0.1 * torch.rand(num_layouts, num_samples, generator=g),
        torch.randn(num_layouts, num_samples, 6, generator=g) + shift,
        confusion // 2,
        0.5 + 0.1 * torch.rand(num_layouts, num_samples, generator=g),
    )


def imaginary_truth(num_layouts=300, num_renders=4):
    diversity = torch.rand(50, generator=torch.Generator().manual_seed(9)).double() + 1
    sizes = Sizes(num_layouts, num_renders, 2, 50)
    return Truth(measurements(num_layouts, num_renders, 0), diversity, sizes)


def test_a_perfect_model_scores_as_the_truth():
    truth = imaginary_truth()
    scores = evaluate.score(measurements(300, 1, 2), truth.diversity, truth)
    assert scores["miou"].ratio.value == pytest.approx(1, abs=0.02)
    assert scores["diversity"].ratio.value == 1
    assert scores["high_frequency_ratio"].ratio.value == pytest.approx(1, abs=0.02)
    for name in ("frechet", "time_of_day_tv", "season_tv"):
        low, high, kind = scores[name].difference.interval
        assert low < 0 < high and low < scores[name].difference.value < high, name
    assert kind == "95 % centred bootstrap over 300 layouts: their choice and the samples' noise, not the training run"
    assert scores["diversity"].yardstick.interval.kind.startswith("95 % centred bootstrap over 50 layouts")


def test_a_statistic_beside_the_truth_is_what_its_measure_says():
    truth = imaginary_truth()
    made, diversity = measurements(300, 1, 2, shift=0.5, right=0.8), 0.7 * truth.diversity
    scores = evaluate.score(made, diversity, truth, num_resamples=2, num_exchanges=0)
    for name, statistic in statistics(made, diversity, truth).items():
        apart = scores[name].ratio or scores[name].difference or scores[name]
        assert statistic.beside_truth(torch.arange(statistic.num_layouts)) == apart.value, name
    assert scores["miou"].ratio and scores["frechet"].difference and not scores["kernel_within"].difference


def test_faults_show_where_they_are():
    truth = imaginary_truth()
    good = measurements(300, 1, 2)
    night = good._replace(time_of_day=torch.full((300, 1), 2))
    scores = evaluate.score(night, 0.5 * truth.diversity, truth, num_resamples=5)
    assert scores["time_of_day_tv"].value == pytest.approx(2 / 3, abs=0.05) and scores["season_tv"].value < 0.1
    assert scores["diversity"].ratio.value == pytest.approx(0.5)
    assert scores["diversity"].ratio.interval[:2] == pytest.approx((0.5, 0.5)), "the two are not resampled alike"
    shifted = evaluate.score(measurements(300, 1, 2, shift=1.0, right=0.0), truth.diversity, truth, num_resamples=5)
    assert shifted["frechet"].value == pytest.approx(4, rel=0.2)  # 4 features, each off by 1
    assert shifted["frechet"].difference.interval.low > 3
    assert shifted["miou"].ratio.value < 0.95
    rough = evaluate.score(good._replace(roughness=2 * good.roughness), truth.diversity, truth, num_resamples=5)
    assert rough["high_frequency_ratio"].ratio.value == pytest.approx(2, rel=0.02)


def one_out(statistic, generated, reference, i):
    """Mean of a statistic of samples, and of one render a layout, against all renders but that one."""
    others = [reference[i][:, [m for m in range(reference.shape[1]) if m != n]] for n in range(reference.shape[1])]
    samples = np.mean([statistic(generated[i], rest.flatten(0, 1)) for rest in others])
    return samples, np.mean([statistic(reference[i, n], rest.flatten(0, 1)) for n, rest in enumerate(others)])


def shares_apart(some, others):
    shares = [torch.bincount(read.flatten(), minlength=3).double() / read.numel() for read in (some, others)]
    return metrics.total_variation(*shares)


@pytest.mark.parametrize("num_layouts", [3, 40])  # fewer layouts than features too
def test_distances_are_to_all_but_one_render_of_samples_and_of_the_one_alike(num_layouts):
    generated = measurements(num_layouts, 1, 2, shift=0.3)
    truth = imaginary_truth(num_layouts)._replace(diversity=torch.ones(2).double())
    truth = truth._replace(sizes=truth.sizes._replace(num_diversity_layouts=2))
    found, reference = statistics(generated, truth.diversity, truth), truth.reference
    for i in (torch.arange(num_layouts), torch.tensor([0, 2, 2, 1] * 5)):
        expected = one_out(metrics.frechet_distance, generated.features[:, 0], reference.features, i)
        assert found["frechet"].of(i) == pytest.approx(expected, rel=1e-4)
        expected = one_out(shares_apart, generated.season[:, 0], reference.season, i)
        assert found["season_tv"].of(i) == pytest.approx(expected, rel=1e-6)


def test_intervals_are_joint_and_centred():
    """Of samples and floor by the same resamples, about the value: repeated layouts alone raise both distances."""
    generated, truth = alike(torch.Generator().manual_seed(1))
    generated = generated._replace(features=generated.features + 0.2)
    measure = evaluate.score(generated, truth.diversity, truth)["frechet"]
    of = statistics(generated, truth.diversity, truth)["frechet"].of
    samples, floor = metrics.bootstrap(of, 60, num_resamples=200).T
    assert floor.mean() > 1.5 * measure.yardstick.value
    for part, replicates in ((measure, samples), (measure.yardstick, floor), (measure.difference, samples - floor)):
        spread = np.quantile(replicates, [0.025, 0.975]) - replicates.mean()
        assert part.interval[:2] == pytest.approx(part.value + spread, rel=1e-6)


def alike(generator, num_layouts=60, num_renders=8):
    """A sample and renders of layouts that differ, all alike but for their own noise."""
    features = torch.randn(num_layouts, 1, 4, generator=generator)
    features = features + torch.randn(num_layouts, 1 + num_renders, 4, generator=generator)
    sample = measurements(num_layouts, 1, 0)._replace(features=features[:, :1])
    reference = measurements(num_layouts, num_renders, 0)._replace(features=features[:, 1:])
    return sample, Truth(reference, torch.ones(2), Sizes(num_layouts, num_renders, 2, 2))


def test_true_pictures_in_the_place_of_samples_are_hardly_ever_told_from_the_truth():
    """Layouts differ, renders of a layout are alike, as in Scenes. At 0.55 of its width the interval misses twice."""
    generator, misses = torch.Generator().manual_seed(0), 0
    for _ in range(60):
        sample, truth = alike(generator)
        low, high, _ = evaluate.score(sample, truth.diversity, truth, num_resamples=60)["frechet"].difference.interval
        misses += not low <= 0 <= high
    assert misses <= 1


def test_an_interval_is_as_wide_as_repetitions_spread():
    values = []
    for seed in range(100):
        sample, others = measurements(100, 1, 1000 + seed, shift=0.3), measurements(100, 4, 3000 + seed)
        truth = imaginary_truth(100)._replace(reference=others)
        of_samples, floor = statistics(sample, truth.diversity, truth)["frechet"].of(torch.arange(100))
        values.append(of_samples - floor)
    low, high, _ = evaluate.score(sample, truth.diversity, truth)["frechet"].difference.interval
    assert 0.7 < (high - low) / (2 * 1.96 * np.std(values)) < 1.4


def test_two_ways_to_sample_are_compared_on_the_same_resamples():
    truth = imaginary_truth()
    good, blurred = measurements(300, 1, 2), measurements(300, 1, 2, shift=0.1)
    one, other = (statistics(of, truth.diversity, truth)["frechet"] for of in (good, blurred))
    same = compare(one, one)
    assert same.value == 0 and same.interval[:2] == (0, 0), "not resampled alike"
    apart = compare(other, one)
    everything = torch.arange(300)
    assert apart.value == pytest.approx(other.of(everything)[0] - one.of(everything)[0])
    assert metrics.verdict(apart.interval, margin=0.001) == "worse"
    assert metrics.verdict(compare(one, other).interval, margin=0.001) == "better"
    rough = good._replace(roughness=good.roughness * 0.9)
    halves = [statistics(of, truth.diversity, truth)["high_frequency_ratio"] for of in (rough, good)]
    assert compare(*halves).value == pytest.approx(0.1, abs=0.01), "below 1 is as far as above"
    with pytest.raises(ValueError, match="expected one statistic twice"):
        compare(one, halves[0])


def test_hour_and_season_held_fixed_are_no_fault_and_what_they_do_not_explain_is():
    """Features that follow the hour: a model that draws too many nights is far by FID and at the floor within hours."""

    def following(of):
        hours = of.time_of_day[..., None]
        return of._replace(features=of.features + 5 * hours, levels=of.levels + 5 * hours)

    imaginary = imaginary_truth()
    truth = imaginary._replace(reference=following(imaginary.reference))
    good = measurements(300, 1, 2)
    hours = torch.where(torch.arange(300)[:, None] < 250, 2, good.time_of_day)
    night = evaluate.score(following(good._replace(time_of_day=hours)), truth.diversity, truth)
    assert night["frechet"].difference.interval.low > 5
    assert night["frechet_within"].difference.value < 0.1 and night["kernel_within"].value < 0.2
    shifted = measurements(300, 1, 2, shift=0.5)
    wrong = evaluate.score(following(shifted), truth.diversity, truth)
    assert wrong["frechet_within"].difference.value == pytest.approx(4 * 0.5**2, rel=0.3)
    assert wrong["frechet_within"].difference.interval.low > 0.5 and wrong["kernel_within"].interval.low > 0.5


def test_edges_and_insides_are_scored_apart():
    truth = imaginary_truth()
    good = measurements(300, 1, 2)
    right = torch.diag_embed(good.edge_confusion.sum(2))  # every edge pixel read as asked for
    neat = good._replace(confusion=good.confusion - good.edge_confusion + right, edge_confusion=right)
    scores = evaluate.score(neat._replace(edge_sharpness=1.2 * good.edge_sharpness), truth.diversity, truth)
    assert scores["miou_edges"].value == 1 and scores["miou_edges"].ratio.interval.low > 1.03
    low, high, _ = scores["miou_inside"].ratio.interval
    assert low < 1 < high
    assert scores["edge_sharpness"].ratio.value == pytest.approx(1.2, rel=0.02)
    no_edges = good._replace(edge_sharpness=torch.where(torch.arange(300)[:, None] < 3, torch.nan, good.edge_sharpness))
    assert evaluate.score(no_edges, truth.diversity, truth)["edge_sharpness"].value > 0  # a map without edges has none


def test_the_distances_alone_are_tested_by_exchange():
    truth = imaginary_truth()
    scores = evaluate.score(measurements(300, 1, 2, shift=0.5), truth.diversity, truth, num_resamples=2)
    tested = {key: measure.exchange.verdict for key, measure in scores.items() if measure.exchange}
    assert set(tested) == {"frechet", "frechet_within", "kernel_within", "time_of_day_tv", "season_tv"}
    assert {tested[key] for key in ("frechet", "frechet_within", "kernel_within")} == {"not the truth"}
    assert scores["frechet"].exchange.of == "the sample of each of 300 layouts exchanged with its 4 true pictures"
    untested = evaluate.score(measurements(300, 1, 2), truth.diversity, truth, num_resamples=2, num_exchanges=0)
    assert not any(measure.exchange for measure in untested.values())


def test_score_rejects_measurements_of_other_layouts():
    truth = imaginary_truth()
    with pytest.raises(ValueError, match=r"expected one picture of each of 300 layouts .* got \(299, 1\)"):
        evaluate.score(measurements(299, 1, 2), truth.diversity, truth)
