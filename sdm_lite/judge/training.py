"""How a judge is trained: one loop for Scenes and for photographs, that goes on where it was stopped.

Apart from the network because those who score with a judge need none of it; `python -m sdm_lite.judge` runs it. What a
batch teaches is in `losses`.

Shapes: K classes, N pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.batches import Batch
from sdm_lite.judge.head import HeadConfig
from sdm_lite.judge.losses import JudgeLoss, pixels_and_heads
from sdm_lite.judge.network import Judge, JudgeConfig, pool
from sdm_lite.judge.scores import appearances_of, score_judge
from sdm_lite.judge.unfinished import Unfinished
from sdm_lite.progress import Progress
from sdm_lite.scenes.dataset import Scenes

# Many small batches learn more a minute than few large ones.
NUM_STEPS = 3600
BATCH_SIZE = 8
LEARNING_RATE = 4e-3
LOOK_EVERY = 100  # steps: what is there is kept, and weights are chosen


def read_scenes(scenes: Scenes) -> tuple[Batch, Tensor]:
    """All pictures of a Scenes data set, each with its own layout, and what the heads are to read.

    Returns:
        The pictures, and their appearances (N, 2) int64: time of day and season.
    """
    with Progress(f"drawing {len(scenes)} scenes", total=len(scenes)) as count:
        pictures = scenes.materialize(range(len(scenes)), progress=lambda _: count.update())
    own = [scenes.own_appearance(i) for i in range(len(scenes))]
    return pictures, torch.tensor([[appearance.time_of_day, appearance.season] for appearance in own], device="cpu")


class JudgeStep(NamedTuple):
    """One step of training.

    Attributes:
        number: of the step, counted from 1.
        loss: of its batch.
        judge: as it now is; of the last step the one that is kept, in evaluation mode.
        best_step: whose weights read best so far; 0 where nothing is chosen by.
        best_miou: that they read then.
    """

    number: int
    loss: float
    judge: Judge
    best_step: int = 0
    best_miou: float = 0.0


def train_judge(
    config: JudgeConfig | HeadConfig,
    pictures: Batch,
    appearances: Tensor | None = None,
    *,
    loss: JudgeLoss = pixels_and_heads,
    choose_by: Batch | None = None,
    num_steps: int = NUM_STEPS,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    device: str | torch.device = "cpu",
    keep: Path | None = None,
) -> Iterator[JudgeStep]:
    """Train a judge from random weights.

    AdamW, a warm-up over a tenth of the steps and a cosine to zero, half of the pictures mirrored, rare classes
    weighted up. The result is a function of the arguments alone, stopped or not.

    Args:
        config: of the judge.
        pictures: N of them, to train on; of photographs more than one part of each, perhaps.
        appearances: (N, 2) int64, time of day and season; None = all 0, for heads of one outcome.
        loss: of a batch, one of `losses`.
        choose_by: pictures by whose mIoU, every LOOK_EVERY steps, the weights are chosen; scores on these flatter.
            None = the last weights.
        num_steps: how many updates.
        batch_size: pictures an update.
        learning_rate: at its peak.
        seed: of weights, order and mirroring.
        device: where to compute.
        keep: a file written every LOOK_EVERY steps, from which the same call goes on; None = none. Whoever has kept the
            judge deletes it.

    Yields:
        Every step that is still to do. The judge of the last one is finished: in evaluation mode, its features in units
        of their spread; it is still on the device.

    Raises:
        ValueError: before any work, if a number is out of range, no pixel is labelled, or the file is damaged or of
            another training.
    """
    check_training(len(pictures.images), num_steps, batch_size, learning_rate)
    if config.void_id is not None and (pictures.label_map == config.void_id).all():
        raise ValueError(f"expected labelled pixels to learn from, got void (class {config.void_id}) in all of them")
    appearances = appearances_of(pictures, appearances)
    unfinished = None
    if keep is not None:
        numbers = {"num_steps": num_steps, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
        seen_by = {"pictures": (pictures, appearances), "pictures to choose by": (choose_by, None)}
        unfinished = Unfinished(keep, numbers | {"judge": str(config), "loss": loss.__name__}, seen_by)
    kept = None if unfinished is None else unfinished.read()

    def steps() -> Iterator[JudgeStep]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            with torch.device("cpu"):  # whatever torch's defaults are
                judge = config.build().float().train().to(device)
        remembered = judge.remember(pictures)
        generator = torch.Generator("cpu").manual_seed(seed)
        optimizer = torch.optim.AdamW(judge.parameters(), lr=learning_rate, weight_decay=0.01)
        class_weights = class_weights_of(pictures.label_map, config.num_classes, config.void_id).to(device)
        done, best_step, best_miou, best = 0, 0, 0.0, None
        if kept is not None:
            done, best_step, best_miou, best = (kept[name] for name in ("step", "best_step", "best_miou", "best"))
            judge.load_state_dict(kept["judge"])
            optimizer.load_state_dict(kept["optimizer"])
            generator.set_state(kept["generator"])
        for step in range(done + 1, num_steps + 1):
            optimizer.param_groups[0]["lr"] = learning_rate * rate_at(step / num_steps)
            chosen = torch.randint(len(pictures.images), (batch_size,), generator=generator, device="cpu")
            mirrored = torch.rand(batch_size, generator=generator, dtype=torch.float32, device="cpu") < 0.5
            batch = pictures.at(chosen).mirrored(mirrored).to(device)
            reading = judge.read(batch.x0) if remembered is None else judge.reading(remembered(chosen, mirrored))
            seen = appearances[chosen].to(device)
            value = loss(reading, batch.label_map.long(), seen, class_weights, config.void_id)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            last, look = step == num_steps, step % LOOK_EVERY == 0
            if choose_by is not None and (look or last):
                miou = score_judge(judge.eval(), choose_by).miou
                judge.train()
                if best is None or miou > best_miou:
                    best_step, best_miou = step, miou
                    best = {name: tensor.clone() for name, tensor in judge.state_dict().items()}
            if unfinished is not None and look and not last:
                parts = {"judge": judge.state_dict(), "optimizer": optimizer.state_dict(), "best": best}
                drawn = {"generator": generator.get_state()}
                unfinished.write({"step": step, "best_step": best_step, "best_miou": best_miou} | parts | drawn)
            if last:
                if best is not None:
                    judge.load_state_dict(best)
                _finish(judge, pictures)
            yield JudgeStep(step, value.item(), judge, best_step, best_miou)

    return steps()


def check_training(num_images: int, num_steps: int, batch_size: int, learning_rate: float) -> None:
    """Raise ValueError if a judge cannot be trained with these numbers; see `train_judge`."""
    if num_steps < 1 or not 1 <= batch_size <= num_images or not learning_rate > 0:
        raise ValueError(
            f"expected num_steps >= 1, batch_size in 1..{num_images} (the images) and learning_rate > 0, "
            f"got {num_steps}, {batch_size} and {learning_rate}"
        )


def rate_at(progress: float) -> float:
    """Share of the peak learning rate: linear over the first tenth, then a cosine to zero."""
    return min(progress / 0.1, 0.5 + 0.5 * math.cos(math.pi * max(progress - 0.1, 0) / 0.9))


def class_weights_of(label_maps: Tensor, num_classes: int, void_id: int | None = None) -> Tensor:
    """(K,) weights, falling with the root of a class' share of labelled pixels, 1 on an average one; 0 for void."""
    counts = torch.bincount(label_maps.flatten(), minlength=num_classes).double()
    if void_id is not None:
        counts[void_id] = 0
    share = counts / counts.sum()
    weights = share.clamp(min=1e-3).rsqrt()
    if void_id is not None:
        weights[void_id] = 0
    return (weights / (weights * share).sum()).float()


@torch.no_grad()
def _finish(judge: Judge, pictures: Batch) -> None:
    """Measure the spread of the features on (at most 2048 of) the training pictures."""
    judge.eval()
    parts = torch.arange(len(pictures.images), device="cpu")[:2048].split(256)
    pooled = torch.cat([pool(judge.layers(pictures.at(part).to(judge.device).x0)) for part in parts])
    judge.feature_mean.copy_(pooled.mean(0))
    # Of one picture there is no spread: its features stay in their own units.
    spread = pooled.std(0) if len(pooled) > 1 else torch.ones_like(pooled[0])
    judge.feature_std.copy_(spread.clamp(min=1e-6))
