"""The exercises of the course, a file a lesson; notebooks take `check` and `hint` from it."""

from sdm_lite.exercises.exercise import LEVELS, Exercise, Lesson, Slip

__all__ = ["LEVELS", "Exercise", "Lesson", "Slip"]
