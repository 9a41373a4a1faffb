"""`pytest --nbval-lax` over the notebooks: are the committed outputs of their marked cells what comes out today?

`make nbval`, or `python tests/support/nbval_run.py [NN ...]`. A cell is marked by the tag `nbval-check-output`. What is
compared are the committed outputs, of the quick profile, with an execution in the test profile, which takes a fraction
of the time: so a cell may be marked only if what it prints does not depend on the profile. nbval reads files, hence
copies, whose parameters cell alone differs; one thread, so that the number of cores does not show in the last digit.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat

from sdm_lite.reproduce.claims import CLAIMS_VARIABLE
from sdm_lite.reproduce.committed import tags
from sdm_lite.reproduce.course import NOTEBOOKS

ROOT = Path(__file__).resolve().parents[2]
MARK = "nbval-check-output"
SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
SECONDS = 600
# nbval keeps nothing of what it executes; this does, beside what it read, for the checks of executed notebooks.
KEEP = """\
import nbformat

FILES = {}


def pytest_runtest_teardown(item):
    item.cell.outputs = nbformat.from_dict(item.test_outputs or [])
    FILES[item.path] = item.parent.nb


def pytest_sessionfinish():
    for path, notebook in FILES.items():
        nbformat.write(notebook, path.parent / "executed" / path.name)
"""


def write_copies(paths: Sequence[Path], folder: Path, profile: str = "test") -> None:
    """Copies of notebooks, outputs and all, that compute what a profile computes and record their claims in claims/."""
    for name in ("claims", "executed"):
        (folder / name).mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n")  # and none of the repository's
    (folder / "conftest.py").write_text(KEEP)
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "parameters" in tags(cell):
                cell.source = re.sub(r'^PROFILE = "\w+"', f'PROFILE = "{profile}"', cell.source, flags=re.MULTILINE)
                claims = f"claims/{path.stem}.jsonl"
                cell.source += f'\nimport os\nos.environ["{CLAIMS_VARIABLE}"] = os.path.abspath("{claims}")'
        nbformat.write(notebook, folder / path.name)


def run_nbval(folder: Path, *options: str) -> subprocess.CompletedProcess:
    """nbval's verdict on the notebooks in a folder: exit status 0 if each runs and each marked cell is as committed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--quiet",
        "--nbval-lax",
        "--nbval-current-env",
    ]
    command += [f"--nbval-sanitize-with={SANITIZE}", f"--nbval-cell-timeout={SECONDS}", *options, "."]
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    static = {"SDM_LITE_STATIC": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | threads | static | {"PYTHONPATH": path, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def main(numbers: Sequence[str]) -> int:
    """Compare the notebooks of these numbers, all if there are none; the exit status is pytest's."""
    paths = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        write_copies([path for path in paths if not numbers or path.name[:2] in numbers], Path(folder))
        done = run_nbval(Path(folder))
    print(done.stdout, done.stderr, sep="\n")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
