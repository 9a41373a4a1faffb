"""A process with a stand-in torchvision: the real one may be absent, broken or matching where tests run."""

import os
import subprocess
import sys
import textwrap

# AlexNet as torchvision builds it, with no weights, and whatever is imported beside it and never called.
TORCHVISION = """
import sys, types
import torch
from torch import nn

def alexnet(pretrained=False):
    assert not pretrained, "would download"
    r, m = nn.ReLU, nn.MaxPool2d
    network = nn.Module()
    network.features = nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), r(), m(3, 2), nn.Conv2d(64, 192, 5, padding=2), r(), m(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), r(), nn.Conv2d(384, 256, 3, padding=1), r(),
        nn.Conv2d(256, 256, 3, padding=1), r(), m(3, 2))
    return network

def module(name, **attributes):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(attributes)
    return sys.modules[name]

models = module("torchvision.models", alexnet=alexnet)
datasets = module("torchvision.datasets", CIFAR10=object, CIFAR100=object, STL10=object)
transforms = module("torchvision.transforms", functional=module("torchvision.transforms.functional"))
"""

PRELUDE = """
import hashlib
import torch
from sdm_lite.judge.weights import torch_cache

def publish(tensors, stem):  # weights in torch's cache, under a name that ends as a published one
    folder = torch_cache()
    folder.mkdir(parents=True)
    torch.save(tensors, folder / "temporary")
    digest = hashlib.sha256((folder / "temporary").read_bytes()).hexdigest()[:8]
    return (folder / "temporary").rename(folder / f"{stem}-{digest}.pth")
"""


def run_with_torchvision(tmp_path, code, torchvision=TORCHVISION):
    """What the code prints; it finds this torchvision, an empty scipy.ndimage, `publish`, and torch's cache empty."""
    for module, source in (("torchvision", torchvision), ("scipy", ""), ("scipy/ndimage", "zoom = None")):
        (tmp_path / "stand_in" / module).mkdir(parents=True)
        (tmp_path / "stand_in" / module / "__init__.py").write_text(source)
    paths = [str(tmp_path / "stand_in"), os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TORCH_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
