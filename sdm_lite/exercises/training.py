"""Exercises of the lesson "Training": the hybrid loss, a step of Algorithm 1, the loop, and the numbers in them."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from sdm_lite.batches import Batch, encode
from sdm_lite.diffusion import (
    LOG_2,
    Gaussian,
    GaussianDiffusion,
    Prediction,
    cosine_betas,
    linear_betas,
    mean_flat,
    normal_kl,
)
from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on, steps
from sdm_lite.presets import UNetConfig
from sdm_lite.train import (
    TrainConfig,
    draw_step,
    ema_update,
    hybrid_losses,
    learning_rate_at,
    make_optimizer,
    train,
)
from sdm_lite.unet import SDMUNet

PROCESS = GaussianDiffusion(linear_betas())
TIMES = steps(2, 300, 900)
X_0 = (normal(3, 3, 4, 4) / 2).clamp(-1, 1)
NOISE, OUTPUT = normal(3, 3, 4, 4, seed=1), normal(3, 6, 4, 4, seed=2)
X_T = PROCESS.q_sample(X_0, TIMES, NOISE)


def _loss_and_gradient(answer: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
    """What a hybrid loss is, and where it pulls the network's output: of equal values, gradients may differ."""
    output = OUTPUT.clone().requires_grad_(True)
    prediction = PROCESS.predict(output, X_T, TIMES, clip=False)
    loss = answer(PROCESS, prediction, X_0, X_T, TIMES, NOISE)
    if loss is None:
        return loss, None
    (gradient,) = torch.autograd.grad(loss.sum(), output)
    return loss.detach(), gradient


def _hybrid(
    *,
    simple: Callable[[Tensor], Tensor] = lambda error: mean_flat(error**2),
    detach: bool = True,
    kl: Callable[[Gaussian, Gaussian], Tensor] = normal_kl,
    weight: float = 1 / LOG_2,
) -> Callable[..., Tensor]:
    """The hybrid loss, and with other arguments what one may take for it."""

    def loss(
        diffusion: GaussianDiffusion, prediction: Prediction, x_0: Tensor, x_t: Tensor, t: Tensor, noise: Tensor
    ) -> Tensor:
        fixed = prediction._replace(x0=prediction.x0.detach()) if detach else prediction
        q, p = diffusion.posterior(x_0, x_t, t, t - 1), diffusion.reverse(fixed, x_t, t, t - 1)
        return simple(noise - prediction.eps) + weight * mean_flat(kl(q, p))

    return loss


def _package_loss(
    diffusion: GaussianDiffusion, prediction: Prediction, x_0: Tensor, x_t: Tensor, t: Tensor, noise: Tensor
) -> Tensor:
    """The package's, which reads the network's output: the output that this prediction is of."""
    output = torch.cat([prediction.eps, 2 * prediction.variance_fraction - 1], dim=1)
    return diffusion.losses(output, x_0, x_t, t, noise).total


HYBRID_LOSS = Exercise(
    title="write the hybrid loss",
    level="open",
    hints=(
        "Two parts: mean_flat of the squared error in the noise, and mean_flat of a KL, in bits: divided by log 2.",
        "The KL is between diffusion.posterior(x_0, x_t, t, t - 1), which knows x_0, and "
        "diffusion.reverse(prediction, x_t, t, t - 1), which guesses it. Which comes first?",
        "The bound trains the variance alone: hand reverse a prediction whose x_0 is detached, "
        "prediction._replace(x0=prediction.x0.detach()).",
        "lambda T = 0.001 * 1000 = 1 is the weight of one term of the bound.",
    ),
    right=_package_loss,
    slips=(
        Slip(
            _hybrid(detach=False),
            "the value is right, the gradient is not: the stop-gradient is forgotten, so the bound pulls at the mean "
            "too. Detach prediction.x0 before reverse.",
        ),
        Slip(
            _hybrid(kl=lambda q, p: normal_kl(p, q)),
            "the KL is the wrong way round: the bound has KL(q || p), the posterior first (Eq. 12 misprints it).",
        ),
        Slip(
            _hybrid(weight=1.0), "the bound is in nats; bits are nats / log 2, and the package counts bits a dimension."
        ),
        Slip(
            _hybrid(weight=0.001 / LOG_2),
            "lambda = 0.001 belongs to the whole bound, a sum of T = 1000 terms; before one term it is lambda T = 1.",
        ),
        Slip(_hybrid(simple=lambda error: mean_flat(error.abs())), "the error in the noise is squared, not its size."),
        Slip(
            _hybrid(simple=lambda error: error.flatten(1).norm(dim=1)),
            "a norm without its square, as Eq. 10 prints it: meant is the mean of the squares.",
        ),
        Slip(_hybrid(weight=0.0), "that is the simple part alone; the bound is missing."),
    ),
    ask=_loss_and_gradient,
)

# A network and two batches, as small as they can be.
CLASSES = 3
TINY = UNetConfig(
    num_classes=CLASSES,
    image_size=(8, 8),
    base_channels=8,
    channel_multipliers=(1, 2),
    num_res_blocks=1,
    attention_resolutions=(),
    channels_per_head=8,
    spade_hidden_channels=4,
    num_groups=4,
)
CONFIG = TrainConfig(num_steps=3, batch_size=4, null_probability=0.5, warmup_steps=2, max_gradient_norm=1.0)
LITE = GaussianDiffusion(cosine_betas(), prediction_type="v")


def _network() -> SDMUNet:
    """The tiny network; no weight of it is zero, so that each slip shows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = SDMUNet(TINY)
    for seed, weight in enumerate(unet.parameters()):
        weight.data += 0.2 * normal(*weight.shape, seed=seed)
    return unet


def _batches(step: int) -> Batch:
    generator = torch.Generator("cpu").manual_seed(step)
    images = torch.randint(0, 256, (4, 3, 8, 8), generator=generator, dtype=torch.uint8, device="cpu")
    labels = torch.randint(0, CLASSES, (4, 8, 8), generator=generator, device="cpu").to(torch.uint8)
    return Batch(images, labels, None, CLASSES)


def _step_case() -> tuple[Any, ...]:
    x_0, c = encode(_batches(0))
    keep, t, noise = draw_step(0, tuple(x_0.shape), LITE.num_timesteps, CONFIG)
    keep = steps(1, 0, 1, 0).float()[:, None, None, None]
    return _network().requires_grad_(False), LITE, x_0, c, keep, t, noise


def algorithm_1(
    unet: SDMUNet, diffusion: GaussianDiffusion, x_0: Tensor, c: Tensor, keep: Tensor, t: Tensor, noise: Tensor
) -> Tensor:
    """Lines 2 to 6 of Algorithm 1: the loss of a batch, with the package's parts."""
    x_t = diffusion.q_sample(x_0, t, noise)
    return diffusion.losses(unet(x_t, t, c * keep), x_0, x_t, t, noise).total.mean()


def _labels_kept(unet, diffusion, x_0, c, keep, t, noise) -> Tensor:
    return algorithm_1(unet, diffusion, x_0, c, torch.ones_like(keep), t, noise)


def _dropped_the_others(unet, diffusion, x_0, c, keep, t, noise) -> Tensor:
    return algorithm_1(unet, diffusion, x_0, c, 1 - keep, t, noise)


def _clean_input(unet, diffusion, x_0, c, keep, t, noise) -> Tensor:
    x_t = diffusion.q_sample(x_0, t, noise)
    return diffusion.losses(unet(x_0, t, c * keep), x_0, x_t, t, noise).total.mean()


def _t_less_one(unet, diffusion, x_0, c, keep, t, noise) -> Tensor:
    x_t = diffusion.q_sample(x_0, t, noise)
    return diffusion.losses(unet(x_t, t - 1, c * keep), x_0, x_t, t, noise).total.mean()


def _two_noises(unet, diffusion, x_0, c, keep, t, noise) -> Tensor:
    x_t = diffusion.q_sample(x_0, t, noise)
    output = unet(diffusion.q_sample(x_0, t, -noise), t, c * keep)
    return diffusion.losses(output, x_0, x_t, t, noise).total.mean()


def _summed(unet, diffusion, x_0, c, keep, t, noise) -> Tensor:
    return len(x_0) * algorithm_1(unet, diffusion, x_0, c, keep, t, noise)


def _each(unet, diffusion, x_0, c, keep, t, noise) -> Tensor:
    x_t = diffusion.q_sample(x_0, t, noise)
    return diffusion.losses(unet(x_t, t, c * keep), x_0, x_t, t, noise).total


STEP = Exercise(
    title="one step of Algorithm 1",
    level="easy",
    hints=(
        "Three things in a row: make x_t, ask the network, compare. Each is one call that this lesson has shown.",
        "diffusion.q_sample(x_0, t, noise), then unet(x_t, t, condition), then diffusion.losses(...).total.",
        "keep is 1 where an example keeps its labels and 0 where it gets the null label, which is all zeros: c * keep.",
    ),
    right=algorithm_1,
    slips=(
        Slip(_labels_kept, "the labels are never dropped: without c * keep the null label learns nothing."),
        Slip(_dropped_the_others, "keep is 1 for those that *keep* their labels; yours drops the others."),
        Slip(_clean_input, "the network is shown the clean picture; it must find the noise in x_t."),
        Slip(_t_less_one, "t - 1 goes to the network; here t counts from 1 to T everywhere, and SDMUNet takes t."),
        Slip(_two_noises, "the x_t that the network sees is not the one that the loss is told of: make it once."),
        Slip(_each, "that is a loss for each example; the batch's is their mean: one number."),
        Slip(_summed, "a sum over examples; the batch's loss is their mean, else its steps grow with its size."),
    ),
    ask=on(_step_case()),
    tolerance=1e-5,
)


def _weights_after(answer: Callable[..., Any]) -> list[Tensor] | None:
    """Trained and averaged weights after three steps of a loop, each network's as one vector."""
    unet = _network()
    ema = deepcopy(unet).requires_grad_(False)
    done = answer(unet, ema, make_optimizer(unet, CONFIG), LITE, _batches, CONFIG)
    if done is not None and hasattr(done, "__next__"):  # the package's loop, which is a generator
        list(done)
    seen = [_vector(net) for net in (unet, ema)]
    return None if torch.equal(seen[0], _vector(_network())) else seen


def _vector(unet: SDMUNet) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in unet.parameters()])


def _package_loop(unet, ema, optimizer, diffusion, batches, config):
    return train(unet, ema, diffusion, batches, config, optimizer=optimizer)


def _loop(*, zero: bool = True, clip: bool = True, rate: bool = True, average: str = "after") -> Callable[..., None]:
    """The loop in eight lines, or with other arguments what one may take for it."""

    def answer(unet, ema, optimizer, diffusion, batches, config) -> None:
        for step in range(config.num_steps):
            batch = batches(step)
            draws = draw_step(step, batch.images.shape, diffusion.num_timesteps, config)
            if zero:
                optimizer.zero_grad()
            hybrid_losses(unet, diffusion, batch, draws, config).total.mean().backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(unet.parameters(), config.max_gradient_norm)
            if rate:
                optimizer.param_groups[0]["lr"] = learning_rate_at(step, config)
            if average == "before":
                ema_update(ema, unet, step, config.ema_rate)
            optimizer.step()
            if average == "after":
                ema_update(ema, unet, step, config.ema_rate)

    return answer


LOOP = Exercise(
    title="the loop of `train`",
    level="medium",
    hints=(
        "A loss is hybrid_losses(unet, diffusion, batch, draws, config).total.mean(); what follows is any network's "
        "training: zero_grad, backward, step.",
        "Between backward and step the gradients are clipped: torch.nn.utils.clip_grad_norm_(unet.parameters(), "
        "config.max_gradient_norm).",
        'The rate of this step: optimizer.param_groups[0]["lr"] = learning_rate_at(step, config).',
        "Last, the average follows the weights: ema_update(ema, unet, step, config.ema_rate).",
    ),
    right=_package_loop,
    slips=(
        Slip(_loop(zero=False), "old gradients stay and add up: optimizer.zero_grad() before backward."),
        Slip(_loop(clip=False), "the gradients are not clipped to config.max_gradient_norm."),
        Slip(_loop(rate=False), "every step has the peak learning rate: set learning_rate_at(step, config)."),
        Slip(_loop(average="before"), "the average is taken before the step, so it lags by one: update it after."),
        Slip(_loop(average="never"), "the averaged weights never move: ema_update comes last."),
        Slip(
            _loop(zero=False, clip=False),
            "old gradients stay and add up: optimizer.zero_grad() before backward. And nothing clips them.",
        ),
        Slip(
            _loop(clip=False, rate=False),
            "two lines are missing: the gradients' clip_grad_norm_, and this step's learning rate.",
        ),
    ),
    ask=_weights_after,
    tolerance=1e-6,
    tell=lambda seen: "the weights after three steps are not those of `train`",
    remark="Three steps of your loop and of `train` end at the same weights; its other lines share work and report.",
)

OTHER_T = Exercise(
    title="the same loss with other T",
    level="easy",
    hints=(
        "Look for num_timesteps in the source of losses, above: by what is vlb_weight multiplied?",
        "lambda T is to be 1.",
    ),
    right=1 / 4000,
    slips=(
        Slip(0.001, "that makes lambda T = 4, with T = 4000."),
        Slip(1.0, "losses multiplies by T itself; with 1 one term would weigh 4000."),
        Slip(4000, "the inverse: losses multiplies by T."),
        Slip(0.004, "the longer the chain, the more terms: one term's share becomes smaller, not larger."),
    ),
    tolerance=1e-7,
)

BEST_VARIANCE = Exercise(
    title="the best variance",
    level="open",
    hints=(
        "Write KL(q || p) as a function of the variance of p: ((variance_q + d^2) / variance_p + log variance_p) / 2 + "
        "what is fixed.",
        "Set the derivative with respect to variance_p to zero. For KL(p || q) the function is "
        "(variance_p / variance_q - log variance_p) / 2 + what is fixed.",
        "A wrong mean can be covered by a wide p. Which of the two directions cares?",
    ),
    right=lambda variance_q, d: (variance_q + d**2, variance_q),
    slips=(
        Slip(lambda variance_q, d: (variance_q, variance_q + d**2), "the two are exchanged."),
        Slip(
            lambda variance_q, d: (variance_q + d, variance_q),
            "d is a distance; what adds to a variance is its square.",
        ),
        Slip(
            lambda variance_q, d: (variance_q, variance_q),
            "right for KL(p || q), which takes no account of d. KL(q || p) does.",
        ),
        Slip(
            lambda variance_q, d: (variance_q + d**2, variance_q + d**2),
            "right for KL(q || p). In KL(p || q), d stands beside variance_q alone, and the derivative with respect to "
            "variance_p misses it.",
        ),
    ),
    ask=on((0.7, 1.2), (2.0, -0.5)),
)

WARM_UP = Exercise(
    title="what the warm-up is for",
    level="easy",
    hints=(
        "Each step multiplies the share of the old average by 0.9999.",
        "After n steps the share is 0.9999^n. For which n is that below 1 / 2? math.log helps, and math.ceil.",
    ),
    right=(0.9999**500, math.ceil(math.log(0.5) / math.log(0.9999))),
    slips=(
        Slip(
            (1 - 0.9999**500, math.ceil(math.log(0.5) / math.log(0.9999))),
            "the first number is the share of all that came later; asked is that of the random start.",
        ),
        Slip(
            (1 - 500 * 0.0001, 5000),
            "shares multiply, 0.9999^n; taking 0.0001 of the whole away at each step is too much later on.",
        ),
        Slip(
            (0.9999**500, math.floor(math.log(0.5) / math.log(0.9999))),
            "so near: after that many steps the share is still a little above one half; the next step is the first.",
        ),
        Slip(
            (0.95, math.ceil(math.log(0.5) / math.log(0.9999))),
            "the number of steps is right; give the share to four digits.",
        ),
    ),
    tolerance=6e-5,  # four digits of the share, and the number of steps to the step
    remark="After 500 steps 95 % of the average would still be the random start.",
)

LESSON = Lesson((HYBRID_LOSS, STEP, LOOP, OTHER_T, BEST_VARIANCE, WARM_UP))
check, hint = LESSON.check, LESSON.hint
