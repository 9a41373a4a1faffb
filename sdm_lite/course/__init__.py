"""The course in a folder of one's own: `python -m sdm_lite.course DIR` copies its notebooks."""

from sdm_lite.course.copying import copy_course

__all__ = ["copy_course"]
