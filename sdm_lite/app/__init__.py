"""The painter, the panel and the user study as a page without code: `python -m sdm_lite.app`."""
