"""The course run end to end; notebooks take `record_claim` and `record` from here."""

from sdm_lite.reproduce.claims import record, record_claim, show_source
from sdm_lite.reproduce.course import NOTEBOOKS, PROFILES, check_parameters, make_course, parse_parameters

__all__ = [
    "NOTEBOOKS",
    "PROFILES",
    "check_parameters",
    "make_course",
    "parse_parameters",
    "record",
    "record_claim",
    "show_source",
]
