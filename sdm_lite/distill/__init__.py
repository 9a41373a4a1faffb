"""Distillation: 4, 2 or 1 evaluations, the scale an input. `python -m sdm_lite.distill`."""
