"""Training the student on stored jumps: one squared error in v, and nothing random but which jump is shown.

Apart from trajectories, which it reads, and the command, which keeps it. The target is the velocity that turns x_t into
where the teacher stood, v = (cos d x_t - x_r) / sin d: the target of Salimans &
Ho (2022, progressive distillation), without their rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.batches import step_generator
from sdm_lite.diffusion import GaussianDiffusion, mean_flat
from sdm_lite.distill.trajectories import Trajectories
from sdm_lite.student import LANDINGS, Student, aim_of, landings, turn
from sdm_lite.train import TrainConfig
from sdm_lite.train.loop import ema_update, learning_rate_at
from sdm_lite.train.resume import Run

CONFIG = TrainConfig(num_steps=10_000, learning_rate=1e-3, warmup_steps=50)


class Shown(NamedTuple):
    """Jumps to learn from: condition (B, K, H, W), x_t and x_r (B, 3, H, W), t and r (B,) int64, scale (B,)."""

    condition: Tensor
    x_t: Tensor
    x_r: Tensor
    t: Tensor
    r: Tensor
    scale: Tensor


def jumps(diffusion: GaussianDiffusion) -> list[tuple[int, int]]:
    """The jumps that 4, 2 and 1 evaluations are made of, as numbers of landings: four, two and one."""
    stops = [*landings(diffusion, max(LANDINGS)), 0]
    found = []
    for num_steps in LANDINGS:
        starts = [*landings(diffusion, num_steps), 0]
        found += [(stops.index(t), stops.index(r)) for t, r in zip(starts[:-1], starts[1:], strict=True)]
    return found


def show(
    unet: Student, diffusion: GaussianDiffusion, of: Trajectories, which: Tensor, jump: Tensor, flip: Tensor
) -> Shown:
    """Some trajectories at one jump each, mirrored where told: which and jump (B,) int64, flip (B,) bool."""
    stops = torch.tensor([*landings(diffusion, max(LANDINGS)), 0], dtype=torch.int64, device="cpu")
    ends = torch.tensor(jumps(diffusion), dtype=torch.int64, device="cpu")[jump]  # (B, 2)
    x_t, x_r = (of.x[which, ends[:, i]].float() for i in (0, 1))
    maps = of.label_map[which].long(), of.instance_map[which].long()
    mirrored = [torch.where(flip.view(-1, *[1] * (one.dim() - 1)), one.flip(-1), one) for one in (x_t, x_r, *maps)]
    x_t, x_r, *maps = mirrored
    shown = Shown(unet.condition(*maps), x_t, x_r, stops[ends[:, 0]], stops[ends[:, 1]], of.scale[which])
    return Shown(*(one.to(unet.device) for one in shown))


def loss_of(unet: Student, diffusion: GaussianDiffusion, shown: Shown) -> Tensor:
    """Mean squared error in v, (B,)."""
    cos, sin = turn(diffusion, shown.t, shown.r)
    aim = aim_of(diffusion, shown.t, shown.r, shown.scale)
    output = unet.decode(unet.encode(shown.x_t, shown.t, aim), unet.modulate(shown.condition))
    return mean_flat((output[:, :3] - (cos * shown.x_t - shown.x_r) / sin) ** 2)


def train(run: Run, diffusion: GaussianDiffusion, of: Trajectories, config: TrainConfig) -> Iterator[tuple[Run, float]]:
    """Train run.unet and its average from run.step on: the run after each step, and its loss.

    What a step draws depends on the seed and its number alone, so that a run that was stopped goes on exactly.
    """
    unet, number = run.unet.train(), len(jumps(diffusion))
    for step in range(run.step, config.num_steps):
        generator = step_generator(config.seed, step, 11)
        which = torch.randint(len(of.scale), (config.batch_size,), generator=generator, device="cpu")
        jump = torch.randint(number, (config.batch_size,), generator=generator, device="cpu")
        drawn = torch.rand(config.batch_size, generator=generator, dtype=torch.float32, device="cpu")
        flip = drawn < config.flip_probability
        loss = loss_of(unet, diffusion, show(unet, diffusion, of, which, jump, flip)).mean()
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), config.max_gradient_norm)
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate_at(step, config)
        run.optimizer.step()
        ema_update(run.ema, unet, step, config.ema_rate)
        yield run._replace(step=step + 1), loss.item()


@torch.no_grad()
def losses_by_jump(unet: Student, diffusion: GaussianDiffusion, of: Trajectories) -> dict[str, float]:
    """The mean loss of each jump over some trajectories: seen beside unseen ones it says what is learned by heart."""
    stops, found = [*landings(diffusion, max(LANDINGS)), 0], {}
    for number, (start, end) in enumerate(jumps(diffusion)):
        values = []
        for which in torch.arange(len(of.scale), device="cpu").split(32):
            jump, flip = torch.full_like(which, number), torch.zeros_like(which, dtype=torch.bool)
            values.append(loss_of(unet, diffusion, show(unet, diffusion, of, which, jump, flip)))
        found[f"{stops[start]}-{stops[end]}"] = torch.cat(values).mean().item()
    return found
