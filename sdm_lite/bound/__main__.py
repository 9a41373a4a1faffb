"""`python -m sdm_lite.bound MODEL`: the variational bound on held-out Scenes, learned against fixed variance.

Apart from the bound itself because a command knows a data set and prints.
"""

from __future__ import annotations

import argparse

import torch

from sdm_lite.batches import encode
from sdm_lite.bound import VARIANCES, Bound, evaluate_bound
from sdm_lite.checkpoints import Model, load_model
from sdm_lite.command import check_device, check_seed, default_device, run
from sdm_lite.guidance import denoiser
from sdm_lite.metrics import Interval, bootstrap_interval
from sdm_lite.progress import progress
from sdm_lite.scenes.dataset import TEST_SEED, Scenes


def measure(model: Model, arguments: argparse.Namespace) -> dict[str, Bound]:
    """The bound of test Scenes under each variance."""
    config, size = model.unet.config, model.unet.config.image_size[0]
    config.check_data("Scenes, on which the bound is measured,", Scenes.num_classes, has_instances=True)
    if config.image_size != (size, size):
        raise ValueError(f"the bound is measured on Scenes, which are square: the model draws {config.image_size}")
    if arguments.num_images < 2:
        raise ValueError(f"num_images must be at least 2, got {arguments.num_images}")
    scenes = Scenes(size, length=arguments.num_images, seed=TEST_SEED)
    pictures = scenes.materialize(range(len(scenes)))
    if not config.instance_edges:
        pictures = pictures._replace(edges=None)
    x0, condition = encode(pictures.to(model.unet.device))  # (N, 3, H, W) and (N, K, H, W)
    return evaluate_bound(
        denoiser(model.unet, model.diffusion, condition, arguments.guidance_scale),
        model.diffusion,
        x0,
        num_strata=arguments.num_strata or None,
        seed=arguments.seed,
        progress=progress,
    )


def table(bounds: dict[str, Bound]) -> str:
    """Bounds as text, with their intervals over pictures, and what the learned variance saves."""
    lines = [f"{'variance':<16}{'bits/dim':>9}   {'interval':<16}{'prior':>8}{'steps':>8}{'decoder':>9}"]
    for name, bound in bounds.items():
        low, high, kind = _interval(bound.total)
        parts = f"{bound.prior.mean():8.4f}{bound.steps.mean():8.3f}{bound.decoder.mean():9.3f}"
        lines.append(f"{name:<16}{bound.total.mean():>9.3f}   [{low:.3f}, {high:.3f}]  {parts}")
    for name in list(bounds)[1:]:
        saved = bounds[name].total - bounds["learned"].total
        low, high, kind = _interval(saved)
        lines.append(f"learned saves {saved.mean():.3f} [{low:.3f}, {high:.3f}] bits/dim over {name}")
    return "\n".join([*lines, f"intervals: {kind}"])


def _interval(values: torch.Tensor) -> Interval:
    return bootstrap_interval(lambda i: values[i].mean(), len(values), items="pictures")


def main(argv: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.bound",
        description="The variational bound of a model on held-out Scenes, bits per dimension: less is better.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("model", help="a shipped name such as scenes-32, or a file")
    parser.add_argument("--num-images", type=int, default=64, help="held-out pictures")
    parser.add_argument("--num-strata", type=int, default=32, help="timesteps asked, besides t = 1; 0 = all T")
    parser.add_argument("--guidance-scale", type=float, default=1.0, help="1 = the conditional network itself")
    parser.add_argument("--seed", type=int, default=0, help="of timesteps and noise")
    parser.add_argument("--device", default=default_device(), help="where to compute")
    arguments = parser.parse_args(argv)
    return run(lambda: _measure(arguments))


def _measure(arguments: argparse.Namespace) -> None:
    """Load, measure, tell."""
    check_device(arguments.device)
    check_seed(arguments.seed)
    bounds = measure(load_model(arguments.model, device=arguments.device), arguments)
    asked = f"{arguments.num_strata + 1} of T" if arguments.num_strata else "all"
    print(f"{arguments.model}, {arguments.num_images} held-out Scenes, {asked} terms")
    print(table({name: bounds[name] for name in VARIANCES}))


if __name__ == "__main__":
    raise SystemExit(main())
