"""Killed at random moments, twenty times, a run becomes what it would have been: bit for bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sdm_lite.train.resume import list_checkpoints, read_checkpoint

# One interpreter imports torch and then forks a process for each life of the run: starting twenty would take minutes.
FORKS = """
import os, random, signal, sys, time
from pathlib import Path

import torch

torch.set_num_threads(1)
sys.path.append("tests/support")
from networks import LEAST
from sdm_lite.presets import PRESETS
from sdm_lite.train.resume import list_checkpoints
from sdm_lite.train.__main__ import main

torch.optim.AdamW([torch.zeros(1)])  # the first one imports much, here once for all lives
try:
    import torch.utils.tensorboard
except ImportError:
    pass
PRESETS["tiny"] = LEAST
OPTIONS = "--preset tiny --num-images 12 --batch-size 4 --num-steps 180 --num-samples 1 --device cpu --log-steps 1 "
OPTIONS += "--checkpoint-steps 2 --checkpoint-minutes 60 --keep-checkpoints 2 --null-probability 0.2 --output "
draw = random.Random(int(sys.argv[2]))


def newest(folder):
    return [path.name for path in list_checkpoints(Path(folder))][-1:]


def live(folder, kill):
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            status = main((OPTIONS + folder).split())
        finally:
            sys.stderr.flush()
            os._exit(status)
    if kill:
        before = newest(folder)
        if draw.random() < 0.8:  # most lives get a little further, wherever they are then
            while newest(folder) == before and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                time.sleep(0.004)
            time.sleep(draw.uniform(0, 0.05))
        else:
            time.sleep(draw.uniform(0, 0.3))
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


folder = sys.argv[1]
assert live(folder + "/whole", kill=False) == 0
for _ in range(20):
    status = live(folder + "/killed", kill=True)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
assert live(folder + "/killed", kill=False) == 0
"""


def log_of(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"], line["gradient_norm"], line["learning_rate"]) for line in lines]


def tensors_of(state):
    if isinstance(state, torch.Tensor):
        return [state]
    if isinstance(state, dict):
        state = [state[name] for name in sorted(state, key=str)]
    return [tensor for part in state for tensor in tensors_of(part)] if isinstance(state, list | tuple) else []


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_at_random_moments_twenty_times_a_run_is_the_run_that_was_not(tmp_path):
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", FORKS, str(tmp_path), str(int.from_bytes(os.urandom(4), "big"))]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SDM_LITE_STATIC": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, f"seed {command[-1]}: {done.stderr[-3000:]}"
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    ours, theirs = (read_checkpoint(list_checkpoints(folder)[-1]) for folder in (whole, killed))
    assert ours["step"] == theirs["step"] == 180
    for part in ("unet", "ema", "optimizer"):
        pairs = list(zip(tensors_of(ours[part]), tensors_of(theirs[part]), strict=True))
        assert pairs and all(torch.equal(one, other) for one, other in pairs), part
    assert log_of(whole) == log_of(killed) and len(log_of(whole)) == 180
    assert not list((killed / "checkpoints").glob(".*")), "half-written files are left"
