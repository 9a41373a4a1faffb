"""What an installation gets: bounds, tested versions, the conda file, the weights inside the wheel."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Container, Iterable
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import sdm_lite
from sdm_lite.command import PACKAGES

tomllib = pytest.importorskip("tomllib", reason="part of Python since 3.11, and the package runs on 3.10 too")

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# What the course promises to use, whatever else it may use.
PROMISED = ["torch", "numpy", "jupyterlab", "ipywidgets", "matplotlib", "pillow", "papermill", "nbval", "lpips"]
PROMISED += ["anywidget", "voila"]
# Where an import is not called as the package that brings it.
PACKAGE_OF = {"PIL": "pillow", "yaml": "pyyaml"}


def requirements(*extras: str) -> dict[str, Requirement]:
    """What pip would be asked for by name, references between the project's own extras followed."""
    found: dict[str, Requirement] = {}
    for line in [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]:
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) == "sdm-lite":
            found |= requirements(*requirement.extras)
        else:
            found[canonicalize_name(requirement.name)] = requirement
    return found


def pins() -> dict[str, Requirement]:
    """The lines of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert len({canonicalize_name(pin.name) for pin in parsed}) == len(parsed), "a package is pinned twice"
    return {canonicalize_name(pin.name): pin for pin in parsed}


def pinned_version(pin: Requirement) -> Version:
    """The version in a line `name==version`."""
    (specifier,) = pin.specifier
    assert specifier.operator == "==", f"expected name==version in constraints.txt, got {pin}"
    return Version(specifier.version)


def test_the_metadata_has_lower_bounds_only():
    for requirement in requirements(*EXTRAS).values():
        operators = [specifier.operator for specifier in requirement.specifier]
        assert operators == [">="], f"expected one lower bound, got {requirement}"


def test_the_package_says_which_version_it_is():
    assert sdm_lite.__version__ == PROJECT["version"]


def test_the_core_is_small():
    assert set(requirements()) == {"torch", "numpy", "safetensors", "filelock"}


def test_an_installation_for_colab_brings_no_second_front_end_and_no_torchvision():
    assert not {"jupyterlab", "lpips", "torchvision"} & set(requirements("notebooks"))


def test_the_extras_bring_what_the_course_promises():
    assert set(PROMISED) <= set(requirements("all", "dev"))


def test_the_tested_versions_fit_the_bounds():
    tested = pins()
    for name, requirement in requirements(*EXTRAS).items():
        assert name in tested, f"{name} has no tested version in constraints.txt"
        version = pinned_version(tested[name])
        assert requirement.specifier.contains(version), f"{requirement} leaves out the tested {version}"


def test_what_a_message_says_to_install_is_an_extra_that_brings_it():
    for name, (package, extra) in PACKAGES.items():
        assert canonicalize_name(package) in requirements(extra), f"{name} is not in [{extra}]"
    for path in (ROOT / "sdm_lite").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"sdm_lite\[(\w+)\]", text) + re.findall(r'missing_package\([^)]*"(\w+)", error\)', text)
        assert set(named) <= EXTRAS.keys(), path


def test_no_tested_version_names_a_build():
    # "+cpu" or "+cu130" would keep everybody else from using the file.
    assert [str(pin) for pin in pins().values() if pinned_version(pin).local] == []


@pytest.mark.skipif(not Path(sys.prefix, ".installed").exists(), reason="not the environment that `make install` built")
def test_what_make_installed_is_what_is_pinned():
    tested = pins()
    installed = {canonicalize_name(d.metadata["Name"]): Version(d.version) for d in distributions()}
    installed = {name: version for name, version in installed.items() if name not in ("pip", "sdm-lite")}
    differ = [f"{n}=={v}" for n, v in installed.items() if n in tested and not tested[n].specifier.contains(v, True)]
    assert differ == []
    # People may add what they like to their environment; a new one has nothing that was not tested.
    assert not os.environ.get("CI") or unpinned(installed, tested) == []


def unpinned(installed: Iterable[str], tested: Container[str]) -> list[str]:
    """Packages without a tested version, less those that a CUDA build of torch brings: it pins them itself."""
    return sorted(name for name in installed if name not in tested and not re.match(r"(nvidia|cuda)-|triton$", name))


def test_what_a_cuda_build_of_torch_brings_is_torchs_own_to_pin():
    # Resolved for torch 2.13.0 of PyPI on Linux, Python 3.12.
    cuda = ["cuda-bindings", "cuda-pathfinder", "cuda-toolkit", "nvidia-cublas", "nvidia-cudnn-cu13", "triton"]
    assert unpinned([*cuda, "torch", "unheard-of"], pins()) == ["unheard-of"]


PLACES = [("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt")]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("sys_platform, platform_system, os_name", PLACES)
def test_whatever_the_installed_packages_want_elsewhere_is_pinned(python, sys_platform, platform_system, os_name):
    place = {"python_version": python, "python_full_version": f"{python}.5", "sys_platform": sys_platform}
    place |= {"platform_system": platform_system, "os_name": os_name, "extra": ""}
    tested, wanted = pins(), set()
    for one in distributions():
        if canonicalize_name(one.metadata["Name"]) in tested:
            for line in one.requires or []:
                requirement = Requirement(line)
                if requirement.marker is None or requirement.marker.evaluate(place):
                    wanted.add(canonicalize_name(requirement.name))
    assert unpinned(wanted - {"pip"}, tested) == []


def conda_lines() -> tuple[list[str], list[str]]:
    """The conda part and the pip part of environment.yml."""
    lines = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip_part,) = (line["pip"] for line in lines if isinstance(line, dict))
    return [line for line in lines if isinstance(line, str)], pip_part


def test_conda_brings_python_and_pip_alone():
    conda_part, _ = conda_lines()
    names = [re.split(r"[ =<>!]", line)[0] for line in conda_part]
    assert names == ["python", "pip"]
    python = conda_part[0].removeprefix("python").replace("=", "").strip()
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def test_conda_gets_the_package_with_everything_in_the_tested_versions():
    _, pip_part = conda_lines()
    constraints, package = pip_part
    assert (ROOT / constraints.removeprefix("-c ")).samefile(ROOT / "constraints.txt")
    extras = Requirement("sdm_lite" + package.removeprefix("-e .")).extras
    assert set(requirements(*EXTRAS)) == set(requirements(*extras))


def third_party_imports(source: str) -> set[str]:
    """Top-level names of the packages that a source text imports, at whatever depth."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
    return names - sys.stdlib_module_names - {"sdm_lite"}


def test_every_import_is_declared():
    declared = set(requirements("all"))
    for path in sorted((ROOT / "sdm_lite").rglob("*.py")):
        names = third_party_imports(path.read_text(encoding="utf-8"))
        packages = {canonicalize_name(PACKAGE_OF.get(name, name)) for name in names}
        assert packages <= declared, f"{path} imports what pyproject.toml does not bring"


def test_every_import_of_a_notebook_is_declared():
    declared = set(requirements("notebooks"))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        # Lines for IPython are no Python: magics, shell commands and a trailing question mark.
        lines = [re.sub(r"^(\s*)[%!].*|.*\?$", r"\1pass", line) for cell in code for line in cell.splitlines()]
        names = third_party_imports("\n".join(lines))
        packages = {canonicalize_name(PACKAGE_OF.get(name, name)) for name in names}
        assert packages <= declared, f"{path.name} imports what sdm_lite[notebooks] does not bring"


def test_the_source_distribution_has_no_tests_that_would_not_run(tmp_path):
    for name in ("sdm_lite", "data", "notebooks", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, tmp_path)
    code = "import setuptools.build_meta as backend; backend.build_sdist('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True)
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert {"data/scenes-32.safetensors", "sdm_lite/widgets/names.js"} <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_a_package_index_is_told_where_everything_is():
    assert {"Homepage", "Documentation", "Issues", "Changelog"} <= PROJECT["urls"].keys()


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the sources, with no network."""
    source = folder / "source"
    for name in ("sdm_lite", "data", "notebooks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "output"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--wheel-dir", folder, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build_wheel(folder)) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def said_by(code: str, import_path: Path) -> str:
    """What a fresh interpreter prints that stands in a folder of no meaning and imports from `import_path`."""
    code = f"import sys; sys.path.insert(0, {str(import_path)!r}); {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def files_in(folder: Path) -> set[str]:
    """Every file below a folder, caches left out."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if "__pycache__" not in path.parts}


def test_a_wheel_holds_every_module_every_file_beside_one_and_the_weights(site):
    in_checkout = files_in(ROOT / "sdm_lite") | {f"_data/{name}" for name in files_in(ROOT / "data")}
    in_checkout |= {f"_notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    in_checkout |= {f"_notebooks/answers/{path.name}" for path in (ROOT / "notebooks").glob("answers/*.py")}
    assert files_in(site / "sdm_lite") == in_checkout
    assert in_checkout >= {"widgets/painter.js", "widgets/painter.css", "widgets/names.js", "app/app.ipynb"}
    assert in_checkout >= {"train/recipes/scenes-32.yaml", "_data/scenes-32.safetensors"}


FIND = "import sdm_lite.checkpoints as c, sdm_lite.train.recipe as r; print(c.DATA_DIR, r.recipe_names(), sep=chr(10))"


def test_an_installed_wheel_finds_its_weights_and_recipes(site):
    data, recipes = said_by(FIND, site).splitlines()
    assert Path(data).samefile(site / "sdm_lite" / "_data")
    assert recipes == str(sorted(path.stem for path in (ROOT / "sdm_lite" / "train" / "recipes").iterdir()))


COPY = "import sdm_lite.course.__main__ as course; print(course.main([{!r}]))"


def test_an_installed_wheel_hands_out_the_course_with_links_that_lead_somewhere(site, tmp_path):
    assert said_by(COPY.format(str(tmp_path / "mine")), site).endswith("begin with 00_start_here.ipynb\n0")
    names = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert files_in(tmp_path / "mine") == names
    for name in names:
        cells = json.loads((tmp_path / "mine" / name).read_text(encoding="utf-8"))["cells"]
        text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)} - {""}
        assert {link for link in links if "://" not in link} <= names
        ours = [link for link in links if link.startswith(PROJECT["urls"]["Homepage"])]
        assert [link for link in ours if not re.search(r"/blob/main/(.+)", link)] == []
        assert [link for link in ours if not (ROOT / link.partition("/blob/main/")[2]).exists()] == []
    again = said_by(f"import sys; sys.stderr = sys.stdout; {COPY.format(str(tmp_path / 'mine'))}", site)
    assert again.startswith("error: ") and again.endswith("give another folder\n2")


def test_a_checkout_finds_its_own_data():
    assert Path(said_by(FIND, ROOT).splitlines()[0]).samefile(ROOT / "data")


def test_the_script_that_pip_puts_in_place_lists_the_commands(site):
    code = 'from importlib.metadata import distribution as d; (s,) = d("sdm_lite").entry_points; '
    printed = said_by(code + "print(s.name, s.load()([]))", site)
    assert "evaluate" in printed and printed.endswith("sdm-lite 0")
