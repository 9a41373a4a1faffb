"""Tables 1 and 3: what is trained is what is told, scores are of the right pixels, and the best of nine is no luck."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import refused
from photograph_files import write_camvid, write_pair

from sdm_lite import side_by_side
from sdm_lite.baselines import __main__ as command
from sdm_lite.baselines.ablation import runs as ablation
from sdm_lite.baselines.comparison import cells, page, plane, rates, readings, results, runs, things
from sdm_lite.baselines.comparison import command as table1
from sdm_lite.baselines.comparison.cells import Cell, best_of, difference, mean_of, no_worse, sdm_cell
from sdm_lite.baselines.comparison.runs import GANS, HOUR, SDM, SEEDS, Run, all_runs, has_perceptual
from sdm_lite.baselines.gan import SYSTEMS, LayoutForm
from sdm_lite.baselines.gan.runs import save_gan
from sdm_lite.evaluate import Sizes
from sdm_lite.ledger.evidence import read_evidence
from sdm_lite.ledger.published_tables import TABLE_1
from sdm_lite.metrics.seeds import student_quantile
from sdm_lite.train.options import parse

RESAMPLES = 60


# What is trained.


def test_every_system_has_its_first_seed_before_any_has_its_second():
    found = all_runs([32])
    assert len(found) == len(set(found))
    table = [run for run in found if run.perceptual and run.length == runs.LESSON]
    assert [run.seed for run in table] == [seed for seed in SEEDS for _ in range(10)]
    assert {run.system for run in table[:10]} == {SDM, *GANS} and found[: len(table)] == table
    without = [run for run in found if not run.perceptual]
    assert {run.system for run in without} == {name for name in GANS if has_perceptual(name)} and len(without) > 3
    assert {run.seed for run in found if run.length == HOUR} == {0}
    assert {run.system for run in all_runs([64], ["table"], [1])} == {SDM, "spade", "inade", "oasis"}
    assert all_runs([32], ["table"], [2], ["oasis"]) == [Run(32, "oasis", 2)]


def test_equal_time_means_fewer_steps_of_what_takes_longer():
    for size, times in runs.STEP_TIMES.items():
        for system, ratio in times.items():
            steps, of_sdm = (Run(size, one, 0).num_steps for one in (system, SDM))
            assert steps * ratio == pytest.approx(of_sdm, abs=ratio / 2) and of_sdm == ablation.FULL_STEPS[size]
        assert Run(size, SDM, 0, HOUR).num_steps == 6 * ablation.FULL_STEPS[size]
        assert times.keys() == set(runs.GANS_OF_SIZE[size])


@pytest.mark.parametrize("run", [Run(32, "oasis", 1), Run(64, "spade", 2, HOUR, perceptual=False)])
def test_a_run_of_a_gan_is_a_command_of_train(run, tmp_path):
    module, *words = run.command(tmp_path, "cpu")
    args = command.parser().parse_args(words)
    assert module == "sdm_lite.baselines" and args.command == "train" and args.system == run.system
    assert (args.size, args.num_steps, args.seed) == ([run.size], run.num_steps, run.seed)
    assert args.perceptual == run.perceptual and args.output == str(tmp_path / run.name)
    assert args.num_images == runs.NUM_IMAGES and args.data_seed == 0
    assert args.rate_factor == SYSTEMS[run.system].rate_factor


def test_the_factor_of_each_system_is_the_best_of_the_search():
    assert rates.SEARCH.keys() == SYSTEMS.keys()
    assert {name: system.rate_factor for name, system in SYSTEMS.items()} == {
        name: rates.best_factor(name) for name in SYSTEMS
    }


def test_sdm_is_that_of_table_4_and_taken_from_there(tmp_path):
    run, same = Run(32, SDM, 1), ablation.Run(32, SDM, 4000, 1)
    assert run.name == same.name
    module, *words = run.command(tmp_path, "cpu")
    assert module == "sdm_lite.train" and parse(words).train == parse(same.arguments(tmp_path)).train
    assert run.weights(tmp_path, [tmp_path / "table4"]) == tmp_path / run.name / "model.safetensors"
    there = same.weights(tmp_path / "table4")
    there.parent.mkdir(parents=True)
    there.touch()
    assert run.weights(tmp_path, [tmp_path / "table4"]) == there
    runs.train(run, tmp_path, [tmp_path / "table4"])  # or it would train for ten minutes


# What is measured.


def test_small_things_are_the_third_with_the_fewest_pixels_and_no_stuff():
    label_maps = torch.zeros(2, 8, 8, dtype=torch.int64)
    instance_maps = torch.zeros_like(label_maps)
    for i, (rows, cols, classes) in enumerate(((2, 2, 9), (1, 1, 1), (4, 3, 8)), start=1):  # car, sun, tree
        label_maps[0, i * 2 - 2 : i * 2 - 2 + rows, :cols] = classes
        instance_maps[0, i * 2 - 2 : i * 2 - 2 + rows, :cols] = i
    label_maps[1, 0, 0], instance_maps[1, 0, 0] = 10, 1  # a pond of one pixel is no thing
    label_maps[1, 4:6, 4:8], instance_maps[1, 4:6, 4:8] = 7, 2
    label_maps[1, 0:2, 4:6], instance_maps[1, 0:2, 4:6] = 6, 3
    found = things.small_things(label_maps, instance_maps)
    assert found.counts.tolist() == [1, 0] and found.most == 1, "one of five things: the sun"
    assert torch.equal(found.numbers[0].bool(), label_maps[0] == 1)
    assert things.fullest_third(torch.cat([instance_maps, torch.zeros(1, 8, 8, dtype=torch.int64)])).tolist() == [1]


def test_recall_counts_the_pixels_of_each_small_thing(monkeypatch):
    label_maps = torch.zeros(2, 4, 4, dtype=torch.int64)
    numbers = torch.zeros_like(label_maps)
    label_maps[0, 0, :2], numbers[0, 0, :2] = 9, 1
    label_maps[0, 3, :], numbers[0, 3, :] = 1, 2
    read = label_maps[:, None].repeat(1, 2, 1, 1)  # two pictures of each, read as they should be
    read[0, 0, 0, 0] = 5  # half of the first thing is lost in one picture
    read[0, 1, 3] = 5  # all of the second in the other
    read[0, :, 2] = 7  # elsewhere it does not matter

    class Reader:
        device = torch.device("cpu")

        def predict(self, images):
            return images[:, 0].long()

    images = read[:, :, None].expand(2, 2, 3, 4, 4).float()
    found = things.recalled(Reader(), images, label_maps, things.SmallThings(numbers, torch.tensor([2, 0]), 4))
    assert found.tolist() == [(1 + 0.5) / 2 + (1 + 0) / 2, 0]


# Means, and the best of nine.


def made_up(folder: Path, system: str, seed: int, values: dict[str, float], scale=None, noise=None, perceptual=True):
    """A reading: every score 1 but those given, its replicates about it; system "truth" is what the truth scores."""
    spread = np.zeros(RESAMPLES) if noise is None else noise
    scores = {name: values.get(name, 1.0) for name in readings.SCORES}
    told = {name: {"value": one, "replicates": list(one + spread), "num_layouts": 8} for name, one in scores.items()}
    if system == "truth":
        path = readings.truth_path(32, folder)
    else:
        name = readings.file_name(Run(32, system, seed, perceptual=perceptual), scale)
        path = folder / "readings" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"device": "CPU", "trained": {"steps": 3}, "scores": told}))


@pytest.fixture
def folder(tmp_path):
    """Nine GANs of FID 2, 3, ... 10, three seeds a tenth apart; SDM of FID 1.5; deterministic but the last three."""
    for seed in SEEDS:
        for k, system in enumerate(GANS):
            scores = {
                "frechet": 2 + k + 0.1 * seed,
                "diversity": 0.01 if k < 6 else {6: 0.12}.get(k, 0.1 * k),
                "miou": 0.9 - 0.01 * k,
            }
            made_up(tmp_path, system, seed, scores)
            if has_perceptual(system):
                made_up(tmp_path, system, seed, scores | {"frechet": 1.0}, perceptual=False)
        for scale in (1.0, 1.5):
            made_up(tmp_path, SDM, seed, {"frechet": 1.5 + 0.1 * seed, "diversity": 0.9, "miou": 0.95}, scale)
    made_up(tmp_path, "truth", 0, {})
    return tmp_path


def gans():
    return [Cell(32, system) for system in GANS]


def test_the_best_is_the_lowest_fid_and_the_highest_of_all_else(folder):
    fid = best_of(sdm_cell(32, 1.5), gans(), "frechet", folder)
    assert fid.system == GANS[0] and fid.share == 1 and fid.difference.value == pytest.approx(1.6 - 2.1)
    assert fid.difference.kind == cells.LAYOUTS_AND_SEEDS and fid.difference.num_layouts == 8
    half = (fid.difference.interval.high - fid.difference.interval.low) / 2
    assert half == pytest.approx(2.776 * 0.1 * np.sqrt(2 / 3), rel=1e-3), "both have three seeds that scatter by 0.1"
    diversity = best_of(sdm_cell(32, 1.5), gans(), "diversity", folder)
    assert diversity.system == "oasis" and diversity.difference.value == pytest.approx(0.9 - 0.8)


def test_the_best_is_chosen_anew_in_every_resample_and_for_every_seed(folder):
    """Two GANs that take turns at the front: the best of each resample, and of each seed, beats either."""
    swing = np.tile([1.0, -1.0], RESAMPLES // 2)
    for seed in SEEDS:
        made_up(folder, GANS[0], seed, {"frechet": [2.0, 4.0, 2.0][seed]}, noise=swing)
        made_up(folder, GANS[1], seed, {"frechet": [4.0, 2.0, 2.6][seed]}, noise=-swing)
    found = best_of(sdm_cell(32, 1.5), gans()[:2], "frechet", folder)
    assert found.system == GANS[0] and found.share == pytest.approx(0.5)
    assert found.difference.value == pytest.approx(1.6 - 8 / 3), "the lowest mean over seeds"
    assert found.difference.seeds == pytest.approx((1.5 - 2, 1.6 - 2, 1.7 - 2)), "the lowest of each seed"
    # Of resamples 1.867 and 1.667 in turn are left, and of the GANs' seeds no scatter at all.
    variance = 0.1**2 * RESAMPLES / (RESAMPLES - 1) + 0.1**2 / 3
    freedom = variance**2 / ((0.1**2 / 3) ** 2 / 2)
    half = (found.difference.interval.high - found.difference.interval.low) / 2
    assert half == pytest.approx(student_quantile(0.975, freedom) * variance**0.5, rel=1e-3)


def test_a_subset_is_a_table_of_a_subset(folder):
    for path in (folder / "readings").glob("32-oasis*"):
        path.unlink()
    assert best_of(sdm_cell(32, 1.5), gans(), "frechet", folder) is None
    assert results.claims(folder) == []
    for seed in (1, 2):
        for path in (folder / "readings").glob(f"32-spade-*seed{seed}*"):
            path.unlink()
    one_seed = difference(sdm_cell(32, 1.5), Cell(32, "spade"), "frechet", folder)
    assert one_seed.kind == cells.LAYOUTS and "one seed" in one_seed.interval.kind
    assert mean_of(Cell(32, "oasis"), "miou", folder) is None
    stored = results.results(folder)
    text = "\n".join(page.tables(stored))
    assert "Not trained yet: oasis; 8 of 9 GANs are here." in text and "undecided: one seed" in text
    assert [row["system"] for row in stored["tables"][0]["rows"]] == [*GANS[:-1], SDM, SDM]


def test_claims_are_the_ledgers_quantities_of_both_tables(folder):
    assert no_worse(sdm_cell(32, 1.5), gans(), folder) == []
    found = {(claim.id, "without" in claim.scale): claim for claim in results.claims(folder)}
    assert len(found) == 2 * 7
    assert found["table1-fid", False].value == pytest.approx(1.6 - 2.1)
    without = [2.1 + k for k, system in enumerate(GANS) if not has_perceptual(system)]
    assert found["table1-fid", True].value == pytest.approx(1.6 - min(1.0, *without))
    assert found["table1-lpips/highest", False].value == pytest.approx(0.1)
    assert found["table1-lpips/six-have-none", False].value == 6
    assert found["both-at-once", False].value == 0
    assert found["table3-miou", False].value == pytest.approx(0.05)
    assert found["fine-detail", False].num_seeds == 3 and found["hard-scenes", False].value == 0
    for seed in SEEDS:
        made_up(folder, "inade", seed, {"frechet": 1.0, "diversity": 0.95})
    assert no_worse(sdm_cell(32, 1.5), gans(), folder) == ["inade"]
    assert {claim.id: claim.value for claim in results.claims(folder) if "GANs with " in claim.scale}[
        "both-at-once"
    ] == 1


def test_a_count_has_the_percentiles_of_counts_over_resamples_of_layouts_and_seeds(folder):
    sdm, others = sdm_cell(32, 1.5), gans()[-2:]
    assert cells.count_no_worse(sdm, others, folder)[:2] == (0, (0, 0, "95 % of resamples of 8 layouts and 3 seeds"))
    for seed in SEEDS:  # as good as SDM by its mean, and in half of the resamples of layouts
        noise = np.tile([0.5, -0.5], RESAMPLES // 2)
        made_up(folder, "inade", seed, {"frechet": 1.4, "diversity": 2.0}, noise=noise)
    found = cells.count_no_worse(sdm, others, folder)
    assert (found.value, *found.interval[:2], found.kind) == (1, 0, 1, cells.LAYOUTS_AND_SEEDS)
    for seed, fid in zip(SEEDS, (0.5, 1.4, 2.4), strict=True):  # on all layouts, but not from all seeds
        made_up(folder, "inade", seed, {"frechet": fid, "diversity": 2.0})
    assert cells.count_no_worse(sdm, others, folder)[:2] == (1, (0, 1, "95 % of resamples of 8 layouts and 3 seeds"))
    for seed in SEEDS:
        made_up(folder, "inade", seed, {"frechet": 0.5, "diversity": 2.0})
    assert cells.count_no_worse(sdm, others, folder).interval[:2] == (1, 1)
    for seed in (1, 2):
        for path in (folder / "readings").glob(f"32-inade*seed{seed}*"):
            path.unlink()
    assert cells.count_no_worse(sdm, others, folder).kind == cells.LAYOUTS


def test_what_is_stored_is_told(folder, tmp_path):
    results.store(folder, tmp_path / "evidence")
    run = read_evidence("table1", folder=tmp_path / "evidence")
    assert run.results["paper"]["oasis"]["table_1"][2] == [28.3, 0.286] == list(TABLE_1["OASIS"][2])
    text = page.page(run.results, "images")
    assert "| OASIS |" in text and "| true pictures |" in text and "](images/table1-32-lesson-without.png)" in text
    assert "as the paper says" in text and "Diversity below 0.1 of that of true pictures: 6 GANs" in text
    assert "Not run: ten minutes of training at 64 px; an hour of training at 64 px; an hour of" in text
    assert "| inade | 50.43 / 0.571 | 18.50 / 0.681 | **5.37 / 0.761** |" in text
    with_and_without = text[text.index("## With and without") :]
    assert "| pix2pixHD | 0, 1, 2 | 2.100 | 1.000 |" in with_and_without and "| OASIS |" not in with_and_without
    drawn = plane.draw_planes(tmp_path, run.results)
    assert [path.name for path in drawn] == ["table1-32-lesson.png", "table1-32-lesson-without.png"]
    assert all(path.stat().st_size > 10_000 for path in drawn)
    with pytest.raises(ValueError, match="no GAN was read in .*empty: run python -m sdm_lite.baselines table1 without"):
        results.store(tmp_path / "empty", tmp_path)


# The command, with stand-ins for what takes long.


@pytest.fixture
def small(monkeypatch):
    """Six layouts, and GANs that are saved as they were born; a worker is this process."""
    monkeypatch.setattr(readings, "SIZES", Sizes(6, 4, 3, 4))
    monkeypatch.setattr(results, "SIZES", Sizes(6, 4, 3, 4))
    monkeypatch.setattr(readings, "NUM_RESAMPLES", 5)
    monkeypatch.setattr(readings, "NUM_TRUE_FOR_THINGS", 2)
    trained = []

    def born(run, output, others=(), device="cpu"):
        if run.seed == 1:
            raise OSError(f"training {run.name} ended with status 1")
        trained.append(run)
        form = LayoutForm((32, 32), 11, True)
        torch.manual_seed(run.seed)
        generator = SYSTEMS[run.system].make_generator(form)
        save_gan(run.weights(output), SYSTEMS[run.system], form, generator, facts={"data_seed": 0, "steps": 0})

    monkeypatch.setattr(table1, "train", born)

    class Alone:
        def __init__(self, workers, mp_context, initializer):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, function, *arguments):
            future = table1_future()
            try:
                future.set_result(function(*arguments))
            except OSError as error:
                future.set_exception(error)
            return future

    monkeypatch.setattr(side_by_side, "ProcessPoolExecutor", Alone)
    return trained


def table1_future():
    from concurrent.futures import Future

    return Future()


def test_the_command_trains_draws_scores_and_goes_on(small, tmp_path, capsys):
    output = tmp_path / "out"
    words = ["table1", "--output", str(output), "--table4", str(tmp_path), "--parts", "table", "--device", "cpu"]
    words += ["--evidence", str(tmp_path / "evidence"), "--page", str(tmp_path / "docs" / "table1.md")]
    assert command.main([*words, "--systems", "clade", "--seeds", "0"]) == 0
    assert small == [Run(32, "clade", 0)] and "FID" in capsys.readouterr().out
    found = json.loads((output / "readings" / f"{small[0].name}.json").read_text())
    assert found["device"].startswith("CPU, one thread") and found["trained"]["steps"] == 0
    found = found["scores"]
    assert found["diversity"]["value"] < 1e-4, "no noise, no diversity"
    assert found["frechet"]["num_layouts"] == 6 and found["miou_fullest"]["num_layouts"] == 2
    written = {str(path.relative_to(tmp_path)) for path in (tmp_path / "docs").rglob("*.*")}
    assert written == {"docs/table1.md", "docs/images/table1-32-lesson.png"}
    truth = json.loads((output / "readings" / "truth-32.json").read_text())["scores"]
    assert truth["miou"]["value"] > 0.8 and 0.8 < truth["small_things"]["value"] <= 1
    refused(
        capsys, command.main, [*words, "--systems", "clade", "oasis", "--seeds", "0", "1"], "2 runs failed, the oth"
    )
    assert small[1:] == [Run(32, "oasis", 0)], "what was read is not trained again"
    stored = read_evidence("table1", folder=tmp_path / "evidence").results["tables"][0]
    assert [row["system"] for row in stored["rows"]] == ["clade", "oasis"] and "spade" in stored["missing"]
    oasis = stored["rows"][1]
    assert oasis["diversity"]["value"] > 1e-3 and oasis["training_seeds"] == [0]
    assert command.main([*words, "--write"]) == 0
    refused(capsys, command.main, [*words, "--workers", "0"], "--workers must be at least 1, got 0")


def test_a_gan_is_scored_by_the_measures_of_sdm(small, tmp_path, capsys):
    run = Run(32, "inade", 0)
    table1.train(run, tmp_path)
    few = "--num-layouts 4 --num-renders 3 --samples-per-layout 2 --device cpu".split()
    words = ["evaluate", str(tmp_path / run.name), *few]
    assert command.main([*words, "--json", str(tmp_path / "scores.json")]) == 0
    told, written = capsys.readouterr().out, json.loads((tmp_path / "scores.json").read_text())
    assert "INADE" in told and "FID (Scenes judge)" in told and "4 held-out layouts, 8 samples" in told
    assert written["settings"]["system"] == "inade" and written["measures"]["diversity"]["value"] > 0
    refused(capsys, command.main, ["evaluate", str(tmp_path), *few], "no weights called")
    refused(capsys, command.main, ["evaluate", "data/judge-32.safetensors", *few], "is no GAN of sdm_lite")
    refused(capsys, command.main, [*words, "--judge", "judge-64"], "draws .32, 32. pixels and judge-64 reads .64, 64.")
    refused(capsys, command.main, ["evaluate", "a", "b", "--json", str(tmp_path / "x")], "--json is for a single run")


def test_a_gan_is_scored_on_photographs_too(tmp_path, capsys, monkeypatch):
    pytest.importorskip("PIL.Image")
    monkeypatch.setenv("SDM_LITE_CACHE", str(tmp_path / "cache"))
    write_camvid(tmp_path / "camvid")
    for name, grey in (("c", 99), ("d", 30)):
        write_pair(tmp_path / "camvid", "val", name, *grey_pair(grey))
    form = LayoutForm((32, 48), 12, True)
    torch.manual_seed(0)
    generator = SYSTEMS["oasis"].make_generator(form)
    save_gan(tmp_path / "gan.safetensors", SYSTEMS["oasis"], form, generator, facts={"dataset": "camvid"})
    words = ["evaluate", str(tmp_path / "gan.safetensors"), "--device", "cpu"]
    data = ["--dataset", "camvid", "--root", str(tmp_path / "camvid"), "--samples-per-layout", "2"]
    assert command.main([*words, *data]) == 0
    told = capsys.readouterr().out
    assert "OASIS" in told and "fine detail" in told and "held-out photographs" in told and "bound" not in told
    refused(capsys, command.main, words, "was trained on camvid, with 12 classes: give --dataset and --root")
    refused(capsys, command.main, [*words, *data[:2]], "--dataset camvid needs --root")


def grey_pair(grey):
    """A photograph of one colour and its label map."""
    return np.full((32, 48, 3), grey, np.uint8), np.zeros((32, 48), np.uint8)
