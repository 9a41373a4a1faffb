"""Edits whose right answer is known: a scene with a house, a car or a tree in it, and without.

Apart from the data set because nothing but editing needs it. Shapes stand in front of each other, so a scene without
one of them is a scene too: the same hour, season, colours and textures, with what was hidden behind it. No photograph
has that. It says what else a thing changes than its own pixels (its shadow), and what an edit should have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sdm_lite.batches import Example
from sdm_lite.scenes.dataset import Scenes, drawn, layout_of
from sdm_lite.scenes.things import Car, House, Tree

THINGS = {"house": House, "car": Car, "tree": Tree}


class KnownEdit(NamedTuple):
    """A scene twice, under one appearance.

    Attributes:
        index: of the scene in its data set.
        with_thing: the scene with the thing.
        without: the scene without it.
    """

    index: int
    with_thing: Example
    without: Example


def known_edit(scenes: Scenes, i: int, thing: str) -> KnownEdit | None:
    """Scene i with and without its front house, car or tree, as it stands in the data set.

    Args:
        scenes: the data set.
        i: number of the scene.
        thing: one of THINGS.

    Returns:
        The two scenes, or None if no such thing stands in this one.

    Raises:
        ValueError: if there are no such things in Scenes.
        IndexError: if there is no scene i.
    """
    if thing not in THINGS:
        raise ValueError(f"thing must be one of {', '.join(THINGS)}, got {thing!r}")
    i = range(len(scenes))[i]  # a negative one counts from the end, as in scenes[i]
    layout, appearance = layout_of(scenes.seed, i), scenes.own_appearance(i)
    of_its_kind = [item for item in layout.items if isinstance(item, THINGS[thing])]
    if not of_its_kind:
        return None
    front = of_its_kind[-1]
    # The wall and the roof of a house are two items on one base line.
    kept = [
        number
        for number, item in enumerate(layout.items)
        if not (isinstance(item, THINGS[thing]) and (item.x, item.y) == (front.x, front.y))
    ]
    rest = layout._replace(items=tuple(layout.items[number] for number in kept))
    as_it_was = appearance._replace(draws=appearance.draws[kept])  # what stays keeps its own colours
    return KnownEdit(i, scenes[i], drawn(rest, as_it_was, scenes.size, scenes.label_set))


def known_edits(scenes: Scenes, thing: str, *, min_pixels: int = 12) -> Iterator[KnownEdit]:
    """All known edits of a data set, in order, one scene after the other.

    Args:
        scenes: the data set.
        thing: one of THINGS.
        min_pixels: leaves out things of which fewer pixels are seen.

    Yields:
        Known edits; drawn when they are asked for.

    Raises:
        ValueError: at the first one, if there are no such things in Scenes.
    """
    for i in range(len(scenes)):
        edit = known_edit(scenes, i, thing)
        if edit is not None and int((edit.with_thing.label_map != edit.without.label_map).sum()) >= min_pixels:
            yield edit
