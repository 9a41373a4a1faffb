"""Pale flecks on the roads of samples: how many, by how samples are drawn, beside the photographs. Prints a table.

    python docs/scripts/flecks.py camvid FOLDER runs/camvid/model.safetensors
    python docs/scripts/flecks.py camvid FOLDER MODEL --also runs/other/model.safetensors    # another network beside
    python docs/scripts/flecks.py camvid FOLDER MODEL --write TARGET    # TARGET/with and TARGET/without: two data sets

What the last writes differs in the pale pixels of the class alone.

A pixel of the class is pale (dark) if its mean of channels lies more than TOLERANCE above (below) the median of the
5 x 5 around it; borders of the class are left out. What the sampler adds would be pale and dark alike.

Shapes: N pictures, H x W pixels.
"""

import argparse
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import default_collate

from sdm_lite.checkpoints import Model, load_model
from sdm_lite.datasets import Photographs, open_dataset
from sdm_lite.evaluate import SampleSettings, draw_groups
from sdm_lite.files import write_whole
from sdm_lite.guidance import denoiser
from sdm_lite.pictures import png_bytes, to_uint8
from sdm_lite.sampling import sample_ddim, sample_ddpm, sample_dpmpp_2m

TOLERANCE = 0.15  # 19 of 255
TOLERANCE_PAINTED = 0.06  # less, so that what is painted out leaves no rim
NUM_MAPS = 16
USUAL = SampleSettings(1.5, 15, sample_dpmpp_2m)
WAYS = {
    "DPM-Solver++, 15 steps, s = 1.5": USUAL,
    "the same, s = 0": SampleSettings(0.0, 15, sample_dpmpp_2m),
    "the same, s = 1": SampleSettings(1.0, 15, sample_dpmpp_2m),
    "the same, s = 3": SampleSettings(3.0, 15, sample_dpmpp_2m),
    "the same, s = 1.5, x0 not clipped": SampleSettings(
        1.5, 15, sample_dpmpp_2m, make_denoiser=partial(denoiser, clip=False)
    ),
    "DDIM, 10 steps": SampleSettings(1.5, 10, sample_ddim),
    "DDIM, 50 steps": SampleSettings(1.5, 50, sample_ddim),
    "DDPM, 50 steps": SampleSettings(1.5, 50, sample_ddpm),
}
STEPS_BACK = (50, 200, 400)  # t of the noisy photographs of which one prediction is looked at


def flecks(images: Tensor, inside: Tensor) -> list[float]:
    """Per cent of the pixels of a class that are pale, and dark; of the pale ones those beside two or more others.

    Args:
        images: (N, 3, H, W) in [-1, 1].
        inside: (N, H, W) bool.
    """
    light = images.mean(1, keepdim=True)  # (N, 1, H, W)
    around = F.unfold(F.pad(light, (2, 2, 2, 2), mode="reflect"), 5)  # (N, 25, H W)
    above = (light.flatten(2)[:, 0] - around.median(1).values).view(inside.shape)
    inside = -F.max_pool2d(-inside[:, None].float(), 3, 1, 1)[:, 0] > 0  # less its border
    pale, dark = inside & (above > TOLERANCE), inside & (above < -TOLERANCE)
    neighbours = F.conv2d(pale[:, None].float(), torch.ones(1, 1, 3, 3), padding=1)[:, 0] - 1
    in_line = float((neighbours[pale] >= 2).float().mean()) if pale.any() else 0.0
    return [100 * float(kind.sum() / inside.sum()) for kind in (pale, dark)] + [100 * in_line]


def without_pale(image: Tensor, inside: Tensor) -> Tensor:
    """A picture (3, H, W) whose pale pixels of a class (H, W) have the median of the class in the 9 x 9 around them."""
    for _ in range(2):  # what stood beside a pale one may be seen only now
        of_class = torch.where(inside, image, torch.nan)[None]  # (1, 3, H, W)
        around = F.unfold(F.pad(of_class, (4, 4, 4, 4), value=torch.nan), 9).view(3, 81, *inside.shape)
        median = around.nanmedian(1).values  # (3, H, W), nan where none of the class is near
        image = torch.where(inside & ((image - median).mean(0) > TOLERANCE_PAINTED), median, image)
    return image


def write_folders(data: Photographs, split: str, target: Path, of: int) -> None:
    """Write a split as it is to target/with, and without pale pixels of a class to target/without."""
    for name, example in zip(data.names, data.read_all(), strict=True):
        pictures = {"with": example.image, "without": without_pale(example.image, example.label_map == of)}
        for kind, image in pictures.items():
            for part, pixels in (("images", to_uint8(image)), ("labels", example.label_map.to(torch.uint8).numpy())):
                write_whole(target / kind / part / split / f"{name}.png", png_bytes(pixels))
    for kind in ("with", "without"):
        write_whole(target / kind / "classes.txt", "\n".join(data.class_names) + "\n")


def row(name: str, images: Tensor, inside: Tensor) -> None:
    """Print a line of the table."""
    pale, dark, in_line = flecks(images, inside)
    print(f"| {name} | {pale:.2f} | {dark:.2f} | {in_line:.0f} |", flush=True)


def drawn(model: Model, photographs: object, settings: SampleSettings) -> Tensor:
    """One sample of each label map, (N, 3, H, W)."""
    ones = [1] * len(photographs.image)
    return torch.cat(draw_groups(model, photographs.label_map, photographs.instance_map, ones, settings))


def main() -> None:
    """Read, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("root", type=Path)
    parser.add_argument("model")
    parser.add_argument("--also", nargs="*", default=[], help="other networks, drawn in the first way")
    parser.add_argument("--of", default="road", help="the class (default road)")
    parser.add_argument("--write", type=Path, metavar="TARGET", help="draw nothing, write the two folders")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    size = model.unet.config.image_size
    if arguments.write is not None:
        for split in ("train", "val"):
            data = open_dataset(arguments.dataset, arguments.root, split, size=size)
            write_folders(data, split, arguments.write, data.class_names.index(arguments.of))
        return
    print("| | pale, % | dark, % | of the pale ones beside two others, % |\n|---|---|---|---|")
    for split in ("train", "val"):
        data = open_dataset(arguments.dataset, arguments.root, split, size=size)
        few = data.thinned(200 if split == "train" else NUM_MAPS)
        photographs = default_collate(list(few.read_all()))
        inside = photographs.label_map == data.class_names.index(arguments.of)
        row(f"photographs, {split}", photographs.image, inside)
    for name, settings in WAYS.items():
        row(name, drawn(model, photographs, settings), inside)
    condition = model.unet.condition(photographs.label_map, photographs.instance_map)
    draw = denoiser(model.unet, model.diffusion, condition, 1.0)
    for step in STEPS_BACK:
        t = torch.full((len(inside),), step)
        noise = torch.randn(photographs.image.shape, generator=torch.Generator().manual_seed(0))
        row(f"one prediction from photographs with noise, t = {step}", draw(
            model.diffusion.q_sample(photographs.image, t, noise), t).x0, inside)  # fmt: skip
    for other in arguments.also:
        row(f"{other}, as in the first way", drawn(load_model(other), photographs, USUAL), inside)


if __name__ == "__main__":
    main()
