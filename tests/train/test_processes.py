"""Two processes that share each batch train the network that one would, to rounding, and checkpoints do not tell."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_runs import CONFIG, DIFFUSION, batches, fresh

from sdm_lite.checkpoints import load_model
from sdm_lite.train import train
from sdm_lite.train.__main__ import main
from sdm_lite.train.config import RunConfig, TrainConfig
from sdm_lite.train.processes import Processes, check_processes, join_processes

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = (
    "--preset scenes-32 --size 16 16 --num-images 8 --batch-size 4 --num-steps 4 --num-samples 2 "
    "--log-steps 1 --null-probability 0.5 --warmup-steps 0"
).split()
ALONE = [*OPTIONS, "--device", "cpu"]


def torchrun(folder, *options):
    """A run on two processes of a machine without a GPU, as it is typed: nothing names the device or the count."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "sdm_lite.train", *OPTIONS, "--output", str(folder), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SDM_LITE_STATIC": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


def losses(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    columns = ("loss", "simple", "vlb", "gradient_norm")
    return torch.tensor([[line[name] for name in columns] + line["simple_by_quartile"] for line in lines])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of a run on this process alone."""
    folder = tmp_path_factory.mktemp("alone")
    assert main([*ALONE, "--output", str(folder)]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--accumulation-steps", "2"]], ids=["whole", "parts"])
def test_two_processes_give_the_loss_of_one(tmp_path, alone, options):
    pytest.importorskip("accelerate")
    status, told = torchrun(tmp_path, *options, "--checkpoint-steps", "2")
    assert status == 0, told[-3000:]
    assert told.count("wrote") == 2, "the main process alone writes"
    torch.testing.assert_close(losses(tmp_path), losses(alone), rtol=1e-4, atol=1e-6)
    ours, theirs = (load_model(folder / "model.safetensors").unet for folder in (tmp_path, alone))
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-4)
    # One process goes on where two had been, from step 2.
    (tmp_path / "checkpoints" / "step-000000004.pt").unlink()
    assert main([*ALONE, "--output", str(tmp_path)]) == 0
    torch.testing.assert_close(losses(tmp_path), losses(alone), rtol=1e-4, atol=1e-6)
    # And two where one had been: two steps are left of what the process alone had done.
    (tmp_path / "checkpoints" / "step-000000004.pt").unlink()
    status, told = torchrun(tmp_path, *options)
    assert status == 0 and "resuming at step 2 of 4" in told, told[-3000:]
    torch.testing.assert_close(losses(tmp_path), losses(alone), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_mixed_precision_trains_and_says_so(tmp_path, alone):
    pytest.importorskip("accelerate")
    assert main([*ALONE, "--mixed-precision", "bf16", "--output", str(tmp_path)]) == 0
    in_bf16, in_float32 = losses(tmp_path), losses(alone)
    assert not torch.equal(in_bf16, in_float32)
    torch.testing.assert_close(in_bf16[:, :2], in_float32[:, :2], rtol=0.05, atol=0.05)
    trained = load_model(tmp_path / "model.safetensors").unet
    assert all(parameter.dtype == torch.float32 for parameter in trained.parameters())


@pytest.mark.parametrize(
    ("count", "batch_size", "parts", "message"),
    [
        (3, 8, 1, "batch_size 8 cannot be shared evenly by 3 processes in 1 parts each"),
        (16, 8, 1, "batch_size 8 cannot be shared evenly by 16 processes"),  # more processes than examples
        (2, 8, 3, "give a multiple of 6"),
    ],
)
def test_a_batch_that_cannot_be_shared_is_told(count, batch_size, parts, message):
    config = RunConfig(accumulation_steps=parts, train=TrainConfig(batch_size=batch_size))
    with pytest.raises(ValueError, match=message):
        check_processes(count, config)


def test_processes_that_do_not_find_each_other_are_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="1 process came up where 2 were asked for: use torchrun"):
        check_processes(1, RunConfig())
    check_processes(2, RunConfig())


@pytest.mark.parametrize("plugin", ["DEEPSPEED", "FSDP"])
def test_what_a_launcher_asks_for_and_is_not_there_is_refused(monkeypatch, plugin):
    monkeypatch.setenv(f"ACCELERATE_USE_{plugin}", "true")
    with pytest.raises(ValueError, match=f"{plugin} is not supported: launch without it"):
        join_processes(RunConfig(device="cpu"))


def in_fp16(scaler):
    """A process as Accelerate makes it in fp16, but on the CPU, where it refuses."""
    processes = Processes()
    processes.scaler = scaler
    return processes


def spoiled_steps(run, is_bad, processes):
    """Steps whose gradients overflow as long as `is_bad()`."""
    run.unet.input.weight.register_hook(lambda gradient: gradient * math.inf if is_bad() else gradient)
    return train(run.unet, run.ema, DIFFUSION, batches(), CONFIG, optimizer=run.optimizer, processes=processes)


def test_steps_that_fp16_skips_while_it_looks_for_a_scale_change_nothing_else():
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    ours, theirs = fresh(), fresh()
    processes = in_fp16(scaler)
    scaled = list(spoiled_steps(ours, lambda: scaler.get_scale() > 2.0**14, processes))
    assert [step.skipped for step in scaled] == [True, True, False, False, False, False]
    assert scaler.get_scale() == processes.state_dict()["scale"] == 2.0**14
    bad = iter([True, True, False, False, False, False])
    plain = list(spoiled_steps(theirs, lambda: next(bad), Processes()))
    # A power of two is taken out again without rounding: the norm before clipping and the weights are float32's.
    assert [step.gradient_norm for step in scaled[2:]] == [step.gradient_norm for step in plain[2:]]
    for one, other in zip(ours.unet.parameters(), theirs.unet.parameters(), strict=True):
        assert torch.equal(one, other)
    resumed = in_fp16(torch.amp.GradScaler("cpu"))
    resumed.load_state_dict(processes.state_dict())
    assert resumed.state_dict() == processes.state_dict()


def test_the_search_for_a_scale_ends_before_the_run_is_given_up():
    # Each skipped step halves the scale; with one of 1 the gradients are those of float32.
    halvings = math.log2(torch.amp.GradScaler("cpu", enabled=True).get_scale())
    assert RunConfig().max_skipped_steps > halvings > 0


def test_parts_cover_the_share_of_a_process():
    third = Processes(num_parts=2)
    third.rank, third.count = 2, 4
    assert list(third.parts(6)) == [(slice(0, 3), slice(12, 15)), (slice(3, 6), slice(15, 18))]
