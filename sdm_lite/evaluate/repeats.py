"""How much scores move with the seed of the noise and with the set of layouts: the same evaluation, again and again.

A bootstrap over layouts says how much they would move if layouts and noise were drawn anew; here they are.
"""

from __future__ import annotations

from dataclasses import replace

from sdm_lite.checkpoints import Model
from sdm_lite.evaluate.drawing import SampleSettings
from sdm_lite.evaluate.measures import Measure, Scores
from sdm_lite.evaluate.scene_scores import Sizes, Truth
from sdm_lite.evaluate.scenes import evaluate_model
from sdm_lite.judge.network import Judge
from sdm_lite.progress import ShowProgress, silently
from sdm_lite.scenes.dataset import TEST_SEED, VALIDATION_SEED


def repeat(
    model: Model,
    judge: Judge,
    settings: SampleSettings,
    sizes: Sizes,
    num_seeds: int,
    *,
    truth: Truth,
    progress: ShowProgress = silently,
) -> dict[str, Scores]:
    """Score a model with other seeds of the noise, and with the first seed on the other set of layouts.

    Args:
        model: network and process.
        judge: in evaluation mode.
        settings: of the evaluation that is repeated.
        sizes: likewise.
        num_seeds: how many other seeds, those that follow settings.seed, at least 1.
        truth: of the same sizes.
        progress: shows how far it is.

    Returns:
        Scores by what differs, without intervals worth the name.

    Raises:
        ValueError: if num_seeds is less than 1.
    """
    if num_seeds < 1:
        raise ValueError(f"num_seeds must be at least 1, got {num_seeds}")
    found = {}
    for seed in range(settings.seed + 1, settings.seed + 1 + num_seeds):
        again = replace(settings, seed=seed)
        found[f"seed {seed}"] = evaluate_model(
            model, judge, again, sizes, num_resamples=2, num_exchanges=0, truth=truth, progress=progress
        )
    name, other = ("validation", VALIDATION_SEED) if sizes.scenes_seed == TEST_SEED else ("test", TEST_SEED)
    others = sizes._replace(scenes_seed=other)
    found[f"{name} layouts"] = evaluate_model(
        model, judge, settings, others, num_resamples=2, num_exchanges=0, progress=progress
    )
    return found


def format_repeats(first: Scores, found: dict[str, Scores]) -> str:
    """What each score is in each repetition, as a table: its ratio to the truth, or what is above the floor."""
    columns = {"as above": first} | found
    names = {key: f"{measure.name}: {_told(measure).name}" for key, measure in first.measures.items()}
    width = max(map(len, names.values())) + 2
    lines = [" " * width + "".join(f"{column:>19}" for column in columns)]
    for key, name in names.items():
        values = (_told(scores.measures[key]).value for scores in columns.values())
        lines.append(f"{name:<{width}}" + "".join(f"{value:>19.3f}" for value in values))
    return "\n".join(lines)


def _told(measure: Measure) -> Measure:
    return measure.ratio or measure.difference or replace(measure, name="value")
