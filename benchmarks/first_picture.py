"""Seconds until a widget shows its first picture, next to drawing the same sample with no widget around it.

The clock starts when a panel (or a painter) is asked for and stops when its sample is there to be shown; the peer is
`denoiser` and `sample_ddim` with the same network, label map, noise, steps and scale. The first line is a process that
has just loaded the model; those below it are medians over fresh panels, in turns with the peer. The course wants less
than two seconds on two cores at 32 pixels.

    python benchmarks/first_picture.py [--repeats 10]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch

from sdm_lite import SampleNoise, Scenes, denoiser, encode_labels, last, load_model, sample_ddim
from sdm_lite.widgets import LabelPainter, SampleSettings, SamplingPanel

SETTINGS = SampleSettings(guidance_interval=(1, 800))
LAYOUT = 12
PAUSE_SECONDS = 0.002


def shown(make: Callable[[], SamplingPanel | LabelPainter]) -> float:
    """Seconds from asking for a widget until it has its first sample; the rest of its work is cancelled."""
    start = time.perf_counter()
    widget = make()
    while widget.sample is None:
        time.sleep(PAUSE_SECONDS)
    seconds = time.perf_counter() - start
    widget.cancel()
    widget.wait()
    return seconds


def drawn(model, scenes: Scenes) -> float:
    """Seconds to draw the same sample with no widget."""
    start = time.perf_counter()
    label_map, instance_map = scenes.layout(LAYOUT)
    condition = encode_labels(label_map[None], scenes.num_classes, instance_map[None])
    scale, interval = SETTINGS.guidance_scale, SETTINGS.guidance_interval
    draw = denoiser(model.unet, model.diffusion, condition, scale, guidance_interval=interval)
    last(sample_ddim(draw, model.diffusion, SampleNoise([SETTINGS.seed])((3, 32, 32)), SETTINGS.num_steps))
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10, help="fresh widgets of each kind (default: %(default)s)")
    repeats = parser.parse_args().repeats
    os.environ["SDM_LITE_STATIC"] = "0"  # a widget, whatever the shell says
    model, scenes = load_model("scenes-32"), Scenes(32, seed=1)
    ways = {
        "sampling panel": lambda: shown(lambda: SamplingPanel(model, scenes, [LAYOUT], settings=SETTINGS)),
        "label painter": lambda: shown(lambda: LabelPainter(model, scenes, [LAYOUT], settings=SETTINGS)),
        "no widget": lambda: drawn(model, scenes),
    }
    print(f"CPU, {torch.get_num_threads()} threads, torch {torch.__version__}, {SETTINGS.num_steps} steps at 32 px")
    print(f"the first of all, a sampling panel: {ways['sampling panel']():.2f} s")
    times = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            times[name].append(way())
    peer = statistics.median(times["no widget"])
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:15s} {middle:5.2f} s   {middle / peer:5.2f} times no widget   worst {max(taken):.2f} s")


if __name__ == "__main__":
    main()
