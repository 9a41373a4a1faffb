"""Draw the pictures of the README with the package and the shipped weights: `python docs/make_pictures.py`."""

from pathlib import Path

import torch

from sdm_lite import SampleNoise, Scenes, denoiser, encode_labels, last, load_model, sample_ddim
from sdm_lite.viz import colorize, image_grid, save_png, to_uint8

FOLDER = Path(__file__).parent / "images"
LAYOUTS = (4, 7, 9, 10, 14, 23, 28, 31)  # of the held-out Scenes(seed=1), picked before any of them was sampled
SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)


def main() -> None:
    """Write samples.png (label maps, true renders, samples) and guidance.png (one noise, growing guidance scale)."""
    scenes = Scenes(size=32, length=100, seed=1)
    unet, diffusion = load_model("scenes-32")
    examples = [scenes[i] for i in LAYOUTS]
    label_maps = torch.stack([example.label_map for example in examples])
    condition = encode_labels(label_maps, scenes.num_classes, torch.stack([e.instance_map for e in examples]))

    def sample(guidance_scale: float, first_seed: int, chosen: slice = slice(None)) -> list:
        labels = condition[chosen]
        noise = SampleNoise(range(first_seed, first_seed + len(labels)))((3, 32, 32))
        return list(
            to_uint8(last(sample_ddim(denoiser(unet, diffusion, labels, guidance_scale), diffusion, noise, 25)))
        )

    rows = [[colorize(m, scenes.palette) for m in label_maps], list(to_uint8(torch.stack([e.image for e in examples])))]
    rows += [sample(1.5, first_seed) for first_seed in (0, 100, 200)]
    save_png(FOLDER / "samples.png", image_grid(rows, scale=3))

    columns = [sample(scale, 0, slice(0, 4)) for scale in SCALES]
    rows = [[colorize(label_maps[i], scenes.palette), *(column[i] for column in columns)] for i in range(4)]
    save_png(FOLDER / "guidance.png", image_grid(rows, scale=3))


if __name__ == "__main__":
    main()
