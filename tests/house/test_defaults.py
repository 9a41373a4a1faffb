"""torch's defaults for dtype and device are the user's: what is made here says its own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "sdm_lite"
# Functions that make a tensor out of nothing; those whose dtype is the default one unless it is said.
MAKERS = {
    "arange",
    "empty",
    "eye",
    "full",
    "linspace",
    "ones",
    "rand",
    "randint",
    "randn",
    "randperm",
    "tensor",
    "zeros",
}
OF_DEFAULT_DTYPE = {"empty", "eye", "full", "linspace", "ones", "rand", "randn", "zeros"}


def unsaid(source: str) -> list[str]:
    """Every tensor made without a word on its device, or where that is the default one, its dtype."""
    tree = ast.parse(source)
    # A module's own tensors are made as its layers are, by the defaults; who loads a module sees to both.
    own = {id(argument) for node in ast.walk(tree) if isinstance(node, ast.Call) for argument in node.args
           if isinstance(node.func, ast.Attribute) and node.func.attr == "register_buffer"}  # fmt: skip
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and id(node) not in own):
            continue
        maker, of = node.func.attr, node.func.value
        if not (isinstance(of, ast.Name) and of.id == "torch" and maker in MAKERS | {"Generator"}):
            continue
        given = {keyword.arg for keyword in node.keywords}
        if None in given or (maker == "Generator" and node.args):
            continue  # **settings, or the device
        wanted = {"device"} | ({"dtype"} if maker in OF_DEFAULT_DTYPE else set())
        numbers = any(isinstance(part, ast.Constant) and isinstance(part.value, float) for part in ast.walk(node))
        wanted |= {"dtype"} if maker == "tensor" and numbers else set()
        found += [f"line {node.lineno}: torch.{maker} without {word}" for word in sorted(wanted - given)]
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_is_made_says_its_device_and_dtype(path):
    assert unsaid(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line, number",
    [
        ("torch.zeros(3)", 2),
        ("torch.zeros(3, device=x.device)", 1),
        ("torch.arange(3, device='cpu')", 0),
        ("torch.tensor([1.0], device='cpu')", 1),
        ("torch.Generator()", 1),
        ("torch.Generator('cpu')", 0),
        ("self.register_buffer('mean', torch.zeros(3))", 0),
    ],
)
def test_the_check_sees_what_is_unsaid(line, number):
    assert len(unsaid(line)) == number
