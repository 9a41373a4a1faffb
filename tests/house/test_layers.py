"""Who may import whom: one list of layers, and what `import sdm_lite` costs."""

import ast
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "sdm_lite"

# A file or folder of the package imports what stands on lines below its own: never up, never sideways, `__main__` and
# the bodies of functions included. `__init__` is `from sdm_lite import ...`.
LAYERS = """
__main__
app  course  exercises
reproduce
widgets
baselines
edit  distill  plan
sample  train
evaluate
bound
cache  judge
datasets  guiders  __init__
guidance  checkpoints
student
modulation  concat
unet  scenes  timesteps
spade  sampling  mixture  batches  viz  ledger  side_by_side
labels  diffusion  pyramid  presets  metrics  pictures  progress  command  markdown  files
"""
HEIGHT = {room: -i for i, line in enumerate(LAYERS.strip().splitlines()) for room in line.split()}

# Each of these packages comes in by one room, or a few; all others need torch and numpy alone.
DOORS = {
    "accelerate": {"train"},
    "anywidget": {"widgets"},
    "filelock": {"files"},
    "IPython": {"viz", "widgets"},
    "ipywidgets": {"widgets"},
    "jinja2": {"reproduce"},
    "jupyter_client": {"reproduce"},
    "latex2mathml": {"reproduce"},
    "lpips": {"judge"},
    "matplotlib": {"viz"},
    "nbclient": {"reproduce"},
    "nbconvert": {"reproduce"},
    "nbformat": {"course", "reproduce"},
    "papermill": {"reproduce"},
    "PIL": {"pictures", "datasets"},
    "psutil": {"progress"},
    "pygments": {"reproduce"},
    "rocrate": {"reproduce"},
    "safetensors": {"checkpoints"},
    "torch_fidelity": {"judge"},
    "torchvision": {"judge"},
    "tqdm": {"progress"},
    "traitlets": {"widgets"},
    "transformers": {"judge"},
    "yaml": {"train"},
}


def module_name(path: Path) -> str:
    """`sdm_lite/train/loop.py` as sdm_lite.train.loop, `sdm_lite/train/__init__.py` as sdm_lite.train."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}


def room_of(module: str) -> str:
    """The file or folder of the package that a module is or lies in."""
    return (module.split(".") + ["__init__"])[1]


def imported(source: str) -> set[str]:
    """Full names of the modules that a source text imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name is from"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inside & MODULES.keys()) or {node.module}
    return found


def violations(module: str, source: str) -> list[str]:
    """Every import of a module that the two tables do not allow, as a sentence."""
    room, wrong = room_of(module), []
    for name in sorted(imported(source)):
        if name.partition(".")[0] == "sdm_lite" and room_of(name) != room and HEIGHT[room_of(name)] >= HEIGHT[room]:
            wrong.append(f"{module} imports {name}: not a layer below it")
    for name in sorted(imported(re.sub(r"(?m)^if TYPE_CHECKING:\n(    .*\n)+", "", source))):
        package = name.partition(".")[0]
        if package not in {"sdm_lite", "numpy", "torch", *sys.stdlib_module_names} and room not in DOORS.get(
            package, []
        ):
            wrong.append(f"{module} imports {name}: that comes in by {sorted(DOORS.get(package, []))} only")
    return wrong


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_lies_below_it(module):
    assert violations(module, MODULES[module]) == []


def test_no_circle():
    TopologicalSorter({name: imported(source) - {name} for name, source in MODULES.items()}).prepare()


@pytest.mark.parametrize(
    "module, source, number",
    [
        ("sdm_lite.unet", "from sdm_lite.spade import SPADE", 0),
        ("sdm_lite.spade", "from sdm_lite import unet", 1),
        ("sdm_lite.spade", "def f():\n    import sdm_lite.unet", 1),
        ("sdm_lite.guidance", "from sdm_lite.checkpoints import Model", 1),
        ("sdm_lite.judge.__main__", "if __name__ == '__main__':\n    from sdm_lite.evaluate import score", 1),
        ("sdm_lite.labels", "from sdm_lite import Scenes", 1),
        ("sdm_lite.labels", "def f():\n    from PIL import Image", 1),
        ("sdm_lite.viz", "from matplotlib import pyplot", 0),
    ],
)
def test_the_check_sees_a_wrong_import(module, source, number):
    assert len(violations(module, source)) == number


PROBE = """
import json, sys, time
start = time.process_time()
import numpy, torch
torch_seconds = time.process_time() - start
before, start = set(sys.modules), time.process_time()
import sdm_lite
seconds = time.process_time() - start
loaded = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
print(json.dumps({"loaded": sorted(loaded), "ratio": seconds / torch_seconds}))
"""


def test_importing_the_package_needs_torch_and_numpy_alone():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    measured = json.loads(done.stdout)
    assert set(measured["loaded"]) <= {"sdm_lite", "torch", "numpy"} and measured["ratio"] < 0.25
