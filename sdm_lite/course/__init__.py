"""The course in a folder of one's own: notebooks copied, from an installed package too. `python -m sdm_lite.course`."""

from sdm_lite.course.copying import copy_course

__all__ = ["copy_course"]
