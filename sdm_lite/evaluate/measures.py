"""What a score is, a number with its interval and its yardstick; and how scores are told.

Apart from measuring because Scenes and photographs are measured each in their way and told alike: one table, one JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from sdm_lite.evaluate.exchange import ExchangeTest
from sdm_lite.files import to_json
from sdm_lite.metrics import Interval


@dataclass(frozen=True)
class Measure:
    """A number, and what to hold it against.

    Attributes:
        name: what was measured, and with whose help.
        value: of the samples; of the bound, on held-out photographs.
        interval: of the value; says itself which kind it is.
        yardstick: the same of the truth, or None where there is none.
        ratio: value by yardstick, both resampled together, or None where the scale of one says nothing.
        difference: value less yardstick, both resampled together, or None.
        exchange: whether the samples can be told from the truth by this distance at all, or None.
    """

    name: str
    value: float
    interval: Interval
    yardstick: Measure | None = None
    ratio: Measure | None = None
    difference: Measure | None = None
    exchange: ExchangeTest | None = None


@dataclass(frozen=True)
class Scores:
    """What a model scores on held-out label maps.

    Attributes:
        measures: by a short name, as in the JSON.
        held_out: what the label maps are of: layouts, photographs.
        num_held_out: L, how many.
        num_images: samples drawn.
        seconds_per_image: of drawing.
        settings: what was asked for: sampler, steps, guidance scale, seeds, sizes.
        class_iou: behind the mIoU, by class.
        class_iou_true: the same of true pictures, where each map has one.
        left_out: a line for each measure that could not be taken, and how to get it.
    """

    measures: dict[str, Measure]
    held_out: str
    num_held_out: int
    num_images: int
    seconds_per_image: float
    settings: dict[str, object]
    class_iou: dict[str, float] = field(default_factory=dict)
    class_iou_true: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def format_scores(scores: Scores, *, with_time: bool = True) -> str:
    """The scores as a table, each with its interval and its yardstick below it; then what the intervals are.

    Args:
        scores: of a model.
        with_time: whether to say how long a sample took, which is of a machine and of what else it did.

    Returns:
        Lines of text.
    """
    rows = [row for key, measure in scores.measures.items() for row in _rows(key, measure)]
    width = max(len(words) for _, words, _ in rows) + 2
    lines, kinds, rules = [], {}, {}
    for key, words, told in rows:
        if isinstance(told, ExchangeTest):
            lines.append(f"{words:<{width}}  {told}")
            rule = f"{told.of}; p <= {told.level:g}: not the truth, each test by itself"
            rules.setdefault(rule, []).append(key)
            continue
        low, high, kind = told.interval
        lines.append(f"{words:<{width}}  {told.value:8.3f}   [{low:.3f}, {high:.3f}]")
        kinds.setdefault(kind, {})[key] = None
    lines += [f"intervals of {', '.join(keys)}: {kind}" for kind, keys in kinds.items()]
    lines += [f"exchange tests of {', '.join(keys)}: {rule}" for rule, keys in rules.items()]
    if scores.class_iou:
        of_classes = scores.measures["miou"].name.removeprefix("m")
        of_true = {name: f" of {iou:.2f}" for name, iou in scores.class_iou_true.items()}
        told = (f"{name} {iou:.2f}{of_true.get(name, '')}" for name, iou in scores.class_iou.items())
        lines.append(f"{of_classes}{', of true pictures' * bool(of_true)}: " + ", ".join(told))
    settings = ", ".join(f"{name} {value}" for name, value in scores.settings.items())
    time = f", {1000 * scores.seconds_per_image:.0f} ms each" if with_time else ""
    lines.append(f"{scores.num_held_out} held-out {scores.held_out}, {scores.num_images} samples{time}; {settings}")
    return "\n".join(lines + [f"left out: {line}" for line in scores.left_out])


def scores_json(scores: Scores, facts: dict[str, object]) -> str:
    """The scores as JSON, after facts that say whose they are; an interval is [low, high, kind]."""
    return to_json(facts | dataclasses.asdict(scores), indent=1) + "\n"


def _rows(key: str, measure: Measure) -> Iterator[tuple[str, str, Measure | ExchangeTest]]:
    """A measure and what stands below it: its short name, the words before its number, and itself."""
    yield key, measure.name, measure
    for part in filter(None, (measure.yardstick, measure.ratio, measure.difference)):
        same = part.interval.kind == measure.interval.kind
        yield key if same else f"what is below {key}", f"  {part.name}", part
    if measure.exchange is not None:
        yield key, "  exchange test", measure.exchange
