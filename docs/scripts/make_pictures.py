"""Draw the pictures of the README with the package and the shipped weights: `python docs/scripts/make_pictures.py`."""

from pathlib import Path

import torch
from PIL import Image

from sdm_lite import Model, SampleNoise, Scenes, denoiser, load_model, sample_ddim
from sdm_lite.evaluate import SampleSettings, draw_samples
from sdm_lite.viz import colorize, image_grid, save_png, to_uint8

FOLDER = Path(__file__).parents[1] / "images"
LAYOUTS = (4, 7, 9, 10, 14, 23, 28, 31)  # of the held-out Scenes(seed=1), picked before any of them was sampled
SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
INTERVAL = (1, 800)  # docs/recipe.md


class Layouts:
    """The layouts that are drawn, at one size, and samples of them."""

    def __init__(self, size: int):
        self.scenes = Scenes(size=size, length=100, seed=1)
        examples = [self.scenes[i] for i in LAYOUTS]
        images, self.label_maps, self.instance_maps = (torch.stack(part) for part in zip(*examples, strict=True))
        self.maps = [colorize(label_map, self.scenes.palette) for label_map in self.label_maps]
        self.pictures = list(to_uint8(images))

    def sample(self, model: Model, guidance_scale: float, seeds: range) -> list:
        """One sample of each of the first layouts, as many as there are seeds."""
        settings = SampleSettings(guidance_scale, guidance_interval=INTERVAL)
        maps = self.label_maps[: len(seeds)], self.instance_maps[: len(seeds)]
        return list(to_uint8(draw_samples(model, *maps, seeds, settings)))


def save_moving(path: Path, layouts: Layouts, model: Model) -> None:
    """From noise to picture in 25 steps, under the first four label maps: a GIF that rests at its end."""
    maps, instances = layouts.label_maps[:4], layouts.instance_maps[:4]
    draw = denoiser(*model, model.unet.condition(maps, instances), guidance_scale=1.5, guidance_interval=INTERVAL)
    x_T = SampleNoise(seeds=[0, 1, 2, 3])((3, 32, 32))
    walk = [x_T, *(step.x_t for step in sample_ddim(draw, model.diffusion, x_T, num_steps=25))]
    shown = [*walk[0:-1:2], walk[-1]]
    frames = [Image.fromarray(image_grid([layouts.maps[:4], to_uint8(x.clamp(-1, 1))], scale=4)) for x in shown]
    frames = [frame.quantize(128, dither=Image.Dither.NONE) for frame in frames]
    pauses = [600] + [120] * (len(frames) - 2) + [2500]  # milliseconds
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=pauses, loop=0, optimize=True)


def main() -> None:
    """Write samples.png and samples_64.png (maps, true pictures, samples), guidance.png (growing scale), moving.gif."""
    for size, scale, seeds, name in ((32, 3, (0, 100, 200), "samples.png"), (64, 2, (0, 100), "samples_64.png")):
        layouts, model = Layouts(size), load_model(f"scenes-{size}")
        samples = [layouts.sample(model, 1.5, range(first, first + len(LAYOUTS))) for first in seeds]
        save_png(FOLDER / name, image_grid([layouts.maps, layouts.pictures, *samples], scale=scale))

    layouts, model = Layouts(32), load_model("scenes-32")
    columns = [layouts.sample(model, scale, range(4)) for scale in SCALES]
    rows = [[layouts.maps[i], *(column[i] for column in columns)] for i in range(4)]
    save_png(FOLDER / "guidance.png", image_grid(rows, scale=3))
    save_moving(FOLDER / "moving.gif", layouts, model)


if __name__ == "__main__":
    main()
