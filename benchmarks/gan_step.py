"""What a step of each GAN costs beside a step of SDM, and what a picture costs: on these Table 1 is matched.

A GAN's step is one of the generator and one of the discriminator, of 16 pictures; SDM's is of 8, as both are trained.
Steps are taken in turn on one thread and timed by the processor's own clock; each ratio is the median over rounds.
SDM's picture is guided, 15 steps of DPM-Solver++(2M). Pictures are drawn 16 at a time.

    python benchmarks/gan_step.py [--sizes 32 64] [--systems ...] [--rounds 8]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import torch
from conditioning_step import parsed, seconds, training

from sdm_lite.baselines.comparison.runs import SDM, systems_of
from sdm_lite.baselines.gan import SYSTEMS, LayoutForm, draw_noise, layout_of
from sdm_lite.baselines.gan.perceptual import features_for
from sdm_lite.baselines.gan.training import GanConfig, new_players
from sdm_lite.baselines.gan.training import train as train_gan
from sdm_lite.checkpoints import Model
from sdm_lite.concat import make_unet
from sdm_lite.evaluate import SampleSettings, draw_samples
from sdm_lite.presets import PRESETS
from sdm_lite.sampling import sample_dpmpp_2m
from sdm_lite.scenes import Scenes
from sdm_lite.train import LITE_DIFFUSION, ImageBatches

NUM_PICTURES = 16


def gan_step(name: str, size: int) -> Callable[[], object]:
    """One step of a GAN, both its halves, of 16 pictures."""
    system, scenes, config = SYSTEMS[name], Scenes(size, length=64), GanConfig()
    players = new_players(system, form_of(size), config)
    pictures = scenes.materialize(range(64), keeps_instance_ids=True)
    batches = ImageBatches(pictures, batch_size=config.batch_size, flip_probability=0.5, seed=0)
    features = features_for((size, size)) if system.perceptual_weights else None
    steps = train_gan(system, players, batches, config, num_steps=10**6, features=features)
    return lambda: next(steps)


def form_of(size: int) -> LayoutForm:
    """Of Scenes."""
    return LayoutForm((size, size), Scenes.num_classes, Scenes.has_instances)


def sdm_pictures(size: int) -> Callable[[], object]:
    """Pictures by SDM."""
    torch.manual_seed(0)
    model = Model(make_unet(PRESETS[f"scenes-{size}"]).eval(), LITE_DIFFUSION.build())
    maps, settings = maps_of(size), SampleSettings(1.5, 15, sample_dpmpp_2m)
    return lambda: draw_samples(model, *maps, range(NUM_PICTURES), settings)


def gan_pictures(name: str, size: int) -> Callable[[], object]:
    """Pictures by a GAN."""
    torch.manual_seed(0)
    generator, maps = SYSTEMS[name].make_generator(form_of(size)).eval(), maps_of(size)

    @torch.no_grad()
    def draw() -> torch.Tensor:
        layout = layout_of(maps[0], Scenes.num_classes, maps[1])
        return generator(layout, draw_noise(generator, range(NUM_PICTURES)))

    return draw


def maps_of(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Label maps and instance maps, (16, size, size) int64 each."""
    layouts = [Scenes(size, length=NUM_PICTURES).layout(i) for i in range(NUM_PICTURES)]
    label_maps, instance_maps = zip(*layouts, strict=True)
    return torch.stack(label_maps), torch.stack(instance_maps)


def main() -> None:
    """Measure and print, as the constants of `baselines.comparison.runs`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, choices=(32, 64), default=[32, 64])
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    args = parsed(parser, rounds=8)
    print(f"one thread, torch {torch.__version__}, median of {args.rounds - 1} rounds")
    for size in args.sizes:
        names = [name for name in systems_of(size) if name in args.systems]
        steps = {SDM: training(f"scenes-{size}")} | {name: gan_step(name, size) for name in names}
        pictures = {SDM: sdm_pictures(size)} | {name: gan_pictures(name, size) for name in names}
        rounds = []
        for _ in range(args.rounds):  # in turn, so that what else the machine does meets all alike
            taken = {name: seconds(work, 3 if name == SDM else 1) for name, work in steps.items()}
            drawn = {name: seconds(work) / NUM_PICTURES for name, work in pictures.items()}
            rounds.append((taken, drawn))
        rounds = rounds[1:]  # the first warms up
        ratios = {name: statistics.median(taken[name] / taken[SDM] for taken, _ in rounds) for name in names}
        times = {name: 1000 * statistics.median(drawn[name] for _, drawn in rounds) for name in (SDM, *names)}
        step = statistics.median(taken[SDM] for taken, _ in rounds)
        print(f"{size} px: a step of SDM {1000 * step:.0f} ms; by it a step of")
        print("    " + ", ".join(f'"{name}": {ratio:.2f}' for name, ratio in ratios.items()))
        print("  ms a picture")
        print("    " + ", ".join(f'"{name}": {ms:.1f}' for name, ms in times.items()), flush=True)


if __name__ == "__main__":
    main()
