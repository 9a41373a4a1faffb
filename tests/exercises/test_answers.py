"""Answers, as they stand in notebooks/answers, pass their checks, are short, and are of the package's own equations."""

import ast
import importlib
import runpy

import numpy as np
import pytest
import torch
from networks import TINY, randomised
from torch.utils.flop_counter import FlopCounterMode

from sdm_lite.diffusion import GaussianDiffusion, linear_betas
from sdm_lite.exercises import find_the_bug, forward_diffusion, samplers, unet
from sdm_lite.guidance import denoiser
from sdm_lite.reproduce import NOTEBOOKS
from sdm_lite.reproduce.editions import ANSWERS, read_answers

PATHS = sorted(ANSWERS.glob("*.py"))
MAX_LINES = 12


def lesson_of(path):
    return importlib.import_module(f"sdm_lite.exercises.{path.stem[3:]}").LESSON


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_answers_pass_their_checks(path, capsys):
    assert (NOTEBOOKS / f"{path.stem}.ipynb").exists()
    lesson, found = lesson_of(path), read_answers(path)
    names = runpy.run_path(str(path))
    assert list(found) == list(range(1, len(lesson.exercises) + 1))
    for number, source in found.items():
        code = [line for line in source.splitlines() if line.strip() and not line.startswith("#")]
        assert len(code) <= MAX_LINES, f"exercise {number} takes {len(code)} lines"
        assert "#" in source, f"exercise {number}: say why"
        last = ast.parse(source).body[-1]
        name = last.name if isinstance(last, ast.FunctionDef) else last.targets[0].id
        lesson.check(number, names[name], strict=True)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(found) and all(line.startswith("Right.") for line in said)


def test_the_posterior_mean_is_the_packages():
    process, (t, r) = forward_diffusion.PROCESS, (forward_diffusion.T, forward_diffusion.R)
    wanted = process.posterior(forward_diffusion.X_0, forward_diffusion.X_T, t, r).mean
    levels = forward_diffusion.ABAR_T, forward_diffusion.ABAR_R
    got = forward_diffusion.posterior_mean(forward_diffusion.X_0, forward_diffusion.X_T, *levels)
    assert torch.allclose(got, wanted, atol=1e-4)


def test_the_variance_between_the_bounds_is_bayes_rule():
    """The bounds at both ends; and between them what a straight line leaves over, drawn."""
    process, t, s = GaussianDiffusion(linear_betas()), torch.tensor([500]), torch.tensor([400])
    ends = process.alpha_bar(s).item(), process.alpha_bar(t).item()
    lower, upper = (bound.exp().item() for bound in process.log_variance_bounds(t, s))
    ours = [forward_diffusion.variance_between(d, *ends) for d in (0.0, 1.0, 0.3)]
    draw = torch.randn(3, 400_000, generator=torch.Generator().manual_seed(0))
    x_s = (0.3 * ends[0]) ** 0.5 * draw[0] + (1 - ends[0]) ** 0.5 * draw[1]
    x_t = (ends[1] / ends[0]) ** 0.5 * x_s + (1 - ends[1] / ends[0]) ** 0.5 * draw[2]
    left = (1 - torch.corrcoef(torch.stack([x_s, x_t]))[0, 1] ** 2) * x_s.var()
    assert ours == pytest.approx([lower, upper, left.item()], rel=1e-2)


def test_the_level_of_a_large_picture_is_what_averaging_shows():
    level = forward_diffusion.LARGE_PICTURES.right(0.3, 4)
    noise = torch.randn(1, 1, 512, 512, generator=torch.Generator().manual_seed(0)) * (1 - level) ** 0.5
    seen = level / torch.nn.functional.avg_pool2d(noise, 4).var()
    assert seen.item() == pytest.approx(0.3 / 0.7, rel=0.03)


def test_the_bill_is_what_the_denoiser_pays():
    """Operations counted on a network whose attention does not matter, for 2 steps of 3 samples of one map."""
    network = randomised(TINY)
    diffusion, condition = GaussianDiffusion(linear_betas()), torch.ones(1, network.config.condition_channels, 16, 16)
    x, t = torch.zeros(3, 3, 16, 16), torch.full((3,), 500)

    def counted(work):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            made = work()
        return counter.get_total_flops(), made

    modulate, modulation = counted(lambda: network.modulate(condition))
    encode, features = counted(lambda: network.encode(x[:1], t[:1]))
    decode, _ = counted(lambda: network.decode(features, modulation))

    def trajectory():
        draw = denoiser(network, diffusion, condition, 1.5)
        for _ in range(2):
            draw(x, t)

    assert counted(trajectory)[0] == pytest.approx(unet.bill(encode, modulate, decode, 2, 3), rel=0.05)


def test_line_5_is_the_packages_step_and_the_reading_is_line_5():
    process, z = samplers.PROCESS, torch.zeros(())
    for y, eps, beta, alpha_bar, variance, _ in samplers._line_5_cases():
        t = int((process.alpha_bar(torch.arange(1001)).flatten() - alpha_bar).abs().argmin())
        now = torch.tensor([t])
        wanted = process.posterior(process.x0_from_eps(eps, y, now), y, now, now - 1).mean
        mended = samplers.line_5(y, eps, beta, alpha_bar, variance, z)
        assert torch.allclose(mended, wanted, atol=1e-3)
        front, of_eps = 1 / np.sqrt(1 - beta), beta / np.sqrt(1 - alpha_bar)  # B and C of the lesson's table
        assert torch.allclose(mended, front * (y - of_eps * eps), atol=1e-5)
    assert find_the_bug.PLACES == "BCBB"


def test_the_gradient_of_eq_15_is_that_of_a_mixture():
    """Two normal classes: v(c) - v(null), by Tweedie, against the gradient of log p(c | x_t) by differentiation."""
    alpha_bar = torch.tensor(0.3)
    x = torch.linspace(-2, 2, 9).double().requires_grad_()
    means = torch.tensor([-1.0, 1.0]).double() * alpha_bar.sqrt()
    logs = -((x[:, None] - means) ** 2) / (2 * (1 - alpha_bar))
    shares = logs.softmax(1)
    (gradient,) = torch.autograd.grad(shares[:, 1].log().sum(), x)
    eps = (x[:, None] - means) / (1 - alpha_bar).sqrt()
    v = alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * (x[:, None] - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()
    difference = (v[:, 1] - (shares * v).sum(1)).detach()
    assert torch.allclose(find_the_bug.EQ_15.right(difference, alpha_bar), gradient, atol=1e-6)
