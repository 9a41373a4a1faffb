"""Small notebooks for the tests of what runs them."""

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = 'PROFILE = "quick"\nSEED = 0\nOUTPUT_DIR = "output"'


def make_notebook(path: Path, *cells, parameters: str = PARAMETERS) -> Path:
    """A notebook with a header and a parameters cell; code cells are given as text or as cells."""
    header = new_markdown_cell(f"# {path.stem}\n\n**Time.** <!-- measured -->not measured yet", id="header")
    tagged = new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]})
    made = [new_code_cell(cell, id=f"c{i}") if isinstance(cell, str) else cell for i, cell in enumerate(cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"name": "other", "display_name": "Other", "language": "python"}
    nbformat.write(new_notebook(cells=[header, tagged, *made], metadata={"kernelspec": kernel}), path)
    return path


def state_of(output: Path) -> dict:
    return json.loads((output / "run.json").read_text())
