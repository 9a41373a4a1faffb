"""Exercises of "Your own photographs": films that must not be cut in two, and ids that must become classes."""

import numpy as np

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, on

NAMES = tuple(f"film{film:02d}_{frame:04d}" for film in range(20) for frame in range(film + 5))


def _film(name: str) -> str:
    return name.partition("_")[0]


def _parts(held_out: object) -> tuple[set, set]:
    """The films of what is held out, and of the rest."""
    return {_film(name) for name in held_out}, {_film(name) for name in NAMES if name not in set(held_out)}


def _is_clean(held_out: object) -> bool:
    held, kept = _parts(held_out)
    return not held & kept and set(held_out) <= set(NAMES) and 0.05 <= len(set(held_out)) / len(NAMES) <= 0.2


def _tell(held_out: object) -> str:
    held, kept = _parts(held_out)
    if not set(held_out) <= set(NAMES):
        return "it returns what is not among the names: the names of frames are asked for, not of films."
    if held & kept:
        torn = ", ".join(sorted(held & kept)[:3]) + (", ..." if len(held & kept) > 3 else "")
        return f"frames of one film are in both parts ({torn}): choose among films, then take all their frames."
    return f"{len(set(held_out)) / len(NAMES):.0%} of the frames are held out; about a tenth is asked for."


FILMS = Exercise(
    title="films",
    level="medium",
    hints=(
        "Choose among films, and then take all frames of those.",
        'name.partition("_")[0] is the film; a set of these has each film once; sorted(...)[::10] takes every tenth.',
    ),
    ask=lambda answer: answer(list(NAMES)),
    accepts=_is_clean,
    tell=_tell,
    right=lambda names: [name for name in names if _film(name) in sorted({_film(one) for one in names})[::10]],
)


def _classes(ids: np.ndarray) -> np.ndarray:
    classes = np.full_like(ids, 3)
    for class_id, value in enumerate((7, 11, 23)):
        classes[ids == value] = class_id
    return classes


def _in_place(ids: np.ndarray) -> np.ndarray:
    """The slip of renumbering one after another, in the same array: what has become 0 is renumbered again."""
    ids = ids.copy()
    for old, new in ((7, 0), (11, 1), (23, 2), (0, 3)):
        ids[ids == old] = new
    return ids


IDS = np.random.default_rng(0).choice([0, 7, 11, 23], size=(6, 8)).astype(np.uint8)
OWN_IDS = Exercise(
    title="ids of your own",
    level="easy",
    hints=(
        "Either a table, an array with 256 places that is indexed by the ids, or one mask an id.",
        "Write into a *new* array, np.full_like(ids, 3): in the old one, a 0 may be a road already or still unpainted.",
    ),
    right=_classes,
    slips=(
        Slip(_in_place, "roads became 0 and were then taken for unpainted: read from ids, write into a new array."),
        Slip(
            lambda ids: np.unique(ids, return_inverse=True)[1].reshape(ids.shape),
            "the ids are numbered by size, so that unpainted is 0 and the road 1; unpainted is to be the last, 3.",
        ),
        Slip(
            lambda ids: np.where(ids == 0, 0, _classes(ids)),
            "unpainted pixels are called road: they are a class of their own, 3.",
        ),
    ),
    ask=on((IDS,)),
)

LESSON = Lesson((FILMS, OWN_IDS))
check, hint = LESSON.check, LESSON.hint
