"""One guided step: encoder and labels shared, against the plain way, in operations, seconds and bytes.

The plain way is the same network, nothing else changed, run twice as a whole: once with the labels, once with the null
label, every SPADE reading its label map each time. Both ways give the same numbers. Reading the labels once for a whole
trajectory is counted apart, as "set-up".

    python benchmarks/guided_step.py [NAME ...] [--bf16] [--compile] [--markdown FILE] [--plot FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import nan
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from sdm_lite import markdown
from sdm_lite.diffusion import Denoiser, DiffusionConfig, Prediction
from sdm_lite.guidance import denoiser, guide
from sdm_lite.labels import null_like
from sdm_lite.presets import PRESETS, UNetConfig
from sdm_lite.unet import SDMUNet

GUIDANCE_SCALE = 1.5
# The lite networks at the paper's hidden width and kernel size, for comparison: 12 = 11 classes and edges.
WIDE_32 = UNetConfig(11, True, (32, 32), 32, (1, 2, 2), 1, (8,), 32, 128, 3, 32, True)
WIDE_64 = UNetConfig(11, True, (64, 64), 64, (1, 2, 3, 4), 2, (16, 8), 32, 128, 3, 32, True)


class Case(NamedTuple):
    """A network and the batch that it is measured at."""

    config: UNetConfig
    batch_size: int


CASES = {
    "scenes-32": Case(PRESETS["scenes-32"], 4),
    "scenes-64": Case(PRESETS["scenes-64"], 1),
    "32 px, hidden width 128": Case(WIDE_32, 4),
    "64 px, hidden width 128": Case(WIDE_64, 1),
    "celebamask-hq-256": Case(PRESETS["celebamask-hq-256"], 1),
}


class Ways(NamedTuple):
    """The two ways to take one guided step, and what ours does beforehand."""

    plain: Callable[[], Prediction]
    shared: Callable[[], Prediction]
    set_up: Callable[[], object]


def network(case: Case, device: str, *, compiled: bool = False) -> SDMUNet:
    """The case's network, with random weights; `encode` and `decode`, which a guided step runs, compiled or not."""
    with torch.device(device):
        unet = SDMUNet(case.config).eval()
    if compiled:
        unet.encode, unet.decode = torch.compile(unet.encode), torch.compile(unet.decode)
    return unet


def ways(case: Case, unet: SDMUNet, device: str, *, only: str = "", bf16: bool = False) -> Ways:
    """Noisy images and label maps of a case, ready to be run both ways; the labels are not read if only="plain"."""

    def precision() -> AbstractContextManager:
        return torch.autocast(device, torch.bfloat16) if bf16 else nullcontext()

    config, batch = case
    diffusion = DiffusionConfig().build().to(device)
    generator = torch.Generator().manual_seed(0)
    x_t = torch.randn(batch, 3, *config.image_size, generator=generator).to(device)
    label_map = torch.randint(0, config.num_classes, (batch, *config.image_size), generator=generator)
    condition = unet.condition(label_map, label_map)
    t = torch.full((batch,), 500, device=device)

    @torch.no_grad()
    def plain() -> Prediction:
        with precision():
            output = guide(unet(x_t, t, condition), unet(x_t, t, null_like(condition)), GUIDANCE_SCALE)
        return diffusion.predict(output.float(), x_t, t)

    def set_up() -> Denoiser:
        with precision():
            return denoiser(unet, diffusion, condition, GUIDANCE_SCALE)

    draw = None if only == "plain" else set_up()

    def shared() -> Prediction:
        with precision():
            return draw(x_t, t)

    return Ways(plain, shared, set_up)


def operations(step: Callable[[], object]) -> int:
    """Floating-point operations by torch's counter: a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def seconds(steps: tuple[Callable[[], object], ...], repeats: int) -> list[list[float]]:
    """Times of each, taken in turns so that a change of the machine's speed meets all alike; the first is dropped."""
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(repeats + 1):
        for step, taken in zip(steps, times, strict=True):
            started = time.perf_counter()
            step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - started)
    return [taken[1:] for taken in times]


def peak_bytes(name: str, way: str, device: str, options: list[str]) -> float:
    """Memory that one way needs on top of the network, in a process of its own; nan where the system does not tell."""
    command = [sys.executable, __file__, name, "--device", device, "--peak-of", way, *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def resident_bytes(name: str) -> int:
    """VmRSS (now) or VmHWM (peak) of this process; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def print_peak(case: Case, way: str, device: str, *, bf16: bool) -> None:
    """What `peak_bytes` starts: prints how far the memory grows over what the network alone takes."""
    unet = network(case, device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        getattr(ways(case, unet, device, only=way, bf16=bf16), way)()
        print(torch.cuda.max_memory_allocated() - before)
        return
    if not Path("/proc/self/status").exists():  # macOS, Windows
        print("NaN")
        return
    before = resident_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    getattr(ways(case, unet, device, only=way, bf16=bf16), way)()
    print(resident_bytes("VmHWM") - before)


class Result(NamedTuple):
    """What one case gave."""

    name: str
    batch_size: int
    operations_plain: int
    operations_shared: int
    operations_set_up: int
    seconds_plain: float
    seconds_shared: float
    seconds_set_up: float
    bytes_plain: int
    bytes_shared: int

    @property
    def operation_ratio(self) -> float:
        """Ours by plain: below 1 is less work."""
        return self.operations_shared / self.operations_plain

    @property
    def speedup(self) -> float:
        """Plain by ours: above 1 is faster."""
        return self.seconds_plain / self.seconds_shared


def measure(name: str, repeats: int, device: str, *, bf16: bool = False, compiled: bool = False) -> Result:
    """Measure one case; no memory with torch.compile, which would have to compile twice more for it."""
    case = CASES[name]
    counted = ways(case, network(case, "meta"), "meta")
    made = ways(case, network(case, device, compiled=compiled), device, bf16=bf16)
    times = [statistics.median(taken) for taken in seconds(made, repeats)]
    del made  # the processes that measure memory need it
    options = ["--bf16"] * bf16
    memory = [nan if compiled else peak_bytes(name, way, device, options) for way in ("plain", "shared")]
    return Result(name, case.batch_size, *(operations(step) for step in counted), *times, *memory)


HEADER = (
    "network | batch | operations, plain | shared | ratio | plain | shared | faster | set-up | memory, plain | shared"
)


def table(results: list[Result]) -> list[list[str]]:
    """Rows of text, header first."""
    rows = [HEADER.split(" | ")]
    for r in results:
        billions = [f"{count / 1e9:.2f} G" for count in (r.operations_plain, r.operations_shared)]
        times = [f"{1e3 * taken:.1f} ms" for taken in (r.seconds_plain, r.seconds_shared)]
        memory = [f"{size / 2**20:.0f} MiB" for size in (r.bytes_plain, r.bytes_shared)]
        rows.append(
            [r.name, str(r.batch_size), *billions, f"{r.operation_ratio:.3f}", *times, f"{r.speedup:.2f} times"]
            + [f"{1e3 * r.seconds_set_up:.1f} ms", *memory]
        )
    return rows


def print_table(rows: list[list[str]]) -> None:
    """Columns padded to their widest entry."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(entry.ljust(width) for entry, width in zip(row, widths, strict=True)).rstrip())


def draw_plot(results: list[Result], path: Path, title: str) -> None:
    """Bars: our share of the plain way's operations and seconds."""
    import matplotlib.pyplot as plt

    from sdm_lite.viz import save_png, use_style

    use_style()
    figure, axes = plt.subplots(figsize=(7.5, 0.9 + 0.62 * len(results)), layout="constrained")
    for offset, label, share, colour in (
        (-0.19, "operations", [r.operation_ratio for r in results], "C0"),
        (0.19, "seconds", [1 / r.speedup for r in results], "C1"),
    ):
        bars = axes.barh([i + offset for i in range(len(results))], share, height=0.36, label=label, color=colour)
        axes.bar_label(bars, [f"{value:.2f}" for value in share], padding=3)
    axes.axvline(1, color="0.4", linewidth=1)
    axes.set_yticks(range(len(results)), [f"{r.name}, batch {r.batch_size}" for r in results])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_xlabel("share of what two whole passes take")
    axes.set_title(title, loc="left")
    axes.legend(loc="lower right")
    save_png(path, figure)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--repeats", type=int, help="default: 30, and 2 at paper size")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="in mixed precision")
    parser.add_argument("--compile", action="store_true", help="with torch.compile; the first step of each is slow")
    parser.add_argument("--markdown", type=Path, help="also write the table here")
    parser.add_argument("--plot", type=Path, help="also draw the plot here (PNG)")
    parser.add_argument("--peak-of", choices=["plain", "shared"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in CASES]
    if unknown:
        parser.error(f"no case called {unknown[0]!r}; there are {', '.join(CASES)}")
    if args.peak_of:
        print_peak(CASES[args.names[0]], args.peak_of, args.device, bf16=args.bf16)
        return
    hardware = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    hardware = f"{hardware}, torch {torch.__version__}" + ", bf16" * args.bf16 + ", compiled" * args.compile
    print(hardware)
    results = []
    for name in args.names:
        large = args.device == "cpu" and CASES[name].config.image_size[0] >= 256
        results.append(
            measure(name, args.repeats or (2 if large else 30), args.device, bf16=args.bf16, compiled=args.compile)
        )
        print_table(table(results)[-1:])
    rows = table(results)
    print()
    print_table(rows)
    if args.markdown:
        args.markdown.write_text("\n".join([hardware, "", *markdown.table(rows[0], rows[1:])]) + "\n")
    if args.plot:
        draw_plot(results, args.plot, f"One guided step, {hardware}")


if __name__ == "__main__":
    main()
