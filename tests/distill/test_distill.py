"""The student starts as its teacher, learns jumps, reads the scale, goes on exactly, and draws as any model does."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from networks import LEAST, randomised

from sdm_lite.checkpoints import Model, load_model, load_tensors, save_model
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.distill import __main__ as command
from sdm_lite.distill.training import CONFIG, jumps, losses_by_jump, train
from sdm_lite.distill.trajectories import draw, scale_of
from sdm_lite.evaluate import SampleSettings, draw_samples
from sdm_lite.guidance import denoiser
from sdm_lite.sampling import last, sample_ddim
from sdm_lite.scenes import Scenes
from sdm_lite.student import Student, aim_of, landings, student_denoiser
from sdm_lite.train import new_run

PROCESS = DiffusionConfig("cosine", 1000, "v")


@pytest.fixture(scope="module")
def teacher():
    return Model(randomised(LEAST), PROCESS.build())


@pytest.fixture(scope="module")
def trajectories(teacher):
    return draw(teacher, 0, 0)


def student_of(teacher):
    torch.manual_seed(0)
    student = Student(teacher.unet.config)
    student.load_state_dict(teacher.unet.state_dict(), strict=False)
    return student


def maps(number=2):
    scenes = Scenes(16, length=number, seed=3)
    return [torch.stack(part) for part in zip(*(scenes.layout(i) for i in range(number)), strict=True)]


def test_trajectories_are_the_guided_teacher_s(teacher, trajectories):
    assert jumps(teacher.diffusion) == [(0, 1), (1, 2), (2, 3), (3, 4), (0, 2), (2, 4), (0, 4)]
    assert landings(teacher.diffusion, 4) == [1000, 920, 720, 360] and landings(teacher.diffusion, 2) == [1000, 720]
    condition = teacher.unet.condition(trajectories.label_map.long(), trajectories.instance_map.long())
    scale, x = trajectories.scale[0].item(), trajectories.x.float()
    guided = denoiser(teacher.unet, teacher.diffusion, condition, scale, guidance_interval=(1, 800))
    steps = {step.t: step.x_t for step in sample_ddim(guided, teacher.diffusion, x[:, 0], 25)}
    for place, t in enumerate((920, 720, 360, 0), start=1):
        torch.testing.assert_close(x[:, place], steps[t], atol=0.02, rtol=0)  # they start from rounded noise
    scales = sorted(scale_of(number, seed=0) for number in range(100))
    assert scales[0] >= 1 and scales[-1] <= 3 and 3**0.5 == pytest.approx(scales[50], rel=0.02), "even in log s"


@pytest.mark.parametrize("num_steps", [4, 2, 1])
def test_an_untrained_student_walks_as_the_unguided_teacher_on_its_landings(teacher, num_steps):
    student, condition = student_of(teacher), teacher.unet.condition(*maps())
    x_T = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    drawn = []
    for draw_with in (
        student_denoiser(student, teacher.diffusion, condition, 2.0, num_steps=num_steps),
        denoiser(teacher.unet, teacher.diffusion, condition, clip=False),
    ):
        starts = landings(teacher.diffusion, num_steps)
        drawn.append(last(sample_ddim(draw_with, teacher.diffusion, x_T, num_steps, timesteps=starts)))
    torch.testing.assert_close(drawn[0], drawn[1].clamp(-1, 1), atol=1e-4, rtol=0)


def finished(steps):
    """The run after the last of some steps."""
    *_, (run, _) = steps
    return run


def test_turns_and_aims_are_those_of_the_angles(teacher):
    t, r = torch.tensor([920, 720]), torch.tensor([720, 0])
    phi_t, phi_r = (torch.atan2(*reversed(teacher.diffusion.signal_and_noise(one))).flatten() for one in (t, r))
    aim, log = aim_of(teacher.diffusion, t, r, torch.tensor([1.0, 3.0])), torch.tensor([0.0, 3.0]).clamp(min=1).log()
    angles = [(phi_t - phi_r).cos(), (phi_t - phi_r).sin(), phi_r.cos(), phi_r.sin()]
    torch.testing.assert_close(aim, torch.stack([log, log**2, *angles], dim=1), atol=1e-5, rtol=0)


def test_it_learns_where_the_teacher_ends(teacher, trajectories):
    config = replace(CONFIG, num_steps=100, batch_size=8, learning_rate=3e-3, warmup_steps=5)
    run, diffusion, x = new_run(student_of(teacher), config), teacher.diffusion, trajectories.x.float()
    condition = teacher.unet.condition(trajectories.label_map.long(), trajectories.instance_map.long())

    def error(student, num_steps):
        draw_with = student_denoiser(student, diffusion, condition, trajectories.scale[0].item(), num_steps=num_steps)
        starts = landings(diffusion, num_steps)
        return (
            (last(sample_ddim(draw_with, diffusion, x[:, 0], num_steps, timesteps=starts)) - x[:, -1]).square().mean()
        )

    before, by_jump = error(run.unet, 1), losses_by_jump(run.unet, diffusion, trajectories)
    student = finished(train(run, diffusion, trajectories, config)).unet
    after = losses_by_jump(student, diffusion, trajectories)
    assert error(student, 1) < 0.8 * before and after["1000-0"] < 0.8 * by_jump["1000-0"]


def test_a_run_that_was_stopped_goes_on_exactly(teacher, trajectories):
    config = replace(CONFIG, num_steps=8, batch_size=2)
    whole, stopped = (new_run(student_of(teacher), config) for _ in range(2))
    whole = finished(train(whole, teacher.diffusion, trajectories, config))
    stopped = finished(islice(train(stopped, teacher.diffusion, trajectories, config), 3))
    assert (whole.step, stopped.step) == (8, 3)
    stopped = finished(train(stopped, teacher.diffusion, trajectories, config))
    for one, other in zip(whole.ema.parameters(), stopped.ema.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_scale_and_the_landing_reach_the_output_once_it_is_trained(teacher, trajectories):
    config = replace(CONFIG, num_steps=5, batch_size=4)
    run = finished(train(new_run(student_of(teacher), config), teacher.diffusion, trajectories, config))
    condition = teacher.unet.condition(*maps())
    x_T, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.full((2,), 1000)

    def at(scale, num_steps):
        return student_denoiser(run.unet, teacher.diffusion, condition, scale, num_steps=num_steps)(x_T, t).x0

    assert not torch.allclose(at(1.0, 4), at(3.0, 4), atol=1e-4), "the scale is not read"
    assert not torch.allclose(at(1.0, 4), at(1.0, 1), atol=1e-4), "where it leads is not read"


def test_the_command_collects_trains_goes_on_and_writes_a_student_that_draws(teacher, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    weights, output = tmp_path / "teacher.safetensors", tmp_path / "run"
    save_model(weights, teacher.unet, PROCESS)
    words = [str(weights), "--output", str(output), "--num-trajectories", "32", "--num-steps", "3", "--batch-size", "2"]
    assert command.main([*words, "--collect-only"]) == 0 and not (output / "state.pt").exists()
    files = {path: path.stat().st_mtime_ns for path in (output / "trajectories").glob("*.safetensors")}
    assert command.main(words) == 0 and len(files) == 2
    assert {path: path.stat().st_mtime_ns for path in (output / "trajectories").glob("*.safetensors")} == files
    first = {name: tensor.clone() for name, tensor in load_tensors(output / "student.safetensors")[0].items()}
    assert command.main([*words, "--save", str(tmp_path / "shipped.safetensors")]) == 0, "a finished run writes again"
    page = (tmp_path / "shipped.md").read_text()
    assert "16 trajectories" in page and "3 steps of 2 jumps" in page and page.count("\n| 1000-") == 3
    again = load_tensors(output / "student.safetensors")[0]
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())
    student = load_model(tmp_path / "shipped.safetensors")
    samples = draw_samples(student, *maps(), [1, 2], SampleSettings(1.5, 2))
    assert samples.shape == (2, 3, 16, 16) and samples.isfinite().all() and samples.abs().max() <= 1
    capsys.readouterr()
    assert command.main([*words[:-2], "--batch-size", "3"]) == 2
    assert "was begun with batch_size 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("num_steps", "scale", "words"), [(3, 1.5, "one of"), (4, 0.5, r"1\.\.3"), (4, 3.5, r"1\.\.3")]
)
def test_what_it_was_not_distilled_for_is_told(teacher, num_steps, scale, words):
    with pytest.raises(ValueError, match=words):
        student_denoiser(
            student_of(teacher), teacher.diffusion, teacher.unet.condition(*maps()), scale, num_steps=num_steps
        )


def test_a_student_goes_on_from_an_earlier_one_and_its_card_says_so(teacher, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    weights, other = tmp_path / "teacher.safetensors", tmp_path / "other.safetensors"
    save_model(weights, teacher.unet, PROCESS)
    words = ["--num-trajectories", "32", "--batch-size", "2", "--num-steps"]
    assert command.main([str(weights), "--output", str(tmp_path / "a"), *words, "3", "--learning-rate", "1"]) == 0
    earlier = tmp_path / "a" / "student.safetensors"
    longer = [str(weights), "--output", str(tmp_path / "b"), *words, "1", "--learning-rate", "1e-12"]
    assert command.main([*longer, "--start", str(earlier)]) == 0
    found = (load_tensors(tmp_path / name / "student.safetensors")[0] for name in "ab")
    for one, after in zip(*(tensors.values() for tensors in found), strict=True):
        torch.testing.assert_close(one, after, atol=1e-3, rtol=0)
    assert "began as an earlier student" in (tmp_path / "b" / "student.md").read_text()
    capsys.readouterr()
    assert command.main(longer) == 2 and "was begun with" in capsys.readouterr().err, "the teacher is another start"
    wider = student_of(Model(randomised(replace(LEAST, base_channels=24)), None))
    save_model(other, wider, PROCESS, facts=dict.fromkeys(command.EARLIER, 1))
    for start, said in ((weights, "must be a student"), (other, "of another network")):
        assert command.main([*longer[:1], "--output", str(tmp_path / "c"), *words, "1", "--start", str(start)]) == 2
        assert said in capsys.readouterr().err and not (tmp_path / "c" / "trajectories").exists()
