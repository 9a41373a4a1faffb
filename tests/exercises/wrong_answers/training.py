"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np
import torch

from sdm_lite.diffusion import mean_flat, normal_kl
from sdm_lite.train import draw_step, ema_update, hybrid_losses, learning_rate_at


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


def step_without_mean(unet, diffusion, x_0, c, keep, t, noise):
    x_t = diffusion.q_sample(x_0, t, noise)
    return diffusion.losses(unet(x_t, t, c * keep), x_0, x_t, t, noise).total


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


WRONG = [
    (1, loss_without_stop_gradient, "stop-gradient is forgotten"),
    (1, loss_as_printed, "wrong way round"),
    (1, loss_with_lambda, "lambda T = 1"),
    (2, step_that_forgets_keep, "never dropped"),
    (2, step_on_clean_pictures, "clean picture"),
    (2, step_without_mean, "a loss for each example"),
    (3, loop_without_average, "never move"),
    (3, loop_that_adds_up_gradients, "zero_grad"),
    (3, loop_at_the_peak, "peak learning rate"),
    (4, 0.001, "lambda T = 4"),
    (4, 1, "multiplies by T"),
    (5, lambda v, d: (v, v + d**2), "exchanged"),
    (5, lambda v, d: (v + d, v), "its square"),
    (6, (1 - 0.9999**500, 6932), "random start"),
    (6, (0.95, 5000), "multiply"),
    (6, (0.9512, 6931), "above one half"),
    (6, (0.95, 6932), "four digits"),
    (6, 0.9512, "expected 2 things"),
]
