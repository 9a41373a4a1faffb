"""What a sample costs, from the paper's setting to one evaluation: network operations and milliseconds, in one run.

All are guided. Operations by torch's counter, a multiplication and an addition being two, what is done once for a label
map included. Weights are random, for time does not depend on them: a student has been trained at 32 pixels alone, and
says nothing of pictures at other sizes here. At the paper's size operations are counted and nothing is timed. The
paper's setting, a thousand steps of two whole passes, is timed over two steps, times 500.

    python benchmarks/sample.py [--sizes scenes-32 scenes-64 celebamask-hq-256] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from guided_step import operations, print_table, seconds
from torch import Tensor

from sdm_lite import markdown
from sdm_lite.diffusion import Denoiser, DiffusionConfig, GaussianDiffusion, Prediction
from sdm_lite.guidance import denoiser, guide
from sdm_lite.labels import null_like
from sdm_lite.modulation import keep_modulation
from sdm_lite.presets import PRESETS, UNetConfig
from sdm_lite.sampling import last, sample_ddim
from sdm_lite.student import Student, landings, student_denoiser
from sdm_lite.timesteps import TimeGrid, karras, trailing
from sdm_lite.unet import SDMUNet

SCALE = 1.5
SIZES = {"scenes-32": True, "scenes-64": False, "celebamask-hq-256": False}  # and whether a student was trained there


class Way(NamedTuple):
    """A way to draw: from network, process and condition to a denoiser, in how many steps, at which timesteps."""

    make: Callable[[SDMUNet, GaussianDiffusion, Tensor], Denoiser]
    num_steps: int
    grid: TimeGrid = trailing
    is_student: bool = False


def two_passes(unet: SDMUNet, diffusion: GaussianDiffusion, condition: Tensor) -> Denoiser:
    """The plain way: the whole network with the labels and under the null label, every label map read at every step."""
    null = null_like(condition)

    @torch.no_grad()
    def denoise(x_t: Tensor, t: Tensor) -> Prediction:
        return diffusion.predict(guide(unet(x_t, t, condition), unet(x_t, t, null), SCALE), x_t, t)

    return denoise


def shared(unet: SDMUNet, diffusion: GaussianDiffusion, condition: Tensor) -> Denoiser:
    """One encode for both passes, the label map read once."""
    return denoiser(unet, diffusion, condition, SCALE)


def student(num_steps: int) -> Way:
    """The student, one encode and one decode a step."""

    def make(unet: Student, diffusion: GaussianDiffusion, condition: Tensor) -> Denoiser:
        return student_denoiser(unet, diffusion, condition, SCALE, num_steps=num_steps)

    return Way(make, num_steps, landings, is_student=True)


PAPER = "the paper's setting: 1000 steps of two passes"
WAYS = {
    PAPER: Way(two_passes, 1000),
    "25 steps of two passes": Way(two_passes, 25),
    "25 steps, shared": Way(shared, 25),
    "10 steps, shared": Way(shared, 10),
    "4 steps on rho = 7, shared": Way(shared, 4, karras),
    "student, 4 evaluations": student(4),
    "student, 2 evaluations": student(2),
    "student, 1 evaluation": student(1),
}


def process_on(device: str) -> GaussianDiffusion:
    """That of the shipped networks."""
    return DiffusionConfig("cosine", 1000, "v").build().to(device)


def counted(way: Way, config: UNetConfig) -> int:
    """Operations of one sample: what is done once for a label map, and one step times their number."""
    process = process_on("meta")
    with torch.device("meta"):
        unet = (Student if way.is_student else SDMUNet)(config).eval()
        x_t, t = torch.empty(1, 3, *config.image_size), torch.full((1,), 500)
        condition, aim = torch.empty(1, config.condition_channels, *config.image_size), torch.empty(1, 6)
    made: list = []
    with torch.no_grad():
        if way.is_student:  # its denoiser asks which step it is, which a tensor without numbers cannot say
            once = operations(lambda: made.append(keep_modulation(unet, condition)))
            step = operations(lambda: unet.decode(unet.encode(x_t, t, aim), made[0]))
        else:
            once = operations(lambda: made.append(way.make(unet, process, condition)))
            step = operations(lambda: made[0](x_t, t))
    return once + way.num_steps * step


def drawing(way: Way, config: UNetConfig, batch_size: int, device: str, num_steps: int) -> Callable[[], Tensor]:
    """What draws a batch from label maps, in the first `num_steps` of the way's steps."""
    process = process_on(device)
    with torch.device(device):
        unet = (Student if way.is_student else SDMUNet)(config).eval()
    generator = torch.Generator().manual_seed(0)
    x_T = torch.randn(batch_size, 3, *config.image_size, generator=generator).to(device)
    label_map = torch.randint(0, config.num_classes, (batch_size, *config.image_size), generator=generator)
    timesteps = way.grid(process, way.num_steps)

    def draw() -> Tensor:
        denoise = way.make(unet, process, unet.condition(label_map, label_map))
        steps = sample_ddim(denoise, process, x_T, way.num_steps, timesteps=timesteps)
        return last(islice(steps, num_steps))

    return draw


def timed(config: UNetConfig, batch_size: int, device: str, repeats: int) -> dict[str, float]:
    """Seconds of one sample by each way: medians, taken in turns; of the paper's setting two steps, times 500."""
    some = {name: min(way.num_steps, 2 if name == PAPER else way.num_steps) for name, way in WAYS.items()}
    draws = [drawing(way, config, batch_size, device, some[name]) for name, way in WAYS.items()]
    medians = [statistics.median(taken) for taken in seconds(tuple(draws), repeats)]
    pairs = zip(WAYS.items(), medians, strict=True)
    return {name: median * way.num_steps / some[name] / batch_size for (name, way), median in pairs}


def table(size: str, operations_of: dict[str, int], seconds_of: dict[str, float]) -> list[list[str]]:
    """Rows of text, header first; ratios are the paper's setting by each way."""
    rows = [[size, "operations", "paper's / this", "ms a sample", "paper's / this"]]
    for name, count in operations_of.items():
        row = [name, f"{count / 1e9:,.2f} G", f"{operations_of[PAPER] / count:,.0f}"]
        if seconds_of:
            row += [f"{1e3 * seconds_of[name]:,.1f}", f"{seconds_of[PAPER] / seconds_of[name]:,.0f}"]
        rows.append(row + ["not timed"] * (len(rows[0]) - len(row)))
    return rows


def main() -> None:
    """Count, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES), help="default: all three")
    parser.add_argument("--batch-size", type=int, default=1, help="samples at a time (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=10, help="of each way, in turns (default %(default)s)")
    times = parser.add_mutually_exclusive_group()
    times.add_argument("--time-all", action="store_true", help="time the paper's size too: for a GPU")
    times.add_argument("--count-only", action="store_true", help="time nothing")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--markdown", type=Path, help="also write the tables here")
    args = parser.parse_args()
    hardware = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    hardware = f"{hardware}, torch {torch.__version__}, {args.batch_size} at a time"
    print(hardware)
    lines = [f"{hardware}."]
    for size, trained in SIZES.items():
        if size not in args.sizes:
            continue
        config = PRESETS[size]
        is_timed = args.time_all or (size != "celebamask-hq-256" and not args.count_only)
        taken = timed(config, args.batch_size, args.device, args.repeats) if is_timed else {}
        rows = table(size, {name: counted(way, config) for name, way in WAYS.items()}, taken)
        print()
        print_table(rows)
        if not trained:
            print("no student of this size has been trained; one is counted, with random weights")
        lines += ["", *markdown.table(rows[0], rows[1:])]
    if args.markdown:
        args.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
