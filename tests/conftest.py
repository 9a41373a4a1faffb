"""Settings that must be in place before anything is imported: no window opens and no test phones home."""

import os

from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")

# The same examples on every machine, kept nowhere; a busy machine may take its time over each.
settings.register_profile("house", derandomize=True, database=None, deadline=None)
settings.load_profile("house")
