"""The course in a folder of one's own: `python -m sdm_lite.course DIR` copies its notebooks."""
