"""A distilled student: the teacher's network, told where a step leads and how it was guided.

Apart from its training, `distill`, because whoever loads and draws needs this alone: `load_model` reads its files,
`SampleSettings` draws with it as with any network, in 4, 2 or 1 steps. Meng et al. (2023) have the guidance scale as an
input, Frans et al. (2024, shortcut models) the length of the step; the angles are those of Salimans & Ho (2022): with
cos phi_t = sqrt(alpha_bar_t) and d = phi_t - phi_r a DDIM step is a turn, x_r = cos d x_t - sin d v.

The encoder is free of labels and SPADE's scale and shift are kept for a trajectory, as the teacher's; a step is one
encode and one decode. Shapes: B batch, K condition channels, H x W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sdm_lite.diffusion import Denoiser, GaussianDiffusion, Prediction
from sdm_lite.modulation import keep_modulation
from sdm_lite.presets import UNetConfig
from sdm_lite.sampling import times
from sdm_lite.timesteps import trailing
from sdm_lite.unet import Features, SDMUNet, timestep_embedding, zeroed

SCALES = (1.0, 3.0)
"""Guidance scales that trajectories are drawn at, and so those that can be asked for."""
TEACHER_STEPS = 25
INTERVAL = (1, 800)
"""Timesteps at which the teacher is guided, as the course has it; the student learns that with all else."""
LANDINGS = {4: (0, 2, 7, 16), 2: (0, 7), 1: (0,)}
"""By number of evaluations: at which of the teacher's steps each starts. Many more timesteps above than below."""


class Student(SDMUNet):
    """The teacher's U-Net with one more input: where a step leads and the guidance scale. It adds nothing at first.

    Args:
        config: the teacher's, whose encoder reads no labels.

    Raises:
        ValueError: if it asks for another conditioning.
    """

    def __init__(self, config: UNetConfig):
        super().__init__(config)
        width = 4 * config.base_channels
        self.aim = nn.Sequential(nn.Linear(6, width), nn.SiLU(), zeroed(nn.Linear(width, width)))

    def encode(self, x_t: Tensor, t: Tensor, aim: Tensor | None = None) -> Features:
        """As the teacher's, with an aim (B, 6) of `aim_of` in the timestep's embedding; ValueError without one."""
        if aim is None:
            raise ValueError("expected a network that predicts under any label, got a student, which only draws")
        embedding = self.embed(timestep_embedding(t - 1, self.config.base_channels)) + self.aim(aim)  # (B, E)
        h = self.input(x_t)
        skips = [h]
        for stage in self.encoder:
            h = stage(h, embedding)
            skips.append(h)
        return Features(h, tuple(skips), embedding)


def turn(diffusion: GaussianDiffusion, t: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """Cos d and sin d of the step from t to r, (B, 1, 1, 1) each, for t and r (B,) int64 with t > r >= 0."""
    (a_t, g_t), (a_r, g_r) = diffusion.signal_and_noise(t), diffusion.signal_and_noise(r)
    return a_t * a_r + g_t * g_r, g_t * a_r - a_t * g_r


def aim_of(diffusion: GaussianDiffusion, t: Tensor, r: Tensor, scale: Tensor) -> Tensor:
    """What the student is told besides t: log s, log^2 s, cos d, sin d, cos phi_r, sin phi_r, for s (B,): (B, 6)."""
    log = torch.log(scale)[:, None]
    angles = (*turn(diffusion, t, r), *diffusion.signal_and_noise(r))
    return torch.cat([log, log**2, *(one.flatten(1) for one in angles)], dim=1)


def landings(diffusion: GaussianDiffusion, num_steps: int) -> list[int]:
    """Where each of 4, 2 or 1 evaluations starts: a `timesteps.TimeGrid`, of the teacher's own timesteps.

    Raises:
        ValueError: on another number.
    """
    if num_steps not in LANDINGS:
        raise ValueError(f"num_steps of a student must be one of {sorted(LANDINGS)}, got {num_steps!r}")
    teacher = trailing(diffusion, TEACHER_STEPS)
    return [teacher[i] for i in LANDINGS[num_steps]]


def check_student_scale(guidance_scale: float) -> None:
    """Raise ValueError unless the scale is one that trajectories were drawn at."""
    low, high = SCALES
    if not low <= guidance_scale <= high:
        raise ValueError(f"guidance_scale of a student must lie in {low:g}..{high:g}, got {guidance_scale!r}")


def student_denoiser(
    unet: Student, diffusion: GaussianDiffusion, condition: Tensor, guidance_scale: float = 1.5, *, num_steps: int
) -> Denoiser:
    """The student as a Denoiser for `sample_ddim` on its landings, whose step then is x_r = cos d x_t - sin d v.

    Args:
        unet: the student.
        diffusion: its process.
        condition: (B, K, H, W); with B = 1 one label map serves a batch of any size.
        guidance_scale: within SCALES.
        num_steps: 4, 2 or 1, as the sampler is told.

    Returns:
        A function from x_t (B, 3, H, W) and t (B,) to a Prediction, without gradients. Its x0 is where the turn comes
        from, clipped only in the step that ends at 0: before, it is no picture. Its variance says nothing.

    Raises:
        ValueError: if the scale, the number of steps or the condition cannot be.
    """
    check_student_scale(guidance_scale)
    starts = landings(diffusion, num_steps)
    following = dict(zip(starts, [*starts[1:], 0], strict=True))
    with torch.no_grad():
        modulation = keep_modulation(unet, condition)

    @torch.no_grad()
    def denoise(x_t: Tensor, t: Tensor) -> Prediction:
        (r,) = times(x_t, following[int(t[0])])
        scale = torch.full_like(t, guidance_scale, dtype=torch.float32)
        output = unet.decode(unet.encode(x_t, t, aim_of(diffusion, t, r, scale)), modulation)
        return diffusion.predict(output, x_t, t, clip=int(r[0]) == 0)

    return denoise
