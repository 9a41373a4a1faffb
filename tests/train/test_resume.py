"""A checkpoint is whole or absent; damaged, foreign and outdated ones are told, and the one before is used."""

import os
from dataclasses import replace

import pytest
import torch
from tiny_runs import CONFIG, advance, fresh, in_folder

from sdm_lite.checkpoints import load_facts, load_model, load_published
from sdm_lite.train import LITE_DIFFUSION
from sdm_lite.train.resume import (
    check_same_recipe,
    checkpoint_path,
    list_checkpoints,
    read_checkpoint,
    resume_run,
    save_run,
)


def saved_steps(folder):
    return [int(path.stem.removeprefix("step-")) for path in list_checkpoints(folder)]


def test_the_newest_and_the_best_are_kept(tmp_path):
    run = fresh()
    for step in range(1, 7):
        save_run(run._replace(step=step), in_folder(tmp_path, keep_checkpoints=2), best_step=2 if step > 1 else None)
    assert saved_steps(tmp_path) == [2, 5, 6]


def test_everything_comes_back(tmp_path):
    run, _ = advance(fresh(), CONFIG, 3)
    evaluation = {"step": 2, "figures": {"held-out loss": 0.5}, "decides": "held-out loss"}
    run = run._replace(seconds=12.5, num_skipped=1, evaluations=(evaluation,), precision={"scale": 2.0})
    save_run(run, in_folder(tmp_path))
    back = resume_run(fresh(), in_folder(tmp_path))
    assert back[3:] == run[3:]
    ours, theirs = run.optimizer.state_dict()["state"], back.optimizer.state_dict()["state"]
    assert ours.keys() == theirs.keys() and ours
    assert all(torch.equal(ours[i][name], theirs[i][name]) for i in ours for name in ours[i])


@pytest.mark.parametrize("damage", ["cut", "bit", "page"])
def test_a_damaged_newest_is_told_and_the_one_before_used(tmp_path, damage):
    run = fresh()
    for step in (1, 2):
        save_run(run._replace(step=step), in_folder(tmp_path))
    newest = checkpoint_path(tmp_path, 2)
    content = bytearray(newest.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "bit":
        content[len(content) // 2] ^= 1
    else:
        content = b"<html>not found</html>"
    newest.write_bytes(content)
    told = []
    assert resume_run(fresh(), in_folder(tmp_path), tell=told.append).step == 1
    assert len(told) == 1 and "step-000000002.pt is not a whole training checkpoint" in told[0]
    checkpoint_path(tmp_path, 1).write_bytes(b"")
    with pytest.raises(ValueError, match="no checkpoint in .* is whole: delete that folder to start afresh"):
        resume_run(fresh(), in_folder(tmp_path), tell=told.append)


def test_a_run_without_checkpoints_starts_at_the_beginning_and_half_written_files_go(tmp_path):
    left = checkpoint_path(tmp_path, 7).with_name(".step-000000007.pt.123.tmp")
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert resume_run(fresh(), in_folder(tmp_path)).step == 0
    assert not left.exists()


def test_another_configuration_or_other_data_are_told(tmp_path):
    save_run(fresh(), in_folder(tmp_path), data="abc")
    other = replace(CONFIG, learning_rate=1.0)
    with pytest.raises(ValueError, match=r"of another run: learning_rate was 0\.002, now 1\.0"):
        resume_run(fresh(other), in_folder(tmp_path, other), data="abc")
    with pytest.raises(ValueError, match="the data have changed .*fingerprint abc, now abd"):
        resume_run(fresh(), in_folder(tmp_path), data="abd")


@pytest.mark.parametrize("change", [{"schedule": "linear"}, {"num_timesteps": 500}, {"prediction_type": "eps"}])
def test_another_process_is_told(tmp_path, change):
    save_run(fresh(), in_folder(tmp_path))
    config = in_folder(tmp_path, diffusion=replace(LITE_DIFFUSION, **change))
    for look in (lambda: check_same_recipe(config), lambda: resume_run(fresh(), config)):
        with pytest.raises(ValueError, match=f"of another run: {next(iter(change))} was"):
            look()


def test_a_checkpoint_of_another_version_is_told(tmp_path):
    path = save_run(fresh(), in_folder(tmp_path))
    torch.save(torch.load(path) | {"format": "sdm_lite training checkpoint 1"}, path)
    with pytest.raises(ValueError, match=r"step-0+.pt is of another version .*: end the run with that one, or give an"):
        check_same_recipe(in_folder(tmp_path))


def test_a_run_can_be_made_longer_one_of_an_older_version_too(tmp_path):
    length = {"step": 0, "num_steps": 6, "minutes": None}
    path = save_run(fresh()._replace(lengths=(length,)), in_folder(tmp_path))
    longer = in_folder(tmp_path, replace(CONFIG, num_steps=100))
    check_same_recipe(longer)
    assert resume_run(fresh(), longer).lengths == (length,)
    state = torch.load(path)
    del state["lengths"]
    torch.save(state, path)
    assert resume_run(fresh(), longer).lengths == (length,), "it is in its recipe"


def test_weights_that_are_no_numbers_are_never_saved(tmp_path):
    run = fresh()
    save_run(run._replace(step=1), in_folder(tmp_path))
    with torch.no_grad():
        run.unet.input.bias[0] = torch.inf
    assert save_run(run._replace(step=2), in_folder(tmp_path, keep_checkpoints=1)) is None
    assert saved_steps(tmp_path) == [1]


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on file sizes")
def test_a_disk_that_is_full_leaves_what_was_there(tmp_path):
    import resource

    path = save_run(fresh()._replace(step=1), in_folder(tmp_path))
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OSError):
            save_run(fresh()._replace(step=2), in_folder(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path] == list(path.parent.iterdir()) and path.read_bytes() == before
    assert read_checkpoint(path)["step"] == 1


def test_a_run_that_has_not_finished_is_sampled_from_by_its_averaged_weights(tmp_path):
    run, _ = advance(fresh(), CONFIG, 2)
    path = save_run(run, in_folder(tmp_path), facts={"command": "train it", "steps": 2})
    unet, diffusion = load_model(path)
    assert all(torch.equal(*pair) for pair in zip(unet.parameters(), run.ema.parameters(), strict=True))
    assert unet.config == run.unet.config and diffusion.prediction_type == "v" and not unet.training
    assert load_facts(path) == {"command": "train it", "steps": 2}
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a whole training checkpoint|is not a whole safetensors file"):
        load_model(path)


def test_a_checkpoint_of_before_facts_says_how_labels_were_dropped(tmp_path):
    path = save_run(fresh(), in_folder(tmp_path))
    facts = load_facts(path)
    assert facts["train_config"]["null_probability"] == 0.2 and "schedule" not in facts["train_config"]


def test_a_checkpoint_needs_no_converting(tmp_path):
    path = save_run(fresh(), in_folder(tmp_path))
    with pytest.raises(ValueError, match="is of a run of sdm_lite, not published: it needs no converting"):
        load_published(path)
