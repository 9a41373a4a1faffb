"""Command line, file and notebook give the same run; what is unknown or of the wrong kind is told in one line."""

import dataclasses

import pytest
import yaml

from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.evaluate.drawing import default_guidance_scale
from sdm_lite.presets import PRESETS
from sdm_lite.train.config import RunConfig, TrainConfig, config_values, make_config, options
from sdm_lite.train.options import make_parser, parse
from sdm_lite.train.recipe import RECIPE_DIR, load_config, recipe_names, to_yaml


def test_every_field_is_an_option_with_its_help_and_default():
    shown = " ".join(make_parser().format_help().split())
    for name, option in options().items():
        assert "--" + name.replace("_", "-") in shown and " ".join(option.help.split()) in shown
        assert option.default is None or f"[{option.default}]" in shown
    fields = {one.name for part in (RunConfig, TrainConfig, DiffusionConfig) for one in dataclasses.fields(part)}
    assert set(options()) == fields - {"train", "diffusion"}


def test_command_line_file_and_notebook_give_the_same_run(tmp_path):
    values = {"learning_rate": 1e-4, "size": [64, 32], "skip_bad": True, "mixed_precision": "bf16", "root": "/data"}
    values["schedule"] = "linear"
    path = tmp_path / "run.yaml"
    path.write_text(
        "learning_rate: 1e-4\nsize: [64, 32]\nskip_bad: true\nmixed_precision: bf16\nroot: /data\nschedule: linear\n"
    )
    line = "--learning-rate 1e-4 --size 64 32 --skip-bad --mixed-precision bf16 --root /data --schedule linear".split()
    expected = RunConfig(
        size=(64, 32),
        skip_bad=True,
        mixed_precision="bf16",
        root="/data",
        train=TrainConfig(learning_rate=1e-4),
        diffusion=DiffusionConfig("linear", 1000, "v"),
    )
    assert make_config(values) == load_config(path) == parse(line) == parse(["--config", str(path)]) == expected


def test_what_is_saved_with_a_run_gives_the_run_back(tmp_path):
    config = load_config(None, {"save": "no", "guidance_scale": 2, "ema_rate": 1e-05, "size": (8, 16)})
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load_config(tmp_path / "config.yaml") == config
    assert set(config_values(config)) == set(yaml.safe_load(to_yaml(config))) == set(options())


def test_a_home_folder_is_meant_wherever_a_path_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run.yaml").write_text("root: ~/photographs\noutput: ~/runs/a\n")
    config = parse(["--config", "~/run.yaml", "--save=~/a.safetensors", "--start-from=~/b.safetensors"])
    paths = (config.root, config.output, config.save, config.start_from)
    assert [path.removeprefix(str(tmp_path)) for path in paths] == [
        "/photographs",
        "/runs/a",
        "/a.safetensors",
        "/b.safetensors",
    ]


def test_the_command_line_wins_over_the_file_and_the_second_phase_over_its_first(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("learning_rate: 0.5\nnum_steps: 7\nfine_tune:\n  learning_rate: 0.25\n  null_probability: 0.3\n")
    assert parse(["--config", str(path)]).train.learning_rate == 0.5
    second = parse(["--config", str(path), "--fine-tune", "--start-from", "scenes-32"]).train
    assert (second.learning_rate, second.null_probability, second.num_steps) == (0.25, 0.3, 7)
    third = parse(["--config", str(path), "--fine-tune", "--start-from", "x", "--learning-rate", "0.125"]).train
    assert (third.learning_rate, third.null_probability) == (0.125, 0.3)
    assert parse(["--fine-tune", "--start-from", "x"]).train.null_probability == 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: 1", "unknown field 'learning_rat': did you mean learning_rate?"),
        ("batch-size: 1", "unknown field 'batch-size': did you mean batch_size?"),
        ("learning_rate: fast", "learning_rate in .*run.yaml must be a number, got 'fast'"),
        ("num_steps: 1.5", "num_steps in .* must be a whole number, got 1.5"),
        ("skip_bad: 1", "skip_bad in .* must be true or false, got 1"),
        ("size: 32", "size in .* must be two whole numbers, height and width, got 32"),
        ("root: 7", "root in .* must be text, got 7"),
        ("num_steps: null", "num_steps in .* must be a whole number, got None"),
        ("- 1\n- 2", "must hold lines `field: value`"),
        ("fine_tune: 3", "must hold lines `field: value`"),
        ("a: [", "is not YAML"),
        ("output: 2024-13-45", "run.yaml is not YAML .month must be in 1..12"),  # a ValueError of Python's own
        ("batch_size: 0", "batch_size must be at least 1, got 0"),
        ("schedule: square", "schedule must be one of .*, got 'square'"),
        ("num_timesteps: 1", "num_timesteps must be at least 2, got 1"),
        ("schedule: linear\nnum_timesteps: 20", "num_timesteps must be at least 21 with the linear schedule, got 20"),
        ("prediction_type: x0", "prediction_type must be 'eps' or 'v', got 'x0'"),
        ("shard_weights: true", "unknown field 'shard_weights'"),
        ("stop_after_no_improvement: 3", "needs evaluations: give evaluate_steps"),
        ("mixed_precision: int8", "mixed_precision must be no, bf16 or fp16"),
        ("fine_tune:\n  learning_rat: 1", "did you mean learning_rate?"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_config(path, {"start_from": "x"}, fine_tune="fine_tune" in text)
    assert "\n" not in str(caught.value)


def test_numbers_come_in_every_form_that_yaml_and_people_write():
    config = make_config({"num_steps": "1e5", "seed": 2**62 + 1, "vlb_weight": 1, "mixed_precision": False})
    assert (config.train.num_steps, config.train.seed, config.mixed_precision) == (100_000, 2**62 + 1, "no")
    assert isinstance(config.train.vlb_weight, float)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--learning-rat", "1"], "unknown option --learning-rat: did you mean --learning-rate?"),
        (["--batch", "8"], "unknown option --batch"),
        (["--num-steps", "many"], "num_steps in what was given must be a whole number, got 'many'"),
        (["--recipe", "nothing"], "no recipe called 'nothing'"),
        (["--fine-tune"], "fine_tune needs start_from"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(line, message):
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        parse(line)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_complete_and_its_network_exists(name):
    for fine_tune in (False, True):
        config = load_config(name, {"start_from": "x", "root": "x"}, fine_tune=fine_tune)
        assert config.preset in PRESETS and config.train.batch_size > 0
    assert len(recipe_names()) >= 9


@pytest.mark.parametrize("name", ["celebamask-hq-256", "ade20k-256", "cityscapes-256x512"])
def test_a_recipe_of_the_paper_leaves_no_number_to_the_lite_defaults(name):
    written = yaml.safe_load((RECIPE_DIR / f"{name}.yaml").read_text(encoding="utf-8"))
    assert {one.name for part in (TrainConfig, DiffusionConfig) for one in dataclasses.fields(part)} <= set(written)
    assert written["ema_rate"] == 0.9999 and written["fine_tune"]["null_probability"] == 0.2  # section 4.1


@pytest.mark.parametrize("name", recipe_names())
def test_a_run_draws_at_the_scale_that_an_evaluation_takes_by_itself(name):
    for fine_tune in (False, True):
        config = load_config(name, {"start_from": "scenes-32"}, fine_tune=fine_tune)
        usual = default_guidance_scale(config.dataset, config.train.null_probability)
        assert config.train.null_probability == 0 or config.sample_guidance_scale == usual
