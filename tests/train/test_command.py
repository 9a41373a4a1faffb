"""The command trains, resumes, stops when told, and says what is wrong in one line before the first step."""

import dataclasses
import errno
import json
import os
import platform
import re
import signal
import sys
import threading

import pytest
import torch
from commands import refused
from networks import LEAST

from sdm_lite.checkpoints import load_facts, load_model
from sdm_lite.datasets.export import render_scenes
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.files import hold
from sdm_lite.presets import PRESETS
from sdm_lite.train import FINE_TUNE
from sdm_lite.train import __main__ as train_command
from sdm_lite.train import resume as train_checkpoints
from sdm_lite.train.__main__ import main
from sdm_lite.train.recipe import load_config
from sdm_lite.train.resume import list_checkpoints
from sdm_lite.train.signals import StopSignals

OPTIONS = "--preset tiny --num-images 8 --num-steps 4 --batch-size 4 --num-samples 2 --device cpu".split()


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", LEAST)


def names(folder):
    """The files that a run leaves, but for its lock and what TensorBoard adds where it is installed."""
    return {path.name for path in folder.iterdir()} - {".lock", ".lock.holder", "tensorboard"}


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_command_trains_saves_draws_and_fine_tunes(tmp_path, capsys):
    first = tmp_path / "first.safetensors"
    assert main([*OPTIONS, "--output", str(tmp_path / "a"), "--save", str(first)]) == 0
    assert names(tmp_path / "a") == {"checkpoints", "config.yaml", "log.jsonl", "model.safetensors", "samples.png"}
    second = [*OPTIONS, "--fine-tune", "--start-from", str(first), "--output", str(tmp_path / "b")]
    assert main(second) == 0
    facts = load_facts(tmp_path / "b" / "model.safetensors")
    assert facts["steps"] == 4 and facts["train_config"]["null_probability"] == FINE_TUNE["null_probability"]
    assert facts["before"][0]["steps"] == 4 and facts["data_images"] == 8
    assert load_config(tmp_path / "b" / "config.yaml").train.learning_rate == FINE_TUNE["learning_rate"]
    assert main(second) == 0  # a finished run, started again, only writes its results once more
    assert "resuming at step 4 of 4" in capsys.readouterr().out


def test_the_concatenation_baseline_trains_by_its_preset(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", dataclasses.replace(LEAST, conditioning="concat"))
    assert main([*OPTIONS, "--null-probability", "0.2", "--output", str(tmp_path)]) == 0
    assert load_model(tmp_path / "model.safetensors").unet.config.conditioning == "concat"
    assert main([*OPTIONS, "--preset", "scenes-32", "--start-from", str(tmp_path / "model.safetensors")]) == 2


def test_a_process_is_trained_for_saved_and_drawn_from(tmp_path, capsys):
    process = "--schedule linear --num-timesteps 22 --prediction-type eps".split()
    assert main([*OPTIONS, *process, "--output", str(tmp_path / "a")]) == 0
    weights = tmp_path / "a" / "model.safetensors"
    facts, diffusion = load_facts(weights), load_model(weights).diffusion
    assert facts["diffusion"] == {"schedule": "linear", "num_timesteps": 22, "prediction_type": "eps"}
    assert torch.equal(diffusion.signal, DiffusionConfig("linear", 22).build().signal)
    # Neither resumed nor fine-tuned as another.
    assert main([*OPTIONS, *process, "--schedule", "cosine", "--output", str(tmp_path / "a")]) == 2
    assert "of another run: schedule was 'linear', now 'cosine'. Use the same options" in capsys.readouterr().err
    start = ["--start-from", str(weights), "--output", str(tmp_path / "b")]
    assert main([*OPTIONS, *process, "--schedule", "cosine", *start]) == 2
    assert "model.safetensors was trained with schedule linear, not cosine: give the same" in capsys.readouterr().err


def test_a_run_tells_how_it_goes(tmp_path, capsys):
    watch = "--log-steps 2 --sample-steps 3 --evaluate-steps 2 --evaluate-images 4 --data-seed 3".split()
    assert main([*OPTIONS, *watch, "--output", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "step 2: held-out loss" in told.err and "the best so far: still improving" in told.err
    assert "best.safetensors is of step" in told.out
    assert names(tmp_path / "samples") == {"step-000000003.png"}
    lines, evaluations = ([one for one in log(tmp_path) if ("evaluation" in one) == which] for which in (False, True))
    assert [one["step"] for one in lines] == [one["step"] for one in evaluations] == [2, 4]
    expected = {"loss", "simple", "vlb", "gradient_norm", "simple_by_quartile", "ema_decay", "learning_rate"}
    assert expected | {"num_skipped", "images_per_second", "memory_gib", "seconds"} <= set(lines[0])
    assert len(lines[0]["simple_by_quartile"]) == 4 and lines[0]["memory_gib"] > 0
    assert load_facts(tmp_path / "best.safetensors")["steps"] in (2, 4)


def test_photographs_are_learned_as_the_same_pictures_in_memory(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_CACHE", str(tmp_path / "cache"))
    root = render_scenes(tmp_path / "photographs", num_train=8, num_val=8, size=16)
    watch = "--log-steps 1 --evaluate-steps 2 --evaluate-images 8".split()
    from_files = [*OPTIONS, *watch, "--dataset", "folder", "--root", str(root), "--output", str(tmp_path / "files")]
    assert main([*OPTIONS, *watch, "--output", str(tmp_path / "memory")]) == main(from_files) == 0
    told = ("step", "loss", "gradient_norm", "evaluation")
    ours, theirs = ([[line.get(name) for name in told] for line in log(tmp_path / of)] for of in ("files", "memory"))
    assert ours == theirs and len(ours) == 6
    # A bad one among the held-out, not of those that are looked at first, is told by name or left out.
    (root / "images" / "val" / "3.png").write_bytes(b"no picture")
    capsys.readouterr()
    assert main([*from_files[:-1], str(tmp_path / "bad")]) == 2
    assert "val/3.png" in capsys.readouterr().err
    assert main([*from_files[:-1], str(tmp_path / "skipped"), "--skip-bad"]) == 0


def test_the_stop_rule_stops(tmp_path, capsys):
    # A learning rate of nearly nothing improves nothing.
    rule = "--evaluate-steps 2 --evaluate-images 4 --data-seed 3 --stop-after-no-improvement 2 --learning-rate 1e-12"
    assert main([*OPTIONS, *rule.split(), "--num-steps", "40", "--output", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert " for 2 evaluations" in told and "stopping: stop_after_no_improvement is 2" in told
    assert load_facts(tmp_path / "model.safetensors")["steps"] == 6
    assert main([*OPTIONS, *rule.split(), "--num-steps", "40", "--output", str(tmp_path)]) == 0  # it stays stopped
    assert load_facts(tmp_path / "model.safetensors")["steps"] == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fine-tune"], "start_from"),
        (["--dataset", "camvid"], "needs root"),
        (["--dataset", "camvidd", "--root", "x"], "did you mean camvid?"),
        (["--size", "15", "15"], "expected a multiple of 8 from 16 to 256, got 15"),
        (["--preset", "tiiny"], "preset must be one of scenes-32, "),
        (["--mixed-precision", "int8"], "mixed_precision must be no, bf16 or fp16, got 'int8'"),
        (["--size", "16", "32"], "square"),
        (["--start-from", "nothing"], "no weights called"),
        (["--start-from", "scenes-32"], "does not fit this network"),
        (["--batch-size", "0"], "batch_size"),
        (["--batch-size", "9"], "fewer than a batch"),
        (["--expect-processes", "2"], "1 process came up where 2 were asked for"),
        (["--accumulation-steps", "3"], "batch_size 4 cannot be shared evenly by 1 process in 3 parts"),
        (["--learning-rats", "3"], "did you mean --learning-rate?"),
        (["--shard-weights"], "unknown option --shard-weights"),
        (["--config", "nothing.yaml"], "no recipe called"),
        (["--device", "tpu9"], "device 'tpu9' cannot be used here"),
        (["--save", "/proc/model.safetensors"], "cannot write to --save"),
        (
            ["--mixed-precision", "fp16"],
            "mixed_precision fp16 needs a GPU, and this run is on the CPU: give bf16 or no",
        ),
    ],
)
def test_command_tells_bad_input_in_one_line(tmp_path, capsys, arguments, message):
    assert main([*OPTIONS, "--output", str(tmp_path / "run"), *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error
    assert not (tmp_path / "run").exists()


def test_what_needs_no_work_is_told_before_any(tmp_path, capsys, monkeypatch):
    def work(*args, **kwargs):
        raise AssertionError("work has started")

    assert main([*OPTIONS, "--output", str(tmp_path)]) == 0
    monkeypatch.setattr("sdm_lite.train.data._rendered", work)  # for a minute
    monkeypatch.setattr("sdm_lite.train.__main__.new_run", work)
    with pytest.raises(AssertionError, match="work has started"):
        main([*OPTIONS, "--output", str(tmp_path)])
    for arguments, message in (
        (["--learning-rate", "0.125"], "is of another run: learning_rate was 0.002, now 0.125"),
        (["--start-from", "scenes-32"], "does not fit this network"),
        (["--preset", "ade20k-256", "--size", "256", "256", "--dataset", "ade20k"], "needs root"),
        (["--dataset", "ade20k", "--root", str(tmp_path / "none")], "none"),
    ):
        folder = tmp_path if "learning" in arguments[0] else tmp_path / "other"
        assert main([*OPTIONS, "--output", str(folder), *arguments]) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_run_is_made_longer_and_says_so_in_log_and_facts(tmp_path, capsys):
    assert main([*OPTIONS, "--output", str(tmp_path)]) == 0
    assert "lengths" not in load_facts(tmp_path / "model.safetensors")
    assert main([*OPTIONS, "--num-steps", "6", "--output", str(tmp_path)]) == 0
    assert "the schedule is fitted to 6 steps, 4 before: at step 4" in capsys.readouterr().out
    facts = load_facts(tmp_path / "model.safetensors")
    assert facts["steps"] == 6 and [one["num_steps"] for one in facts["lengths"]] == [4, 6]
    assert {"step": 4, "schedule_fitted_to": 6} in log(tmp_path)
    assert main([*OPTIONS, "--num-steps", "5", "--output", str(tmp_path)]) == 2
    assert "num_steps must be at least the 6 that are done, got 5" in capsys.readouterr().err


def test_minutes_choose_the_steps(tmp_path, capsys):
    assert main([*OPTIONS, "--warmup-steps", "1", "--minutes", "0.02", "--output", str(tmp_path)]) == 0
    told = re.search(r"0\.02 min are (\d+) steps", capsys.readouterr().out)
    assert load_facts(tmp_path / "model.safetensors")["steps"] == int(told[1]) > 1


def test_a_second_run_on_a_folder_is_told_who_holds_it_and_touches_nothing(tmp_path, capsys):
    half_written = tmp_path / "checkpoints" / ".step-000000005.pt.1.tmp"  # what a second run would take for a leftover
    half_written.parent.mkdir()
    half_written.write_bytes(b"half")

    def files():  # but for the lock, which an older filelock opens for writing before it knows
        return {
            path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"
        }

    with hold(tmp_path / ".lock"):
        before = files()
        assert main([*OPTIONS, "--output", str(tmp_path)]) == 2
        assert files() == before
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1 and told[0].startswith(f"error: another run is writing to {tmp_path}: wait until it ends")
    assert told[0].endswith(f"or give another --output (process {os.getpid()} on {platform.node()})")


def test_command_tells_an_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*OPTIONS, "--output", str(tmp_path / "file" / "run")]) == 2
    assert "cannot write to --output" in capsys.readouterr().err


def test_command_tells_a_launcher_that_started_one_process_only(tmp_path, capsys, monkeypatch):
    for name, value in {"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)  # as `accelerate launch --cpu --num_processes 2` does
    assert main([*OPTIONS, "--output", str(tmp_path / "a")]) == 2
    told = capsys.readouterr().err
    assert "1 process came up where several were asked for (accelerate launch --cpu starts one" in told
    assert main([*OPTIONS, "--output", str(tmp_path / "a"), "--expect-processes", "1"]) == 0


def test_changed_data_or_another_configuration_are_told_before_the_first_step(tmp_path, capsys):
    assert main([*OPTIONS, "--output", str(tmp_path)]) == 0
    for change, message in (
        (["--data-seed", "5"], "the data have changed"),
        (["--learning-rate", "1"], "learning_rate was"),
        (["--num-images", "9"], "the data have changed"),
    ):
        assert main([*OPTIONS, "--output", str(tmp_path), *change]) == 2
        assert message in capsys.readouterr().err


def stop_after(monkeypatch, number, action):
    """Do something to a run after so many of its steps."""
    plain = train_command.train

    def train(*arguments, **options):
        for step in plain(*arguments, **options):
            if step.step == number:
                action()
            yield step

    monkeypatch.setattr(train_command, "train", train)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves_and_the_same_command_goes_on(tmp_path, capsys, monkeypatch, number, status):
    assert main([*OPTIONS, "--output", str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 2, lambda: os.kill(os.getpid(), number))
        assert main([*OPTIONS, "--output", str(tmp_path / "stopped")]) == status
    assert "stopped at step 2; the same command goes on" in capsys.readouterr().err
    assert [path.stem for path in list_checkpoints(tmp_path / "stopped")] == ["step-000000002"]
    assert main([*OPTIONS, "--output", str(tmp_path / "stopped")]) == 0
    whole, stopped = (load_model(tmp_path / name / "model.safetensors").unet for name in ("whole", "stopped"))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), stopped.parameters(), strict=True))


def test_signals_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        assert signal.getsignal(signal.SIGTERM) != before and signals.exit_status == 0
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):  # the second means it
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
    assert signal.getsignal(signal.SIGTERM) == before
    thread = threading.Thread(target=lambda: StopSignals().__enter__())  # where signals cannot be taken
    thread.start()
    thread.join()


def test_a_disk_that_fills_up_stops_the_run_with_one_line_and_a_whole_checkpoint(tmp_path, capsys, monkeypatch):
    def fill():
        def fsync(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", fsync)

    stop_after(monkeypatch, 3, fill)
    assert main([*OPTIONS, "--checkpoint-steps", "2", "--output", str(tmp_path)]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "No space left on device" in told and told.startswith("error: ")
    assert [path.stem for path in list_checkpoints(tmp_path)] == ["step-000000002"]


def test_an_example_that_is_found_damaged_while_training_is_told_in_one_line(tmp_path, capsys, monkeypatch):
    def find():
        raise ValueError("records.bin is damaged, checksums differ for 020; delete the folder")  # as a cache does

    stop_after(monkeypatch, 3, find)
    assert main([*OPTIONS, "--checkpoint-steps", "2", "--output", str(tmp_path)]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error: records.bin is damaged")
    assert f"what was written to {tmp_path} before is whole" in told
    assert [path.stem for path in list_checkpoints(tmp_path)] == ["step-000000002"]


def test_whichever_process_runs_out_of_memory_says_so(tmp_path, capsys, monkeypatch):
    def fill():
        monkeypatch.setenv("RANK", "3")
        raise torch.cuda.OutOfMemoryError

    stop_after(monkeypatch, 2, fill)
    assert main([*OPTIONS, "--output", str(tmp_path)]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error (process 3): the device has no memory left: give more accumulation_steps")


@pytest.mark.parametrize(("package", "arguments"), [("PIL", []), ("yaml", ["--recipe", "scenes-32"])])
def test_a_missing_package_is_told_before_anything_is_made(tmp_path, capsys, monkeypatch, package, arguments):
    monkeypatch.setitem(sys.modules, package, None)
    assert main([*OPTIONS, *arguments, "--output", str(tmp_path / "run")]) == 2
    assert 'pip install "sdm_lite[train]"' in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_run_that_is_refused_after_it_has_its_folder_leaves_none(tmp_path, capsys, monkeypatch):
    def damaged(*_):
        raise ValueError("001.png is damaged")

    monkeypatch.setattr(train_command, "open_data", damaged)
    refused(capsys, main, [*OPTIONS, "--output", str(tmp_path / "new" / "run")], "001.png is damaged")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine" / "run").mkdir(parents=True)
    refused(capsys, main, [*OPTIONS, "--output", str(tmp_path / "mine" / "run")], "001.png is damaged")
    assert (tmp_path / "mine" / "run").is_dir(), "whoever made it may have meant something"


def test_numbers_that_stay_infinite_stop_the_run_with_the_last_good_checkpoint(tmp_path, capsys):
    # Steps so long that the weights overflow: what follows is skipped until there is no hope.
    wild = "--learning-rate 1e30 --warmup-steps 0 --max-skipped-steps 3 --num-steps 50 --checkpoint-steps 1".split()
    assert main([*OPTIONS, *wild, "--output", str(tmp_path)]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "not finite 3 times in a row" in told and "try a learning_rate below 1e+30" in told
    for path in list_checkpoints(tmp_path):
        state = train_checkpoints.read_checkpoint(path)
        assert all(bool(torch.isfinite(value).all()) for value in state["unet"].values())


def test_weights_that_are_no_numbers_are_not_written(tmp_path, capsys):
    wild = "--learning-rate inf --warmup-steps 0 --num-steps 1 --output".split()
    assert main([*OPTIONS, *wild, str(tmp_path)]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "error: the weights are no numbers any more: try a learning_rate below inf" in told
    assert not list(tmp_path.glob("**/*.safetensors")) and not list_checkpoints(tmp_path)
