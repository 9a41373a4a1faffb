"""What the paper compares its method with, trained and scored by one protocol.

Apart from the package, which knows nothing of it, but for the concatenation network, `concat`: checkpoints must be able
to read one. `python -m sdm_lite.baselines` runs the comparisons.
"""
