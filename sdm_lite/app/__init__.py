"""The panel and the painter as a page without code: `make app`."""
