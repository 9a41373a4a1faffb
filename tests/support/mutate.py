"""A mutation run over the core: one deliberate mistake at a time, and whether its tests see it. `make mutants`.

Each mistake is made in a copy of the checkout and met by the tests that TESTS names for its module, the quickest first,
up to the first that fails. torch and pytest are imported once and a process is forked for each mistake, so that one
takes about as long as its tests. A stopped run goes on from its log, a line of JSON a mistake; `docs/mutation.md` has
the survivors with an answer to each.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
# Which tests answer for a module. Its own first; others where it is what they are about.
TESTS = {
    "labels": ["test_labels", "test_batches", "edit/test_repaint"],
    "diffusion": ["test_diffusion", "test_sampling", "bound/test_bound", "test_guidance"],
    "pyramid": ["test_pyramid", "test_unet"],
    "modulation": ["test_modulation", "test_guidance"],
    "spade": ["test_spade", "test_unet", "test_modulation", "test_guidance"],
    "unet": ["test_unet", "test_modulation", "test_guidance", "checkpoints/test_checkpoints"],
    "guidance": ["test_guidance"],
    "sampling": ["test_sampling", "edit/test_repaint"],
    "edit/repaint": ["edit/test_repaint"],
    "batches": ["test_batches", "cache/test_loading"],
    "metrics/conditional": ["metrics/test_conditional"],
    "metrics/diversity": ["metrics/test_diversity"],
    "metrics/edges": ["metrics/test_edges"],
    "metrics/frechet": ["metrics/test_frechet"],
    "metrics/intervals": ["metrics/test_intervals"],
    "metrics/kernel": ["metrics/test_frechet"],
    "metrics/segmentation": ["metrics/test_segmentation"],
    "bound/__init__": ["bound/test_bound"],
    "train/loop": ["train/test_loop"],
    "judge/network": ["judge/test_network"],
}
# Heavy packages that the tests import: loaded before the forks.
PRELOAD = ("torch", "numpy", "pytest", "hypothesis.strategies", "scipy.linalg", "safetensors.torch", "diffusers")

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.RShift: ast.LShift,
}  # fmt: skip
# Calls whose first argument alone is a plausible mistake: min(a, b) -> a.
TO_FIRST_ARGUMENT = {"min", "max", "minimum", "maximum", "clip", "round", "abs", "sorted", "list", "reversed", "relu"}
MODULES = {"torch", "F", "nn", "np", "math", "dataclasses", "checkpoints", "hashlib", "super"}  # no receivers


class Mutant(NamedTuple):
    """One mistake: `key` is the digest of the mutated source, so another source makes another mutant."""

    module: str
    line: int
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits."""
        return hashlib.sha256(f"{self.module} {self.source}".encode()).hexdigest()[:12]


def changed(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node with other fields."""
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What can stand in a node's place by mistake."""
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            for other in COMPARISONS[type(op)]:
                yield changed(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        yield changed(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        value = node.value
        others = [not value] if isinstance(value, bool) else [value + 1, value - 1, *([] if value in (0, 1) else [0])]
        yield from (ast.Constant(other) for other in others)
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield changed(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if len(node.args) > 1 and not any(isinstance(arg, ast.Starred) for arg in node.args[:2]):
            yield changed(node, args=[node.args[1], node.args[0], *node.args[2:]])
        for keyword in node.keywords:
            yield changed(node, keywords=[other for other in node.keywords if other is not keyword])
        if name in TO_FIRST_ARGUMENT and node.args:
            yield node.args[0]
        elif isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value).split("(")[0] not in MODULES:
            yield node.func.value
    if isinstance(node, (ast.AugAssign, ast.Raise)) or (
        (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        or (isinstance(node, ast.Assign) and not isinstance(node.targets[0], (ast.Name, ast.Tuple)))
    ):
        yield ast.Pass()
    if isinstance(node, ast.FunctionDef):
        for decorator in node.decorator_list:
            yield changed(node, decorator_list=[other for other in node.decorator_list if other is not decorator])


def mutants_of(module: str) -> Iterator[Mutant]:
    """All mistakes in a module; texts, annotations and what an error says are left alone."""
    tree = ast.parse((ROOT / "sdm_lite" / f"{module}.py").read_text())

    def visit(parent: ast.AST) -> Iterator[Mutant]:
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns") or isinstance(parent, (ast.JoinedStr, ast.Raise)):
                continue
            for place, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST):
                    continue
                for other in variants(node):
                    _put(parent, field, place, other)
                    source = ast.unparse(ast.fix_missing_locations(tree))
                    before, after = (ast.unparse(ast.fix_missing_locations(n)).split("\n") for n in (node, other))
                    lines = zip(before, after, strict=False)
                    old, new = next((pair for pair in lines if pair[0] != pair[1]), (before[0], after[0]))
                    yield Mutant(module, getattr(node, "lineno", 0), old.strip(), new.strip(), source)
                _put(parent, field, place, node)
                yield from visit(node)

    yield from visit(tree)


def _put(parent: ast.AST, field: str, place: int, node: ast.AST) -> None:
    if isinstance(getattr(parent, field), list):
        getattr(parent, field)[place] = node
    else:
        setattr(parent, field, node)


class Plugin:
    """Runs the quickest tests first, remembers how long each took and which one failed."""

    def __init__(self, seconds: dict[str, float]):
        self.seconds, self.failed = dict(seconds), ""

    def pytest_sessionstart(self) -> None:
        """That a mistake is found is enough: hypothesis need not shrink it."""
        from hypothesis import Phase, settings

        settings.register_profile("mutants", settings.get_profile("house"), phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list) -> None:
        """The quickest first."""
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0))

    def pytest_runtest_logreport(self, report) -> None:
        """How long, and which failed."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        if report.failed:
            self.failed = report.nodeid


def run_tests(tree: Path, module: str, seconds: dict[str, float], answer) -> None:
    """In a process of its own: the tests of a module as it stands in `tree`; sends (exit status, test, seconds)."""
    import pytest

    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1), os.dup2(nowhere.fileno(), 2)
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    sys.dont_write_bytecode = True
    # Looking for plugins takes longer than most tests, and no test here needs one.
    os.environ.update(PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    plugin = Plugin(seconds)
    files = [f"tests/{name}.py" for name in TESTS[module]]
    status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files], plugins=[plugin])
    assert "sdm_lite" not in sys.modules or Path(sys.modules["sdm_lite"].__file__).is_relative_to(tree)
    answer.send((int(status), plugin.failed, plugin.seconds))
    answer.close()
    os._exit(0)


def tried(tree: Path, module: str, seconds: dict[str, float], limit: float) -> tuple[int, str, dict[str, float]]:
    """`run_tests` in a fork: status 0 if every test passed, -1 if they took longer than the limit, -2 if it died."""
    answers, answer = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=run_tests, args=(tree, module, seconds, answer))
    process.start()
    answer.close()
    try:
        return answers.recv() if answers.poll(limit) else (-1, "took too long", {})
    except EOFError:
        return -2, "the process died", {}
    finally:
        process.kill()
        process.join()


def chosen(module: str, most: int | None, seed: int) -> list[Mutant]:
    """The mutants of a module, or `most` of them drawn with a seed; a larger draw holds a smaller one."""
    every = list({mutant.key: mutant for mutant in mutants_of(module)}.values())
    if most is None or most >= len(every):
        return every
    random.Random(f"{seed} {module}").shuffle(every)
    return sorted(every[:most], key=lambda mutant: mutant.line)


def main() -> None:
    """Run what the command line asks for and print a line a module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", default=list(TESTS), help="as in TESTS; all of them unless given")
    parser.add_argument("--most", type=int, help="mutants a module, drawn with --seed; all unless given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=ROOT / "runs" / "mutants.jsonl")
    parser.add_argument("--again", action="store_true", help="try those again that survived")
    parser.add_argument("--count", action="store_true", help="only count")
    options = parser.parse_args()
    if options.count:
        for module in options.modules:
            print(f"{module:16} {len(chosen(module, None, 0))}")
        return
    options.log.parent.mkdir(parents=True, exist_ok=True)
    lines = options.log.read_text().splitlines() if options.log.exists() else []
    done = {verdict["key"]: verdict for verdict in map(json.loads, lines)}
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in PRELOAD:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve() / "checkout"
        ignore = shutil.ignore_patterns("__pycache__", ".*", "runs", "reports", "*.egg-info", "widgets")
        shutil.copytree(ROOT, tree, ignore=ignore, symlinks=True)
        for module in options.modules:
            run_module(module, tree, done, options)


def run_module(module: str, tree: Path, done: dict[str, dict], options: argparse.Namespace) -> None:
    """Every mutant of a module that has no verdict yet, and a line that sums them up."""
    path = tree / "sdm_lite" / f"{module}.py"
    whole, mutants = path.read_text(), chosen(module, options.most, options.seed)
    left = [m for m in mutants if m.key not in done or (options.again and not done[m.key]["killed"])]
    if left:
        start = time.perf_counter()
        status, failed, seconds = tried(tree, module, {}, 900)
        if status != 0:
            raise SystemExit(f"error: the tests of {module} do not pass as it is: {failed or status}")
        limit = 30 + 5 * (time.perf_counter() - start)
    for mutant in left:
        path.write_text(mutant.source)
        status, failed, _ = tried(tree, module, seconds, limit)
        verdict = {
            "key": mutant.key, "module": module, "line": mutant.line, "before": mutant.before, "after": mutant.after,
            "killed": status != 0, "by": failed,
        }  # fmt: skip
        done[mutant.key] = verdict
        with options.log.open("a") as log:
            log.write(json.dumps(verdict) + "\n")
    path.write_text(whole)
    survivors = [mutant for mutant in mutants if not done[mutant.key]["killed"]]
    print(f"{module}: {len(mutants)} mutants, {len(survivors)} survived", flush=True)
    for mutant in survivors:
        print(f"    {mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)


if __name__ == "__main__":
    main()
