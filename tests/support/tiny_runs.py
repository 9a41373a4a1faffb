"""A training run so small that a test takes it whole: its recipe, its data, its steps."""

from dataclasses import replace

import torch
from networks import TINY

from sdm_lite.labels import instance_edges
from sdm_lite.train import LITE_DIFFUSION, Batch, ImageBatches, RunConfig, TrainConfig, new_run, train
from sdm_lite.unet import SDMUNet

CONFIG = TrainConfig(num_steps=6, batch_size=4, warmup_steps=2, null_probability=0.2)
DIFFUSION = LITE_DIFFUSION.build()
NETWORK = replace(TINY, num_classes=4, instance_edges=True)


def in_folder(folder, config=CONFIG, **options):
    return RunConfig(output=str(folder), train=config, **options)


def batches(config=CONFIG, num_images=10, shard=(0, 1)):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (num_images, 3, 16, 16), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 4, (num_images, 16, 16), generator=generator, dtype=torch.uint8)
    order = {"batch_size": config.batch_size, "flip_probability": config.flip_probability, "seed": config.seed}
    edges = instance_edges(labels)[:, 0].to(torch.uint8)
    return ImageBatches(Batch(images, labels, edges, 4), **order, shard=shard)


def fresh(config=CONFIG):
    torch.manual_seed(0)
    return new_run(SDMUNet(NETWORK), config)


def advance(run, config, steps):
    """Train `run` for some steps and return its state after them, as a user who stops the generator would."""
    losses = []
    loop = train(run.unet, run.ema, DIFFUSION, batches(config), config, optimizer=run.optimizer, start=run.step)
    for step in loop:
        losses.append(step.loss)
        run = run._replace(step=step.step)
        if len(losses) == steps:
            break
    return run, losses
