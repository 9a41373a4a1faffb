"""The loop learns, is exactly resumable, and its command tells what is wrong before it starts."""

import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from test_unet import TINY, randomised

from sdm_lite.train import (
    FINE_TUNE,
    ImageBatches,
    TrainConfig,
    draw_timesteps,
    ema_update,
    learning_rate_at,
    load_run,
    new_run,
    save_run,
    step_generator,
    train,
)
from sdm_lite.train_command import main
from sdm_lite.unet import SDMUNet

CONFIG = TrainConfig(num_steps=6, batch_size=4, warmup_steps=2, null_probability=0.2)
NETWORK = replace(TINY, condition_channels=5)


def batches(config=CONFIG, num_images=10):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (num_images, 3, 16, 16), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 4, (num_images, 16, 16), generator=generator, dtype=torch.uint8)
    return ImageBatches(images, labels, labels, 4, config)


def fresh(config=CONFIG):
    torch.manual_seed(0)
    return new_run(SDMUNet(NETWORK), config)


def advance(run, config, steps):
    """Train `run` for some steps and return its state after them, as a user who stops the generator would."""
    losses = []
    loop = train(
        run.unet, run.ema, config.diffusion().build(), batches(config), config, optimizer=run.optimizer, start=run.step
    )
    for step in loop:
        losses.append(step.loss)
        run = run._replace(step=step.step)
        if len(losses) == steps:
            break
    return run, losses


def test_one_batch_is_learned():
    config = replace(CONFIG, num_steps=200, learning_rate=4e-3, null_probability=0.0, flip_probability=0.0)
    data = batches(config, num_images=4)
    run = fresh(config)
    loop = train(run.unet, run.ema, config.diffusion().build(), data, config)
    losses = [step.simple for step in loop]
    # Random pixels cannot be guessed: only what was learned by heart, image for label map, takes the error below their
    # variance.
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])


def test_a_stopped_and_resumed_run_is_the_run_that_was_not(tmp_path):
    whole, losses = advance(fresh(), CONFIG, 6)
    first, before = advance(fresh(), CONFIG, 3)
    save_run(tmp_path / "checkpoint.pt", first, CONFIG)
    torch.manual_seed(99)  # what the global stream holds must not matter
    resumed, after = advance(load_run(tmp_path / "checkpoint.pt", new_run(SDMUNet(NETWORK), CONFIG), CONFIG), CONFIG, 3)
    assert before + after == losses
    for part in ("unet", "ema"):
        for ours, theirs in zip(getattr(whole, part).parameters(), getattr(resumed, part).parameters(), strict=True):
            assert torch.equal(ours, theirs)


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_told(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_run(path, fresh(), CONFIG)
    other = replace(CONFIG, learning_rate=1.0)
    with pytest.raises(ValueError, match=r"learning_rate was 0\.002, now 1\.0"):
        load_run(path, fresh(other), other)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a whole training checkpoint"):
        load_run(path, fresh(), CONFIG)


def test_timesteps_cover_1_to_T_evenly():
    drawn = torch.cat([draw_timesteps(8, 1000, step_generator(0, step, 4)) for step in range(2000)])
    assert drawn.min() == 1 and drawn.max() == 1000
    counts = torch.bincount((drawn - 1) // 100, minlength=10).float()
    assert (counts / len(drawn) - 0.1).abs().max() < 0.01
    strata = draw_timesteps(8, 1000, step_generator(0, 0, 4)).sort().values
    assert torch.equal((strata - 1) // 125, torch.arange(8))


def test_every_epoch_visits_every_image_once():
    config = replace(CONFIG, batch_size=5, flip_probability=0.0)
    data = batches(config)
    for epoch in (0, 1):
        seen = torch.cat([data(step).x0 for step in (2 * epoch, 2 * epoch + 1)])
        assert len({tuple(image.flatten()[:6].tolist()) for image in seen}) == 10


def test_flips_take_image_and_labels_together():
    data = batches(replace(CONFIG, flip_probability=1.0))
    plain = batches(replace(CONFIG, flip_probability=0.0))
    assert torch.equal(data(0).x0, plain(0).x0.flip(-1))
    assert torch.equal(data(0).condition, plain(0).condition.flip(-1))


def test_learning_rate_warms_up_and_falls():
    config = TrainConfig(num_steps=1000, warmup_steps=100, learning_rate=1.0)
    rates = [learning_rate_at(step, config) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == pytest.approx(1, abs=0.03) and rates[-1] < 1e-4
    constant = replace(config, final_learning_rate_fraction=1.0, warmup_steps=0)
    assert learning_rate_at(999, constant) == 1.0


def test_ema_is_the_weighted_sum_it_says():
    unet, ema = randomised(TINY, 0), randomised(TINY, 1)
    before = deepcopy(ema)
    ema_update(ema, unet, step=8, rate=0.999)  # (1 + 8) / (10 + 8) = 0.5
    for new, old, target in zip(ema.parameters(), before.parameters(), unet.parameters(), strict=True):
        torch.testing.assert_close(new, 0.5 * old + 0.5 * target)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_average():
    run = fresh()
    good = deepcopy(run.ema.state_dict())
    with torch.no_grad():
        run.unet.input.weight.fill_(math.inf)
    with pytest.raises(FloatingPointError, match="learning rate below"):
        advance(run, CONFIG, 1)
    assert all(torch.equal(good[name], value) for name, value in run.ema.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"null_probability": 1.5}, "null_probability"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"schedule": "square"}, "schedule"),
    ],
)
def test_a_wrong_configuration_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)


def test_data_that_does_not_fit_is_told():
    with pytest.raises(ValueError, match="fewer than a batch"):
        batches(num_images=3)
    images = torch.zeros(8, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(ValueError, match="do not go together"):
        ImageBatches(images, torch.zeros(8, 16, 8, dtype=torch.uint8), None, 4, CONFIG)
    with pytest.raises(ValueError, match=r"0\.\.3"):
        ImageBatches(images, torch.full((8, 16, 16), 9, dtype=torch.uint8), None, 4, CONFIG)


COMMAND = ["--num-images", "8", "--num-steps", "2", "--batch-size", "4", "--num-samples", "2", "--device", "cpu"]


def test_command_trains_saves_draws_and_fine_tunes(tmp_path, capsys):
    assert main([*COMMAND, "--output", str(tmp_path / "a"), "--save", str(tmp_path / "first.safetensors")]) == 0
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"checkpoint.pt", "log.jsonl", "model.safetensors", "samples.png"}
    second = [
        *COMMAND,
        "--fine-tune",
        "--start-from",
        str(tmp_path / "first.safetensors"),
        "--output",
        str(tmp_path / "b"),
    ]
    assert main(second) == 0
    from sdm_lite.checkpoints import load_facts

    facts = load_facts(tmp_path / "b" / "model.safetensors")
    assert facts["steps"] == 2 and facts["train_config"]["null_probability"] == FINE_TUNE["null_probability"]
    assert main(second) == 0  # a finished run, started again, only writes its results once more
    assert "resuming" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fine-tune"], "--start-from"),
        (["--dataset", "camvid"], "--root"),
        (["--size", "30", "30"], "divisible by"),
        (["--start-from", "nothing"], "no weights called"),
        (["--batch-size", "0"], "batch_size"),
        (["--batch-size", "9"], "fewer than a batch"),
    ],
)
def test_command_tells_bad_input_in_one_line(tmp_path, capsys, arguments, message):
    assert main([*COMMAND, "--output", str(tmp_path / "run"), *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error


def test_command_tells_an_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*COMMAND, "--output", str(tmp_path / "file" / "run")]) == 2
    assert "cannot write to --output" in capsys.readouterr().err
