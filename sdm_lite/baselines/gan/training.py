"""The loop that trains all nine: a step of the generator, then a step of the discriminator, as a generator function.

Apart from the systems because they differ in parts and losses, not in how they learn. Two forwards of the generator a
step for all, the second with fresh noise and without gradient, as in SPADE's code; pix2pixHD's own makes do with one.
Departs from the published loops in five ways, for all alike: constant rates after a short warm-up, times a factor that
was chosen for each system from the same three; weights averaged over steps (published for OASIS alone); the statistics
of batch norm are not gathered while weights move but from the averaged weights, before anything is drawn (as OASIS does
at its end); a player whose loss or gradient is no number stays as it was in that step; noise and order are functions of
(seed, step), so that a resumed run is the run.

Nothing in a step waits for the device: its figures stay there until they are read.

Shapes: B batch, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sdm_lite.baselines.gan.blocks import initialise
from sdm_lite.baselines.gan.losses import Perceptual
from sdm_lite.baselines.gan.system import (
    DiscriminatorStep,
    Generator,
    GeneratorLoss,
    GeneratorStep,
    Layout,
    LayoutForm,
    Noise,
    Posterior,
    Scores,
    System,
    draw_batch_noise,
    layout_of_batch,
)
from sdm_lite.batches import Batch, step_generator
from sdm_lite.train.loop import ema_decay

GENERATOR_STREAM, DISCRIMINATOR_STREAM, LOSS_STREAM, STATISTICS_STREAM = range(10, 14)  # beside those of `train.loop`
NUM_STATISTICS_BATCHES = 50


def _option(default: object, text: str) -> object:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class GanConfig:
    """Everything that decides how a GAN learns, the system apart; a resumed run must have the same."""

    batch_size: int = _option(16, "pictures a step; batch norm needs 8 or more; published: 1 to 32")
    rate_factor: float = _option(1.0, "of the published learning rates, for generator and discriminator alike")
    warmup_steps: int = _option(100, "steps of linear warm-up of both rates, constant after; published: none")
    ema_rate: float = _option(0.999, "of the averaged weights, after a warm-up of (1 + i) / (10 + i)")
    flip_probability: float = _option(0.5, "of mirroring an example")
    seed: int = _option(0, "of everything random")

    def __post_init__(self) -> None:
        checks = {
            "batch_size": (self.batch_size >= 2, "at least 2"),
            "rate_factor": (0 < self.rate_factor < float("inf"), "above 0"),
            "warmup_steps": (self.warmup_steps >= 0, "at least 0"),
            "ema_rate": (0 <= self.ema_rate <= 1, "in [0, 1]"),
            "flip_probability": (0 <= self.flip_probability <= 1, "in [0, 1]"),
            "seed": (0 <= self.seed < 2**32, f"in 0..{2**32 - 1}"),
        }
        for name, (is_right, allowed) in checks.items():
            if not is_right:
                raise ValueError(f"{name} must be {allowed}, got {getattr(self, name)}")


class Players(NamedTuple):
    """Who plays, and with what they learn: all that a step changes.

    Attributes:
        generator: trained.
        discriminator: trained.
        encoder: trained with the generator, or None.
        ema: the generator's averaged weights; its buffers are of no account, see `settled`.
        generator_optimizer: of generator and encoder.
        discriminator_optimizer: of the discriminator.
    """

    generator: Generator
    discriminator: nn.Module
    encoder: nn.Module | None
    ema: Generator
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return next(self.generator.parameters()).device

    def networks(self) -> dict[str, nn.Module]:
        """Those with weights, by name."""
        found = {name: getattr(self, name) for name in ("generator", "discriminator", "encoder", "ema")}
        return {name: network for name, network in found.items() if network is not None}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizers by name."""
        return {name: getattr(self, name) for name in ("generator_optimizer", "discriminator_optimizer")}


class GanStep(NamedTuple):
    """What one step did.

    Attributes:
        step: how many are done, this one included.
        names: of its figures.
        figures: (n,) float32 on the device, one after the other as named; a loss has its weight in it. `contrast` is
            how much drawn pictures differ from one another, as a share of what true ones do; `skipped` 1 if a loss or
            gradient was no number, so that its player was not changed, and `skipped_in_a_row` how many such there were.
    """

    step: int
    names: tuple[str, ...]
    figures: Tensor

    def read(self) -> dict[str, float]:
        """The figures by name; waits for the device."""
        return dict(zip(self.names, self.figures.tolist(), strict=True))


def new_players(system: System, form: LayoutForm, config: GanConfig, device: torch.device | str = "cpu") -> Players:
    """Networks at their first step, a function of the seed, and their optimizers.

    Raises:
        ValueError: if there is no such GAN for layouts of this form.
    """
    form.check()
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(config.seed)
        generator = _fresh(system.make_generator(form), device)
        discriminator = _fresh(system.make_discriminator(form), device)
        encoder = None if system.make_encoder is None else _fresh(system.make_encoder(form), device)
    ema = deepcopy(generator).requires_grad_(False)
    trained = [*generator.parameters(), *(encoder.parameters() if encoder else ())]
    optimizers = [
        torch.optim.Adam(parameters, lr=rate, betas=system.betas, fused=True)
        for parameters, rate in (
            (trained, system.generator_rate),
            (list(discriminator.parameters()), system.discriminator_rate),
        )
    ]
    return Players(generator, discriminator, encoder, ema, *optimizers)


def _fresh(network: nn.Module, device: torch.device | str) -> nn.Module:
    network = initialise(network.float()).to(device).train()
    if torch.device(device).type == "cpu":
        network.to(memory_format=torch.channels_last)  # a step of SPADE takes a tenth less
    for module in _batch_norms(network):
        # Statistics of weights that move would be wrong for all of them, and one NaN would stay in them for ever.
        module.track_running_stats = False
    return network


def _batch_norms(network: nn.Module) -> list[_BatchNorm]:
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    return [module for module in norms if module.running_mean is not None]


def generator_losses(system: System, features: Callable[[Tensor], Sequence[Tensor]] | None) -> list[GeneratorLoss]:
    """The terms of a system's generator beside the game.

    Args:
        system: which.
        features: the perceptual network, or None to leave that term out.
    """
    perceptual = [Perceptual(features, system.perceptual_weights)] if features and system.perceptual_weights else []
    return [*system.generator_losses, *perceptual]


def train(
    system: System,
    players: Players,
    batches: Callable[[int], Batch],
    config: GanConfig,
    *,
    num_steps: int,
    start: int = 0,
    features: Callable[[Tensor], Sequence[Tensor]] | None = None,
) -> Iterator[GanStep]:
    """Train a system.

    A generator function: each `next` is one step, so that a caller can draw, save or stop in between.

    Args:
        system: which.
        players: changed in place; their device is where the work is done.
        batches: from a step, counted from 0, to its batch.
        config: the recipe.
        num_steps: when to end.
        start: steps already done.
        features: the perceptual network, on the same device; None = without that term.

    Yields:
        A GanStep after each of the steps start + 1 .. num_steps.
    """
    losses = generator_losses(system, features)
    names = figure_names(system, losses)
    skipped_in_a_row = torch.zeros((), dtype=torch.float32, device=players.device)
    for step in range(start, num_steps):
        batch = batches(step).to(players.device)
        layout, real = layout_of_batch(batch), batch.x0
        warm = config.rate_factor * min(1.0, (step + 1) / max(1, config.warmup_steps))
        noise = _streamed(players, config, step, GENERATOR_STREAM)
        ours, fake, bad_g = _generator_step(system, players, losses, layout, real, noise)
        bad_g = _update(players.generator_optimizer, system.generator_rate * warm, bad_g)
        theirs, bad_d = _discriminator_step(system, players, layout, real, config, step)
        bad_d = _update(players.discriminator_optimizer, system.discriminator_rate * warm, bad_d)
        _average(players, step, config.ema_rate)
        skipped = torch.maximum(bad_g, bad_d)
        skipped_in_a_row = (skipped_in_a_row + 1) * skipped
        contrast = fake.std(0).mean() / real.std(0).mean().clamp(min=1e-3)
        figures = [*theirs, *ours, contrast, skipped, skipped_in_a_row]
        yield GanStep(step + 1, names, torch.stack([figure.detach().float() for figure in figures]))


def figure_names(system: System, losses: Sequence[GeneratorLoss]) -> tuple[str, ...]:
    """What `GanStep.figures` are, in their order."""
    theirs = ("discriminator", *(loss.name for loss in system.discriminator_losses), "discriminator_gradient_norm")
    ours = ("generator", *(loss.name for loss in losses), "generator_gradient_norm")
    return (*theirs, *ours, "contrast", "skipped", "skipped_in_a_row")


def _streamed(players: Players, config: GanConfig, step: int, stream: int) -> Noise:
    """Standard normal noise for the batch of a step, on the device."""
    noise = draw_batch_noise(players.generator, config.batch_size, step_generator(config.seed, step, stream))
    return tuple(part.to(players.device, non_blocking=True) for part in noise)


def _noise(players: Players, layout: Layout, real: Tensor, noise: Noise) -> tuple[Noise, Posterior | None]:
    """The noise of training: where there is an encoder, moved to what it reads off the true pictures."""
    if players.encoder is None:
        return noise, None
    posterior = players.encoder(layout, real)
    return posterior.sample(noise), posterior


def _generator_step(
    system: System, players: Players, losses: Sequence[GeneratorLoss], layout: Layout, real: Tensor, noise: Noise
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Gradients of the generator and the encoder: figures, the pictures drawn, and whether any number was none."""
    noise, posterior = _noise(players, layout, real, noise)
    drawing = players.generator.draw(layout, noise)
    real_scores: Sequence[Scores] = ()
    if any(loss.reads_real_scores for loss in losses):
        with torch.no_grad():
            real_scores = players.discriminator(layout, real)
    fake_scores = players.discriminator(layout, drawing.image)
    seen = GeneratorStep(layout, real, drawing, real_scores, fake_scores, posterior)
    terms = [system.adversarial.generator_loss(seen), *(loss(seen) for loss in losses)]
    norm, bad = _backward(terms, players.generator_optimizer)
    return [*terms, norm], drawing.image.detach(), bad


def _discriminator_step(
    system: System, players: Players, layout: Layout, real: Tensor, config: GanConfig, step: int
) -> tuple[list[Tensor], Tensor]:
    """Gradients of the discriminator: figures, and whether any number was none."""
    with torch.no_grad():
        noise = _noise(players, layout, real, _streamed(players, config, step, DISCRIMINATOR_STREAM))[0]
        fake = players.generator(layout, noise)
    scores = players.discriminator(layout.twice(), torch.cat([real, fake]))
    pairs = [of_scale.halves() for of_scale in scores]
    seen = DiscriminatorStep(
        layout,
        real,
        fake,
        [of_real for of_real, _ in pairs],
        [of_fake for _, of_fake in pairs],
        players.discriminator,
        step_generator(config.seed, step, LOSS_STREAM),
    )
    terms = [system.adversarial.discriminator_loss(seen), *(loss(seen) for loss in system.discriminator_losses)]
    norm, bad = _backward(terms, players.discriminator_optimizer)
    return [*terms, norm], bad


def _backward(terms: list[Tensor], optimizer: torch.optim.Optimizer) -> tuple[Tensor, Tensor]:
    """Gradients of the sum for the weights of one optimizer alone: their norm, and 1 if it or the sum is no number."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    optimizer.zero_grad(set_to_none=True)
    total = torch.stack(terms).sum()
    total.backward(inputs=weights)
    norms = torch._foreach_norm([weight.grad for weight in weights if weight.grad is not None])
    norm = torch.linalg.vector_norm(torch.stack(norms))
    return norm, (~(torch.isfinite(total) & torch.isfinite(norm))).float().detach()


def _update(optimizer: torch.optim.Optimizer, rate: float, bad: Tensor) -> Tensor:
    """One step of Adam, or nothing at all where `bad` is 1; decided on the device, as a GradScaler does it."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.grad_scale, optimizer.found_inf = None, bad
    optimizer.step()
    return bad


@torch.no_grad()
def _average(players: Players, step: int, rate: float) -> None:
    ours, theirs = list(players.ema.parameters()), list(players.generator.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - ema_decay(step, rate))


@torch.no_grad()
def settled(
    players: Players, batches: Callable[[int], Batch], config: GanConfig, num_batches: int = NUM_STATISTICS_BATCHES
) -> Generator:
    """The generator to draw with: averaged weights, with statistics of batch norm and of spectral norm of their own.

    The vectors of spectral norm are those of the trained weights, moved on by the passes, and not averages of unit
    vectors; the statistics of batch norm are means over `num_batches` training batches. Noise is drawn from the prior,
    as it is at test.

    Args:
        players: left as they are.
        batches: from a step to its batch; the first ones are taken.
        config: the recipe.
        num_batches: passes.

    Returns:
        A copy, in evaluation mode: each of its pictures depends on its own layout and noise alone.
    """
    generator = deepcopy(players.ema)
    for ours, theirs in zip(generator.buffers(), players.generator.buffers(), strict=True):
        ours.copy_(theirs)
    norms = _batch_norms(generator)
    for module in norms:
        module.reset_running_stats()
        module.track_running_stats, module.momentum = True, None  # None: the mean of all passes
    generator.train()
    for number in range(num_batches):
        batch = batches(number).to(players.device)
        noise = _streamed(players, config, number, STATISTICS_STREAM)
        generator(layout_of_batch(batch), noise)
    return generator.eval()


def is_finite(players: Players) -> bool:
    """Whether every weight and every moment is a number; players that are not are never written."""
    tensors = [tensor for network in players.networks().values() for tensor in network.state_dict().values()]
    tensors += [
        value
        for optimizer in players.optimizers().values()
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    ]
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
