"""`python -m sdm_lite.baselines train`: what it leaves, what it refuses, and that a kill changes nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import refused
from photograph_files import write_camvid, write_pair
from tiny_gan import TINY, same

from sdm_lite.baselines import __main__ as baselines
from sdm_lite.baselines.gan import command
from sdm_lite.baselines.gan.runs import CHECKPOINT_FORMAT, load_gan
from sdm_lite.baselines.gan.system import layout_of
from sdm_lite.checkpoints.unfinished import read_checkpoint
from sdm_lite.train.resume import list_checkpoints

OPTIONS = "--num-images 12 --batch-size 4 --num-samples 2 --device cpu --log-steps 1 --checkpoint-minutes 0".split()


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(command.SYSTEMS, "tiny", TINY)


def trained(folder, num_steps, *options):
    return baselines.main(["train", "tiny", *OPTIONS, "--num-steps", str(num_steps), "--output", str(folder), *options])


def log_of(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    clocks = ("images_per_second", "memory_gib", "seconds")
    return [{name: value for name, value in line.items() if name not in clocks} for line in lines]


def newest(folder):
    state = read_checkpoint(list_checkpoints(folder)[-1], CHECKPOINT_FORMAT)
    return {name: value for name, value in state.items() if name != "progress"}


def test_a_run_leaves_its_folder_and_goes_on_where_it_stopped(tmp_path, capsys):
    assert trained(tmp_path / "whole", 4, "--sample-steps", "2") == 0
    found = {path.relative_to(tmp_path / "whole").as_posix() for path in (tmp_path / "whole").rglob("*.*")}
    assert {"config.yaml", "log.jsonl", "model.safetensors", "samples.png", "samples/step-000000002.png"} <= found
    assert trained(tmp_path / "two", 2) == trained(tmp_path / "two", 4) == 0
    assert "resuming at step 2" in capsys.readouterr().out
    assert same(newest(tmp_path / "whole"), newest(tmp_path / "two"))
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "two")
    gans = [load_gan(tmp_path / name / "model.safetensors", {"tiny": TINY}) for name in ("whole", "two")]
    assert same(*(gan.generator.state_dict() for gan in gans))
    facts = gans[0].facts
    assert facts["steps"] == 4 and facts["images"] == 16 and facts["run"]["system"] == "tiny"
    assert facts["parameters"]["generator"] == sum(p.numel() for p in gans[0].generator.parameters())


def test_the_rates_are_the_system_s_own_times_a_factor_unless_one_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.setitem(command.SYSTEMS, "tiny", TINY._replace(rate_factor=4.0))
    for name, words, expected in (("own", [], 4.0), ("given", ["--rate-factor", "2"], 2.0)):
        assert trained(tmp_path / name, 1, *words) == 0
        facts = load_gan(tmp_path / name / "model.safetensors", {"tiny": TINY}).facts
        assert facts["run"]["rate_factor"] == expected
        assert f"rate_factor: {expected}" in (tmp_path / name / "config.yaml").read_text()


def test_photographs_train_too_each_class_an_object(tmp_path, monkeypatch):
    monkeypatch.setenv("SDM_LITE_CACHE", str(tmp_path / "cache"))
    write_camvid(tmp_path / "camvid")
    write_pair(tmp_path / "camvid", "val", "c", np.full((32, 48, 3), 99, np.uint8), np.zeros((32, 48), np.uint8))
    data = ["--data", "camvid", "--root", str(tmp_path / "camvid"), "--size", "32", "48", "--batch-size", "2"]
    assert trained(tmp_path / "run", 2, *data) == 0
    gan = load_gan(tmp_path / "run" / "model.safetensors", {"tiny": TINY})
    assert gan.form == ((32, 48), 12, True)
    label_map = torch.zeros(2, 32, 48, dtype=torch.uint8)
    assert gan(layout_of(label_map, 12, label_map), [0, 1]).shape == (2, 3, 32, 48)


def test_photographs_of_the_split_that_is_asked_for_are_scored(tmp_path, monkeypatch):
    monkeypatch.setenv("SDM_LITE_CACHE", str(tmp_path / "cache"))
    write_camvid(tmp_path / "camvid")
    for split, number in (("val", 2), ("test", 3)):
        for name in "cde"[:number]:
            grey = np.full((32, 48, 3), 99, np.uint8)
            write_pair(tmp_path / "camvid", split, name, grey, np.zeros((32, 48), np.uint8))
    data = ["--root", str(tmp_path / "camvid")]
    assert trained(tmp_path / "run", 1, "--data", "camvid", *data, "--size", "32", "48", "--batch-size", "2") == 0
    words = ["evaluate", str(tmp_path / "run"), "--dataset", "camvid", *data, "--samples-per-layout", "2"]
    for split, number in (([], 2), (["--split", "test"], 3)):
        assert baselines.main([*words, *split, "--json", str(tmp_path / "scores.json")]) == 0
        told = json.loads((tmp_path / "scores.json").read_text())
        assert told["num_held_out"] == number and told["settings"]["split"] == (split or ["", "val"])[1]
        assert told["program"]["command"].startswith("python -m sdm_lite.baselines evaluate ")
    assert baselines.main([*words, "--output", str(tmp_path / "report")]) == 0
    report = (tmp_path / "report" / "report.md").read_text()
    of = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert of["measures"]["nearest"]["name"].startswith("distance to the nearest of 2 training photographs")
    assert "would be copies" in report and "bound" not in report, "a GAN has none"
    assert f"    {of['program']['command']}\n" in report and "trained for 1 steps" in report
    assert {path.name for path in (tmp_path / "report" / "samples").iterdir()} == {"c.png", "d.png"}
    assert (tmp_path / "report" / "samples.png").is_file()
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    both = ["evaluate", str(tmp_path / "run"), str(tmp_path / "again" / "model.safetensors"), *words[2:]]
    assert baselines.main([*both, "--num-nearest", "0", "--output", str(tmp_path / "two")]) == 0
    assert {path.parent.name for path in tmp_path.glob("two/*/report.md")} == {"run", "again"}
    assert "nearest" not in json.loads((tmp_path / "two" / "again" / "scores.json").read_text())["measures"]


def test_data_that_turn_out_bad_when_they_are_read_are_one_line_and_leave_no_folder(tmp_path, monkeypatch, capsys):
    def damaged(*args, **options):
        assert (tmp_path / "some" / "run").is_dir()  # it is held by then
        raise ValueError("b.jpg is damaged")

    monkeypatch.setattr(command, "open_data", damaged)
    refused(capsys, baselines.main, ["train", "tiny", *OPTIONS, "--output", str(tmp_path / "some" / "run")], "b.jpg")
    assert not (tmp_path / "some").exists()


def test_the_clock_ends_a_run(tmp_path):
    assert (
        baselines.main(["train", "tiny", *OPTIONS, "--minutes", "1e-6", "--num-steps", "5", "--output", str(tmp_path)])
        == 0
    )
    assert load_gan(tmp_path / "model.safetensors", {"tiny": TINY}).facts["steps"] == 1


def test_a_run_whose_numbers_give_out_is_told_and_kept(tmp_path, capsys, monkeypatch):
    assert trained(tmp_path, 2) == 0

    class Broken:
        name, reads_real_scores = "broken", False

        def __call__(self, step):
            return step.drawing.image.mean() * float("nan")

    monkeypatch.setitem(command.SYSTEMS, "tiny", TINY._replace(generator_losses=(Broken(),)))
    capsys.readouterr()
    assert trained(tmp_path, 9, "--max-skipped-steps", "2") == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(told) == 1 and "3 times in a row, up to step 5" in told[0] and "--rate-factor" in told[0]
    state = newest(tmp_path)
    assert all(torch.isfinite(value).all() for value in state["generator"].values())


@pytest.mark.parametrize(
    "options, message",
    [
        (["--size", "33"], "multiples of 8"),
        (["--size", "24"], "32 or more, got 24 x 24"),
        (["--size", "32", "32", "3"], "one or two numbers"),
        (["--batch-size", "1"], "batch_size must be at least 2"),
        (["--rate-factor", "0"], "rate_factor must be above 0"),
        (["--rate-factor", "nan"], "rate_factor must be above 0"),
        (["--seed", "-1"], "seed must be in"),
        (["--minutes", "-1"], "--minutes must be at least 0"),
        (["--minutes", "nan"], "--minutes must be at least 0"),
        (["--num-steps", "0"], "--num-steps must be at least 1"),
        (["--log-steps", "0"], "--log-steps must be at least 1"),
        (["--data-seed", "1"], "data_seed 1 gives the scenes"),
        (["--num-images", "3"], "fewer than a batch"),
        (["--data", "folder", "--size", "32"], "needs root"),
        (["--data", "folder", "--root", "/nowhere"], "needs --size"),
        (["--data", "folder", "--size", "32", "--root", "/nowhere"], "/nowhere"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(options, message, tmp_path, capsys):
    given = ["train", "tiny", *OPTIONS, "--output", str(tmp_path / "run"), *options]
    refused(capsys, baselines.main, given, message)
    assert not (tmp_path / "run").exists()


def test_another_recipe_in_the_same_folder_is_refused(tmp_path, capsys):
    assert trained(tmp_path, 1) == 0
    refused(
        capsys,
        baselines.main,
        ["train", "tiny", *OPTIONS, "--output", str(tmp_path), "--seed", "3"],
        "seed was 0, now 3",
    )


LIFE = """
import sys
sys.path.append("tests/support")
from tiny_gan import TINY
from sdm_lite.baselines.gan import command
command.SYSTEMS["tiny"] = TINY
from sdm_lite.baselines.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_killed_run_becomes_what_it_would_have_been(tmp_path):
    root = Path(__file__).resolve().parents[3]
    words = [*OPTIONS, "--num-steps", "60", "--output"]
    # As many threads as here: sums of another number of threads are rounded otherwise.
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONPATH": str(root)}
    for least in (10, 30):
        life = subprocess.Popen(
            [sys.executable, "-c", LIFE, "train", "tiny", *words, str(tmp_path / "killed")],
            cwd=root, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        while (
            life.poll() is None
            and len(list((tmp_path / "killed/checkpoints").glob(f"step-0000000[{least // 10}-9]*"))) == 0
        ):
            time.sleep(0.01)
        assert life.poll() is None, "it ended before it was killed"
        life.send_signal(signal.SIGKILL)
        life.wait()
    assert trained(tmp_path / "killed", 60) == trained(tmp_path / "whole", 60) == 0
    assert same(newest(tmp_path / "whole"), newest(tmp_path / "killed"))
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "killed")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--split", "test"], "--split is an option of photographs, and --dataset is scenes"),
        (["--output", "report"], "--output is an option of photographs, and --dataset is scenes"),
        (["--num-nearest", "-1"], "--num-nearest must be at least 0, got -1"),
        (["--dataset", "camvid", "--root", "data", "--split", "train"], "--split must be held out, got train"),
    ],
)
def test_the_split_to_score_is_one_that_is_held_out(capsys, words, message):
    refused(capsys, baselines.main, ["evaluate", "gan-inade-32", *words], message)
