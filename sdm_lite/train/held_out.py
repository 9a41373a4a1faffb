"""Is it still improving? The averaged weights, measured on held-out data while they are trained.

Apart from the loop because it never changes what is learned. Everything is measured on the same examples with the same
noise each time, so that two evaluations differ by the weights alone. On Scenes the judge's Frechet distance decides;
on photographs, where this package has no judge, the held-out loss does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import torch

from sdm_lite.batches import collate
from sdm_lite.checkpoints import Model
from sdm_lite.evaluate import SampleSettings, Sizes, Truth, evaluate_model, measure_truth
from sdm_lite.judge.network import Judge, load_judge, metric_name
from sdm_lite.scenes import VALIDATION_SEED
from sdm_lite.train.config import RunConfig
from sdm_lite.train.data import Data, image_size
from sdm_lite.train.loop import Draws, draw_step, hybrid_losses

LEAST_IMPROVEMENT = 0.01  # of the last such gain: less than that would keep a run going for ever
NUM_DRAWS = 4  # of timestep and noise for each held-out example
HELD_OUT_LOSS = "held-out loss"
FID = metric_name("FID")


class Evaluation(NamedTuple):
    """What was measured after a step; of the figures the one called `decides` is compared, less is better."""

    step: int
    figures: dict[str, float]
    decides: str

    @property
    def value(self) -> float:
        """The figure that decides."""
        return self.figures[self.decides]


class Verdict(NamedTuple):
    """Whether a run is still improving.

    Attributes:
        best: the evaluation with the best value so far, however little better.
        is_best: whether that is the last one.
        num_without_improvement: evaluations since one was better by LEAST_IMPROVEMENT than the one that was before.
        line: all that in a sentence.
    """

    best: Evaluation
    is_best: bool
    num_without_improvement: int
    line: str


def judge_progress(evaluations: Sequence[Evaluation]) -> Verdict:
    """Which evaluation is the best, and for how long none has gained enough to go on for.

    The two differ at the end of a cosine schedule, where weights gain a little each time: the best are kept, and a
    gain below LEAST_IMPROVEMENT does not keep a run going.

    Args:
        evaluations: at least one, in order, all deciding by the same figure.
    """
    best = gained = evaluations[0]
    before = None  # the best before the last one that is best
    since = 0
    for one in evaluations[1:]:
        if one.value < best.value:
            best, before = one, best
        since += 1
        if one.value < gained.value * (1 - LEAST_IMPROVEMENT):
            gained, since = one, 0
    last = evaluations[-1]
    told = f"step {last.step}: {last.decides} {last.value:.4g}"
    times = f"{since} evaluation{'' if since == 1 else 's'}"
    if best is not last:
        told += f", best {best.value:.4g} at step {best.step}: no better for {times}"
        return Verdict(best, False, since, told)
    told += ", the best so far" + ("" if before is None else f" (before: {before.value:.4g} at step {before.step})")
    little = f"no gain of {100 * LEAST_IMPROVEMENT:g} % for {times}"
    return Verdict(best, True, since, f"{told}: {'still improving' if since == 0 else little}")


@torch.no_grad()
def held_out_loss(model: Model, data: Data, config: RunConfig, *, batch_size: int = 16) -> float:
    """The mean hybrid loss over the held-out examples, their labels kept, at timesteps and noise that never change.

    Args:
        model: network and process.
        data: whose held-out examples.
        config: for the weights of the loss, and how many examples.
        batch_size: examples at a time.
    """
    unet, diffusion = model
    classes, edges = unet.config.num_classes, unet.config.instance_edges
    held_out = collate(data.held_out[: config.evaluate_images], classes, has_instances=edges)
    labelled = dataclasses.replace(config.train, null_probability=0.0)
    totals = []
    for number in range(NUM_DRAWS):
        draws = draw_step(number, held_out.images.shape, diffusion.num_timesteps, labelled)
        for start in range(0, len(held_out.images), batch_size):
            part = slice(start, start + batch_size)
            own = Draws(*(values[part].to(unet.device) for values in draws))
            batch = held_out.at(part).to(unet.device)
            totals.append(hybrid_losses(unet, diffusion, batch, own, labelled).total)
    return torch.cat(totals).mean().item()


class Evaluator:
    """Measures averaged weights on held-out data: the held-out loss, and for Scenes what the judge says.

    Args:
        data: the run's.
        config: the run.
        device: where the judge computes.
    """

    def __init__(self, data: Data, config: RunConfig, device: torch.device):
        self.data, self.config = data, config
        self.judge = _judge(config, device)
        self.truth: Truth | None = None

    def __call__(self, model: Model, step: int) -> Evaluation:
        """What the model scores after a step."""
        figures = {HELD_OUT_LOSS: held_out_loss(model, self.data, self.config)}
        if self.judge is None:
            return Evaluation(step, figures, HELD_OUT_LOSS)
        number = self.config.evaluate_images
        groups = max(2, min(16, number))
        sizes = Sizes(max(4, number), 8, 2, groups, VALIDATION_SEED)  # what decides when to stop is no test
        if self.truth is None:
            self.truth = measure_truth(self.judge, sizes)
        settings = SampleSettings(self.config.sample_guidance_scale, min(20, model.diffusion.num_timesteps))
        scores = evaluate_model(
            model, self.judge, settings, sizes, num_resamples=1, num_exchanges=0, truth=self.truth
        ).measures
        figures |= {scores[name].name: scores[name].value for name in ("frechet", "miou")}
        figures["diversity ratio"] = scores["diversity"].ratio.value
        return Evaluation(step, figures, FID)


def _judge(config: RunConfig, device: torch.device) -> Judge | None:
    """The judge that ships for the run's pictures and labels, if there is one."""
    if config.dataset != "scenes" or config.label_set != "standard":
        return None
    try:
        return load_judge(f"judge-{image_size(config)[0]}", device=device)
    except FileNotFoundError:
        return None
