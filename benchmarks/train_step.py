"""Training speed of a preset, next to the floor that its operation count gives on this machine.

The floor is the time that the step's multiplications and additions (torch's counter, forward and backward) would take
at the speed of a large matrix product, measured in the same run with the same threads. The fraction of peak is floor /
measured.

    python benchmarks/train_step.py [--preset scenes-32] [--batch-size 8 16 ...] [--steps 60] [--bf16] [--compile]

Lite presets train on Scenes, the paper's on random pictures; a batch that a GPU has no memory for is told as such.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sdm_lite.batches import Batch
from sdm_lite.concat import make_unet
from sdm_lite.presets import PRESETS
from sdm_lite.scenes import Scenes
from sdm_lite.train import LITE_DIFFUSION, ImageBatches, TrainConfig, train
from sdm_lite.train.processes import Processes
from sdm_lite.unet import SDMUNet


def matmul_flops_per_second(device: str, dtype: torch.dtype, repeats: int = 10) -> float:
    """The best of several products of two square matrices in the precision that is measured, large ones on a GPU."""
    size = 1536 if device == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        product = a @ b
        product.sum().item()  # waits for the device
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def operations_per_image(unet: SDMUNet, size: int, device: str) -> float:
    """Operations of one image's forward and backward pass."""
    x_t, t = torch.zeros(1, 3, size, size, device=device), torch.ones(1, dtype=torch.long, device=device)
    condition = torch.zeros(1, unet.config.condition_channels, size, size, device=device)
    with FlopCounterMode(display=False) as counter:
        unet(x_t, t, condition).sum().backward()
    unet.zero_grad(set_to_none=True)
    return counter.get_total_flops()


class Way(Processes):
    """One process, compiled and in mixed precision or not."""

    def __init__(self, device: str, *, compiled: bool, bf16: bool):
        super().__init__(device=device)
        self.compiled, self.bf16 = compiled, bf16

    def wrap(self, unet: SDMUNet) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """The network to call in training."""
        network = torch.compile(unet) if self.compiled else unet
        if not self.bf16:
            return network

        def in_bf16(x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
            with torch.autocast(self.device.type, torch.bfloat16):
                return network(x_t, t, condition).float()

        return in_bf16


def examples(preset: str, number: int) -> Batch:
    """Examples of a preset's size and classes: Scenes, or random where it is not theirs."""
    config = PRESETS[preset]
    height, width = config.image_size
    if preset.startswith("scenes"):
        return Scenes(size=height, length=number).materialize(range(number))
    maps = torch.randint(0, config.num_classes, (number, height // 16, width // 16), dtype=torch.uint8)
    maps = maps.repeat_interleave(16, 1).repeat_interleave(16, 2)  # (N, H, W): flat regions, as label maps are
    images = torch.randint(0, 256, (number, 3, height, width), dtype=torch.uint8)
    edges = torch.zeros_like(maps) if config.instance_edges else None
    return Batch(images, maps, edges, config.num_classes)


def seconds_an_image(unet: SDMUNet, preset: str, batch_size: int, args: argparse.Namespace) -> float:
    """Median time of a training step, by image, without the first five steps."""
    config = TrainConfig(num_steps=args.steps, batch_size=batch_size)
    batches = ImageBatches(
        examples(preset, 4 * batch_size),
        batch_size=batch_size,
        flip_probability=config.flip_probability,
        seed=config.seed,
    )
    ends = [time.perf_counter()]
    diffusion, way = LITE_DIFFUSION.build().to(args.device), Way(args.device, compiled=args.compile, bf16=args.bf16)
    for _ in train(unet, deepcopy(unet), diffusion, batches, config, processes=way):
        ends.append(time.perf_counter())  # a step ends with its figures on the CPU, so that nothing is left to wait for
    return statistics.median(b - a for a, b in zip(ends[5:], ends[6:], strict=False)) / batch_size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=list(PRESETS), default="scenes-32")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[8])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--bf16", action="store_true", help="in mixed precision")
    parser.add_argument("--compile", action="store_true", help="with torch.compile (its first steps are slow)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    if args.steps < 7:
        parser.error(f"--steps must be at least 7, as the first 5 are not counted, got {args.steps}")

    with torch.device(args.device):
        unet = make_unet(PRESETS[args.preset])
    with torch.device("meta"):
        operations = operations_per_image(make_unet(PRESETS[args.preset]), unet.config.image_size[0], "meta")
    peak = matmul_flops_per_second(args.device, torch.bfloat16 if args.bf16 else torch.float32)
    floor = operations / peak
    device = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    kind = ", ".join(name for name, on in (("compiled", args.compile), ("bf16", args.bf16)) if on) or "plain float32"
    print(f"{args.preset}, {kind}, {device}, torch {torch.__version__}")
    print(f"parameters             {sum(p.numel() for p in unet.parameters()):,}")
    print(f"operations an image    {operations / 1e9:.2f} G (forward and backward)")
    print(f"matrix product         {peak / 1e9:.0f} G/s")
    print(f"floor                  {1e3 * floor:.1f} ms an image, {1 / floor:.0f} images/s")
    for batch_size in args.batch_size:
        if args.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            seconds = seconds_an_image(unet, args.preset, batch_size, args)
        except torch.cuda.OutOfMemoryError:
            unet.zero_grad(set_to_none=True)
            print(f"batch {batch_size:<4}             no memory")
            continue
        memory = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if args.device == "cuda" else ""
        print(
            f"measured, batch {batch_size:<4}   {1e3 * seconds:.1f} ms an image, {1 / seconds:.1f} images/s, "
            f"fraction of peak {floor / seconds:.2f}{memory}",
            flush=True,
        )


if __name__ == "__main__":
    main()
