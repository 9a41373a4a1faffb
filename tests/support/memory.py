"""How much memory this process holds, as Linux counts it."""

from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
counted = pytest.mark.skipif(not STATUS.exists(), reason="needs Linux's count of memory")


def held(kind):
    """Bytes of a kind: RssAnon is what was allocated, RssFile what was read of mapped files."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024
