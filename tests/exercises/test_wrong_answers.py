"""What readers get wrong, written as they would write it: the check rejects each and says what slipped."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sdm_lite.diffusion import mean_flat, normal_kl
from sdm_lite.exercises import exercise
from sdm_lite.metrics import mean_iou
from sdm_lite.sampling import times
from sdm_lite.train import draw_step, ema_update, hybrid_losses, learning_rate_at


def spade_without_one(spade, h, condition):
    gamma, beta = spade.gamma_beta(F.relu(spade.shared(condition))).chunk(2, dim=1)
    return gamma * F.group_norm(h, spade.num_groups) + beta


def spade_without_norm(spade, h, condition):
    gamma, beta = spade.gamma_beta(F.relu(spade.shared(condition))).chunk(2, dim=1)
    return (1 + gamma) * h + beta


def spade_without_relu(spade, h, condition):
    gamma, beta = spade.gamma_beta(spade.shared(condition)).chunk(2, dim=1)
    return (1 + gamma) * F.group_norm(h, spade.num_groups) + beta


def loss_without_stop_gradient(diffusion, prediction, x_0, x_t, t, noise):
    simple = mean_flat((noise - prediction.eps) ** 2)
    q, p = diffusion.posterior(x_0, x_t, t, t - 1), diffusion.reverse(prediction, x_t, t, t - 1)
    return simple + mean_flat(normal_kl(q, p)) / np.log(2)


def loss_as_printed(diffusion, prediction, x_0, x_t, t, noise):
    simple = mean_flat((noise - prediction.eps) ** 2)
    fixed = prediction._replace(x0=prediction.x0.detach())
    q, p = diffusion.posterior(x_0, x_t, t, t - 1), diffusion.reverse(fixed, x_t, t, t - 1)
    return simple + mean_flat(normal_kl(p, q)) / np.log(2)


def loss_with_lambda(diffusion, prediction, x_0, x_t, t, noise):
    simple = mean_flat((noise - prediction.eps) ** 2)
    fixed = prediction._replace(x0=prediction.x0.detach())
    q, p = diffusion.posterior(x_0, x_t, t, t - 1), diffusion.reverse(fixed, x_t, t, t - 1)
    return simple + 0.001 * mean_flat(normal_kl(q, p)) / np.log(2)


def step_that_forgets_keep(unet, diffusion, x_0, c, keep, t, noise):
    x_t = diffusion.q_sample(x_0, t, noise)
    return diffusion.losses(unet(x_t, t, c), x_0, x_t, t, noise).total.mean()


def step_on_clean_pictures(unet, diffusion, x_0, c, keep, t, noise):
    x_t = diffusion.q_sample(x_0, t, noise)
    return diffusion.losses(unet(x_0, t, c * keep), x_0, x_t, t, noise).total.mean()


def loop_without_average(unet, ema, optimizer, diffusion, batches, config):
    for step in range(config.num_steps):
        batch = batches(step)
        draws = draw_step(step, batch.images.shape, diffusion.num_timesteps, config)
        loss = hybrid_losses(unet, diffusion, batch, draws, config).total.mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), config.max_gradient_norm)
        optimizer.param_groups[0]["lr"] = learning_rate_at(step, config)
        optimizer.step()


def loop_that_adds_up_gradients(unet, ema, optimizer, diffusion, batches, config):
    for step in range(config.num_steps):
        batch = batches(step)
        draws = draw_step(step, batch.images.shape, diffusion.num_timesteps, config)
        hybrid_losses(unet, diffusion, batch, draws, config).total.mean().backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), config.max_gradient_norm)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, config)
        optimizer.step()
        ema_update(ema, unet, step, config.ema_rate)


def loop_at_the_peak(unet, ema, optimizer, diffusion, batches, config):
    for step in range(config.num_steps):
        batch = batches(step)
        draws = draw_step(step, batch.images.shape, diffusion.num_timesteps, config)
        optimizer.zero_grad()
        hybrid_losses(unet, diffusion, batch, draws, config).total.mean().backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), config.max_gradient_norm)
        optimizer.step()
        ema_update(ema, unet, step, config.ema_rate)


def sampler_with_the_variance(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, then in pairs:
        t, r = times(x, now, then)
        mean, log_variance = diffusion.reverse(denoise(x, t), x, t, r)
        x = mean + torch.exp(log_variance) * (fresh() if then else 0)
    return x


def sampler_that_never_stops(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, then in pairs:
        t, r = times(x, now, then)
        mean, log_variance = diffusion.reverse(denoise(x, t), x, t, r)
        x = mean + torch.exp(log_variance / 2) * fresh()
    return x


def sampler_by_single_steps(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, _ in pairs:
        (t,) = times(x, now)
        mean, log_variance = diffusion.reverse(denoise(x, t), x, t, t - 1)
        x = mean + torch.exp(log_variance / 2) * (fresh() if _ else 0)
    return x


def sampler_with_the_lower_bound(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, then in pairs:
        t, r = times(x, now, then)
        mean, log_variance = diffusion.posterior(denoise(x, t).x0, x, t, r)
        x = mean + torch.exp(log_variance / 2) * (fresh() if then else 0)
    return x


def fid_without_root(a, b):
    a, b = a.double(), b.double()
    s_a, s_b = a.T.cov(), b.T.cov()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + torch.trace(s_a + s_b - 2 * s_a @ s_b)


def fid_of_independent_features(a, b):
    a, b = a.double(), b.double()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + ((a.std(0) - b.std(0)) ** 2).sum()


def fid_without_square(a, b):
    a, b = a.double(), b.double()
    s_a, s_b = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvals(s_a @ s_b).real.clamp(min=0).sqrt().sum()
    return (a.mean(0) - b.mean(0)).norm() + torch.trace(s_a + s_b) - 2 * roots


def classes_in_place(ids):
    ids[ids == 7] = 0
    ids[ids == 11] = 1
    ids[ids == 23] = 2
    ids[ids == 0] = 3
    return ids


def projection(outside):
    """A projection with something else outside."""
    return lambda x_s, picture, region, noise, a: torch.where(region, x_s, outside(picture, noise, a))


def rival_that_reads_labels_first(unet, x_t, t, condition):
    condition = condition.expand(len(x_t), -1, -1, -1)
    return unet.decode(unet.encode(torch.cat([condition, x_t], dim=1), t), None)


def noise_written_over(noise, other, j):
    noise[0][:, j] = other[0][:, j]
    noise[1][:, j] = other[1][:, j]
    return noise


def judge_by_the_value(low, high, rule_low, rule_high):
    middle = (low + high) / 2
    above = rule_low is None or middle >= rule_low
    return "reproduced" if above and (rule_high is None or middle <= rule_high) else "contradicted"


def judge_without_ends(low, high, rule_low, rule_high):
    rule_low, rule_high = -np.inf if rule_low is None else rule_low, np.inf if rule_high is None else rule_high
    if rule_low < low and high < rule_high:
        return "reproduced"
    return "contradicted" if high < rule_low or low > rule_high else "inconclusive"


def mean_of(of_x0, of_xt):
    """A posterior mean by two weights, each of (alpha_bar_t, alpha_bar_r, beta)."""

    def mean(x_0, x_t, t, r):
        beta = 1 - t / r
        return of_x0(t, r, beta) * x_0 + of_xt(t, r, beta) * x_t

    return mean


def right_of_x0(t, r, beta):
    return r**0.5 * beta / (1 - t)


def right_of_xt(t, r, beta):
    return (1 - beta) ** 0.5 * (1 - r) / (1 - t)


def bound_turned_round(x_0, q_T, p_T, q_steps, p_steps, p_0):
    last = 0.5 * ((x_0 - p_0.mean) ** 2 / p_0.log_variance.exp() + p_0.log_variance + np.log(2 * np.pi))
    return (normal_kl(p_T, q_T) + sum(map(normal_kl, p_steps, q_steps)) + last) / np.log(2)


def bound_without_its_end(x_0, q_T, p_T, q_steps, p_steps, p_0):
    last = 0.5 * ((x_0 - p_0.mean) ** 2 / p_0.log_variance.exp() + p_0.log_variance + np.log(2 * np.pi))
    return (sum(map(normal_kl, q_steps, p_steps)) + last) / np.log(2)


def std_without_guidance(v, s, alpha_bars):
    std = 1.0
    for now, then in zip(alpha_bars[:-1], alpha_bars[1:], strict=True):
        eps = (1 - now) ** 0.5 / (now * v + 1 - now)
        std *= then**0.5 * (1 - (1 - now) ** 0.5 * eps) / now**0.5 + (1 - then) ** 0.5 * eps
    return std


def edges_on_one_side(instance_map):
    edges = torch.zeros_like(instance_map, dtype=torch.bool)
    edges[:, 1:] |= instance_map[:, 1:] != instance_map[:, :-1]
    edges[:, :, 1:] |= instance_map[:, :, 1:] != instance_map[:, :, :-1]
    return edges[:, None].float()


def edges_of_a_ring(instance_map):
    differs = [instance_map != instance_map.roll(by, axis) for by in (1, -1) for axis in (1, 2)]
    return torch.stack(differs).any(0)[:, None].float()


def ddim_without_division(x_0, x_t, alpha_bar_t, alpha_bar_r):
    return alpha_bar_r.sqrt() * x_0 + (1 - alpha_bar_r).sqrt() * (x_t - alpha_bar_t.sqrt() * x_0)


WRONG = {
    "from_one_number_to_a_bound": [
        (1, lambda v: (1 / v, (v * np.log(2)) ** 0.5), "half"),
        (1, lambda v: (1 / (2 * v), (2 * v) ** 0.5), "one nat"),
        (2, lambda a, A, b, B: ((a + b) / 2, A * B / (A + B)), "half-way"),
        (2, lambda a, A, b, B: ((a * B + b * A) / (A + B), A + B), "precisions"),
        (3, bound_turned_round, "stands first"),
        (3, bound_without_its_end, "end of the noise"),
        (4, lambda now, before: before / (1 - before) - now / (1 - now), "half"),
        (4, lambda now, before: 0.5 * now / (1 - now), "off by"),
    ],
    "guidance_in_the_plane": [
        (1, lambda c, null, alpha_bar, s: null + s * (c - null), "guided score"),
        (1, lambda c, null, alpha_bar, s: -((1 - alpha_bar) ** 0.5) * (c + s * (c - null)), "Eq. 16"),
        (2, lambda m, v, s: (m, v / s), "alone"),
        (2, lambda m, v, s: (m, 1 / (s / v - s + 1)), "mean moves"),
        (3, std_without_guidance, "without guidance"),
        (3, lambda v, s, alpha_bars: (1 / (s / v - s + 1)) ** 0.5, "tilted density"),
    ],
    "from_scratch": [
        (1, edges_on_one_side, "one side"),
        (1, edges_of_a_ring, "no ring"),
        (2, ddim_without_division, "divide by that"),
        (2, lambda x_0, x_t, now, then: then.sqrt() * x_0 + (1 - then).sqrt() * x_t, "not the noise"),
    ],
    "start_here": [
        (1, lambda m, K: F.one_hot(m, K).float(), "permute"),
        (1, lambda m, K: m[:, None] == torch.arange(K)[None, :, None, None], "True and False"),
        (1, lambda m, K: F.one_hot(m, K).float().movedim(3, 2), "expected shape"),
        (2, lambda renders: renders.median(0).values, "median"),
        (2, lambda renders: renders[3], "off by"),
        (2, lambda renders: renders.sum(0), "divided"),
    ],
    "forward_diffusion": [
        (1, lambda x, a, n: a * x + (1 - a) * n, "square roots are missing"),
        (1, lambda x, a, n: a.sqrt() * x - (1 - a).sqrt() * n, "wrong sign"),
        (1, lambda x, a, n: a.sqrt() * x + (1 - a) * n, "lacks its square root"),
        (1, lambda x, a, n: (1 - a).sqrt() * x + a.sqrt() * n, "each other's weight"),
        (2, mean_of(right_of_xt, right_of_x0), "each other's weight"),
        (2, mean_of(lambda t, r, b: t**0.5 * b / (1 - t), right_of_xt), "alpha_bar_t; it asks where"),
        (2, mean_of(right_of_x0, lambda t, r, b: (1 - b) * (1 - r) / (1 - t)), "square root of 1 - beta"),
        (2, mean_of(lambda t, r, b: r**0.5, lambda t, r, b: (1 - t / r) ** 0.5), "off by"),
        (3, lambda d, x, r, t, n: d.alpha_bar(t) ** 0.5 * x + (1 - d.alpha_bar(t)) ** 0.5 * n, "from x_0"),
        (
            3,
            lambda d, x, r, t, n: (d.alpha_bar(t) / d.alpha_bar(r)) ** 0.5 * x + (1 - d.alpha_bar(t)) ** 0.5 * n,
            "noise in it already",
        ),
        (4, lambda a, k: a / (a + k * (1 - a)), "not k"),
        (4, lambda a, k: a / k**2, "ratio"),
        (5, lambda d, r, t: (1 - r) / (1 - t) * (1 - t / r), "lower bound"),
        (5, lambda d, r, t: d * r + 1 - r, "taken away"),
    ],
    "unet": [
        (1, spade_without_one, "1 + is missing"),
        (1, spade_without_norm, "not normalised"),
        (1, spade_without_relu, "ReLU"),
        (2, lambda C, K, H, k: 9 * K * H + 2 * k**2 * H * C, "biases"),
        (2, lambda C, K, H, k: 9 * K * H + H + k * k * H * C + C, "*and* beta"),
        (3, 1, "border"),
        (3, 5, "corners"),
        (4, lambda e, m, d, steps, samples: steps * samples * 2 * (e + m + d), "off by"),
        (4, lambda e, m, d, steps, samples: steps * samples * (e + 2 * m + 2 * d), "label map alone"),
        (4, lambda e, m, d, steps, samples: m + steps * samples * (e + 2 * d), "null label goes"),
    ],
    "training": [
        (1, loss_without_stop_gradient, "stop-gradient is forgotten"),
        (1, loss_as_printed, "wrong way round"),
        (1, loss_with_lambda, "lambda T = 1"),
        (2, step_that_forgets_keep, "never dropped"),
        (2, step_on_clean_pictures, "clean picture"),
        (3, loop_without_average, "never move"),
        (3, loop_that_adds_up_gradients, "zero_grad"),
        (3, loop_at_the_peak, "peak learning rate"),
        (4, 0.001, "lambda T = 4"),
        (4, 1, "multiplies by T"),
        (5, lambda v, d: (v, v + d**2), "exchanged"),
        (5, lambda v, d: (v + d, v), "its square"),
        (6, (1 - 0.9999**500, 6932), "random start"),
        (6, (0.95, 5000), "multiply"),
    ],
    "null_label": [
        (1, 0.2**8, "all eight are dropped"),
        (1, 1 - 0.8**8, "at least one"),
        (2, lambda x, a: a**0.5 * x, "linear"),
        (2, lambda x, a: np.tanh(a * x / (1 - a)), "square root"),
        (3, 2, "one pass"),
        (3, 1.8, "exchanged"),
    ],
    "guided_sampling": [
        (1, lambda c, n, s: torch.cat([c[:, :3] + s * (c[:, :3] - n[:, :3]), c[:, 3:]], 1), "Eq. 16"),
        (1, lambda c, n, s: torch.cat([n[:, :3] - s * (c[:, :3] - n[:, :3]), c[:, 3:]], 1), "wrong sign"),
        (1, lambda c, n, s: n + s * (c - n), "variance is guided"),
        (2, (2.0, 2.0), "starts at the conditional"),
        (2, (1.0, 1.0), "first is right"),
    ],
    "samplers": [
        (1, sampler_with_the_variance, "standard deviation"),
        (1, sampler_that_never_stops, "last step still adds noise"),
        (1, sampler_by_single_steps, "not to t - 1"),
        (1, sampler_with_the_lower_bound, "lower bound"),
        (2, lambda x, e, b, a, v, z: ((x - (1 - a) / (1 - b) ** 0.5 * e) + v**0.5 * z) / a**0.5, "as printed"),
        (2, lambda x, e, b, a, v, z: (x - b / (1 - a) ** 0.5 * e + v**0.5 * z) / (1 - b) ** 0.5, "inside the bracket"),
        (3, lambda x, e, z, t, r, n: r**0.5 * x + (1 - r) ** 0.5 * e + n * z, "off by"),
        (
            3,
            lambda x, e, z, t, r, n: r**0.5 * x + (1 - r) ** 0.5 * e + n * ((1 - r) / (1 - t) * (1 - t / r)) ** 0.5 * z,
            "all of its weight",
        ),
        (
            3,
            lambda x, e, z, t, r, n: r**0.5 * x + (1 - r - n**2 * (1 - t / r)) ** 0.5 * e + n * (1 - t / r) ** 0.5 * z,
            "forward step",
        ),
    ],
    "metrics": [
        (1, fid_without_root, "root is missing"),
        (1, fid_of_independent_features, "independent"),
        (1, fid_without_square, "squared"),
        (2, lambda m, s, n, r: (m - n) ** 2 + (s**2 - r**2) ** 2, "standard deviations"),
        (2, lambda m, s, n, r: (m - n) ** 2 + s**2 + r**2, "2 s_1 s_2"),
        (3, lambda confusions: mean_iou(confusions.sum(0)), "adds up the matrices"),
        (3, lambda confusions: float("nan"), "nan"),
        (4, lambda n, m: 2 * n - m, "exchanged"),
        (4, lambda n, m: (n + m) / 2, "biased"),
    ],
    "your_own_photographs": [
        (1, lambda names: names[::10], "both parts"),
        (1, lambda names: [name for name in names if name < "film01"], "about a tenth"),
        (1, lambda names: ["film03", "film13"], "not among the names"),
        (2, classes_in_place, "taken for unpainted"),
        (2, lambda ids: np.searchsorted([0, 7, 11, 23], ids), "numbered by size"),
    ],
    "editing": [
        (1, lambda x, p, region, n, a: torch.where(region, a**0.5 * p + (1 - a) ** 0.5 * n, x), "exchanged"),
        (1, projection(lambda p, n, a: p), "clean picture"),
        (1, projection(lambda p, n, a: a * p + (1 - a) * n), "square roots"),
        (2, (8, 200), "no jump"),
        (2, (7, 150), "afforded"),
    ],
    "the_ablation": [
        (1, 150 * 256 * 9, "unknown"),
        (1, 151 * 256, "3 x 3"),
        (2, rival_that_reads_labels_first, "picture first"),
        (2, lambda unet, x, t, c: unet(x, t, 0 * c), "null label"),
    ],
    "find_the_bug": [
        (1, "AAAA", "as printed"),
        (1, "BCBA", "3 of 4"),
        (1, "B", "four letters"),
        (2, lambda d, a: d / (1 - a) ** 0.5, "wrong sign"),
        (2, lambda d, a: -d / (1 - a), "root"),
        (3, ("D", 2.0), "shares of S"),
        (3, ("B", 2.0), "letter is right"),
        (4, "BCA", "hardly moved"),
        (4, "BBB", "once"),
        (5, np.log(99 * 255), "half of it"),
        (5, np.log(99) / 2, "255 others"),
    ],
    "gans_and_diffusion": [
        (1, 58880 / 31136, "Not yet"),
        (1, (2 * 11 * 96 + 2) / 58880, "Not yet"),
        (1, ((9 * 12 * 32 + 32) + (9 * 32 * 96 + 96)) / (2 * 11 * 96 + 2), "192"),
        (2, lambda t, d: (F.relu(1 + t).mean() + F.relu(1 - d).mean(), -d.mean()), "exchanged"),
        (2, lambda t, d: (F.relu(1 - t).mean() + F.relu(1 + d).mean(), d.mean()), "sign"),
        (3, noise_written_over, "writes over"),
        (3, lambda noise, other, j: other, "only object j"),
    ],
    "the_verdict": [
        (1, {}, "as in the ledger"),
        (1, ["reproduced"], "a verdict for each"),
        (2, judge_by_the_value, "middle"),
        (2, judge_without_ends, "belong to it"),
        (3, 0, "Not yet"),
        (3, 1e12, "Not yet"),
    ],
}
LESSONS = {lesson: import_module(f"sdm_lite.exercises.{lesson}").LESSON for lesson in WRONG}


@pytest.mark.parametrize(
    "lesson, number, answer, words",
    [pytest.param(lesson, *one, id=f"{lesson}-{one[0]}-{one[2]}") for lesson, wrong in WRONG.items() for one in wrong],
)
def test_the_check_rejects_it_and_says_what_slipped(lesson, number, answer, words, capsys):
    LESSONS[lesson].check(number, answer)
    told = capsys.readouterr().out
    assert told.startswith("Not yet") and words in told and told.endswith(f"hint({number}) gives a hint.\n")
    assert len(told.splitlines()) <= 3
    with pytest.raises(ValueError, match=f"exercise {number}: expected an answer that passes"):
        LESSONS[lesson].check(number, answer, strict=True)


def test_every_exercise_has_two_wrong_answers_or_more():
    files = {path.stem for path in Path(exercise.__file__).parent.glob("*.py")} - {"__init__", "exercise"}
    assert files == set(WRONG)
    for lesson, wrong in WRONG.items():
        numbers = [number for number, *_ in wrong]
        for number in range(1, len(LESSONS[lesson].exercises) + 1):
            assert numbers.count(number) >= 2, (lesson, number)


@pytest.mark.parametrize(
    "lesson, number, slip",
    [
        pytest.param(lesson, number, slip, id=f"{lesson}-{number}-{slip}")
        for lesson, one in LESSONS.items()
        for number, task in enumerate(one.exercises, start=1)
        for slip in range(len(task.slips))
    ],
)
def test_every_known_slip_gets_its_own_hint(lesson, number, slip):
    task = LESSONS[lesson].exercises[number - 1]
    assert exercise.judge(task, task.slips[slip].answer) == (False, f"Not yet: {task.slips[slip].hint}")
