"""Distillation: 4, 2 or 1 evaluations, the scale an input. `python -m sdm_lite.distill`."""

from sdm_lite.distill.student import Student, load_student, save_student, student_settings

__all__ = ["Student", "load_student", "save_student", "student_settings"]
