"""The loop learns, skips what is not finite, and is the same run however it is stopped or cut into parts."""

import math
from copy import deepcopy
from dataclasses import replace
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from networks import TINY, randomised
from tiny_runs import CONFIG, DIFFUSION, NETWORK, advance, batches, fresh, in_folder

from sdm_lite.batches import encode, step_generator
from sdm_lite.train import (
    LITE_DIFFUSION,
    TrainConfig,
    draw_step,
    draw_timesteps,
    ema_decay,
    ema_update,
    learning_rate_at,
    new_run,
    train,
)
from sdm_lite.train.processes import Processes
from sdm_lite.train.resume import resume_run, save_run
from sdm_lite.unet import SDMUNet


def test_one_batch_is_learned():
    config = replace(CONFIG, num_steps=200, learning_rate=4e-3, null_probability=0.0, flip_probability=0.0)
    data = batches(config, num_images=4)
    run = fresh(config)
    loop = train(run.unet, run.ema, DIFFUSION, data, config)
    losses = [step.simple for step in loop]
    # Random pixels cannot be guessed: only what was learned by heart, image for label map, takes the error below their
    # variance.
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])


@settings(max_examples=4, phases=[Phase.generate])  # a run that differs is found soon, and shrinking it takes long
@given(stops=st.sets(st.integers(0, CONFIG.num_steps)), batch_size=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_a_run_that_was_stopped_anywhere_is_the_run_that_was_not(stops, batch_size, seed):
    config = replace(CONFIG, batch_size=batch_size, seed=seed)
    whole, losses = advance(fresh(config), config, config.num_steps)
    run, seen = fresh(config), []
    with TemporaryDirectory() as folder:
        for stop in sorted(stops):
            if stop > run.step:
                run, part = advance(run, config, stop - run.step)
                seen += part
            save_run(run, in_folder(folder, config))
            torch.manual_seed(99)  # neither what the global stream holds nor the weights of the new network may matter
            run = resume_run(new_run(SDMUNet(NETWORK), config), in_folder(folder, config))
            assert run.step == stop
    if run.step < config.num_steps:
        run, part = advance(run, config, config.num_steps - run.step)
        seen += part
    assert seen == losses
    for part in ("unet", "ema"):
        for ours, theirs in zip(getattr(whole, part).parameters(), getattr(run, part).parameters(), strict=True):
            assert torch.equal(ours, theirs)


def test_the_network_sees_noisy_images_times_and_labels_some_of_them_dropped():
    config = replace(CONFIG, null_probability=0.5)
    run, data, seen = fresh(config), batches(config), []
    run.unet.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    list(train(run.unet, run.ema, DIFFUSION, data, config))
    kept = []
    for step, (x_t, t, condition) in enumerate(seen):  # Algorithm 1, lines 2 to 5
        x0, labels = encode(data(step))
        draws = draw_step(step, tuple(x0.shape), DIFFUSION.num_timesteps, config)
        assert torch.equal(x_t, DIFFUSION.q_sample(x0, draws.t, draws.noise)) and torch.equal(t, draws.t)
        assert torch.equal(condition, labels * draws.keep)
        kept += draws.keep.flatten().tolist()
    assert len(seen) == config.num_steps and set(kept) == {0.0, 1.0}


def test_timesteps_cover_1_to_T_evenly():
    drawn = torch.cat([draw_timesteps(8, 1000, step_generator(0, step, 4)) for step in range(2000)])
    assert drawn.min() == 1 and drawn.max() == 1000
    counts = torch.bincount((drawn - 1) // 100, minlength=10).float()
    assert (counts / len(drawn) - 0.1).abs().max() < 0.01
    strata = draw_timesteps(8, 1000, step_generator(0, 0, 4)).sort().values
    assert torch.equal((strata - 1) // 125, torch.arange(8))


@pytest.mark.parametrize("num_timesteps", [100, 2000])
def test_timesteps_are_drawn_from_the_process_that_is_trained(num_timesteps):
    diffusion, seen = replace(LITE_DIFFUSION, num_timesteps=num_timesteps).build(), []
    run, config = fresh(), replace(CONFIG, num_steps=60)
    run.unet.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1]))
    steps = list(train(run.unet, run.ema, diffusion, batches(config), config))
    drawn = torch.cat(seen).double() / num_timesteps
    assert 0 < drawn.min() < 0.05 and 0.95 < drawn.max() <= 1  # of 240
    assert (torch.histc(drawn, 4, 0, 1) / len(drawn) - 0.25).abs().max() < 0.01
    # One example from each quarter of 1..T, and each quarter's loss told.
    assert not any(math.isnan(value) for step in steps for value in step.simple_by_quartile)


def test_learning_rate_warms_up_and_falls():
    config = TrainConfig(num_steps=1000, warmup_steps=100, learning_rate=1.0)
    rates = [learning_rate_at(step, config) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == pytest.approx(1, abs=0.03) and rates[-1] < 1e-4
    constant = replace(config, final_learning_rate_fraction=1.0, warmup_steps=0)
    assert learning_rate_at(999, constant) == 1.0


def test_the_average_warms_up():
    assert ema_decay(0, 0.999) == 0.1 and ema_decay(10**6, 0.999) == 0.999


def test_ema_is_the_weighted_sum_it_says():
    unet, ema = randomised(TINY, 0), randomised(TINY, 1)
    before = deepcopy(ema)
    ema_update(ema, unet, step=8, rate=0.999)  # (1 + 8) / (10 + 8) = 0.5
    for new, old, target in zip(ema.parameters(), before.parameters(), unet.parameters(), strict=True):
        torch.testing.assert_close(new, 0.5 * old + 0.5 * target)


def poisoned(at):
    """Batches whose pictures are fine, and a network that answers nan at some steps."""
    run = fresh()
    calls = iter(range(1000))

    def spoil(module, inputs, output):
        return output * math.nan if next(calls) in at else output

    run.unet.output.register_forward_hook(spoil)
    return run


def steps_of(run, **options):
    return train(run.unet, run.ema, DIFFUSION, batches(), CONFIG, optimizer=run.optimizer, **options)


def test_a_step_that_is_not_finite_changes_nothing_and_the_run_goes_on():
    run = poisoned({1, 2})
    before = None
    for step in steps_of(run):
        assert step.skipped == (step.step in (2, 3)) == (not math.isfinite(step.loss))
        state = deepcopy([run.unet.state_dict(), run.ema.state_dict(), run.optimizer.state_dict()["state"][0]])
        if step.skipped:
            assert all(torch.equal(a[name], b[name]) for a, b in zip(before, state, strict=True) for name in a)
        before = state
    assert all(bool(torch.isfinite(value).all()) for value in run.unet.state_dict().values())


@pytest.mark.parametrize("good", [0, 2])
def test_too_many_of_them_in_a_row_stop_the_run_and_say_what_to_try(good):
    run = poisoned(set(range(good, 1000)))
    seen = []
    with pytest.raises(FloatingPointError, match=f"3 times in a row, up to step {good + 3}: try a learning_rate below"):
        seen.extend(steps_of(run, max_skipped_steps=3))
    assert [step.skipped for step in seen] == [False] * good + [True] * 3


def test_an_infinite_gradient_under_a_finite_loss_is_skipped_too():
    run = fresh()
    run.unet.input.weight.register_hook(lambda gradient: gradient * math.inf)
    step = next(steps_of(run))
    assert math.isfinite(step.loss) and not math.isfinite(step.gradient_norm) and step.skipped


def test_parts_of_a_batch_add_up_to_the_batch():
    whole, parts = list(steps_of(fresh())), list(steps_of(fresh(), processes=Processes(num_parts=2)))
    for one, other in zip(whole, parts, strict=True):
        for name in ("loss", "simple", "vlb", "gradient_norm"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-4)
        assert one.simple_by_quartile == pytest.approx(other.simple_by_quartile, rel=1e-4)


def test_quartiles_split_the_simple_loss_by_timestep():
    step = next(steps_of(fresh()))  # four examples, one from each quarter of 1..T
    assert sum(step.simple_by_quartile) / 4 == pytest.approx(step.simple, rel=1e-5)


def test_a_step_draws_labels_times_and_noise_from_seed_and_step_alone():
    config = replace(CONFIG, null_probability=0.5)
    shape = (64, 3, 4, 4)
    first, again, other = (draw_step(step, shape, 1000, config) for step in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert set(first.keep.unique().tolist()) == {0.0, 1.0}


def test_which_labels_are_dropped_says_nothing_of_times_and_noise():
    config = replace(CONFIG, null_probability=0.5)
    draws = [draw_step(step, (1, 3, 2, 2), 1000, config) for step in range(400)]
    kept = torch.cat([draw.keep for draw in draws]).flatten() == 1
    t, noise = (torch.cat(column) for column in list(zip(*draws, strict=True))[1:])
    for values in (t.float(), noise[:, 0, 0, 0]):
        difference = values[kept].mean() - values[~kept].mean()
        assert difference.abs() < 4 * values.std() * (1 / kept.sum() + 1 / (~kept).sum()) ** 0.5
    generator = step_generator(config.seed, 3, 4)  # nor do they change with what is dropped
    assert torch.equal(draws[3].t, draw_timesteps(1, 1000, generator))
    assert torch.equal(draws[3].noise, torch.randn((1, 3, 2, 2), generator=generator))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"null_probability": 1.5}, "null_probability"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"adam_beta2": 1.0}, "adam_beta2"),
        ({"learning_rate": math.nan}, "learning_rate"),
    ],
)
def test_a_wrong_configuration_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)
