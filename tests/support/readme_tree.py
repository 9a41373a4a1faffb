"""Writes the tree of the README, rooms and layers of docs/design.md, and the tables of the course: `make tree`.

What stands between the markers is made here and nowhere else; tests/house/test_readme.py fails where it is out of date.
"""

import ast
from collections.abc import Callable
from pathlib import Path

from sdm_lite.reproduce.catalogue import write_tables

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sdm_lite"

# How one reads the package: the paper, then the rooms as one comes to need them. The only list there is to keep.
READING_ORDER = """
labels diffusion pyramid spade presets unet concat modulation guidance sampling mixture timesteps student edit batches
metrics pictures viz progress side_by_side command markdown files
train bound plan checkpoints scenes datasets cache judge guiders evaluate sample distill
baselines widgets ledger reproduce course exercises app __main__
""".split()

# What has no docstring to say it.
BESIDE = {
    "notebooks": "the course: one question each",
    "data": "trained weights, with a card each; stored runs; the ledger with its records",
    "docs": "pages: the house, the recipe, errata, what was measured; scripts/ measures it",
    "tests": "as the package stands; house/ holds what is true of the repository itself",
    "benchmarks": "speed, as a ratio against a named peer or floor",
}


def caption(path: Path) -> str:
    """The first line of what a module says of itself, its final stop left out."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert said, f"{path} says nothing of itself"
    return said.splitlines()[0].removesuffix(".")


def rooms() -> dict[str, Path]:
    """Every file and folder of the package by its name, to the module that speaks for it; in reading order."""
    found = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    found |= {path.parent.name: path for path in PACKAGE.glob("*/__init__.py")}
    order = {name: i for i, name in enumerate(READING_ORDER)}
    return {name: found[name] for name in sorted(found, key=lambda name: (order.get(name, len(order)), name))}


def readme_tree() -> str:
    """The tree of the README: a file or folder a line."""
    lines = [f"sdm_lite/             {caption(PACKAGE / '__init__.py')}"]
    for name, path in rooms().items():
        shown = f"{name}/" if path.stem == "__init__" else f"{name}.py"
        lines.append(f"  {shown:<18}  {caption(path)}")
    lines += [f"{name + '/':<20}  {what}" for name, what in BESIDE.items()]
    return "\n".join(["```", *lines, "```"])


def design_rooms() -> str:
    """The rooms of docs/design.md: each folder and what is in it."""
    lines = []
    for name, path in rooms().items():
        if path.stem == "__init__":
            lines += ["", f"**{name}/** {caption(path)}.", ""]
            inside = sorted(path.parent.rglob("*.py"), key=lambda one: one.relative_to(path.parent).parts)
            for one in inside:
                if one != path:
                    shown = one.relative_to(path.parent).as_posix().removesuffix("__init__.py")
                    lines.append(f"* `{shown}`: {caption(one)}.")
    return "\n".join(lines[1:])


def design_layers() -> str:
    """Who may import whom, in docs/design.md: the list that the test of it checks."""
    tree = ast.parse((ROOT / "tests" / "house" / "test_layers.py").read_text(encoding="utf-8"))
    (layers,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS"
    )
    return f"```{layers}```"


BLOCKS = {"tree": readme_tree, "rooms": design_rooms, "layers": design_layers}
"""The blocks that are made here, by the name in their markers."""

PAGES = [ROOT / "README.md", ROOT / "docs" / "design.md"]


def renewed(text: str, blocks: dict[str, Callable[[], str]] = BLOCKS) -> str:
    """A page with what stands between the markers of each block made anew."""
    for name, make in blocks.items():
        begin, end = f"<!-- {name}: made by `make tree` -->\n", f"<!-- end of {name} -->"
        if begin in text:
            before, _, rest = text.partition(begin)
            text = f"{before}{begin}{make()}\n{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    """Write every block anew."""
    for page in PAGES:
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
    write_tables(ROOT)


if __name__ == "__main__":
    main()
