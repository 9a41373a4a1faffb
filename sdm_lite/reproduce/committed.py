"""The committed form of a notebook: executed and clean, so that it reads well on a web page and makes small diffs.

Apart because it is a contract by itself, kept by `python -m sdm_lite.reproduce --refresh` and held by
tests/house/test_notebooks.py: outputs kept, counted 1..n, no errors and no standard error, no widget state, no traces
of papermill or of the machine it ran on.
"""

from __future__ import annotations

import copy
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from sdm_lite.progress import duration

REPOSITORY = Path(__file__).resolve().parents[2]
MAX_BYTES = 1_000_000
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
# The header's line of measured times; what stands after the mark is never typed.
TIME_LINE = re.compile(r"^(\*\*Time\.\*\* <!-- measured -->)(.*)$", re.MULTILINE)


def committed_form(executed) -> nbformat.NotebookNode:
    """The executed notebook as it is committed.

    Args:
        executed: notebook node as papermill left it.

    Returns:
        A new notebook node; the one given is not changed.

    Raises:
        ValueError: if outputs hold an error, standard error or a machine path, or the file would be too large.
    """
    notebook = without_papermill(executed)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": {"name": "python"}})
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in tags(cell)]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    give_words(notebook)
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    if found := problems(notebook):
        raise ValueError("; ".join(found))
    return notebook


def give_words(notebook) -> None:
    """Gives every PNG that carries no text alternative the words that stand about it, in place.

    Figures have their own from `sdm_lite.viz.use_style`; a picture that was shown otherwise gets the cell's caption, or
    the heading above it, and what the text under it says to look for.
    """
    heading = ""
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        if cell.cell_type == "markdown":
            heading = [heading, *re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)][-1]
        words = [cell.metadata.get("caption") or f"Figure: {heading}."]
        if following is not None and following.get("id", "") == f"see-{cell.get('id')}":
            words.append(following.source.strip("*").removeprefix("See: "))
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}) and not _alt(output):
                output.metadata.setdefault("image/png", {})["alt"] = " ".join(words)


def _alt(output) -> str:
    """The text alternative of an output's PNG, "" if it has none."""
    return output.get("metadata", {}).get("image/png", {}).get("alt", "")


def without_papermill(executed) -> nbformat.NotebookNode:
    """A copy of an executed notebook without papermill's metadata and error marks and without widget state."""
    notebook = copy.deepcopy(executed)
    for name in ("papermill", "widgets"):
        notebook.metadata.pop(name, None)
    notebook.cells = [cell for cell in notebook.cells if "papermill-error-cell-tag" not in tags(cell)]
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if not tags(cell):
            cell.metadata.pop("tags", None)  # papermill leaves an empty list where there was none
    return notebook


def tags(cell) -> list[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def code_cells(notebook) -> list:
    """The code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def to_text(notebook) -> str:
    """A notebook as the text of its file: indent 1, no escapes, one newline at the end."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT, indent=1, ensure_ascii=False).rstrip("\n") + "\n"


def write_time(notebook, seconds: float, device: str, profile: str) -> None:
    """Adds to the header's measured times, in place, or replaces that of the profile: `48 s on 2 CPU cores (quick)`.

    A notebook without the mark is left alone.
    """
    header = notebook.cells[0]
    match = TIME_LINE.search(header.source)
    kept = [item for item in re.findall(r"[^,\s][^,]*\(\w+\)", match[2]) if f"({profile})" not in item] if match else []
    times = ", ".join([*kept, f"{duration(seconds)} on {device} ({profile})"])
    header.source = TIME_LINE.sub(lambda match: match[1] + times, header.source, count=1)


def measured_seconds(notebook, profile: str) -> float | None:
    """The seconds that the header says were measured for a profile, or None."""
    match = TIME_LINE.search(notebook.cells[0].source) if notebook.cells else None
    found = re.search(rf"(?:(\d+) min )?(\d+) s on [^,]+\({re.escape(profile)}\)", match[2]) if match else None
    return 60.0 * int(found[1] or 0) + int(found[2]) if found else None


def scrub(value: Any) -> Any:
    """A text, or every text inside lists and mappings, without the machine's folders; pictures are left alone."""
    if isinstance(value, str):
        for path, name in machine_paths():
            value = re.sub(re.escape(path) + r"(?=[/\\:'\"\s]|$)", lambda _, name=name: name, value)
        return value
    if isinstance(value, list):
        return [scrub(item) for item in value]
    if isinstance(value, dict):
        changed = {key: item if key.startswith("image/") else scrub(item) for key, item in value.items()}
        return type(value)(changed)
    return value


def machine_paths() -> list[tuple[str, str]]:
    """Folders that tell of this machine, longest first, each with what may stand in its place."""
    named = {
        tempfile.gettempdir(): "<temporary>",
        os.path.realpath(tempfile.gettempdir()): "<temporary>",
        os.path.expanduser("~"): "~",  # itself where there is no home, as in some containers
        sys.base_prefix: "<python>",
        sys.prefix: "<python>",
        str(REPOSITORY): "<sdm_lite>",
    }
    # A short one such as /usr is no secret, and / would match everything.
    told = [(path, name) for path, name in named.items() if len(Path(path).parts) > (2 if name == "<python>" else 1)]
    return sorted(told, key=lambda pair: -len(pair[0]))


def problems(notebook) -> list[str]:
    """What keeps a notebook from being committed, a line each: errors, warnings, paths, widgets, no words, size."""
    found = []
    sizes = {}
    for number, cell in enumerate(notebook.cells, start=1):
        where = f"cell {number} ({cell.get('id', '')})"
        sizes[where] = len(str(cell.get("outputs", "")))
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"{where}: expected no error, got {output.ename}: {output.evalue}")
            elif output.get("name") == "stderr":
                line = [*str(output.text).strip().splitlines(), ""][0]
                found.append(f"{where}: expected nothing on standard error, got {line!r}: silence its cause")
            elif "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
                found.append(f"{where}: expected a static picture, got a widget: draw it when SDM_LITE_STATIC=1")
            elif "image/png" in output.get("data", {}) and not _alt(output):
                found.append(f"{where}: expected words for its picture, got none: show it after viz.use_style()")
            elif scrub(output) != output:
                found.append(f"{where}: expected no path of this machine in the output: print names, not paths")
    if (size := len(to_text(notebook).encode())) >= MAX_BYTES:
        largest = max(sizes, key=sizes.get)
        found.append(
            f"expected a file under {MAX_BYTES / 1e6:g} MB, got {size / 1e6:.2f} MB: the outputs of {largest} "
            f"take {sizes[largest] / 1e6:.2f} MB, draw them smaller"
        )
    return found
