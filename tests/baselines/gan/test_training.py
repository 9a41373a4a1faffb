"""The loop: the same after a stop, unmoved by what is no number, and read by nobody but who asks."""

import json
import math

import pytest
import torch
from tiny_gan import CONFIG, FORM, TINY, batches, layouts, players, same, state_of, tensors_of

from sdm_lite import checkpoints
from sdm_lite.baselines.gan import SYSTEMS, training
from sdm_lite.baselines.gan.follower import Follower, collapses, window_means
from sdm_lite.baselines.gan.painting import shipped_gans
from sdm_lite.baselines.gan.perceptual import FeatureNetwork
from sdm_lite.baselines.gan.runs import Gan, Identity, Progress, folded, load_gan, resume, save_checkpoint, save_gan
from sdm_lite.baselines.gan.system import draw_batch_noise, layout_of_batch
from sdm_lite.baselines.gan.training import STATISTICS_STREAM, GanConfig, GanStep, settled, train
from sdm_lite.batches import step_generator
from sdm_lite.train.log import Log
from sdm_lite.train.resume import list_checkpoints

IDENTITY = Identity("tiny", FORM, CONFIG, False, "data")


def advance(who, num_steps, start=0, system=TINY):
    return [step.read() for step in train(system, who, batches(), CONFIG, num_steps=num_steps, start=start)]


class FromStep:
    """A term of the generator that is no number in some of its calls, and 0 in the others."""

    name, reads_real_scores = "broken", False

    def __init__(self, *bad):
        self.bad, self.calls = bad, 0

    def __call__(self, step):
        self.calls += 1
        return step.drawing.image.mean() * (math.nan if self.calls in self.bad else 0.0)


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(tmp_path):
    whole, first, second = players(), players(), players()
    figures = advance(whole, 5)
    save_checkpoint(tmp_path, first, IDENTITY, Progress(advance(first, 3) and 3, 1.5, 1), keep=2)
    torch.manual_seed(99)  # whatever was drawn in between
    progress = resume(tmp_path, second, IDENTITY, print)
    assert progress == (3, 1.5, 1) and same(state_of(first), state_of(second))
    assert advance(second, 5, start=progress.step) == figures[3:]
    assert same(state_of(whole), state_of(second))
    assert same(settled(whole, batches(), CONFIG, 2).state_dict(), settled(second, batches(), CONFIG, 2).state_dict())


def test_every_weight_learns_and_the_average_follows():
    who = players()
    before = {name: [p.clone() for p in network.parameters()] for name, network in who.networks().items()}
    advance(who, 2)
    for name, network in who.networks().items():
        parts = zip(before[name], network.named_parameters(), strict=True)
        still = [part for old, (part, new) in parts if torch.equal(old, new)]
        # While scores lie in (-1, 1) the hinge loss moves the last bias up for a real picture and down for a drawn one:
        # in sum by nothing, or by what is left of rounding, which depends on the number of threads.
        assert set(still) <= {"scales.0.last.bias", "scales.1.last.bias"}, (name, still)
    # Statistics of weights that move are of none of them, and one number that is none would stay in them.
    assert all(not who.generator.get_buffer(f"{name}.running_mean").any() for name in norms_of(who.generator))


def norms_of(generator):
    return [name for name, module in generator.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]


def test_in_training_noise_is_that_of_the_encoder_and_at_test_that_of_the_seed():
    who, seen = players(), []
    torch.nn.init.zeros_(who.encoder.out.weight)
    who.encoder.out.bias.data = torch.tensor([50.0] * 3 + [-20.0] * 3)
    for generator in (who.generator, who.ema):
        generator.stem.register_forward_hook(lambda _, given, out: seen.append(given[0]))
    next(train(TINY, who, batches(), CONFIG, num_steps=1))
    assert len(seen) == 2 and all((noise - 50).abs().max() < 1 for noise in seen)
    assert not torch.equal(*seen)  # fresh noise for the discriminator's step
    settled(who, batches(), CONFIG, 1)
    assert seen[2].abs().max() < 10 and len(seen) == 3


def test_a_step_without_numbers_changes_nothing_of_its_player():
    system = TINY._replace(generator_losses=(FromStep(2),))
    who = players(system)
    steps = train(system, who, batches(), CONFIG, num_steps=3)
    assert next(steps).read()["skipped"] == 0
    ours = [*who.generator.parameters(), *who.encoder.parameters()]
    before, moments = [p.clone() for p in ours], tensors_of(who.generator_optimizer.state_dict())
    step = next(steps).read()
    assert step["skipped"] == step["skipped_in_a_row"] == 1 and math.isnan(step["broken"])
    assert all(map(torch.equal, before, ours)) and same(moments, who.generator_optimizer.state_dict())
    last = next(steps).read()
    assert last["skipped"] == last["skipped_in_a_row"] == 0
    assert all(math.isfinite(value) for value in last.values())
    assert not any(map(torch.equal, before, ours))
    assert all(torch.isfinite(tensor).all() for tensor in settled(who, batches(), CONFIG, 2).state_dict().values())


def follower_of(folder, **options):
    settings = {"log_steps": 1, "num_steps": 1000, "start": 0, "batch_size": 4, "chance": 2.0}
    return Follower(Log(folder, 0), device=torch.device("cpu"), **(settings | options))


def test_steps_without_numbers_are_counted_told_and_at_last_stopped(tmp_path):
    system = TINY._replace(generator_losses=(FromStep(2, 3, 4, 5),))
    who, follower = players(system), follower_of(tmp_path, log_steps=2, max_skipped_steps=3)
    with pytest.raises(FloatingPointError, match="no number 4 times in a row, up to step 6.*--rate-factor"):
        for step in train(system, who, batches(), CONFIG, num_steps=6):
            follower.add(step, 0.0)
    follower.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["num_skipped"] for line in lines] == [1, 3, 4]
    assert lines[0]["generator"] is not None and lines[1]["generator"] is None


def test_what_is_no_number_never_reaches_a_file(tmp_path):
    who = players()
    first = save_checkpoint(tmp_path, who, IDENTITY, Progress(1), keep=1)
    for broken in (who.discriminator.scales[0].last.weight, next(iter(who.ema.parameters()))):
        kept = broken.detach().clone()
        broken.data[0] = math.nan
        assert save_checkpoint(tmp_path, who, IDENTITY, Progress(2), keep=1) is None
        assert list_checkpoints(tmp_path) == [first]
        broken.data.copy_(kept)
    next(iter(who.ema.parameters())).data[0] = math.inf
    with pytest.raises(FloatingPointError):
        save_gan(tmp_path / "model.safetensors", TINY, FORM, settled(who, batches(), CONFIG, 1))
    assert not (tmp_path / "model.safetensors").exists()


def test_a_checkpoint_of_another_run_is_refused_and_a_damaged_one_passed_over(tmp_path):
    who, told = players(), []
    good = save_checkpoint(tmp_path, who, IDENTITY, Progress(1), keep=2)
    with pytest.raises(ValueError, match="seed was 0, now 1"):
        resume(tmp_path, players(), IDENTITY._replace(config=GanConfig(batch_size=4, warmup_steps=2, seed=1)), print)
    with pytest.raises(ValueError, match="perceptual was False, now True"):
        resume(tmp_path, players(), IDENTITY._replace(perceptual=True), print)
    bad = save_checkpoint(tmp_path, who, IDENTITY, Progress(2), keep=2)
    content = bytearray(bad.read_bytes())
    content[len(content) // 2] ^= 255
    bad.write_bytes(content)
    assert resume(tmp_path, players(), IDENTITY, told.append).step == 1 and len(told) == 1
    good.write_bytes(b"no")
    with pytest.raises(ValueError, match="no checkpoint in .* is whole"):
        resume(tmp_path, players(), IDENTITY, told.append)


def test_a_settled_generator_draws_each_picture_alone_and_leaves_the_players_as_they_were():
    who = players()
    advance(who, 2)
    before = tensors_of(state_of(who))
    gan = Gan(TINY, FORM, settled(who, batches(), CONFIG, 3), {})
    assert same(before, state_of(who))
    layout = layouts(3)
    both = gan(layout, [4, 5, 6])
    alone = gan(layout._replace(**{name: value[1:2] for name, value in layout._asdict().items()}), [5])
    assert torch.allclose(both[1:2], alone, atol=1e-5)
    assert torch.equal(both, gan(layout, [4, 5, 6])) and not torch.allclose(both[0], gan(layout, [7, 5, 6])[0])


def test_statistics_are_those_of_the_batches_that_were_drawn():
    who = players()
    norm = settled(who, batches(), CONFIG, 2).decoder.blocks[0].norm_0.norm
    seen, generator = [], settled(who, batches(), CONFIG, 2).train()
    for module in generator.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.track_running_stats = False
    generator.decoder.blocks[0].norm_0.norm.register_forward_hook(
        lambda _, args, out: seen.append(args[0].mean((0, 2, 3)))
    )
    with torch.no_grad():
        for step in range(2):
            noise = draw_batch_noise(generator, 4, step_generator(CONFIG.seed, step, STATISTICS_STREAM))
            generator(layout_of_batch(batches()(step)), noise)
    assert torch.allclose(norm.running_mean, torch.stack(seen).mean(0), atol=1e-6) and norm.running_mean.abs().max() > 0


def test_a_file_remembers_system_form_and_picture(tmp_path):
    who = players()
    advance(who, 2)
    generator = settled(who, batches(), CONFIG, 2)
    layout = layouts(2)
    before = Gan(TINY, FORM, generator, {})(layout, [0, 1])
    save_gan(tmp_path / "m.safetensors", TINY, FORM, generator, facts={"steps": 2})
    loaded = load_gan(tmp_path / "m.safetensors", {"tiny": TINY})
    assert loaded.system is TINY and loaded.form == FORM and loaded.facts == {"steps": 2}
    assert torch.allclose(loaded(layout, [0, 1]), before, atol=1e-5)
    assert not any("original" in name for name in loaded.generator.state_dict())  # spectral norm is folded in
    with pytest.raises(ValueError, match="system 'tiny': expected one of spade"):
        load_gan(tmp_path / "m.safetensors", {"spade": TINY})
    assert torch.equal(
        folded(loaded.generator)(layout, (torch.zeros(2, 3),)), loaded.generator(layout, (torch.zeros(2, 3),))
    )


def test_weights_are_had_by_their_shipped_name_and_those_that_are_not_there_are_told(tmp_path, monkeypatch):
    save_gan(tmp_path / "gan-tiny-32.safetensors", TINY, FORM, settled(players(), batches(), CONFIG, 1))
    monkeypatch.setattr(checkpoints, "DATA_DIR", tmp_path)
    assert load_gan("gan-tiny-32", {"tiny": TINY}).system is TINY
    with pytest.raises(FileNotFoundError, match="no weights called 'gan-spade-32'.*gan-tiny-32"):
        load_gan("gan-spade-32", {"tiny": TINY})
    assert shipped_gans() == {}


@pytest.mark.parametrize(
    "line, told",
    [
        ({"step": 600, "discriminator": 0.03, "contrast": 0.5, "generator": 3.0}, ["discriminator wins"]),
        ({"step": 600, "discriminator": 1.5, "contrast": 0.01, "generator": 0.1}, ["pictures are all one"]),
        ({"step": 600, "discriminator": 1.5, "contrast": 0.5, "generator": 0.1}, []),
        ({"step": 100, "discriminator": 0.0, "contrast": 0.0, "generator": 0.1}, []),
    ],
)
def test_a_collapse_is_told(line, told):
    found = collapses(line, chance=2.0)
    assert list(found) == told
    assert all("step 600" in sentence and "try" in sentence and "loss is" in sentence for sentence in found.values())


def test_a_collapse_is_told_once_and_kept_in_the_log(tmp_path, capsys):
    names = ("discriminator", "generator", "contrast", "skipped", "skipped_in_a_row")
    follower = follower_of(tmp_path)
    for step in (600, 601):
        follower.add(GanStep(step, names, torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])), 0.0)
    follower.close()
    assert capsys.readouterr().err.count("one picture for all layouts") == 1
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line.get("collapse") for line in lines] == [None, "pictures are all one", None]


def test_means_leave_out_what_was_skipped():
    names = ("loss", "skipped", "skipped_in_a_row")
    assert window_means(names, [[1.0, 0.0, 0.0], [math.nan, 1.0, 1.0], [3.0, 0.0, 0.0]]) == {"loss": 2.0}
    assert math.isnan(window_means(names, [[math.nan, 1.0, 1.0]])["loss"])


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_step_reads_no_number_and_stays_on_its_device(name, monkeypatch):
    """On the device without numbers: reading one, or mixing devices, is an error there as it would be slow on a GPU."""
    system, adam = SYSTEMS[name], torch.optim.Adam
    with monkeypatch.context() as patched:  # the fused form knows no such device
        patched.setattr(torch.optim, "Adam", lambda weights, lr, betas, fused: adam(weights, lr, betas))
        who = players(system, device="meta")
    monkeypatch.setattr(training, "_update", lambda optimizer, rate, bad: bad)
    features = FeatureNetwork().requires_grad_(False).to("meta") if system.perceptual_weights else None
    steps = list(train(system, who, batches(), CONFIG, num_steps=1, features=features))
    assert steps[0].figures.device.type == "meta" and len(steps[0].names) == len(steps[0].figures)
    assert all(weight.grad is not None for weight in who.generator.parameters())
    assert all(weight.grad is not None for weight in who.discriminator.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_step_waits_for_no_device():
    who = players(device="cuda")
    steps = train(TINY, who, batches(), CONFIG, num_steps=4)
    next(steps)
    torch.cuda.set_sync_debug_mode("error")
    try:
        figures = [next(steps).figures for _ in range(2)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(torch.stack(figures)).all()
