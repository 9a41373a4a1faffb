"""What ships in data/: small, whole, each with a card that says how it was made, and good for what it is for."""

import pytest
import torch

from sdm_lite.baselines.gan import SYSTEMS
from sdm_lite.baselines.gan.runs import load_gan, num_parameters
from sdm_lite.batches import encode
from sdm_lite.checkpoints import DATA_DIR, load_facts, load_model
from sdm_lite.evaluate import SampleSettings, draw_samples, evaluate_images
from sdm_lite.judge import load_judge
from sdm_lite.ledger.evidence import read_evidence
from sdm_lite.metrics import mean_iou
from sdm_lite.scenes import Scenes

WEIGHTS = sorted(DATA_DIR.glob("*.safetensors"))
MODELS = ["scenes-32-conditional", "scenes-32", "scenes-64", "table4-sdm-32", "table4-concat-32"]


def test_all_that_the_course_needs_is_there_and_small():
    assert {path.stem for path in WEIGHTS} >= {*MODELS, "judge-32", "judge-64"}
    assert sum(path.stat().st_size for path in WEIGHTS) < 25e6


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_each_file_has_its_card(path):
    card = path.with_suffix(".md").read_text()
    assert path.stem in card and "python -m sdm_lite." in card


@pytest.mark.parametrize("name", MODELS)
def test_a_model_s_card_holds_the_facts_of_its_file(name):
    facts = load_facts(name)
    card = (DATA_DIR / f"{name}.md").read_text()
    assert facts["command"] in card and f"{facts['steps']:,} steps" in card
    assert facts["train_config"]["null_probability"] == (0.0 if name == "scenes-32-conditional" else 0.2)


def test_a_gan_s_card_holds_the_facts_of_its_file_and_the_scores_of_the_stored_run():
    shipped = sorted(DATA_DIR.glob("gan-*.safetensors"))
    assert [path.stem for path in shipped] == ["gan-inade-32"] and sum(path.stat().st_size for path in shipped) < 3e6
    run = read_evidence("table1")
    table = next(one for one in run.results["tables"] if one["size"] == 32 and one["perceptual"])
    for path in shipped:
        gan, card = load_gan(path.stem, SYSTEMS), path.with_suffix(".md").read_text()
        assert gan.facts["command"] in card and f"{gan.facts['steps']:,} steps" in card
        assert f"{num_parameters(gan.generator):,} weights" in card
        (row,) = (row for row in table["rows"] if row["system"] == gan.system.name)
        assert (row["steps"], row["rate_factor"]) == (gan.facts["steps"], gan.facts["run"]["rate_factor"])
        scores = run.results["scores"].items()
        of_seed = row["training_seeds"].index(gan.facts["run"]["seed"])
        for score, told in scores:
            value, truth = row[score]["seeds"][of_seed], table["truth"][score]["value"]
            assert f"| {told} | {value:.3f} | {truth:.3f} |" in card


@pytest.mark.parametrize("size", [32, 64])
def test_samples_of_the_shipped_model_are_read_as_their_label_maps(size):
    count = 512 // size
    scenes = Scenes(size, length=count, seed=1)
    layouts = [scenes.layout(i) for i in range(count)]
    label_maps, instance_maps = (torch.stack(part) for part in zip(*layouts, strict=True))
    judge = load_judge(f"judge-{size}")
    settings = SampleSettings(guidance_scale=1.5, num_steps=10)
    samples = draw_samples(load_model(f"scenes-{size}"), label_maps, instance_maps, range(count), settings)
    renders = torch.stack([scenes[i].image for i in range(count)])
    of_samples, of_renders = (
        mean_iou(evaluate_images(judge, images[:, None], label_maps).confusion.sum(0)) for images in (samples, renders)
    )
    assert of_samples > 0.95 * of_renders


def test_fine_tuning_taught_the_null_label():
    """Under the null label it errs less than the network that never met it, and under labels about as much."""
    scenes = Scenes(32, length=32, seed=1)
    x0, condition = encode(scenes.materialize(range(32)))
    t = torch.arange(32) * 31 + 5
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    error = {}
    for name in ("scenes-32-conditional", "scenes-32"):
        unet, diffusion = load_model(name)
        x_t = diffusion.q_sample(x0, t, noise)
        for kind, labels in (("labels", condition), ("null", torch.zeros_like(condition))):
            with torch.no_grad():
                output = unet(x_t, t, labels)
            error[name, kind] = diffusion.losses(output, x0, x_t, t, noise, max_simple_weight=1e4).simple.mean().item()
    assert error["scenes-32", "null"] < 0.9 * error["scenes-32-conditional", "null"]
    assert error["scenes-32", "labels"] < 1.1 * error["scenes-32-conditional", "labels"]
