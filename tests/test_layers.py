"""Who may import whom: DESIGN.md's layers, read off the source, and what `import sdm_lite` costs."""

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "sdm_lite"

LAYER_1 = {"labels", "diffusion", "fit", "presets", "published_file", "pyramid", "spade", "metrics", "pictures", "viz"}
LAYER_1 |= {"devices", "progress"}
LAYER_1 |= {"colour_vision", "nearest", "painting", "preference"}
DATASETS = {"datasets", "datasets_ade20k", "datasets_camvid", "datasets_celebamask", "datasets_cityscapes"}
DATASETS |= {"datasets_coco", "datasets_crops", "datasets_files", "datasets_folder", "datasets_folders"}
DATASETS |= {"datasets_palettes", "datasets_photographs", "datasets_reading"}
SCENES = {"scenes", "scenes_edits", "scenes_layout", "scenes_land", "scenes_things", "scenes_render", "scenes_look"}
CACHES = {"batches", "cache", "cache_building", "cache_reading"}
LAYER_2 = {"unet", "guidance", "sampling", "checkpoints", "published", "published_layout"} | CACHES | DATASETS | SCENES
TRAIN = {"train_config", "train_checkpoints", "train_processes", "train_sharding"}
LAYER_3 = {"loading", "edit", "train", "judge", "judge_photographs", "judge_training"} | TRAIN
WIDGET_PARTS = {"widgets_base", "widgets_drawing", "widgets_names"}
EVALUATE = {"evaluate", "evaluate_measures", "evaluate_photographs", "evaluate_report", "evaluate_samples"}
EVALUATE |= {"evaluate_scores"}
LITE = LAYER_1 | LAYER_2 | LAYER_3 | EVALUATE
TRAIN_COMMAND = {"train_data", "train_judging", "train_log", "train_options", "train_recipes", "train_results"}
TRAIN_COMMAND |= {"train_lock", "train_samples", "train_signals"}
NOTEBOOK_MACHINERY = {"claims", "display", "execute", "pages", "refresh", "report", "runner"}

# Module -> the modules of this package that it may import.
MAY_IMPORT = {
    "__init__": LITE,
    "labels": set(),
    "diffusion": set(),
    "pyramid": set(),
    "spade": {"pyramid"},
    "metrics": set(),
    "nearest": set(),
    "pictures": set(),
    "viz": {"pictures"},
    "progress": set(),
    "presets": set(),
    "unet": {"presets", "pyramid", "spade"},
    "guidance": {"diffusion", "spade", "unet"},
    "sampling": {"diffusion"},
    "devices": set(),
    "fit": set(),
    "published_file": set(),
    "published_layout": {"unet", "spade", "fit"},
    "published": {"unet", "presets", "fit", "published_file", "published_layout"},
    "checkpoints": {"unet", "presets", "diffusion", "fit", "published"},
    "checkpoints_command": {"checkpoints", "diffusion", "presets", "published"},
    "scenes_look": set(),
    "scenes_render": {"scenes_look"},
    "scenes_land": {"scenes_look", "scenes_render"},
    "scenes_things": {"scenes_look", "scenes_render"},
    "scenes_layout": {"scenes_land", "scenes_look", "scenes_render", "scenes_things"},
    "scenes": {"labels", "scenes_layout", "scenes_look", "scenes_render"},
    "scenes_edits": {"labels", "scenes", "scenes_layout", "scenes_look", "scenes_render", "scenes_things"},
    "batches": {"labels"},
    "cache": {"batches", "progress"},
    "cache_reading": {"cache", "labels"},
    "cache_building": {"cache", "cache_reading", "progress"},
    "cache_command": {"cache", "datasets_options", "loading"},
    "loading": {"batches", "cache", "cache_building"},
    "datasets_files": set(),
    "datasets_folders": set(),
    "datasets_crops": {"datasets_files"},
    "datasets_palettes": {"pictures"},
    "datasets_photographs": {"datasets_crops", "datasets_files", "datasets_folders", "labels"},
    "datasets_camvid": {"datasets_folders", "datasets_photographs"},
    "datasets_cityscapes": {"datasets_folders", "datasets_photographs"},
    "datasets_celebamask": {"datasets_folders", "datasets_photographs"},
    "datasets_ade20k": {"datasets_folders", "datasets_palettes", "datasets_photographs"},
    "datasets_coco": {"datasets_folders", "datasets_palettes", "datasets_photographs"},
    "datasets_folder": {"datasets_folders", "datasets_photographs", "pictures"},
    "datasets_reading": {"datasets_photographs", "progress"},
    "datasets": DATASETS - {"datasets", "datasets_reading"},
    "datasets_options": {"datasets", "datasets_crops"},
    "datasets_export": {"datasets_files", "labels", "pictures", "progress", "scenes"},
    "datasets_prepare": {"datasets_celebamask", "datasets_files", "datasets_folders", "pictures", "progress"},
    "datasets_check": {"datasets_files", "datasets_photographs", "labels", "pictures", "progress", "viz"},
    "datasets_command": LITE | {"datasets_check", "datasets_export", "datasets_options", "datasets_prepare"},
    "edit": {"diffusion", "sampling"},
    "train_config": {"diffusion"},
    "train_recipes": {"train_config"},
    "train_checkpoints": {"checkpoints", "train_config", "unet"},
    "train_sharding": {"train_checkpoints", "train_config", "unet"},
    "train_processes": {"devices", "train_checkpoints", "train_config"},
    "train": {"batches", "unet", "diffusion", "labels", "train_checkpoints", "train_config", "train_processes"},
    "train_data": {"batches", "labels", "presets", "train_config", "train_processes"},
    "train_samples": {"checkpoints", "guidance", "labels", "sampling", "train_data"},
    "train_judging": {"checkpoints", "evaluate", "evaluate_scores", "judge", "train", "train_config", "train_data"},
    "train_lock": set(),
    "train_log": {"train", "train_checkpoints"},
    "train_signals": set(),
    "train_options": {"presets", "train_config", "train_recipes"},
    "train_results": {"checkpoints", "unet", "train_checkpoints", "train_config", "train_data", "train_judging"}
    | {"train_log", "train_processes", "train_samples"},
    "train_command": LITE | TRAIN_COMMAND,
    "train_live": {"train", "train_log", "viz", "widgets"},
    "bound": {"diffusion"},
    "bound_command": LITE | {"bound"},
    "plan": {"presets", "unet"},
    "plan_command": {"plan", "presets"},
    "judge": {"checkpoints", "scenes"},
    "judge_training": {"judge", "metrics", "progress", "scenes"},
    "judge_photographs": {"datasets_photographs", "datasets_reading", "judge", "judge_training"},
    "judge_command": LITE | {"datasets_options"},
    "evaluate_scores": {"judge", "metrics"},
    "evaluate_samples": {"checkpoints", "diffusion", "guidance", "labels", "sampling", "scenes"},
    "evaluate": LAYER_1 | LAYER_2 | LAYER_3 | {"evaluate_samples", "evaluate_scores"},
    "evaluate_measures": LAYER_1 | LAYER_2 | LAYER_3 | {"bound", "evaluate", "evaluate_samples"},
    "evaluate_photographs": LAYER_1 | LAYER_2 | LAYER_3 | {"evaluate_measures", "evaluate_samples"},
    "evaluate_report": {"datasets_photographs", "datasets_reading", "pictures", "viz"}
    | {"evaluate_measures", "evaluate_photographs"},
    "evaluate_command": LITE | {"datasets_options"},
    "colour_vision": set(),
    "painting": set(),
    "preference": set(),
    "widgets_base": {"progress", "viz"},
    "widgets_jobs": {"widgets_base"},
    "widgets_drawing": {"checkpoints", "diffusion", "guidance", "labels", "pictures", "sampling"},
    "widgets_controls": {"widgets_drawing"},
    "widgets_names": set(),
    "widgets_panel": {"checkpoints", "progress", "viz", "widgets_controls", "widgets_jobs"} | WIDGET_PARTS,
    "widgets_canvas": {"painting", "viz"} | WIDGET_PARTS,
    "widgets_painter": {"checkpoints", "painting", "progress", "viz", "widgets_canvas", "widgets_jobs"} | WIDGET_PARTS,
    "widgets_study": {"checkpoints", "preference", "progress", "viz"} | WIDGET_PARTS,
    "widgets": {"progress", "viz"} | WIDGET_PARTS | {"widgets_painter", "widgets_panel", "widgets_study"},
    "claims": set(),
    "display": {"progress"},
    "execute": set(),
    "pages": set(),
    "refresh": set(),
    "report": {"claims", "execute", "pages", "refresh"},
    "runner": {"claims", "display", "execute", "pages", "progress", "refresh", "report"},
    "reproduce": LITE | NOTEBOOK_MACHINERY | {"__init__", "widgets"},
}
# The same, for imports inside a function: what only a command line needs.
MAY_IMPORT_INSIDE = {
    "bound": {"bound_command"},
    "plan": {"plan_command"},
    "cache": {"cache_command"},
    "checkpoints": {"checkpoints_command"},
    "datasets": {"datasets_command"},
    "evaluate": {"evaluate_command"},
    "judge": {"judge_command"},
    "scenes": {"viz"},
    "train": {"train_command", "scenes"},
    "train_data": {"datasets", "loading", "progress", "scenes"},
    "train_processes": {"train_sharding"},
    "train_results": {"viz"},
    "train_samples": {"viz"},
}
# Third-party package -> the modules that may import it. Nobody else may, not even inside a function.
DOORS = {
    "accelerate": {"train_processes"},
    "anywidget": {"widgets_canvas", "widgets_names"},
    "bs4": {"pages"},
    "cycler": set(),
    "IPython": {"widgets", "widgets_base"},
    "ipywidgets": {"widgets", "widgets_base"},
    "jupyter_client": {"reproduce", "runner"},
    "latex2mathml": {"pages"},
    "lpips": {"metrics"},
    "matplotlib": {"viz"},
    "nbclient": {"execute"},
    "nbconvert": {"pages"},
    "nbformat": {"execute", "refresh", "report", "reproduce", "runner"},
    "papermill": {"execute"},
    "PIL": {"pictures", "datasets_files"},
    "psutil": {"execute", "progress"},
    "pygments": {"pages"},
    "safetensors": {"checkpoints"},
    "scipy": set(),
    "torchmetrics": set(),
    "torchvision": set(),
    "traitlets": {"widgets_canvas"},
    "tqdm": {"display", "progress", "train_log"},
    "yaml": {"train_recipes"},
}


class Imports(NamedTuple):
    """Full names of what a file imports: on being imported, later (in functions and commands), for type checkers."""

    top: set[str]
    inside: set[str]
    types: set[str]


def imported_names(node: ast.Import | ast.ImportFrom, modules: set[str]) -> set[str]:
    """Full names of the modules that one import statement names, relative ones resolved."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    base = ".".join(filter(None, ["sdm_lite" if node.level else "", node.module or ""]))
    if base != "sdm_lite":
        return {base}
    # `from sdm_lite import name`: a module of the package, or something that only __init__ has.
    return {f"sdm_lite.{alias.name if alias.name in modules else '__init__'}" for alias in node.names}


def read_imports(source: str, modules: set[str]) -> Imports:
    """What a source text imports."""
    found = Imports(set(), set(), set())

    def visit(node: ast.AST, names: set[str]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                names |= imported_names(child, modules)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                visit(child, found.inside)
            elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                visit(child, found.types)
            elif isinstance(child, ast.If) and ast.unparse(child.test).startswith("__name__"):
                visit(child, found.inside)
            else:
                visit(child, names)

    visit(ast.parse(source), found.top)
    return found


def violations(module: str, imports: Imports) -> list[str]:
    """Every import of a module that the tables do not allow, as a sentence."""
    if module not in MAY_IMPORT:
        return [f"{module}.py is in no layer: add it to MAY_IMPORT in tests/test_layers.py"]
    below = MAY_IMPORT[module]
    wrong = []
    for name in sorted(imports.top | imports.types | imports.inside):
        package, _, rest = name.partition(".")
        target = rest.partition(".")[0] or "__init__"
        allowed = below if name in imports.top | imports.types else below | MAY_IMPORT_INSIDE.get(module, set())
        if package == "sdm_lite" and target not in allowed:
            wrong.append(f"{module}.py imports {name}: not a layer below it")
        if module not in DOORS.get(package, {module}) and name in imports.top | imports.inside:
            wrong.append(f"{module}.py imports {name}: that comes in by {sorted(DOORS[package]) or 'nobody'} only")
    return wrong


MODULES = {path.stem for path in PACKAGE.glob("*.py")}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_lies_below_it(module):
    imports = read_imports((PACKAGE / f"{module}.py").read_text(encoding="utf-8"), MODULES)
    assert violations(module, imports) == []


def test_the_package_is_flat():
    assert [str(path) for path in PACKAGE.glob("*/**/*.py") if path.parent.name != "data"] == []


def test_the_layers_have_no_circle():
    TopologicalSorter(MAY_IMPORT).prepare()  # Raises CycleError.


@pytest.mark.parametrize(
    "module, source, number",
    [
        ("labels", "import torch, math", 0),
        ("unet", "from sdm_lite.spade import SPADE", 0),
        ("unet", "from .spade import SPADE", 0),
        ("spade", "from .unet import SDMUNet", 1),
        ("spade", "import sdm_lite.unet", 1),
        ("spade", "from sdm_lite import unet", 1),
        ("spade", "from . import unet", 1),
        ("sampling", "from sdm_lite import GaussianDiffusion", 1),
        ("sampling", "if True:\n    from sdm_lite import guidance", 1),
        ("sampling", "def f():\n    from .guidance import denoiser", 1),
        ("train", "def main():\n    from .scenes import Scenes", 0),
        ("train", "from .scenes import Scenes", 1),
        ("train", "if __name__ == '__main__':\n    from .scenes import Scenes", 0),
        ("labels", "def f():\n    import matplotlib.pyplot as plt", 1),
        ("labels", "from PIL import Image", 1),
        ("viz", "from matplotlib import pyplot", 0),
        ("labels", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure", 0),
        ("spade", "if TYPE_CHECKING:\n    from .unet import SDMUNet", 1),
        ("utils", "", 1),
    ],
)
def test_the_check_sees_a_wrong_import(module, source, number):
    assert len(violations(module, read_imports(source, {"spade", "unet", "guidance", "scenes"}))) == number


PROBE = """
import json, sys, time
start = time.process_time()
import numpy, torch
torch_seconds = time.process_time() - start
before = set(sys.modules)
start = time.process_time()
import sdm_lite
seconds = time.process_time() - start
loaded = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
print(json.dumps({"loaded": sorted(loaded), "ratio": seconds / torch_seconds}))
"""


def test_importing_the_package_needs_torch_and_numpy_alone():
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PACKAGE.parent, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert set(measured["loaded"]) <= {"sdm_lite", "torch", "numpy"}
    assert measured["ratio"] < 0.25
