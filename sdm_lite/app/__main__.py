"""`python -m sdm_lite.app`: serve the page with Voila, on this machine, and open it in a browser.

The page is `app.ipynb`, a notebook of which Voila shows what its cells draw. Options are Voila's own: `--port 8866`,
`--no-browser`. Votes go to `votes.csv` in the folder in which the command was started, or to `$SDM_LITE_VOTES`.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from sdm_lite.command import run

PAGE = Path(__file__).with_name("app.ipynb")


def main(argv: Sequence[str] | None = None) -> int:
    """Run Voila in this process until it is stopped.

    Args:
        argv: options of Voila; None takes the words of the command line.

    Returns:
        The exit status: 0 stopped, 2 Voila is not installed.
    """
    return run(lambda: _serve(sys.argv[1:] if argv is None else argv))


def _serve(options: Sequence[str]) -> None:
    if find_spec("voila") is None:
        raise ValueError('packages: expected voila, got none: pip install "sdm_lite[lab]"')
    os.environ.setdefault("SDM_LITE_VOTES", str(Path("votes.csv").absolute()))
    sys.argv = ["voila", str(PAGE), *options]
    runpy.run_module("voila", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    raise SystemExit(main())
