"""What a training run is: TrainConfig says how it learns, DiffusionConfig for which process, RunConfig all the rest.

Apart from the loop because these classes are the only truth: a command line, a YAML file and a notebook fill in the
same fields, and what a field means, and what the paper has for it, is written here alone.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.evaluate.drawing import default_guidance_scale
from sdm_lite.files import expanded


def _option(default: object, text: str) -> object:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides how a training run learns.

    The defaults are the lite recipe (docs/recipe.md); each help text names the paper's value where it has one.
    """

    num_steps: int = _option(10_000, "optimizer steps; the paper does not say how many")
    batch_size: int = _option(8, "images a step, of all processes together; published code: 32")
    learning_rate: float = _option(
        2e-3, "peak of AdamW's learning rate; published code: 1e-4 (ADE20K) or 2e-5 (CelebAMask-HQ)"
    )
    warmup_steps: int = _option(100, "steps of linear warm-up; published code: none")
    final_learning_rate_fraction: float = _option(
        0.0, "of the peak, reached along a cosine; 1 = constant, as published"
    )
    adam_beta1: float = _option(0.9, "AdamW's first moment decay")
    adam_beta2: float = _option(0.99, "AdamW's second moment decay; published code: 0.999")
    weight_decay: float = _option(0.0, "AdamW's; published code: 0")
    max_gradient_norm: float = _option(1.0, "gradients are scaled down to this norm; published code: never")
    ema_rate: float = _option(0.999, "of the averaged weights, after a warm-up of (1 + i) / (10 + i); paper: 0.9999")
    null_probability: float = _option(0.0, "of dropping an example's labels; paper: 0, then 0.2 in fine-tuning")
    flip_probability: float = _option(0.5, "of mirroring an example; published code: 0.5")
    vlb_weight: float = _option(0.001, "lambda of Eq. 13, on the full bound; paper: 0.001")
    max_simple_weight: float = _option(1e4, "limit of the weight 1 / alpha_bar on the simple loss; paper: 1, no weight")
    seed: int = _option(0, "of everything random")

    def __post_init__(self) -> None:
        _check(self, "at least 1", "num_steps", "batch_size")
        _check(self, "at least 0", "warmup_steps", "weight_decay", "vlb_weight", "seed")
        _check(self, "in [0, 1]", "null_probability", "flip_probability", "ema_rate", "final_learning_rate_fraction")
        _check(self, "in [0, 1)", "adam_beta1", "adam_beta2")
        _check(self, "above 0", "learning_rate", "max_gradient_norm", "max_simple_weight")


RANGES = {
    "at least 0": lambda value: value >= 0,
    "at least 1": lambda value: value >= 1,
    "above 0": lambda value: value > 0,
    "in [0, 1]": lambda value: 0 <= value <= 1,
    "in [0, 1)": lambda value: 0 <= value < 1,
}


def _check(config: object, allowed: str, *names: str) -> None:
    """Raise ValueError unless each of these fields is None or in a range."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not RANGES[allowed](value):
            raise ValueError(f"{name} must be {allowed}, got {value}")


# The second phase is a configuration: Wang et al. (2022), section 3.4. The paper's rate is 2e-5 after a first phase at
# 1e-4; in the lite recipe the first phase peaks at 2e-3 and this keeps about that proportion.
FINE_TUNE = {"null_probability": 0.2, "learning_rate": 5e-4}

LITE_DIFFUSION = DiffusionConfig("cosine", 1000, "v")  # the process of the lite recipe
# What DiffusionConfig, of the core, means on a command line.
PROCESS_HELP = {
    "schedule": "noise schedule, cosine or linear; published code: linear",
    "num_timesteps": "T; published code: 1000",
    "prediction_type": "what the network's first channels are, v or eps; paper: eps",
}


@dataclass(frozen=True)
class RunConfig:
    """One run of `python -m sdm_lite.train`: data, network, device, files; how it learns, and for which process.

    Unlike those of `train` and `diffusion` these fields may change when a run is resumed, so long as they lead to the
    same data and the same network.
    """

    dataset: str = _option("scenes", "what to train on: scenes, or a name of sdm_lite.datasets")
    root: str | None = _option(None, "the data set's folder, if it has one")
    size: tuple[int, int] | None = _option(None, "height and width of the images; default: the preset's")
    protocol: str = _option("sdm_lite", "how photographs are cut: sdm_lite, or reference (as the published code)")
    crops: int = _option(1, "examples made of each photograph: the middle, and random parts; published code: random")
    skip_bad: bool = _option(False, "leave out photographs that cannot be read, and list them")
    num_images: int = _option(20_000, "Scenes to render for training")
    data_seed: int = _option(0, "of Scenes, not 1 or 2: those are held out")
    label_set: str = _option("standard", "of Scenes: standard (11 classes), coarse (5) or fine (23)")
    num_workers: int = _option(2, "threads that make batches of photographs ahead of time")

    preset: str = _option("scenes-32", "the network, a name of sdm_lite.presets")
    start_from: str | None = _option(None, "weights to start from: a shipped name or a file")
    adapt: bool = _option(False, "of start_from take the layers that fit, for another class list: the rest is told")

    device: str | None = _option(None, "where to compute: cpu, cuda, ...; default: a GPU if there is one")
    mixed_precision: str = _option("no", "no, bf16 or fp16; published code: fp16")
    accumulation_steps: int = _option(1, "parts that each process cuts its share of a batch into, to save memory")
    expect_processes: int | None = _option(None, "stop unless so many processes came up")

    minutes: float | None = _option(
        None, "fit num_steps to so many minutes on this machine, measured before it starts; default: as num_steps says"
    )
    output: str = _option("runs/latest", "folder for checkpoints, log and results")
    save: str | None = _option(None, "also write the finished averaged weights here, 16 bits each")
    checkpoint_minutes: float = _option(2.0, "between checkpoints")
    checkpoint_steps: int = _option(0, "also a checkpoint every so many steps; 0 = by time; published code: 10000")
    keep_checkpoints: int = _option(2, "how many of the newest are kept, beside the best")
    max_skipped_steps: int = _option(25, "stop after so many steps in a row whose loss or gradient is not finite")

    log_steps: int = _option(50, "steps between two lines of log.jsonl, each the mean of the steps since the last")
    num_samples: int = _option(8, "held-out label maps in the sample grid")
    sample_minutes: float = _option(0.0, "between two sample grids; 0 = not by time")
    sample_steps: int = _option(0, "steps between two sample grids; 0 = only one at the end")
    guidance_scale: float | None = _option(
        None, "of the samples; default: the data set's if labels were dropped, else 1"
    )
    evaluate_steps: int = _option(0, "steps between two evaluations of the averaged weights on held-out data; 0 = none")
    evaluate_images: int = _option(64, "held-out examples in an evaluation")
    stop_after_no_improvement: int = _option(0, "stop after so many evaluations without a gain of 1 %; 0 = never")

    train: TrainConfig = TrainConfig()
    diffusion: DiffusionConfig = LITE_DIFFUSION

    def __post_init__(self) -> None:
        if self.size is not None:
            object.__setattr__(self, "size", tuple(self.size))
        for name in ("root", "start_from", "output", "save"):
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, str(expanded(path)))
        _check(self, "at least 1", "num_images", "accumulation_steps", "keep_checkpoints", "max_skipped_steps")
        _check(self, "above 0", "minutes")
        _check(self, "at least 1", "log_steps", "num_samples", "evaluate_images", "crops")
        _check(self, "at least 0", "checkpoint_steps", "sample_steps", "evaluate_steps", "stop_after_no_improvement")
        _check(self, "at least 0", "checkpoint_minutes", "sample_minutes", "num_workers", "data_seed", "guidance_scale")
        if self.adapt and self.start_from is None:
            raise ValueError("adapt needs start_from: the weights of which to take what fits")
        self.diffusion.build()  # which knows what is wrong with it
        if self.mixed_precision not in ("no", "bf16", "fp16"):
            raise ValueError(f"mixed_precision must be no, bf16 or fp16, got {self.mixed_precision!r}")
        if self.stop_after_no_improvement and not self.evaluate_steps:
            raise ValueError("stop_after_no_improvement needs evaluations: give evaluate_steps")

    @property
    def sample_guidance_scale(self) -> float:
        """The guidance scale of the sample grids and evaluations."""
        if self.guidance_scale is not None:
            return self.guidance_scale
        return default_guidance_scale(self.dataset, self.train.null_probability)


class Option(typing.NamedTuple):
    """A field that can be set: its name, the part of RunConfig that has it, its type without None, default and help."""

    name: str
    part: str
    kind: type
    default: object
    help: str


def options() -> dict[str, Option]:
    """Every field that a file or a command line can set, by name: those of the run, of `train`, of `diffusion`."""
    found = {}
    run = RunConfig()
    for part, config in {"": run, "train": run.train, "diffusion": run.diffusion}.items():
        hints = typing.get_type_hints(type(config))
        for one in dataclasses.fields(config):
            text = one.metadata.get("help") or PROCESS_HELP.get(one.name)
            if text is None:
                continue  # `train` and `diffusion` themselves
            hint = hints[one.name]
            kind = typing.get_args(hint)[0] if isinstance(hint, types.UnionType) else hint  # `str | None` is text
            found[one.name] = Option(one.name, part, kind, getattr(config, one.name), text)
    return found


def make_config(values: Mapping[str, object], *, source: str = "the configuration") -> RunConfig:
    """A run from field values by name, those of `train` and `diffusion` among them; defaults for the rest.

    Args:
        values: by field name, as YAML or a notebook has them.
        source: where they are from, for errors.

    Raises:
        ValueError: if there is no such field, naming the nearest, or a value is of the wrong kind or out of range.
    """
    values = converted(values, source)
    parts: dict[str, dict[str, object]] = {"": {}, "train": {}, "diffusion": {}}
    for name, option in options().items():
        if name in values:
            parts[option.part][name] = values[name]
    process = dataclasses.replace(LITE_DIFFUSION, **parts["diffusion"])
    return RunConfig(**parts[""], train=TrainConfig(**parts["train"]), diffusion=process)


def converted(values: Mapping[str, object], source: str) -> dict[str, object]:
    """The same values, each of its field's type; ValueError for an unknown field, naming the nearest."""
    known = options()
    found = {}
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(str(name).replace("-", "_"), known, n=1)
            hint = f"did you mean {near[0]}?" if near else "see python -m sdm_lite.train --help"
            raise ValueError(f"{source} has an unknown field {name!r}: {hint}")
        found[name] = _converted(known[name], value, source)
    return found


def config_values(config: RunConfig) -> dict[str, object]:
    """The field values of a run by name, those of `train` and `diffusion` among them: what `make_config` takes."""
    values = dataclasses.asdict(config) | dataclasses.asdict(config.train) | dataclasses.asdict(config.diffusion)
    return {name: values[name] for name in options()}


def _converted(option: Option, value: object, source: str) -> object:
    """The value as the field's type: YAML reads 1e-4 as text, and a size as a list."""
    if value is None and option.default is None:
        return None
    if option.name == "mixed_precision" and value is False:
        return "no"  # YAML 1.1 reads a bare `no` as a truth value
    try:
        if option.kind in (bool, str) and isinstance(value, option.kind):
            return value
        if option.kind is float and not isinstance(value, bool):
            return float(value)
        if option.kind is int:
            return _whole(value)
        if typing.get_origin(option.kind) is tuple and len(value) == 2:
            return tuple(_whole(side) for side in value)
    except (TypeError, ValueError, ArithmeticError):
        pass  # told below
    expected = {bool: "true or false", str: "text", float: "a number", int: "a whole number"}
    wanted = expected.get(option.kind, "two whole numbers, height and width")
    raise ValueError(f"{option.name} in {source} must be {wanted}, got {value!r}")


def _whole(value: object) -> int:
    """7, "7", 7.0 and "7e0" as 7; ValueError or ArithmeticError for anything else."""
    number = Decimal(str(value))
    if number != int(number):
        raise ValueError(value)
    return int(number)
