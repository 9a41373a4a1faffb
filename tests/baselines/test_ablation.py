"""Table 4: what is trained is matched as it says, and what is told of cells and differences is what was read."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import LEAST, randomised

from sdm_lite.baselines import __main__ as baselines
from sdm_lite.baselines.ablation import command, contrasts, measured, page, readings
from sdm_lite.baselines.ablation import runs as plan
from sdm_lite.baselines.ablation.contrasts import Cell, Contrast, difference, mean_of, table_cells, table_contrasts
from sdm_lite.baselines.ablation.runs import CONCAT, SDM, Run, all_runs, num_steps
from sdm_lite.checkpoints import load_tensors, save_model, save_tensors
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.evaluate import Sizes
from sdm_lite.ledger.evidence import read_evidence
from sdm_lite.presets import PRESETS
from sdm_lite.train.options import parse

RESAMPLES = 50
PROCESS = DiffusionConfig("cosine", 10, "v")


def test_time_means_more_steps_of_the_cheaper_network_and_parameters_equal_steps():
    assert num_steps(32, SDM, "time") == num_steps(32, SDM, "parameters") == num_steps(32, CONCAT, "parameters")
    assert num_steps(32, CONCAT, "time") == round(4000 * plan.STEP_TIMES[32])
    assert num_steps(32, CONCAT, "time", 500) == 640
    with pytest.raises(ValueError, match="match must be one of parameters, time; got 'weights'"):
        num_steps(32, SDM, "weights")


def test_every_cell_and_every_point_of_the_curve_is_trained_once():
    found = all_runs()
    assert len(found) == len(set(found)) == 9 + 9 + 18 + 12 + 6
    wanted = {cell for size in (32, 64) for cell in table_cells(size)}
    others = [of for size in (32, 64) for of in contrasts.curve_contrasts(size)]
    others += [of for size in (32, 64) for of in contrasts.classes_contrasts(size).values()]
    wanted |= {cell for of in others for cell in (of.one, of.other)}
    runs = {run for c in wanted for run in plan.runs(c.size, c.system, c.match, c.of_sdm, c.label_set)}
    assert runs == set(found)


def test_jobs_can_be_chosen():
    assert {run.num_steps for run in all_runs([64], ["longer"], [0])} == {15000, 22200}
    assert {run.seed for run in all_runs([32, 64], ["table"], [2])} == {2}
    assert set(all_runs([32], ["curve"])) == set(all_runs([32], ["table", "curve"])) - set(all_runs([32], ["table"]))
    classes = all_runs([32, 64], ["classes"])
    assert len(classes) == 18 and {run.num_steps for run in classes} == {1000, 1280}
    assert {run for run in classes if run.label_set == "standard"} < set(all_runs([32], ["curve"]))
    with pytest.raises(ValueError, match="parts must be some of table, curve, classes, longer; got 'figure'"):
        all_runs([32], ["figure"])


@pytest.mark.parametrize("run", [Run(32, SDM, 4000, 1), Run(64, CONCAT, 2220, 2), Run(32, SDM, 1000, 0, "fine")])
def test_a_run_is_a_command_of_train(run, tmp_path):
    config = parse(run.arguments(tmp_path))
    assert config.device is None and parse(run.arguments(tmp_path, "cuda:0")).device == "cuda:0"
    assert PRESETS[config.preset].conditioning == ("concat" if run.system == CONCAT else "spade")
    assert PRESETS[config.preset].image_size == (run.size, run.size)
    assert (config.train.num_steps, config.train.seed) == (run.num_steps, run.seed)
    assert config.train.null_probability == 0.2 and config.output == str(tmp_path / run.name)
    assert config.label_set == run.label_set


def made_up(folder, size=32, lift=0.0, cells=None, by_classes=None):
    """Readings of every run of the table: each score is the seed's number, more for SDM, more for guided.

    What SDM has more is multiplied by what `by_classes` has for the label set.
    """
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 0.01, RESAMPLES)
    for cell in table_cells(size) if cells is None else cells:
        for run in plan.runs(cell.size, cell.system, cell.match, cell.of_sdm, cell.label_set):
            more = lift * (by_classes or {}).get(run.label_set, 1)
            value = 1 + 0.01 * run.seed + (more if run.system == SDM else 0) + 0.1 * (cell.scale > 1)
            one = {"value": value, "replicates": list(value + shared), "num_layouts": 8}
            names = [*readings.SCORES, readings.IN_GROUPS]
            names += [f"{name}, quarter {n}" for name in readings.BY_THINGS for n in range(readings.NUM_QUARTERS)]
            path = folder / "readings" / f"{readings.file_name(run, cell.scale)}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(dict.fromkeys(names, one)))


def test_means_and_differences_over_seeds(tmp_path):
    made_up(tmp_path, lift=0.5)
    cell = Cell(32, SDM, "parameters", 1.5)
    assert mean_of(cell, "miou", tmp_path).value == pytest.approx(1 + 0.01 + 0.5 + 0.1)
    structure = difference(Contrast("", cell, cell._replace(system=CONCAT)), "miou", tmp_path)
    assert structure.value == pytest.approx(0.5) and structure.seeds == pytest.approx((0.5, 0.5, 0.5))
    # Other networks: the scatter of seeds counts, though the layouts' cancels.
    half = (structure.interval.high - structure.interval.low) / 2
    assert half == pytest.approx(2.776 * 0.01 * np.sqrt(2 / 3), rel=1e-3), "Welch: 4 degrees of freedom, two of 3 seeds"
    guidance = difference(Contrast("", cell, cell._replace(scale=1.0)), "miou", tmp_path)
    assert guidance.value == pytest.approx(0.1)
    assert guidance.interval.high - guidance.interval.low < 1e-9, "the same networks and layouts: nothing scatters"
    assert "8 layouts and 3 seeds" in guidance.interval.kind


def test_a_missing_run_is_no_number(tmp_path):
    made_up(tmp_path)
    next((tmp_path / "readings").glob("32-sdm-4000-seed2-s1.5*")).unlink()
    assert mean_of(Cell(32, SDM, "parameters", 1.5), "miou", tmp_path) is None
    assert page.sizes_read(tmp_path) == []
    with pytest.raises(ValueError, match="no size is measured whole"):
        page.store(tmp_path, tmp_path)


def test_the_stored_run_tells_every_claim_at_every_match(tmp_path, capsys):
    made_up(tmp_path, lift=0.5)
    page.store(tmp_path, tmp_path)
    run = read_evidence("table4", folder=tmp_path)
    assert {claim.id for claim in run.claims} == {*page.STRUCTURE, *page.GUIDANCE}
    assert len(run.claims) == 2 * len(page.STRUCTURE) + len(page.GUIDANCE)
    assert all(claim.value == pytest.approx(0.5) for claim in run.claims if claim.id in page.STRUCTURE)
    text = "\n".join(page.lines(tmp_path))
    assert text.count("\n|") == 3 * 2 + len(table_cells(32)) + len(table_contrasts(32)) + 1
    assert "| SDM less concat, guided, equal time | 0.500 [" in text


def test_what_more_classes_add_is_a_difference_of_differences(tmp_path):
    by_classes = {"coarse": 1, "standard": 2, "fine": 4}
    of = contrasts.classes_contrasts(32)
    assert list(of) == list(by_classes) and contrasts.classes_contrasts(64) == {}
    cells = [cell for contrast in of.values() for cell in (contrast.one, contrast.other)]
    made_up(tmp_path, lift=0.1, cells=cells, by_classes=by_classes)
    found = contrasts.change(of["fine"], of["coarse"], "miou", tmp_path)
    assert found.value == pytest.approx(0.4 - 0.1) and found.seeds == pytest.approx((0.3, 0.3, 0.3))
    half = (found.interval.high - found.interval.low) / 2
    assert half == pytest.approx(2.306 * 0.01 * np.sqrt(4 / 3), rel=1e-3), "Welch: 8 degrees of freedom"
    made_up(tmp_path)
    stored = page.results(tmp_path)["sizes"]["32"]["classes"]
    assert [(one["num_classes"], one["steps"]) for one in stored["label_sets"]] == [(5, 1000), (11, 1000), (23, 1000)]
    assert [one["name"] for one in stored["changes"]] == [
        "11 classes less 5", "23 classes less 11", "23 classes less 5"
    ]  # fmt: skip
    assert [one["miou_groups"]["value"] for one in stored["changes"]] == pytest.approx([0.1, 0.2, 0.3])
    assert "| SDM less concat, guided, 23 classes | 0.400 [" in "\n".join(page.lines(tmp_path))
    next((tmp_path / "readings").glob("32-concat-fine-1280-seed1-s1.5*")).unlink()
    assert contrasts.change(of["fine"], of["coarse"], "miou", tmp_path) is None
    stored = page.results(tmp_path)["sizes"]["32"]["classes"]
    assert len(stored["label_sets"]) == 2 and len(stored["changes"]) == 1, "what was not read is left out"


def test_a_reading_of_before_a_score_was_kept_is_no_number(tmp_path):
    made_up(tmp_path)
    path = next((tmp_path / "readings").glob("32-sdm-4000-seed2-s1.5*"))
    told = json.loads(path.read_text())
    del told[readings.IN_GROUPS]
    path.write_text(json.dumps(told))
    assert mean_of(Cell(32, SDM, "parameters", 1.5), readings.IN_GROUPS, tmp_path) is None
    assert mean_of(Cell(32, SDM, "parameters", 1.5), "miou", tmp_path) is not None


def test_classes_that_were_not_asked_for_are_no_mistakes():
    size = Sizes(2, num_renders=2, samples_per_layout=2, num_diversity_layouts=1)
    maps = size.layouts(32)[0]
    confusion = torch.zeros(2, 11, 11, dtype=torch.long)
    confusion[:, 0, 2] = confusion[:, 6, 7] = 5  # sky read as cloud, wall as roof: of one group each
    confusion[:, 8, 10] = 3  # tree as water
    measures = measured.Measurements(*[confusion] * 8)
    found = readings.in_groups(measures).confusion
    assert found.shape == (2, 5, 5) and found[0].sum() == 13
    assert (found[0, 0, 0], found[0, 2, 2], found[0, 3, 4]) == (5, 5, 3)
    groups = torch.from_numpy(readings.GROUP_OF_CLASS)
    assert torch.equal(groups[maps], size.layouts(32, "coarse")[0])


def test_a_finished_run_is_drawn_and_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr(readings, "SIZES", Sizes(8, num_renders=3, samples_per_layout=2, num_diversity_layouts=4))
    monkeypatch.setattr(readings, "NUM_SAMPLING_STEPS", 2)
    monkeypatch.setattr(readings, "NUM_RESAMPLES", 3)
    readings.layouts.cache_clear()
    run = Run(32, SDM, 4000, 0)
    network = randomised(replace(LEAST, image_size=(32, 32)))
    coarse = Run(32, SDM, 1000, 0, "coarse")
    save_model(coarse.weights(tmp_path), randomised(replace(LEAST, image_size=(32, 32), num_classes=5)), PROCESS)
    command.work(command.Job(coarse, tmp_path, "cpu"))
    found = readings.readings(coarse, 1.5, tmp_path)
    assert found["miou"].value == found[readings.IN_GROUPS].value > 0
    save_model(run.weights(tmp_path), network, PROCESS)
    assert readings.readings(run, 1.5, tmp_path) is None
    command.work(command.Job(run, tmp_path, "cpu"))
    found = readings.readings(run, 1.5, tmp_path)
    assert found["miou"].value != found[readings.IN_GROUPS].value > 0
    assert found["miou"].num_layouts == 8 and found["miou, quarter 3"].num_layouts == 2
    assert found["diversity"].num_layouts == 4 and found["diversity"].replicates.shape == (3,)
    samples = load_tensors(tmp_path / "samples" / "32-sdm-4000-seed0-s1.5.safetensors")[0]
    assert samples["first"].shape == (8, 3, 32, 32) and samples["several"].shape == (4, 2, 3, 32, 32)
    assert torch.equal(samples["several"][:, 0], samples["first"][:4])
    things = readings.num_things(readings.layouts(32)[1])[readings.quarters(32)]
    assert bool((things[:-1].amax(1) <= things[1:].amin(1)).all()) and len(things.flatten()) == 8
    names = {f"{name}-s{scale:g}" for name in (run.name, coarse.name) for scale in readings.SCALES}
    assert set(readings.devices(tmp_path)) == names
    assert all(told.startswith("CPU, one thread, torch") for told in readings.devices(tmp_path).values())
    # Measured elsewhere: neither weights nor samples are needed, nor the truth anew, and the scores are the same.
    of_run = [path for part in ("samples", "readings") for path in (tmp_path / part).glob(f"{run.name}-s*")]
    for path in [*of_run, run.weights(tmp_path)]:
        path.unlink()
    for module, name in ((measured, "measure_truth"), (command, "train")):
        monkeypatch.setattr(module, name, None)
    command.work(command.Job(run, tmp_path, "cpu"))
    again = readings.readings(run, 1.5, tmp_path)
    assert all(again[name].value == found[name].value for name in found)
    for path in (tmp_path / "measurements").iterdir():
        path.unlink()
    command.work(command.Job(run, tmp_path, "cpu"))  # what was scored needs nothing
    readings.layouts.cache_clear()


def test_the_truth_is_measured_again_for_other_sizes_and_a_foreign_file_is_refused(tmp_path):
    sizes = Sizes(2, num_renders=3, samples_per_layout=2, num_diversity_layouts=2)
    first = measured.truth(32, sizes, tmp_path)
    kept = measured.truth(32, sizes, tmp_path)
    assert torch.equal(first.reference.features, kept.reference.features) and kept.sizes == sizes
    assert measured.truth(32, sizes._replace(num_renders=4), tmp_path).reference.features.shape[:2] == (2, 4)
    save_tensors(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {"format": "other"})
    with pytest.raises(ValueError, match="other.safetensors holds no measurements"):
        measured.load_measured(tmp_path / "other.safetensors")


def test_a_training_that_fails_names_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(plan.sys, "executable", "false")
    with pytest.raises(OSError, match=r"training 32-sdm-4000-seed0 ended with status 1: its last lines are in .*log"):
        plan.train(Run(32, SDM, 4000, 0), tmp_path)


def test_bad_input_ends_before_any_work(tmp_path, capsys):
    assert baselines.main(["table4", "--output", str(tmp_path), "--workers", "0"]) == 2
    assert "--workers must be at least 1, got 0" in capsys.readouterr().err
    assert baselines.main(["table4", "--output", str(tmp_path / "none"), "--write"]) == 2
    assert "no size is measured whole" in capsys.readouterr().err and not (tmp_path / "none").exists()
