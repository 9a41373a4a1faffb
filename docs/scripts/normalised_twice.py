"""How much pictures that are normalised twice move a diversity: the numbers in docs/errata.md, "Measures".

    python docs/scripts/normalised_twice.py

Pairs of true pictures of one layout, and pairs of samples of scenes-64 of one layout, for 48 layouts of the test set,
at 64 x 64: a few minutes on one core. LPIPS is a row where its weights are in torch's cache.
"""

from collections.abc import Iterator

import numpy as np
import torch

from sdm_lite import load_model, metrics
from sdm_lite.evaluate import SampleSettings, draw_groups
from sdm_lite.judge import load_judge
from sdm_lite.judge.efficientnet import load_efficientnet
from sdm_lite.judge.lpips import load_lpips, normalised_twice
from sdm_lite.judge.weights import JudgeUnavailableError
from sdm_lite.scenes import TEST_SEED, Scenes

NUM_LAYOUTS, SIZE = 48, 64


def distances() -> Iterator[tuple[str, metrics.Distance]]:
    """The judges that can be asked here, by name."""
    yield "Scenes judge", load_judge(f"judge-{SIZE}").perceptual_distance
    try:
        yield "EfficientNet-Lite0", load_efficientnet().perceptual_distance
        yield "LPIPS, AlexNet", load_lpips("alex").perceptual_distance
    except (FileNotFoundError, JudgeUnavailableError) as error:
        print(error)


def pairs() -> dict[str, torch.Tensor]:
    """Two pictures of each layout, (L, 2, 3, H, W)."""
    scenes = Scenes(SIZE, length=NUM_LAYOUTS, seed=TEST_SEED)
    layouts = [scenes.layout(i) for i in range(NUM_LAYOUTS)]
    maps = [torch.stack(column) for column in zip(*layouts, strict=True)]
    model = load_model(f"scenes-{SIZE}")
    samples = draw_groups(model, *maps, [2] * NUM_LAYOUTS, SampleSettings(guidance_scale=1.5))
    true = [torch.stack([scenes.render(i, n) for n in range(2)]) for i in range(NUM_LAYOUTS)]
    return {"true pictures": torch.stack(true), "samples": torch.stack(samples)}


def told(once: np.ndarray, twice: np.ndarray) -> str:
    """Mean of both, and their quotient with its interval."""

    def quotient(i: torch.Tensor) -> float:
        return twice[i.numpy()].mean() / once[i.numpy()].mean()

    low, high, _ = metrics.bootstrap_interval(quotient, len(once))
    return f"{once.mean():.3f}  {twice.mean():.3f}  {quotient(torch.arange(len(once))):.2f} [{low:.2f}, {high:.2f}]"


@torch.no_grad()
def main() -> None:
    """Print a table: distance as it should be, of pictures normalised twice, and the quotient, 95 % over layouts."""
    pictures = pairs()
    for name, distance in distances():
        for side in (None, 256):  # 299 is no multiple of what the Scenes judge halves by
            resized = distance if side is None else at_side(distance, side)
            for whose, two in pictures.items():
                once = resized(two[:, 0], two[:, 1]).numpy()
                twice = normalised_twice(distance, side=side)(two[:, 0], two[:, 1]).numpy()
                print(f"{name:<20}{'as drawn' if side is None else f'at {side}':<10}{whose:<15}{told(once, twice)}")


def at_side(distance: metrics.Distance, side: int) -> metrics.Distance:
    """The distance of pictures brought to a size first."""

    def enlarged(images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(images, (side, side), mode="bilinear", antialias=True)

    return lambda a, b: distance(enlarged(a), enlarged(b))


if __name__ == "__main__":
    main()
