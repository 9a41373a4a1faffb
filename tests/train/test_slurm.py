"""The job file starts a command that its programs understand, stops when told, and goes back into the queue only then.

SLURM's three programs are stand-ins that write down how they were called.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sdm_lite.train.options import parse
from sdm_lite.train.recipe import load_config

JOB = Path(__file__).resolve().parents[2] / "docs" / "scripts" / "train.slurm"
RECORD = 'printf "%s\\n" "$(basename "$0")" "$@" > "$CALLS/$(basename "$0")"\n'
PROGRAMS = {
    "scontrol": f'if [ "$1" = show ]; then printf "node3\\nnode4\\n"; else {RECORD} fi\n',
    "scancel": RECORD,
    # Ends at once with a status, or when scancel was called with another.
    "srun": RECORD
    + 'test -n "$STATUS" && exit "$STATUS"\nuntil test -e "$CALLS/scancel"; do sleep 0.1; done\nexit "$AFTER"\n',
}
pytestmark = pytest.mark.skipif(os.name == "nt" or shutil.which("bash") is None, reason="needs bash")


@pytest.fixture
def environment(tmp_path):
    """What SLURM gives a job on two nodes, and the folder where its programs write down how they were called."""
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    programs.mkdir()
    calls.mkdir()
    for name, body in PROGRAMS.items():
        (programs / name).write_text("#!/bin/bash\n" + body)
        (programs / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "node[3-4]", "SLURM_NNODES": "2", "SLURM_CPUS_PER_TASK": "64"}
    kept = {name: value for name, value in os.environ.items() if name not in ("RECIPE", "OUTPUT", "GPUS", "STATUS")}
    return kept | slurm | {"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls), "ROOT": "/data/with space"}


def call_of(name, environment):
    path = Path(environment["CALLS"]) / name
    return path.read_text().splitlines() if path.exists() else None


def run_job(environment, *options):
    command = ["bash", str(JOB), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_is_one_that_torchrun_and_training_understand(environment):
    from torch.distributed.run import parse_args

    done = run_job(environment | {"STATUS": "0"}, "--num-steps", "5")
    assert done.returncode == 0 and done.stderr == ""
    name, launcher, *arguments = call_of("srun", environment)
    assert (name, launcher) == ("srun", "torchrun")
    launch = parse_args(arguments)
    assert (launch.nnodes, launch.nproc_per_node) == ("2", "8")
    assert (launch.rdzv_endpoint, launch.rdzv_id) == ("node3:29500", "77")
    assert launch.module and launch.training_script == "sdm_lite.train"
    wanted = {"root": "/data/with space", "output": "runs/ade20k-256", "expect_processes": 16, "num_steps": 5}
    assert parse(launch.training_script_args) == load_config("ade20k-256", wanted)
    assert call_of("scontrol", environment) is None, "a run that has ended goes back into the queue"


def test_recipe_folder_and_number_of_gpus_can_be_chosen(environment):
    chosen = {"RECIPE": "celebamask-hq-256", "OUTPUT": "runs/faces", "GPUS": "4", "STATUS": "0"}
    assert run_job(environment | chosen).returncode == 0
    arguments = call_of("srun", environment)
    config = parse(arguments[arguments.index("sdm_lite.train") + 1 :])
    assert (config.preset, config.output, config.expect_processes) == ("celebamask-hq-256", "runs/faces", 8)


def test_an_error_is_passed_on_and_does_not_go_back_into_the_queue(environment):
    assert run_job(environment | {"STATUS": "3"}).returncode == 3
    assert call_of("scancel", environment) is None and call_of("scontrol", environment) is None


@pytest.mark.parametrize(("status", "goes_back"), [(1, True), (0, False)])  # torchrun's, and of a run that was done
def test_before_the_time_limit_the_run_is_told_to_leave_and_goes_back_into_the_queue(environment, status, goes_back):
    environment |= {"AFTER": str(status)}
    with subprocess.Popen(["bash", str(JOB)], env=environment, stderr=subprocess.PIPE, text=True) as job:
        deadline = time.monotonic() + 30
        while call_of("srun", environment) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        job.send_signal(signal.SIGTERM)  # what `#SBATCH --signal=B:TERM@300` asks for
        job.communicate(timeout=60)
    assert call_of("scancel", environment) == ["scancel", "--signal=TERM", "77"]
    assert call_of("scontrol", environment) == (["scontrol", "requeue", "77"] if goes_back else None)


def test_a_job_without_a_folder_of_data_says_what_it_lacks(environment):
    del environment["ROOT"]
    done = run_job(environment)
    assert done.returncode != 0 and "ROOT=FOLDER sbatch docs/scripts/train.slurm" in done.stderr
    assert call_of("srun", environment) is None
