"""Recipes: a run as a YAML file, its fields those of a RunConfig and of its parts side by side.

Apart from those classes because it is the one door of YAML, and knows where recipes lie. A file may also have a
section `fine_tune` with what changes in the second phase, Wang et al. (2022), section 3.4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sdm_lite.command import check_packages
from sdm_lite.files import expanded
from sdm_lite.train.config import FINE_TUNE, RunConfig, config_values, converted, make_config, options

RECIPE_DIR = Path(__file__).parent / "recipes"


def recipe_names() -> list[str]:
    """The recipes that have a name."""
    return sorted(path.stem for path in RECIPE_DIR.glob("*.yaml"))


def load_config(
    source: str | Path | None = None, overrides: Mapping[str, object] | None = None, *, fine_tune: bool = False
) -> RunConfig:
    """A run from a recipe and what is changed in it; with neither, the defaults.

    Args:
        source: the name of a recipe, a YAML file, or None.
        overrides: field values by name, which win over the file's.
        fine_tune: the second phase: the file's section `fine_tune`, or FINE_TUNE, wins over the rest of the file.

    Returns:
        The run.

    Raises:
        FileNotFoundError: if there is no such recipe or file; lists the names.
        ValueError: if the file is no recipe, or a field is unknown, naming the nearest, or of the wrong kind.
    """
    values, second_phase = ({}, {}) if source is None else read_recipe(source)
    if fine_tune:
        values |= second_phase or FINE_TUNE
    given = converted(overrides or {}, "what was given")
    config = make_config(converted(values, str(source)) | given)
    if fine_tune and config.start_from is None:
        raise ValueError("fine_tune needs start_from: the model of the first phase")
    return config


def read_recipe(source: str | Path) -> tuple[dict[str, object], dict[str, object]]:
    """The field values in a YAML file, and those of its section `fine_tune`.

    Raises:
        FileNotFoundError: if there is no such recipe or file; lists the names.
        ValueError: if it is not YAML or no mapping of names to values, or PyYAML is missing.
    """
    check_packages("yaml")
    import yaml

    path = expanded(source) if expanded(source).is_file() else RECIPE_DIR / f"{source}.yaml"
    if not path.is_file():
        raise FileNotFoundError(
            f"no recipe called {str(source)!r}: give a YAML file, or one of {', '.join(recipe_names()) or 'none'}"
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise
    except Exception as error:  # PyYAML lets through what a date or a number in the text raises
        raise ValueError(f"{path} is not YAML ({' '.join(str(error).split())})") from None
    values = {} if values is None else values
    second_phase = values.pop("fine_tune", None) if isinstance(values, dict) else None
    for part in (values, second_phase or {}):
        if not isinstance(part, dict):
            raise ValueError(f"{path} must hold lines `field: value`, got {type(part).__name__} {str(part)[:40]!r}")
    return values, second_phase or {}


def to_yaml(config: RunConfig) -> str:
    """The whole run as a YAML file that `load_config` reads back: a line a field, with what it means behind it."""
    # JSON's scalars and lists are YAML's, and quote every text, so that `no` stays a word.
    known = options()
    lines = {name: f"{name}: {json.dumps(value)}" for name, value in config_values(config).items()}
    return "".join(f"{line:<44}  # {known[name].help}\n" for name, line in lines.items())
