"""Writes another address of the package wherever its address stands: `make address URL=https://github.com/OWNER/NAME`.

It is typed in one place, `REPOSITORY_URL` in sdm_lite/reproduce/course.py, and written from there: into the notebooks,
of which Colab sees nothing but the one that is open, the metadata of the package, the pages and their badges.
"""

import re
import subprocess
import sys
from pathlib import Path

from sdm_lite.reproduce.course import REPOSITORY_URL

ROOT = Path(__file__).resolve().parents[2]
HOME = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")
# What stands before OWNER/NAME in an address of GitHub's, or of a site that opens its repositories.
BEFORE = r"(github\.com/|githubusercontent\.com/|/github/|/gh/)"


def moved(text: str, old: str, new: str) -> str:
    """A text with every address of one repository (OWNER/NAME) as that of another."""
    return re.sub(BEFORE + re.escape(old) + r"(?![\w-])", lambda found: found[1] + new, text)


def texts() -> dict[Path, str]:
    """Every text file of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {}
    for name in listed.strip("\0").split("\0"):
        try:
            found[ROOT / name] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    return found


def main(words: list[str]) -> int:
    """Move everything to the address given; the exit status."""
    given = HOME.fullmatch(words[0].removesuffix("/").removesuffix(".git")) if len(words) == 1 else None
    if not given:
        print(f"error: expected https://github.com/OWNER/NAME, got {' '.join(words) or 'nothing'}", file=sys.stderr)
        return 2
    old = HOME.fullmatch(REPOSITORY_URL)[1]
    changed = [path for path, text in texts().items() if moved(text, old, given[1]) != text]
    for path in changed:
        path.write_text(moved(path.read_text(encoding="utf-8"), old, given[1]), encoding="utf-8")
    print(f"{len(changed)} files moved from {old} to {given[1]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
