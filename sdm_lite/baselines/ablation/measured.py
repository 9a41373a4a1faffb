"""What the judge read off a run's samples, and off true pictures: kept as tensors, with the device it came from.

Apart from `readings`, which makes scores of it: measuring needs the device that samples are drawn on, scores need
minutes of one thread, and may be counted anew elsewhere.

Shapes: D diversity layouts.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.checkpoints import load_tensors, save_tensors
from sdm_lite.evaluate import Measurements, Sizes, Truth, measure_truth
from sdm_lite.files import hold, to_json
from sdm_lite.judge import load_judge

FORMAT = "sdm_lite measurements 1"


def device_name(device: str) -> str:
    """A device as a page tells it: "NVIDIA H200, torch 2.11.0", or "CPU, one thread, torch 2.13.0"."""
    of_gpu = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU, one thread"
    return f"{of_gpu}, torch {torch.__version__.split('+')[0]}"


def save_measured(path: Path, measured: Measurements, diversity: Tensor, facts: dict[str, str]) -> None:
    """Write measurements and diversities, (D,), with facts such as the device."""
    save_tensors(path, {**measured._asdict(), "diversity": diversity}, {"format": FORMAT, **facts})


def load_measured(path: Path) -> tuple[Measurements, Tensor, dict[str, str]]:
    """What `save_measured` wrote: measurements, diversities and facts.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds something else.
    """
    tensors, facts = load_tensors(path)
    if facts.pop("format", None) != FORMAT:
        raise ValueError(f"{path} holds no measurements: delete it, and it is made again")
    diversity = tensors.pop("diversity")
    return Measurements(**tensors), diversity, facts


def truth(size: int, sizes: Sizes, output: Path, device: str = "cpu") -> Truth:
    """The truth of the test layouts at a size: measured once, by one process, then read from the output folder.

    Args:
        size: of the pictures; the judge of this size reads them.
        sizes: how many layouts and pictures; other numbers than those of the file's are measured anew.
        output: folder of the command.
        device: where the judge computes.
    """
    path = output / f"truth-{size}.safetensors"
    wanted = {"sizes": to_json(sizes._asdict())}
    output.mkdir(parents=True, exist_ok=True)
    with hold(path.with_suffix(".lock")):
        if path.exists():
            measured, diversity, facts = load_measured(path)
            if facts["sizes"] == wanted["sizes"]:
                return Truth(measured, diversity, sizes)
        found = measure_truth(load_judge(f"judge-{size}", device=device), sizes)
        save_measured(path, found.reference, found.diversity, {**wanted, "device": device_name(device)})
    return found
