"""Redraw a region under a new label map and keep the rest: `python -m sdm_lite.edit`.

The equations are in `repaint`, which knows tensors alone; `redrawing` reads and writes files.
"""

from sdm_lite.edit.repaint import changed_region, keep_outside, q_between, repaint_pairs, sample_repaint, seam

__all__ = ["changed_region", "keep_outside", "q_between", "repaint_pairs", "sample_repaint", "seam"]
