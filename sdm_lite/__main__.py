"""One door to all commands: `sdm-lite`, or `python -m sdm_lite`, lists them and runs one.

Each is `python -m sdm_lite.NAME` too, which works where pip's scripts are not on the path, so that is the name in their
own help and errors. The table knows their names and imports none of them: what a command needs is its own affair.
"""

from __future__ import annotations

import difflib
import runpy
import sys
from collections.abc import Sequence

from sdm_lite import __version__

COMMANDS = {
    "scenes": "draw a grid of Scenes, the data set that ships with the package",
    "datasets": "look at a folder of photographs before training on it, or make one ready",
    "cache": "decode a data set once, before a run needs it; list and check what is there",
    "plan": "what a training run will take: memory, days, cost",
    "train": "train a network on Scenes or on photographs; goes on where it stopped",
    "bound": "how many bits a dimension a model needs for held-out images",
    "judge": "train the small network that scores pictures, or measure one",
    "distill": "train a student that draws in 4, 2 or 1 evaluations, guidance an input",
    "sample": "draw pictures for label maps of one's own, with any weights",
    "edit": "redraw a picture where its label map has changed, and keep the rest",
    "evaluate": "score a model, next to what the truth itself scores",
    "baselines": "train and score what the paper compares with",
    "checkpoints": "turn published weights into ours, or show what a file holds",
    "course": "copy the notebooks to a folder of one's own",
    "reproduce": "run the notebooks in order and write the report",
    "app": "paint label maps and see pictures: a page without code",
}
"""Every folder of the package that is a command, in the order in which one meets them, and what it does."""


def usage() -> str:
    """What `sdm-lite` alone prints: the commands, a line each."""
    lines = [f"  {name:<12} {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: sdm-lite COMMAND ..., or python -m sdm_lite COMMAND ..., where COMMAND is one of",
            "",
            *lines,
            "",
            "sdm-lite COMMAND --help has the options of one, sdm-lite --version says which version this is.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command as `python -m` would; its exit status, its errors and Control-C pass through.

    Args:
        argv: the name of a command and what it is given; None takes the words of the command line.

    Returns:
        The exit status: 0 done, 2 no such command.
    """
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name == "--version":
        print(f"sdm_lite {__version__}")
        return 0
    if name not in COMMANDS:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        fix = f"did you mean {nearest[0]}?" if nearest else "sdm-lite lists them"
        print(f"error: expected a command of sdm-lite, got {name!r}: {fix}", file=sys.stderr)
        return 2
    sys.argv[1:] = rest
    runpy.run_module(f"sdm_lite.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
