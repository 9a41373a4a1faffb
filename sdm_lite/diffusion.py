"""The diffusion process: noise in, noise out, and the loss; no network is called here.

Apart from the network so that each equation stands in exactly one function and can be held against numbers.
Ho et al. (2020, DDPM), Nichol & Dhariwal (2021, improved DDPM), Wang et al. (2022, SDM), section 3.

Timesteps are 1..T and alpha_bar_0 = 1: t = 0 is the clean image. A step goes from t to some r < t, and all it needs is
alpha_bar at its two ends, so a sampler of 25 steps uses the same functions as one of 1000.

Shapes: B batch, C channels (3), H x W pixels, T training timesteps. "output" is what the network says, (B, 2 C, H, W):
C channels that give the noise, then C that say where the log-variance lies between its two bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

LOG_2 = math.log(2.0)


class Gaussian(NamedTuple):
    """A diagonal normal distribution; both fields (B, C, H, W), the logarithm is natural."""

    mean: Tensor
    log_variance: Tensor


class Prediction(NamedTuple):
    """What the network says about x_t.

    Attributes:
        eps: (B, C, H, W), the noise in x_t.
        x0: (B, C, H, W), the clean image that this noise implies; clipped to [-1, 1] if so asked.
        variance_fraction: (B, C, H, W), where the log-variance lies: 0 at the lower bound, 1 at the upper, not clamped.
    """

    eps: Tensor
    x0: Tensor
    variance_fraction: Tensor


class Losses(NamedTuple):
    """The hybrid loss and its two parts, each (B,); `vlb` in bits per dimension, one term of the bound."""

    total: Tensor
    simple: Tensor
    vlb: Tensor


Denoiser = Callable[[Tensor, Tensor], Prediction]  # (x_t, t) -> Prediction: the one seam of network and sampler


def linear_betas(num_timesteps: int = 1000) -> Tensor:
    """Variances rising linearly from 1e-4 to 0.02 (at 1000 steps; scaled for others). Ho et al. (2020), section 4.

    The paper states no schedule; its published code uses this one.

    Returns:
        (T,) float64, beta_1 .. beta_T.

    Raises:
        ValueError: if there are so few steps that the last variance would reach 1.
    """
    if num_timesteps <= 20:
        raise ValueError(f"num_timesteps must be at least 21 with the linear schedule, got {num_timesteps}")
    scale = 1000 / num_timesteps
    return torch.linspace(scale * 1e-4, scale * 0.02, num_timesteps, dtype=torch.float64, device="cpu")


def cosine_betas(num_timesteps: int = 1000) -> Tensor:
    """Variances whose alpha_bar falls like a squared cosine. Nichol & Dhariwal (2021), Eq. 17.

    Returns:
        (T,) float64, beta_1 .. beta_T, at most 0.999.
    """
    u = torch.arange(num_timesteps + 1, dtype=torch.float64, device="cpu") / num_timesteps
    alpha_bar = torch.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)


SCHEDULES = {"linear": linear_betas, "cosine": cosine_betas}


class GaussianDiffusion(nn.Module):
    """The forward process q, its posterior, the reverse step p, and the hybrid loss.

    Args:
        betas: (T,) float64, the forward variances beta_1 .. beta_T, each in (0, 1).
        prediction_type: what the first C output channels are: "eps", the noise, as in the paper; or "v", the velocity
            sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 of Salimans & Ho (2022), easier for small networks.

    Raises:
        ValueError: on betas outside (0, 1) or an unknown prediction type.
    """

    def __init__(self, betas: Tensor, *, prediction_type: str = "eps"):
        super().__init__()
        if betas.ndim != 1 or len(betas) < 2 or not bool(((betas > 0) & (betas < 1)).all()):
            ends = f" from {float(betas.min()):g} to {float(betas.max()):g}" if betas.numel() else ""
            raise ValueError(f"betas must be (T,), at least two numbers in (0, 1), got {tuple(betas.shape)}{ends}")
        if prediction_type not in ("eps", "v"):
            raise ValueError(f"prediction_type must be 'eps' or 'v', got {prediction_type!r}")
        self.num_timesteps = len(betas)
        self.prediction_type = prediction_type
        start = torch.zeros(1, dtype=torch.float64, device=betas.device)
        log_alpha_bar = torch.cat([start, torch.log1p(-betas.double()).cumsum(0)])
        # Two float32 parts hold what float64 would: the difference of two nearby entries must stay exact, and some
        # accelerators have no float64.
        high = log_alpha_bar.float()
        self.register_buffer("log_alpha_bar_high", high, persistent=False)
        self.register_buffer("log_alpha_bar_low", (log_alpha_bar - high.double()).float(), persistent=False)
        # Weights that depend on one timestep alone are rounded to float32 once, from double precision: near t = T a
        # last digit of theirs is 1e-5 of a predicted x_0.
        tables = {
            "signal": torch.exp(log_alpha_bar / 2),
            "sigma": torch.sqrt(0.0 - torch.expm1(log_alpha_bar)),  # 0 - 0, not -0, at t = 0
            "x0_of_x_t": torch.exp(-log_alpha_bar / 2),
            "x0_of_eps": torch.sqrt(torch.expm1(-log_alpha_bar)),
        }
        for name, table in tables.items():
            self.register_buffer(name, table.float()[:, None, None, None], persistent=False)

    def log_alpha_bar(self, t: Tensor, r: Tensor | None = None) -> Tensor:
        """Log alpha_bar_t, or log (alpha_bar_t / alpha_bar_r), as (B, 1, 1, 1), for t and r (B,) int64 in 0..T."""
        high, low = self.log_alpha_bar_high[t], self.log_alpha_bar_low[t]
        if r is not None:
            high, low = high - self.log_alpha_bar_high[r], low - self.log_alpha_bar_low[r]
        return (high + low)[:, None, None, None]

    def alpha_bar(self, t: Tensor) -> Tensor:
        """The share of signal in x_t's variance, prod_{i<=t} (1 - beta_i): (B, 1, 1, 1) for t (B,) int64 in 0..T."""
        return self.log_alpha_bar(t).exp()

    def signal_and_noise(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The weights of x_0 and noise in x_t: sqrt(alpha_bar_t), sqrt(1 - alpha_bar_t), each (B, 1, 1, 1)."""
        return self.signal[t], self.sigma[t]

    def q_sample(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The noisy image x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise.

        Ho et al. (2020), Eq. 4; Wang et al. (2022), Eqs. 4 and 9, whose alpha_t is this alpha_bar_t.

        Args:
            x0: (B, C, H, W) in [-1, 1].
            t: (B,) int64 in 0..T.
            noise: (B, C, H, W), standard normal.

        Returns:
            (B, C, H, W).
        """
        signal, sigma = self.signal_and_noise(t)  # (B, 1, 1, 1) each
        return signal * x0 + sigma * noise  # (B, C, H, W)

    def x0_from_eps(self, eps: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The clean image that a noise implies: x_t / sqrt(alpha_bar_t) - sqrt(1 / alpha_bar_t - 1) eps, (B, C, H, W).

        In this order of operations, not (x_t - sigma eps) / signal, because the published code rounds like this: at t
        near T the two differ by 1e-5.
        """
        return self.x0_of_x_t[t] * x_t - self.x0_of_eps[t] * eps

    def eps_from_x0(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The noise that a clean image implies: (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t), t in 1..T."""
        signal, sigma = self.signal_and_noise(t)
        return (x_t - signal * x0) / sigma

    def predict(self, output: Tensor, x_t: Tensor, t: Tensor, *, clip: bool = True) -> Prediction:
        """Read the network's output.

        The variance fraction is (o + 1) / 2 of its raw channels o: Nichol & Dhariwal (2021), section 3.1, as their code
        has it; Wang et al. (2022), Eq. 11 gives no mapping. With "v" outputs, eps = sqrt(alpha_bar) v
        + sqrt(1 - alpha_bar) x_t and x_0 = sqrt(alpha_bar) x_t - sqrt(1 - alpha_bar) v.

        Args:
            output: (B, 2 C, H, W).
            x_t: (B, C, H, W).
            t: (B,) int64 in 1..T.
            clip: whether to clamp x0 to [-1, 1]. The paper does not mention it; its published code always does.

        Returns:
            eps, x0 and the variance fraction, each (B, C, H, W). `eps` is the network's own also where x0 was clipped.

        Raises:
            ValueError: if the output has not twice the channels of x_t.
        """
        if output.shape[1] != 2 * x_t.shape[1]:
            raise ValueError(f"the output must have {2 * x_t.shape[1]} channels, got {output.shape[1]}")
        mean_part, variance_part = output.chunk(2, dim=1)  # (B, C, H, W) each
        if self.prediction_type == "v":
            signal, sigma = self.signal_and_noise(t)
            eps, x0 = signal * mean_part + sigma * x_t, signal * x_t - sigma * mean_part
        else:
            eps, x0 = mean_part, self.x0_from_eps(mean_part, x_t, t)
        return Prediction(eps, x0.clamp(-1, 1) if clip else x0, (variance_part + 1) / 2)

    def posterior(self, x0: Tensor, x_t: Tensor, t: Tensor, r: Tensor) -> Gaussian:
        """The forward process seen backwards, q(x_r | x_t, x_0).

            mean = (sqrt(alpha_bar_r) beta x_0 + sqrt(1 - beta) (1 - alpha_bar_r) x_t) / (1 - alpha_bar_t)
            var  = beta~ = beta (1 - alpha_bar_r) / (1 - alpha_bar_t),    beta = 1 - alpha_bar_t / alpha_bar_r

        Ho et al. (2020), Eqs. 6 and 7, there for r = t - 1. At r = 0 the variance is 0; its logarithm is replaced by
        that of the step (2, 1), as in the published code, so that it stays finite (exactly: `log_variance_bounds`).

        Args:
            x0: (B, C, H, W).
            x_t: (B, C, H, W).
            t: (B,) int64 in 1..T.
            r: (B,) int64 in 0..t-1.

        Returns:
            Mean (B, C, H, W) and log-variance (B, 1, 1, 1).

        Raises:
            ValueError: if some r is not below its t.
        """
        check_step(t, r)
        beta = -torch.expm1(self.log_alpha_bar(t, r))  # (B, 1, 1, 1), as all weights below
        noise_t, noise_r = -torch.expm1(self.log_alpha_bar(t)), -torch.expm1(self.log_alpha_bar(r))
        of_x0 = torch.exp(self.log_alpha_bar(r) / 2) * beta / noise_t
        of_x_t = torch.exp(self.log_alpha_bar(t, r) / 2) * noise_r / noise_t
        mean = of_x0 * x0 + of_x_t * x_t  # (B, C, H, W)
        return Gaussian(mean, self.log_variance_bounds(t, r)[0])

    def log_variance_bounds(self, t: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        """Log beta~ and log beta of the step from t to r, each (B, 1, 1, 1): the bounds of Wang et al. (2022), Eq. 11.

        At r = 0, where beta~ is zero, the lower bound is that of the step (2, 1), as in Nichol & Dhariwal's code. It is
        below the upper of any step to 0: beta_1 beta_2 / (beta_1 + beta_2 - beta_1 beta_2) <= beta_1.
        """
        upper = torch.log(-torch.expm1(self.log_alpha_bar(t, r)))  # (B, 1, 1, 1)
        first = r == 0
        t_, r_ = torch.where(first, torch.full_like(t, 2), t), torch.where(first, torch.ones_like(r), r)
        beta = -torch.expm1(self.log_alpha_bar(t_, r_))
        lower = torch.log(beta * torch.expm1(self.log_alpha_bar(r_)) / torch.expm1(self.log_alpha_bar(t_)))
        return lower, upper

    def reverse(self, prediction: Prediction, x_t: Tensor, t: Tensor, r: Tensor) -> Gaussian:
        """The model's p(x_r | x_t), one step of the reverse process.

        The mean is the posterior's with the predicted x_0 for the true one. The log-variance lies between its bounds,
        log var = f log beta + (1 - f) log beta~. Nichol & Dhariwal (2021), Eq. 15; Wang et al. (2022), Eq. 11.
        Line 5 of the paper's Algorithm 2 is meant to be this and is not: see docs/errata.md.

        Args:
            prediction: what the network said.
            x_t: (B, C, H, W).
            t: (B,) int64 in 1..T.
            r: (B,) int64 in 0..t-1.

        Returns:
            Mean and log-variance, each (B, C, H, W), both finite.

        Raises:
            ValueError: if some r is not below its t.
        """
        mean = self.posterior(prediction.x0, x_t, t, r).mean  # (B, C, H, W)
        lower, upper = self.log_variance_bounds(t, r)  # (B, 1, 1, 1) each
        return Gaussian(mean, lower + prediction.variance_fraction * (upper - lower))

    def losses(
        self,
        output: Tensor,
        x0: Tensor,
        x_t: Tensor,
        t: Tensor,
        noise: Tensor,
        *,
        vlb_weight: float = 0.001,
        max_simple_weight: float = 1.0,
    ) -> Losses:
        """The hybrid loss, Wang et al. (2022), Eq. 13, made right.

            simple = w(t) mean |noise - eps|^2,    w(t) = min(1 / alpha_bar_t, max_simple_weight)
            total  = simple + vlb_weight T vlb

        Three things differ from the paper's text: the error is squared (Eq. 10 lacks the square); the KL is q || p (Eq.
        12 has it the other way); and the weight 0.001 of Nichol & Dhariwal (2021) multiplies the full bound of T terms,
        so one sampled term weighs T times that. The mean is detached from the bound, which thus trains the variance
        alone.

        Args:
            output: (B, 2 C, H, W), the network's output at x_t.
            x0: (B, C, H, W) in [-1, 1].
            x_t: (B, C, H, W), as `q_sample` made it.
            t: (B,) int64 in 1..T.
            noise: (B, C, H, W), the noise in x_t.
            vlb_weight: lambda of Eq. 13.
            max_simple_weight: 1 is the paper's plain mean squared error. More gives high noise levels more weight, up
                to the error in v at infinity: a departure used by the lite recipe.

        Returns:
            Three times (B,).
        """
        prediction = self.predict(output, x_t, t, clip=False)
        weight = torch.exp(-self.log_alpha_bar(t)).clamp(max=max_simple_weight).flatten()  # (B,)
        simple = weight * mean_flat((noise - prediction.eps) ** 2)  # (B,)
        vlb = self.vlb_term(prediction, x0, x_t, t)  # (B,)
        return Losses(simple + vlb_weight * self.num_timesteps * vlb, simple, vlb)

    def vlb_term(self, prediction: Prediction, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """One term of the variational bound, in bits per dimension: (B,).

        KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) for t > 1, and -log p(x_0 | x_1) under a normal that is cut into
        the 256 levels of a pixel for t = 1, where the KL would be infinite. Ho et al. (2020), Eqs. 5 and 13.

        Args:
            prediction: unclipped in training; its mean gets no gradient from here.
            x0: (B, C, H, W) in [-1, 1].
            x_t: (B, C, H, W).
            t: (B,) int64 in 1..T.
        """
        r = t - 1
        truth = self.posterior(x0, x_t, t, r)
        model = self.reverse(prediction._replace(x0=prediction.x0.detach()), x_t, t, r)
        kl = mean_flat(normal_kl(truth, model))  # (B,)
        likelihood = mean_flat(-discretized_log_likelihood(x0, model))  # (B,)
        return torch.where(r == 0, likelihood, kl) / LOG_2


def check_step(t: Tensor, r: Tensor) -> None:
    """Raise ValueError unless every step goes down: 0 <= r < t."""
    if not bool(((r < t) & (r >= 0)).all()):
        raise ValueError(f"a step goes from t to r with t > r >= 0, got t = {t.tolist()} and r = {r.tolist()}")


def mean_flat(x: Tensor) -> Tensor:
    """The mean over all but the batch axis: (B, ...) to (B,)."""
    return x.flatten(1).mean(1)


def normal_kl(q: Gaussian, p: Gaussian) -> Tensor:
    """KL(q || p) of two diagonal normals, in nats, pixel by pixel: (B, C, H, W)."""
    difference = q.log_variance - p.log_variance
    squared = (q.mean - p.mean) ** 2 * torch.exp(-p.log_variance)
    return 0.5 * (difference.exp() - difference - 1 + squared)


def discretized_log_likelihood(x0: Tensor, p: Gaussian) -> Tensor:
    """The log-probability that `p` gives to the pixel level of x0, in nats: (B, C, H, W).

    The normal is integrated over the level's interval, x0 - 1/255 to x0 + 1/255; the outermost levels reach to
    infinity. Ho et al. (2020), Eq. 13.

    Args:
        x0: (B, C, H, W) in [-1, 1], multiples of 1/127.5 less 1.
        p: mean and log-variance, (B, C, H, W).
    """
    inverse_std = torch.exp(-0.5 * p.log_variance)
    above = normal_cdf((x0 - p.mean + 1 / 255) * inverse_std)
    below = normal_cdf((x0 - p.mean - 1 / 255) * inverse_std)
    above = torch.where(x0 > 0.999, torch.ones_like(above), above)
    below = torch.where(x0 < -0.999, torch.zeros_like(below), below)
    return torch.log((above - below).clamp(min=1e-12))


def normal_cdf(z: Tensor) -> Tensor:
    """The standard normal distribution function as Page (1977) approximates it, off by less than 2e-4 everywhere.

    The exact function is torch.special.ndtr. The published code uses this one, and a bound in bits is only comparable
    when both use the same: the last term differs by 5e-4 of its value on the stored reference numbers.
    """
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


@dataclass(frozen=True)
class DiffusionConfig:
    """What a checkpoint must remember of its process.

    Attributes:
        schedule: a name in SCHEDULES.
        num_timesteps: T.
        prediction_type: "eps" as in the paper, or "v".
    """

    schedule: str = "linear"
    num_timesteps: int = 1000
    prediction_type: str = "eps"

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {sorted(SCHEDULES)}, got {self.schedule!r}")
        if self.num_timesteps < 2:
            raise ValueError(f"num_timesteps must be at least 2, got {self.num_timesteps}")

    def build(self) -> GaussianDiffusion:
        """The process that this describes."""
        return GaussianDiffusion(SCHEDULES[self.schedule](self.num_timesteps), prediction_type=self.prediction_type)
