"""The network of the perceptual loss, in the place of VGG: trained to restore pictures, never to judge them.

Seven of the nine systems compare features of a network pretrained on ImageNet. Here that network must not be the Scenes
judge, which scores FID, mIoU and diversity: a generator would be trained on its own examination. So it is another one:
other widths, another task (pictures come with noise and with squares cut out, and go out as they were: no label, hour
or season is ever shown), on Scenes of a seed that no other network sees. What is kept is the encoder, five stages as
VGG has, each in units of its own spread: a picture and another one are 1 apart in each, on average.

Vincent et al. (2008) and Pathak et al. (2016) for features from restoring; Johnson et al. (2016) for the loss, with
weights of stages as in pix2pixHD (Wang et al. 2018). `python -m sdm_lite.baselines perceptual` makes the shipped files.

Shapes: B batch, N pictures, C channels, H x W pixels, h x w of a stage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite import checkpoints
from sdm_lite.files import to_json
from sdm_lite.scenes.dataset import Scenes

FORMAT = "sdm_lite perceptual 1"
DATA_SEED, CARD_SEED = 3, 4  # of Scenes, to train on and for the card: 0 to 2 train, choose and test all else
CHANNELS = (16, 32, 40, 56, 64)
STAGE_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

NUM_STEPS = 4000
BATCH_SIZE = 16
LEARNING_RATE = 2e-3
SIGMAS = (0.05, 1.0)  # of the noise, drawn evenly on the logarithm
NUM_HOLES = 3  # squares a picture, a quarter of its side each


class FeatureNetwork(nn.Module):
    """Features of pictures at five resolutions, each halved.

    Args:
        channels: C of each stage, full resolution first.

    Raises:
        ValueError: if there are not as many stages as STAGE_WEIGHTS.
    """

    def __init__(self, channels: Sequence[int] = CHANNELS):
        super().__init__()
        if len(channels) != len(STAGE_WEIGHTS):
            raise ValueError(f"channels: expected {len(STAGE_WEIGHTS)} stages, got {len(channels)}")
        self.channels = tuple(channels)
        before = (3, *channels[:-1])
        self.stages = nn.ModuleList(_stage(a, b) for a, b in zip(before, channels, strict=True))
        # Mean |difference| of two true pictures, so that stages are in one unit.
        self.register_buffer("spreads", torch.ones(len(channels), dtype=torch.float32))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of every stage.

        Args:
            images: (B, 3, H, W) in [-1, 1], H and W divisible by 16.

        Returns:
            One (B, C, h, w) a stage, full resolution first.

        Raises:
            ValueError: if height or width cannot be halved once a stage.
        """
        divisor = 2 ** (len(self.stages) - 1)
        if images.ndim != 4 or images.shape[2] % divisor or images.shape[3] % divisor:
            raise ValueError(
                f"images: expected (B, 3, H, W), H and W divisible by {divisor}, got {tuple(images.shape)}"
            )
        return [h / spread for h, spread in zip(self.raw(images), self.spreads, strict=True)]

    def raw(self, images: Tensor) -> list[Tensor]:
        """The same before they are scaled."""
        features, h = [], images
        for number, stage in enumerate(self.stages):
            h = stage(h if number == 0 else F.avg_pool2d(h, 2))
            features.append(h)
        return features


def perceptual_distance(
    of: Sequence[Tensor], other: Sequence[Tensor], weights: Sequence[float] = STAGE_WEIGHTS
) -> Tensor:
    """Weighted mean absolute difference of features, summed over stages. Johnson et al. (2016); pix2pixHD's weights.

    Args:
        of: what a `FeatureNetwork` returned, one (B, C, h, w) a stage.
        other: the same of other pictures; detach where they are not learned from.
        weights: of the stages, 0 leaves one out.

    Returns:
        A scalar; 0 for equal pictures, about the sum of the weights for two true pictures of two layouts.
    """
    terms = [weight * (a - b).abs().mean() for a, b, weight in zip(of, other, weights, strict=True) if weight]
    return torch.stack(terms).sum()


def load_features(name_or_path: str | Path = "perceptual-32", *, device: str | torch.device = "cpu") -> FeatureNetwork:
    """Load the network, in evaluation mode and without gradients to its weights.

    Args:
        name_or_path: a shipped name, or a file that `save_features` wrote.
        device: where to put it.

    Raises:
        FileNotFoundError: if there is no such file; lists the shipped names.
        ValueError: if it is another network's, a judge's above all, or damaged.
    """
    path = checkpoints.resolve(name_or_path)
    tensors, metadata = checkpoints.load_tensors(path)
    found = str(metadata.get("format"))
    if "judge" in found:
        raise ValueError(f"{path}: expected features that score nothing, got a judge: give perceptual-32 or -64")
    if found != FORMAT:
        raise ValueError(f"{path}: expected the format {FORMAT!r}, got {found!r}: give perceptual-32 or -64")
    with torch.device("cpu"):
        network = FeatureNetwork([tensors[f"stages.{i}.0.weight"].shape[0] for i in range(len(STAGE_WEIGHTS))])
    checkpoints.load_exactly(network.float(), {name: tensor.float() for name, tensor in tensors.items()}, path)
    return network.eval().requires_grad_(False).to(device)


def features_for(size: Sequence[int], *, device: str | torch.device = "cpu") -> FeatureNetwork:
    """The shipped network for pictures of a size, (height, width): the one trained at the nearest."""
    return load_features("perceptual-32" if min(size) < 64 else "perceptual-64", device=device)


def save_features(path: str | Path, network: FeatureNetwork, *, facts: dict[str, object]) -> None:
    """Write the network, 16 bits a weight, whole or not at all.

    Args:
        path: of the safetensors file.
        network: to save.
        facts: anything JSON can hold that a reader should know: command, steps, seconds.
    """
    tensors = {name: tensor.half() for name, tensor in network.state_dict().items()}
    checkpoints.save_tensors(path, tensors, {"format": FORMAT, "facts": to_json(facts)})


# Training.


class Restorer(nn.Module):
    """The encoder with a decoder that puts the picture together again; the decoder is for training alone."""

    def __init__(self, encoder: FeatureNetwork):
        super().__init__()
        self.encoder = encoder
        channels = encoder.channels
        self.decoder = nn.ModuleList(
            _convolution(below + width, width) for width, below in zip(channels, channels[1:], strict=False)
        )
        self.head = nn.Conv2d(channels[0], 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W), damaged, to the same shape, restored."""
        *skips, h = self.encoder.raw(images)
        for block, skip in zip(reversed(self.decoder), reversed(skips), strict=True):
            h = block(torch.cat([F.interpolate(h, scale_factor=2, mode="nearest"), skip], dim=1))
        return self.head(h)


class Step(NamedTuple):
    """One step of training: the loss of its batch, and the network as it now is."""

    loss: float
    network: FeatureNetwork


def damage(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures with noise of a strength of their own, and squares of grey.

    Args:
        images: (B, 3, H, W) in [-1, 1], on the CPU.
        generator: of what is drawn.

    Returns:
        The same shape.
    """
    number, _, height, width = images.shape
    low, high = map(math.log, SIGMAS)
    on = {"generator": generator, "dtype": torch.float32, "device": "cpu"}
    sigma = (low + (high - low) * torch.rand(number, 1, 1, 1, **on)).exp()
    damaged = images + sigma * torch.randn(images.shape, **on)
    side = height // 4
    corners = torch.rand(number, NUM_HOLES, 2, **on)
    for picture, at in zip(damaged, corners, strict=True):
        for top, left in (at * torch.tensor([height - side, width - side], device="cpu")).long().tolist():
            picture[:, top : top + side, left : left + side] = 0
    return damaged


def check_feature_training(size: int, num_images: int, num_steps: int, batch_size: int) -> None:
    """Raise ValueError if the network cannot be trained with these numbers; see `train_features`."""
    if size % 16 or num_steps < 1 or not 1 <= batch_size <= num_images:
        raise ValueError(
            f"expected size divisible by 16, num_steps >= 1 and batch_size in 1..{num_images} (the images), "
            f"got {size}, {num_steps} and {batch_size}"
        )


def train_features(
    images: Tensor,
    *,
    num_steps: int = NUM_STEPS,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
) -> Iterator[Step]:
    """Train the network from random weights to restore pictures, in absolute error; a function of the arguments alone.

    Args:
        images: (N, 3, H, W) uint8.
        num_steps: updates of Adam, at a rate that falls as a cosine.
        batch_size: pictures an update.
        learning_rate: at the start.
        seed: of weights, order and damage.

    Yields:
        Every step; the network of the last one is finished: frozen, its stages in units of their spread.

    Raises:
        ValueError: before any work, if a number is out of range.
    """
    check_feature_training(images.shape[2], len(images), num_steps, batch_size)

    def steps() -> Iterator[Step]:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed)
            restorer = Restorer(FeatureNetwork()).float().train()
        generator = torch.Generator("cpu").manual_seed(seed)
        optimizer = torch.optim.Adam(restorer.parameters(), lr=learning_rate)
        for step in range(num_steps):
            optimizer.param_groups[0]["lr"] = learning_rate * (0.5 + 0.5 * math.cos(math.pi * step / num_steps))
            chosen = torch.randint(len(images), (batch_size,), generator=generator, device="cpu")
            whole = images[chosen].float() / 127.5 - 1
            loss = (restorer(damage(whole, generator)) - whole).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step == num_steps - 1:
                _finish(restorer.encoder, images)
            yield Step(loss.item(), restorer.encoder)

    return steps()


@torch.no_grad()
def _finish(network: FeatureNetwork, images: Tensor) -> None:
    """Freeze, and measure how far two pictures are apart in each stage, on (at most 1024 of) the training pictures."""
    network.eval().requires_grad_(False)
    some = images[:1024].float() / 127.5 - 1
    apart = [[(h - h.roll(1, 0)).abs().mean() for h in network.raw(part)] for part in some.split(128)]
    network.spreads.copy_(torch.tensor(apart, dtype=torch.float32, device="cpu").mean(0).clamp(min=1e-6))


@torch.no_grad()
def measure_features(network: FeatureNetwork, size: int, num_images: int = 256) -> dict[str, float]:
    """How far pictures that it was not trained on are from others, by what these are.

    Args:
        network: finished.
        size: of the pictures.
        num_images: of Scenes(seed=CARD_SEED).
    """
    scenes = Scenes(size, length=num_images, seed=CARD_SEED)
    images = torch.stack([scenes[i].image for i in range(num_images)])
    renders = torch.stack([scenes.render(i, 0) for i in range(num_images)])
    features = network(images)
    others = {
        "itself": images,
        "itself, moved by a pixel": images.roll(1, 3),
        "another render of its layout": renders,
        "a picture of another layout": images.roll(1, 0),
    }
    return {name: perceptual_distance(features, network(other)).item() for name, other in others.items()}


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.SiLU())


def _stage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.SiLU(), nn.Conv2d(after, after, 3, padding=1), nn.SiLU()
    )
