"""Matches become Objects, where nothing has been decided yet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.objects import Object, Status, shared_pixels
from napari_slip.settings import Select

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from napari_slip.matching import Match

SAME, INSIDE = 0.5, 0.8
"""IoU from which two masks are the same thing, and share of the smaller from which one lies in the other."""


def predict(
    objects: Mapping[int, Object], match: Match, plane: tuple[int, ...], free: int, names: Set[str]
) -> dict[int, Object]:
    """Return the objects with a match's accepted segments in place of the open predictions of its classes.

    What a person decided stays, and nothing of the same class is predicted where it lies, nor more than the
    match's rule asks for together with it. A prediction that comes again keeps its id and its track.

    Parameters
    ----------
    objects : mapping from id to Object
        Of all planes.
    match : Match
        Scores of the plane's segments.
    plane : tuple of int
        Which plane it is.
    free : int
        First id for new objects.
    names : set of str
        Which of the match's classes are predicted.
    """
    open_now, kept = {}, {}
    decided: dict[str, list[Object]] = {name: [] for name in names}
    for i, thing in objects.items():
        ours = thing.plane == plane and thing.class_name in decided
        if ours and thing.status == "predicted":
            open_now[thing.class_name, thing.segment] = thing
        else:
            kept[i] = thing
            if ours:
                decided[thing.class_name].append(thing)
    accepted, rule = match.accepted(), Select.parse(match.settings.select)
    for column, name in enumerate(match.names):
        if name not in decided:
            continue
        # of the K best that a rule asks for, those that a person has chosen are some
        room = np.inf if rule.rule == "above" else rule.number
        room -= sum(thing.status != "rejected" for thing in decided[name])
        rows = np.flatnonzero(accepted[:, column])
        for row in rows[np.argsort(-match.calibrated[rows, column], kind="stable")]:
            new = object_of(match, int(row), column, plane, "predicted")
            if room < 1 or any(settles(thing, new) for thing in decided[name]):
                continue
            room -= 1
            known = open_now.get((name, new.segment))
            if known is None:
                new = replace(new, id=free)
                free += 1
            elif _same_mask(known, new):
                new = known if known.score == new.score else replace(known, score=new.score)
            else:
                new = replace(new, id=free, track=known.track)
                free += 1
            kept[new.id] = new
    return dict(sorted(kept.items()))


def object_of(match: Match, row: int, column: int, plane: tuple[int, ...], status: Status) -> Object:
    """Make an Object, which has no id yet, of a segment of a plane and the class of a column."""
    x0, y0 = (int(edge) for edge in match.segments.boxes[row, :2])
    return Object(
        id=0,
        class_name=match.names[column],
        status=status,
        crop=match.segments.masks.crop(row),
        origin=(x0, y0),
        plane=plane,
        segment=row + 1,
        score=float(match.calibrated[row, column]),
    )


def settles(decided: Object, new: Object) -> bool:
    """Whether a decision has been made about what is predicted, by these segments or by others."""
    shared = shared_pixels(decided, new)
    if not shared:
        return False
    if shared >= SAME * (decided.area + new.area - shared):
        return True
    if decided.status == "rejected":  # what it came from, if it was larger than that when it went
        return decided.segment == new.segment and shared > INSIDE * new.area
    return shared > INSIDE * min(decided.area, new.area)


def _same_mask(one: Object, other: Object) -> bool:
    return one.origin == other.origin and np.array_equal(one.crop, other.crop)
