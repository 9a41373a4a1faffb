"""Training speed of a lite preset, next to the floor that its operation count gives on this machine.

The floor is the time that the step's multiplications and additions (torch's counter, forward and backward) would take
at the speed of a large matrix product, measured in the same run with the same threads. The fraction of peak is floor /
measured.

    python benchmarks/train_step.py [--preset scenes-32] [--batch-size 8] [--steps 60] [--bf16] [--compile]
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

from sdm_lite.presets import PRESETS
from sdm_lite.scenes import Scenes
from sdm_lite.train import LITE_DIFFUSION, ImageBatches, TrainConfig, train
from sdm_lite.train.processes import Processes
from sdm_lite.unet import SDMUNet


def matmul_flops_per_second(device: str, size: int = 1536, repeats: int = 10) -> float:
    """The best of several products of two square float32 matrices."""
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=["scenes-32", "scenes-64"], default="scenes-32")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--bf16", action="store_true", help="in mixed precision")
    parser.add_argument("--compile", action="store_true", help="with torch.compile (its first steps are slow)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    if args.steps < 6:
        parser.error(f"--steps must be at least 6, as the first 5 are not counted, got {args.steps}")

    config = TrainConfig(num_steps=args.steps, batch_size=args.batch_size)
    unet = SDMUNet(PRESETS[args.preset]).to(args.device)
    size = unet.config.image_size[0]
    scenes = Scenes(size=size, length=8 * args.batch_size)
    batches = ImageBatches(
        scenes.materialize(range(len(scenes))),
        batch_size=config.batch_size,
        flip_probability=config.flip_probability,
        seed=config.seed,
    )
    peak = matmul_flops_per_second(args.device)
    operations = operations_per_image(unet, size, args.device)
    ends = [time.perf_counter()]
    diffusion, way = LITE_DIFFUSION.build().to(args.device), Way(args.device, compiled=args.compile, bf16=args.bf16)
    for _ in train(unet, deepcopy(unet), diffusion, batches, config, processes=way):
        ends.append(time.perf_counter())
    seconds = statistics.median(b - a for a, b in zip(ends[5:], ends[6:], strict=False)) / args.batch_size
    floor = operations / peak
    device = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    kind = ", ".join(name for name, on in (("compiled", args.compile), ("bf16", args.bf16)) if on) or "plain float32"
    print(f"{args.preset}, batch {args.batch_size}, {kind}, {device}, torch {torch.__version__}")
    print(f"parameters             {sum(p.numel() for p in unet.parameters()):,}")
    print(f"operations an image    {operations / 1e9:.2f} G (forward and backward)")
    print(f"matrix product         {peak / 1e9:.0f} G/s")
    print(f"floor                  {1e3 * floor:.1f} ms an image, {1 / floor:.0f} images/s")
    print(f"measured               {1e3 * seconds:.1f} ms an image, {1 / seconds:.0f} images/s")
    print(f"fraction of peak       {floor / seconds:.2f}")


if __name__ == "__main__":
    main()
