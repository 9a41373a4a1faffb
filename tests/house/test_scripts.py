"""The scripts of docs/ run: what they call in the package is there, and they write the pages and pictures they name."""

import importlib.util
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from photograph_files import write_pair

from sdm_lite.baselines.ablation.figure import where_it_pays
from sdm_lite.checkpoints import load_model, save_model, save_tensors
from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.export import render_scenes
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.evaluate import SampleSettings, Sizes, evaluate_model, measure_truth
from sdm_lite.judge import efficientnet, load_judge, save_judge
from sdm_lite.judge.efficientnet import EfficientNetLite0, Shape, Stage
from sdm_lite.judge.photographs import own_judge_config, own_judge_facts, read_photographs
from sdm_lite.judge.scores import score_judge
from sdm_lite.ledger import find_rule
from sdm_lite.ledger.evidence import EVIDENCE_DIR, read_evidence
from sdm_lite.scenes import Scenes
from sdm_lite.student import Student

pytestmark = pytest.mark.slow
SCRIPTS = Path(__file__).resolve().parents[2] / "docs" / "scripts"
SIZES = Sizes(num_layouts=4, num_renders=2, samples_per_layout=2, num_diversity_layouts=2)
FEW_RESAMPLES = partial(evaluate_model, num_resamples=4)


@pytest.fixture
def loaded(monkeypatch, tmp_path):
    """A script as a module that writes into an empty folder, some of its names replaced."""
    (tmp_path / "images").mkdir()
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    monkeypatch.syspath_prepend(SCRIPTS)  # as for `python docs/scripts/NAME.py`

    def load(name, **others):
        spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for key, value in ({"FOLDER": tmp_path} | others).items():
            monkeypatch.setattr(module, key, value, raising=key != "FOLDER")
        return module

    return load


def test_few_steps(loaded, tmp_path, monkeypatch):
    steps = {"DDIM": (2,), "DPM-Solver++(2M)": (2,), "ancestral": (2, 3)}
    script = loaded("few_steps", NUM_STEPS=steps, GRID_STEPS={"DDIM": (2,)}, REFINED_STEPS=2)
    rows = tmp_path / "rows"
    options = ["--num-layouts", "4", "--num-diversity-layouts", "2", "--num-resamples", "4", "--output", str(rows)]
    monkeypatch.setattr(sys, "argv", ["few_steps.py", *options])
    script.main()
    assert {path.name for path in rows.iterdir()} == {row.file_name for row in script.rows()}
    page = (tmp_path / "few_steps.md").read_text()
    gridded = [row for row in script.rows() if row.grid != "trailing"]
    assert page.count("\n| ") == 2 * (1 + len(script.rows())) - 1 + 1 + len(gridded), (
        "the standard is compared with nothing"
    )
    assert page.count("\n| 2 steps of DDIM on rho = 7 | ") == 2 and "| uniform lambda | none |" in page
    assert page.count(", against guidance as it is: ") == 4 and "on\n4 test layouts, Scenes(seed=2)" in page
    assert (tmp_path / "images" / "few_steps.png").exists()


def test_guidance_methods(loaded, tmp_path, monkeypatch):
    script = loaded("guidance_methods", SCALES=(2.0,), CHOICE_SCALES=(2.0,))
    sizes = "--num-layouts 6 --num-choice-layouts 4 --num-diversity-layouts 2 --num-resamples 4 --num-steps 5".split()
    options = [*sizes, "--output", str(tmp_path / "drawn"), "--evidence", str(tmp_path)]
    options += ["--weak", str(SCRIPTS.parents[1] / "data" / "scenes-32-conditional.safetensors")]
    monkeypatch.setattr(sys, "argv", ["guidance_methods.py", *options])
    script.main()
    page, stored = (tmp_path / "guidance_methods.md").read_text(), read_evidence("guidance_methods", folder=tmp_path)
    rows = {(row["method"], row["scale"]): row for row in stored.results["rows"]}
    assert len(rows) == 1 + len(script.methods(5)) and rows["plain", 1.0]["excess"] == pytest.approx(0, abs=1e-3)
    assert rows["plain", 2.0]["excess"] == pytest.approx(1, abs=1e-3) and "less_control" not in rows["plain", 2.0]
    assert rows["TCFG", 2.0]["excess"] == pytest.approx(0.5, abs=0.05) and rows["TCFG", 2.0]["control"] == 1.5
    assert rows["interval, t <= 800", 2.0]["operations"] == "5 + 9", "plain at t = 1000 alone"
    assert rows["autoguidance", 2.0]["operations"] == "10 + 10" and page.count("\n| APG | 2 | ") == 2
    assert (tmp_path / "images" / "guidance_methods.png").exists()
    drawn = {path: path.stat().st_mtime_ns for path in (tmp_path / "drawn").iterdir()}
    monkeypatch.setattr(sys, "argv", ["guidance_methods.py", *options, "--write"])
    script.main()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "drawn").iterdir()} == drawn, "drawn again"
    next(iter(drawn)).unlink()
    with pytest.raises(SystemExit, match="run it without --write first"):
        script.main()


def test_few_evaluations(loaded, tmp_path, monkeypatch):
    script = loaded("few_evaluations", OTHER_SCALES=(3.0,))
    teacher, student = load_model("scenes-32"), tmp_path / "student.safetensors"
    untrained = Student(teacher.unet.config)
    untrained.load_state_dict(teacher.unet.state_dict(), strict=False)
    save_model(student, untrained, DiffusionConfig("cosine", 1000, "v"))
    sizes = "--num-layouts 6 --num-diversity-layouts 2 --num-slider-layouts 2 --num-resamples 4 --num-fresh-sets 2"
    options = [str(student), *sizes.split(), "--output", str(tmp_path / "drawn"), "--evidence", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["few_evaluations.py", *options])
    script.main()
    page, stored = (tmp_path / "few_evaluations.md").read_text(), read_evidence("few_evaluations", folder=tmp_path)
    rows = {row["words"]: row for row in stored.results["rows"]}
    itself = rows["teacher, 25, equal strides"]
    assert itself["ratio"] == {"value": 1.0, "interval": [1.0, 1.0]}
    assert itself["to_teacher"] == {"median": 0.0, "others": 0.0}
    four, one = (rows[f"teacher, {n}, landings"]["to_teacher"] for n in (4, 1))
    assert 0.01 < four["median"] < one["median"] and one["others"] == 1
    assert page.count("\n| student, ") == 2 * 3 and page.count("\n| teacher, ") == 9
    ratios = [rows[f"student, {n}"]["fresh"] for n in (4, 2, 1)]
    assert all(len(one["sets"]) == 2 and sum(one["sets"]) / 2 == pytest.approx(one["value"]) for one in ratios)
    assert not any("fresh" in row for words, row in rows.items() if "teacher" in words)
    assert script.verdict({"who": "student", "num_steps": 4, "ratio": {"interval": [1.0, 1.1]}}) == "within 1.2"
    assert (tmp_path / "images" / "few_evaluations.png").exists()
    next((tmp_path / "drawn").glob("student-4-*")).unlink()
    monkeypatch.setattr(sys, "argv", ["few_evaluations.py", *options, "--write"])
    with pytest.raises(SystemExit, match="no student-4-landings"):
        script.main()


def test_fresh_layouts_give_a_ratio_for_each_set_and_student_s_interval_of_their_mean(loaded):
    script = loaded("fresh_layouts")
    found = script.mean_ratio([1.0, 3.0, 6.0], [1.0, 2.0, 3.0])
    assert found["sets"] == [1.0, 1.5, 2.0] and found["value"] == 1.5
    half = 4.3027 * 0.5 / 3**0.5  # t of two degrees of freedom
    assert found["interval"] == pytest.approx([1.5 - half, 1.5 + half], rel=1e-3)
    sets = script.fresh_sizes(Sizes(3, num_renders=2, num_diversity_layouts=1, samples_per_layout=2), 2)
    label_maps, _ = script.fresh_maps(sets, 32)
    assert len({one.numpy().tobytes() for one in label_maps}) == 6, "no layout twice"
    judge = load_judge("judge-32")
    truths = script.fresh_truths(judge, sets)
    first = torch.stack([Scenes(32, length=3, seed=one.scenes_seed).render(i, 0) for one in sets for i in range(3)])
    expected = []
    for truth in truths:
        features = truth.reference.features  # (3, 2, C), of renders 0 and 1
        expected.append(script.frechet_to_the_others(features[:, 0], features)(torch.arange(3))[0])
    assert list(script.distances(first, judge, truths)) == pytest.approx(expected, rel=1e-4)


def test_guidance_sweep(loaded, tmp_path, monkeypatch):
    script = loaded("guidance_sweep", SCALES=(1.0, 1.5), NUM_STEPS=2)
    sizes = "--num-layouts 8 --num-diversity-layouts 2 --samples-per-layout 2 --num-resamples 4".split()
    options = [*sizes, "--output", str(tmp_path / "drawn"), "--evidence", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["guidance_sweep.py", *options])
    script.main()
    page, stored = (tmp_path / "guidance_sweep.md").read_text(), read_evidence("guidance_sweep", folder=tmp_path)
    assert page.count("\n| 1.5 | ") == 2 and "8 test layouts" in page
    assert [find_rule(claim.id) for claim in stored.claims] and len(stored.claims) == 9
    rows = {row["scale"]: row for row in stored.results["rows"]}
    claims = {claim.id: claim.value for claim in stored.claims}
    assert claims["guidance-fid"] == pytest.approx(rows[1.5]["frechet"]["value"] - rows[1.0]["frechet"]["value"])
    assert claims["scale-trades/fid"] == pytest.approx(claims["guidance-fid"] / 0.5), (
        "two scales: the line through both"
    )
    assert (tmp_path / "images" / "guidance_sweep.png").exists()
    next((tmp_path / "drawn").iterdir()).unlink()
    monkeypatch.setattr(sys, "argv", ["guidance_sweep.py", *options, "--write"])
    with pytest.raises(SystemExit, match="no samples of s1"):
        script.main()


def test_judge_strength(loaded, tmp_path):
    judges = {"weak": (3, 0), "judge-32": None}
    script = loaded("judge_strength", JUDGES=judges, NUM_IMAGES=8, SCALES=(1.0, 1.5), NUM_RESAMPLES=20)
    scenes = Scenes(32, length=6, seed=2)
    for scale in (1.0, 1.5):  # true pictures in the samples' place: every ratio is near 1
        first = torch.stack([scenes.render(i, 7) for i in range(6)])
        save_tensors(tmp_path / f"s{scale:g}.safetensors", {"first": first}, {})
    options = ["--samples", str(tmp_path), "--output", str(tmp_path), "--evidence", str(tmp_path), "--num-layouts", "6"]
    script.main(options)
    stored = read_evidence("judges", folder=tmp_path)
    values = {claim.id: claim.value for claim in stored.claims}
    assert set(values) == {"judge-matters", "upsampling-fair"} and values["judge-matters"] > 0.3
    of = stored.results["miou"]["judge-32"]
    assert of["s = 1.5"]["value"] == pytest.approx(of["true pictures"]["value"], abs=0.1)
    page = (tmp_path / "judge_strength.md").read_text()
    assert page.count("\n| weak | ") == 3 and "| 32 px, enlarged | " in page
    assert script.ranks([0.1, 0.3, 0.2]) == [3, 1, 2]
    assert script.rank_agreement([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    with pytest.raises(SystemExit, match="guidance_sweep.py first"):
        script.main([*options, "--samples", str(tmp_path / "none")])


def test_likelihood(loaded, tmp_path):
    few = {"NUM_STEPS": 4, "NUM_IMAGES": 16, "NUM_HELD_OUT": 4, "NUM_STRATA": 3, "NUM_DRAWS": 2, "NUM_RESAMPLES": 20}
    script, options = loaded("likelihood", **few), ["--output", str(tmp_path / "runs"), "--evidence", str(tmp_path)]
    for way in script.WAYS:
        for seed in script.SEEDS:
            (tmp_path / "runs").mkdir(exist_ok=True)
            script.train_way((way, seed, tmp_path / "runs"))
    script.main([*options, "--write"])
    stored = read_evidence("likelihood", folder=tmp_path)
    assert {claim.id.partition("/")[0] for claim in stored.claims} == {
        "learned-variance", "lambda", "null-by-fine-tuning", "zero-null", "ema"
    }  # fmt: skip
    assert all(find_rule(claim.id) and claim.num_seeds == 3 for claim in stored.claims)
    page = (tmp_path / "likelihood.md").read_text()
    assert page.count("| averaged |") == len(script.WAYS) and "| dropped in a second phase | before |" in page
    next((tmp_path / "runs").glob("never-shown-seed1-averaged.safetensors")).unlink()
    with pytest.raises(SystemExit, match="no weights of never-shown-seed1-averaged"):
        script.main([*options, "--write"])


def test_photograph_ablation(loaded, tmp_path):
    root, random = tmp_path / "camvid", np.random.default_rng(0)
    for split, number in (("train", 8), ("val", 3)):
        for i in range(number):
            photograph = random.integers(256, size=(16, 16, 3), dtype=np.uint8)
            write_pair(root, split, str(i), photograph, random.integers(11, size=(16, 16), dtype=np.uint8))
    few = {"SEEDS": (0, 1), "SCALES": (1.0, 1.5), "NUM_SAMPLING_STEPS": 1, "JUDGE_STEPS": 1, "NUM_RESAMPLES": 3}
    script = loaded("photograph_ablation", RECIPE="--preset {preset} --batch-size 1 --num-samples 1", **few)
    place = script.Place("camvid", str(root), (16, 16), tmp_path / "runs", 1, "cpu")
    place.output.mkdir()
    script.train_judge(place)
    for system in script.SYSTEMS:
        for seed in script.SEEDS:
            script.work((place, system, seed))
    options = ["camvid", str(root), "--size", "16", "16", "--num-steps", "1", "--output", str(place.output), "--write"]
    options += ["--evidence", str(tmp_path)]
    script.main(options)
    stored = read_evidence("photograph_ablation", folder=tmp_path)
    assert stored.num_layouts == 3 and stored.command.endswith("camvid FOLDER --size 16 16 --num-steps 1")
    pays = where_it_pays({"sizes": {}}, stored.results)["camvid 16 x 16"]["mIoU by the truth's"]
    assert [one.name.split("\n") for one in pays] == [["equal", of, "s = 1.5"] for of in ("steps", "time")]
    assert pays[1].value == pytest.approx(script.found(place, "miou", 1.5, "SDM", "concat, longer").value)
    page = (tmp_path / "photograph_ablation.md").read_text()
    assert page.count("\n| SDM, 1 steps | ") == page.count("\n| concat, 1 steps | ") == 2
    assert page.count("SDM less concat") == 4
    scores = [[script.found(place, "miou", 1.5, one).value for one in ("SDM", "concat")]]
    assert script.found(place, "miou", 1.5, "SDM", "concat").value == pytest.approx(scores[0][0] - scores[0][1])
    script.reading(place, "concat", 1, 1.5).unlink()
    with pytest.raises(SystemExit, match="no concat-seed1-s1.5.json"):
        script.main(options)


def test_compare_judges(loaded, tmp_path, capsys, monkeypatch):
    script = loaded("compare_judges", NUM_RESAMPLES=20)
    root = render_scenes(tmp_path / "scenes", num_train=4, num_val=24, size=16)
    held_out = open_dataset("folder", root, "val", size=(16, 16))
    judges = [own_judge_config(held_out, channels=(8, 16)).build() for _ in range(2)]
    for number, judge in enumerate(judges):
        save_judge(tmp_path / f"{number}.safetensors", judge, facts=own_judge_facts(held_out))
    files = [str(tmp_path / f"{number}.safetensors") for number in (0, 1, 0)]
    monkeypatch.setattr(sys, "argv", ["compare_judges", "folder", str(root), *files[:2]])
    script.main()
    there = capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["compare_judges", "folder", str(root), *files[1:]])
    script.main()
    back = capsys.readouterr().out
    assert "folder at 16 x 16, 12 held-out photographs" in there
    odd = read_photographs(held_out).at(slice(1, None, 2))
    rows = [[row.split("|")[1:-1] for row in told.splitlines() if "**mean**" in row][0] for told in (there, back)]
    expected = [score_judge(judge.eval(), odd).miou for judge in judges]
    assert [float(cell) for cell in rows[0][1:3]] == pytest.approx(expected, abs=6e-4)
    assert float(rows[0][3].split()[0]) == -float(rows[1][3].split()[0])
    moved, true = odd.label_map.roll(1, -1).long(), odd.label_map.long()
    kinds = true.unique().tolist()
    by_hand = [((moved == k) & (true == k)).sum() / ((moved == k) | (true == k)).sum() for k in kinds]
    assert float(rows[0][4]) == pytest.approx(sum(by_hand).item() / len(kinds), abs=6e-3)


def test_where_spade_pays(loaded, tmp_path):
    script = loaded("where_spade_pays")
    options = ["--evidence", str(tmp_path)]
    with pytest.raises(SystemExit, match="no stored run table4: run python -m sdm_lite.baselines table4 first"):
        script.main(options)
    shutil.copy(EVIDENCE_DIR / "table4.json", tmp_path)
    script.main(options)
    page = (tmp_path / "where_spade_pays.md").read_text()
    assert "| Steps of SDM (32 px) | 4000 | +0." in page and "python -m sdm_lite.baselines table4" in page
    assert "| Photographs | | not measured | not measured |" in page
    assert (tmp_path / "images" / "where_spade_pays.png").exists()


def test_interval_coverage(loaded, tmp_path, monkeypatch):
    few = {"NUM_RENDERS": 4, "CHUNK": 4, "SET_SIZES": (4,), "TEST_SIZES": (4,), "NUM_ROLES": 2, "NUM_RESAMPLES": 3}
    few |= {"NUM_TEST_ROLES": 3, "NUM_EXCHANGES": 19, "EVERY": {"as they come": 0, "the later of two": 1}}
    script = loaded("interval_coverage", **few)
    rows = tmp_path / "rows"
    monkeypatch.setattr(sys, "argv", ["interval_coverage.py", "--num-layouts", "8", "--output", str(rows)])
    script.main()
    assert {path.name for path in rows.iterdir()} == {"000.safetensors", "001.safetensors", "found"}
    assert len(list((rows / "found").iterdir())) == 4
    page = (tmp_path / "interval_coverage.md").read_text()
    assert page.count("| 4 | 2 |") == 6 + 6 and "8 layouts together say" in page
    assert page.count("| 4 | 2 | 6 |") == page.count("| 4 | 2 | 4 |") == 3, "as they come three take the place"
    read = script.load_tensors(rows / "000.safetensors")[0]
    as_it_comes, later = (script.samples(read, kind, 0)["season"] for kind in (script.AS_IT_COMES, script.LATER))
    assert torch.equal(as_it_comes, read["season"][:, 0])
    assert torch.equal(later, read["season"][:, [0, -1]].max(1).values)


def test_recipe_search(loaded, tmp_path, monkeypatch):
    judge, scenes = load_judge("judge-32"), Scenes(32, length=16)
    given = judge, measure_truth(judge, SIZES), scenes.materialize(range(16))
    settings = SampleSettings(num_steps=2, guidance_interval=(1, 800))
    script = loaded("recipe_search", SIZES=SIZES, SETTINGS=settings, given=lambda: given, evaluate_model=FEW_RESAMPLES)
    monkeypatch.setattr(script, "steps_within", lambda *_: 2)
    for name, seconds in (("16 base channels", 1), ("24 base channels", 3)):
        assert "FID less its floor" in script.measure_one(script.Job(tmp_path, name, seconds))
    options = ["--write", "--seconds", "1", "--final-seconds", "3", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["recipe_search.py", *options])
    script.main()
    page = (tmp_path / "recipe_search.md").read_text()
    assert page.count("| 2 | 16 |") == 2 and "on 4 validation layouts" in page
    assert "diversity on the first\n2 of" in page
    kept = {path.name for path in tmp_path.glob("24-base-channels-3s*")}
    assert kept == {f"24-base-channels-3s{end}" for end in (".json", ".safetensors", ".samples.safetensors")}


def test_make_pictures(loaded, tmp_path):
    quick = partial(SampleSettings, num_steps=1)
    loaded("make_pictures", FOLDER=tmp_path, LAYOUTS=(4, 7, 9, 10), SCALES=(0.0, 1.5), SampleSettings=quick).main()
    assert {path.name for path in tmp_path.glob("*.png")} == {"samples.png", "samples_64.png", "guidance.png"}


def test_subset_coverage(loaded, capsys):
    few = {"NUM_PICTURES": 16, "NUM_FEATURES": 3, "NUM_SETS": 2, "NUM_SUBSETS": 3, "NUM_REFERENCE": 12}
    loaded("subset_coverage", SHIFTS=(0.0, 1.0), **few).main()
    assert capsys.readouterr().out.count("\n| ") == 2


def test_photograph_judges(loaded, tmp_path, monkeypatch, capsys):
    shape = Shape(stem=8, stages=(Stage(1, 3, 1, 1, 8), Stage(1, 3, 2, 2, 12)), head=20, num_classes=5)
    network = EfficientNetLite0(shape).eval().requires_grad_(False)
    monkeypatch.setattr(efficientnet, "load_efficientnet", lambda: network)
    monkeypatch.setattr(efficientnet, "LEAST_SIDE", efficientnet.LEAST_SIDE)  # which the script moves
    script = loaded("photograph_judges", SIDES=(16, 33))
    root = render_scenes(tmp_path / "scenes", num_train=2, num_val=8, size=24)
    monkeypatch.setattr(sys, "argv", ["photograph_judges.py", "folder", str(root), "--size", "16", "24"])
    capsys.readouterr()
    script.main()
    rows = capsys.readouterr().out.splitlines()
    rows = rows[rows.index("8 photographs, 16 x 24") :]  # below how reading them went
    assert [row.split()[1] for row in rows[4:]] == ["16", "48"]


def test_flecks(loaded, tmp_path, monkeypatch, capsys):
    script = loaded("flecks", NUM_MAPS=2)
    picture = torch.zeros(1, 3, 20, 20)
    picture[:, :, 5, 4:10] = 0.5  # a line of six, a speck, a dark speck, and one at the border of the class
    picture[:, :, 10, 10], picture[:, :, 14, 14], picture[:, :, 17, 0] = 0.5, -0.5, 0.5
    inside = torch.ones(1, 20, 20, dtype=torch.bool)
    inside[:, :, 0] = False
    pale, dark, in_line = script.flecks(picture, inside)
    share = 100 / (20 * 18)  # less a column that is not of the class, and one at its border
    assert (pale, dark, in_line) == pytest.approx((7 * share, share, 100 * 4 / 7))  # a line's ends are beside one
    quick = {name: SampleSettings(num_steps=1) for name in ("one way", "another")}
    for name, value in {"WAYS": quick, "USUAL": quick["another"], "STEPS_BACK": (50,)}.items():
        monkeypatch.setattr(script, name, value)
    root = render_scenes(tmp_path / "scenes", num_train=2, num_val=2, size=32)
    monkeypatch.setattr(
        sys, "argv", ["flecks.py", "folder", str(root), "scenes-32", "--also", "scenes-32", "--of", "grass"]
    )
    script.main()
    assert (
        capsys.readouterr().out.count("\n| ") == 1 + 2 + 2 + 1 + 1
    )  # the header, photographs, ways, predictions, the other network
    painted = script.without_pale(picture[0], inside[0])
    assert script.flecks(painted[None], inside)[0] == 0 and (painted - picture[0]).count_nonzero() == 3 * (6 + 1)
    monkeypatch.setattr(sys, "argv", [*sys.argv[:4], "--of", "grass", "--write", str(tmp_path / "two")])
    script.main()
    assert all(open_dataset("folder", tmp_path / "two" / kind, "val").num_classes == 11 for kind in ("with", "without"))


def test_rulers(loaded, tmp_path, monkeypatch):
    script = loaded("rulers", Sizes=lambda: SIZES, NUM_RESAMPLES=3)
    scenes = Scenes(32, length=4, seed=SIZES.scenes_seed)
    pictures = [scenes.render(i, seed) for i, seed in ((0, 7), (1, 7), (2, 7), (3, 7), (0, 8), (1, 8))]
    np.save(tmp_path / f"{script.GOOD}.npy", torch.stack(pictures).numpy())
    monkeypatch.setattr(sys, "argv", ["rulers.py", "--samples", str(tmp_path), "--output", str(tmp_path / "rows")])
    script.main()
    page = (tmp_path / "rulers.md").read_text()
    assert all(f"\n| {name} | " in page for name in (*script.CORRUPTIONS, "samples of scenes-32", "true pictures"))
    assert "| DDIM | 25 | 1.5 for t <= 800 | " in page and "@" not in page and "| ancestral |" not in page
    (tmp_path / f"{script.GOOD}.npy").unlink()
    script.main()  # what is there is not measured again
    assert (tmp_path / "rulers.md").read_text() == page
