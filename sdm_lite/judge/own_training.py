"""How a judge of photographs is trained: rare and small classes count, and the weights that read best are kept.

Apart from `training`, the loop of the Scenes judges, because photographs are few: such a judge learns them by heart and
leaves out what is small. Random parts of them come from the data set that it is handed (`crops`).

Shapes: B batch, K classes, N pictures, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite.batches import Batch
from sdm_lite.judge.head import HeadConfig
from sdm_lite.judge.lovasz import lovasz_softmax
from sdm_lite.judge.network import Judge, JudgeConfig
from sdm_lite.judge.training import (
    BATCH_SIZE,
    LEARNING_RATE,
    _class_weights,
    _finish,
    _schedule,
    check_training,
    score_judge,
)

LOVASZ_WEIGHT = 1.0  # of that loss, next to the cross-entropy of the pixels
CHOOSE_EVERY = 100  # steps
LEAST_TO_CHOOSE = 20  # held-out photographs: of fewer none are spared to choose by


class OwnJudgeStep(NamedTuple):
    """One step of training.

    Attributes:
        loss: of its batch.
        judge: as it now is; of the last step the one that is kept, in evaluation mode.
        best_step: whose weights read best so far, counted from 1; 0 where nothing is chosen by.
        best_miou: that they read then.
    """

    loss: float
    judge: Judge
    best_step: int = 0
    best_miou: float = 0.0


def train_own_judge(
    config: JudgeConfig | HeadConfig,
    pictures: Batch,
    *,
    choose_by: Batch | None = None,
    num_steps: int,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Iterator[OwnJudgeStep]:
    """Train a judge of photographs from random weights.

    As `training.train_judge`, with `lovasz_softmax` beside the cross-entropy, and the weights of the step that read
    best. A function of the arguments alone.

    Args:
        config: of the judge.
        pictures: N of them, to train on; more than one part of each photograph, perhaps.
        choose_by: photographs by whose mIoU, every CHOOSE_EVERY steps, the weights are chosen; scores on these flatter.
            None = the last weights.
        num_steps: how many updates.
        batch_size: pictures an update.
        learning_rate: at its peak.
        seed: of weights, order and mirroring.
        device: where to compute.

    Yields:
        Every step; the judge of the last one is finished, and still on the device.

    Raises:
        ValueError: before any work, if a number is out of range or no pixel is labelled.
    """
    check_training(len(pictures.images), num_steps, batch_size, learning_rate)
    if config.void_id is not None and (pictures.label_map == config.void_id).all():
        raise ValueError(f"expected labelled pixels to learn from, got void (class {config.void_id}) in all of them")

    def steps() -> Iterator[OwnJudgeStep]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            with torch.device("cpu"):  # whatever torch's defaults are
                judge = config.build().float().train().to(device)
        remembered = judge.remember(pictures)
        generator = torch.Generator("cpu").manual_seed(seed)
        optimizer = torch.optim.AdamW(judge.parameters(), lr=learning_rate, weight_decay=0.01)
        class_weights = _class_weights(pictures.label_map, config.num_classes, config.void_id).to(device)
        best_step, best_miou, best = 0, 0.0, None
        for step in range(1, num_steps + 1):
            optimizer.param_groups[0]["lr"] = learning_rate * _schedule(step / num_steps)
            chosen = torch.randint(len(pictures.images), (batch_size,), generator=generator, device="cpu")
            mirrored = torch.rand(batch_size, generator=generator, dtype=torch.float32, device="cpu") < 0.5
            batch = pictures.at(chosen).mirrored(mirrored).to(device)
            logits = judge(batch.x0) if remembered is None else judge.reading(remembered(chosen, mirrored)).logits
            loss = pixel_loss(logits, batch.label_map.long(), class_weights, config.void_id)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if choose_by is not None and (step % CHOOSE_EVERY == 0 or step == num_steps):
                judge.eval()
                miou = score_judge(judge, choose_by).miou
                if best is None or miou > best_miou:
                    best_step, best_miou = step, miou
                    best = {name: tensor.clone() for name, tensor in judge.state_dict().items()}
                judge.train()
            if step == num_steps:
                if best is not None:
                    judge.load_state_dict(best)
                _finish(judge, pictures)
            yield OwnJudgeStep(loss.item(), judge, best_step, best_miou)

    return steps()


def pixel_loss(logits: Tensor, target: Tensor, class_weights: Tensor, void_id: int | None = None) -> Tensor:
    """Weighted cross-entropy and `lovasz_softmax` over the labelled pixels; 0 where there are none.

    Args:
        logits: (B, K, H, W), -inf for void.
        target: (B, H, W) int64.
        class_weights: (K,).
        void_id: the class of pixels that nobody labelled, or None.
    """
    of_pixels, labels = logits.movedim(1, -1).flatten(0, -2), target.flatten()  # (N, K), (N,)
    if void_id is not None:
        labelled = labels != void_id
        of_pixels, labels = of_pixels[labelled], labels[labelled]
    if not len(labels):
        return 0.0 * logits.nan_to_num(neginf=0.0).sum()
    entropy = F.cross_entropy(of_pixels, labels, weight=class_weights)
    return entropy + LOVASZ_WEIGHT * lovasz_softmax(of_pixels.softmax(1), labels)
