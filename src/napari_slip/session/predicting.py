"""Matches become Objects, where nothing has been decided yet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.objects import Object, Status, in_common
from napari_slip.settings import Select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from napari_slip.matching import Match

SAME, INSIDE = 0.5, 0.8
"""IoU from which two masks are the same thing, and share of the smaller from which one lies in the other."""


def predict(
    objects: Mapping[int, Object], match: Match, plane: tuple[int, ...], free: int, names: Set[str]
) -> dict[int, Object]:
    """Return the objects with a match's accepted segments in place of the open predictions of its classes.

    What a person decided stays, and nothing of the same class is predicted where it lies, nor more than the
    match's rule asks for together with it. A prediction that comes again keeps its id and its track; of one
    that comes with another mask, what overlaps it most and well keeps the track.

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
    open_now: dict[str, list[Object]] = {name: [] for name in names}
    kept = {}
    decided: dict[str, list[Object]] = {name: [] for name in names}
    for i, thing in objects.items():
        ours = thing.plane == plane and thing.class_name in decided
        if ours and thing.status == "predicted":
            open_now[thing.class_name].append(thing)
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
        near = Near(decided[name])
        fresh: list[Object] = []
        rows = np.flatnonzero(accepted[:, column])
        for row in rows[np.argsort(-match.calibrated[rows, column], kind="stable")]:
            new = object_of(match, int(row), column, plane, "predicted")
            if room < 1 or any(settles(thing, new) for thing in near.of(new)):
                continue
            room -= 1
            fresh.append(new)
        for thing in _come_again(fresh, open_now[name]):
            kept[thing.id or free] = thing if thing.id else replace(thing, id=free)
            free += not thing.id
    return dict(sorted(kept.items()))


class Near:
    """Finds among objects of one plane those that may share pixels with another; most do not.

    Parameters
    ----------
    things : sequence of Object
        Those that it looks among.
    """

    def __init__(self, things: Sequence[Object]) -> None:
        self._things = things
        self._boxes = np.asarray([_box(thing) for thing in things], np.int64).reshape(-1, 4)

    def of(self, thing: Object) -> list[Object]:
        """Return those whose boxes overlap that of an object, in their order."""
        x0, y0, x1, y1 = _box(thing)
        left, top, right, bottom = self._boxes.T
        rows = np.flatnonzero((left < x1) & (x0 < right) & (top < y1) & (y0 < bottom))
        return [self._things[row] for row in rows.tolist()]


def _box(thing: Object) -> tuple[int, int, int, int]:
    (x, y), (height, width) = thing.origin, thing.crop.shape
    return x, y, x + width, y + height


def _come_again(fresh: list[Object], before: list[Object]) -> list[Object]:
    """Return predictions as those of before that have their masks, or with the track of what is like them.

    The number of a segment tells nothing: another model counts others.
    """
    known: dict[tuple[object, ...], list[Object]] = {}
    for thing in before:
        known.setdefault(_mask_of(thing), []).append(thing)
    again: dict[int, Object] = {}
    for n, new in enumerate(fresh):
        if same := known.get(_mask_of(new)):
            again[n] = same.pop(next((k for k, o in enumerate(same) if o.segment == new.segment), 0))
    left = Near([thing for same in known.values() for thing in same if thing.track is not None])
    tracks: set[int | None] = set()
    found = []
    for n, new in enumerate(fresh):
        if (old := again.get(n)) is not None:
            now = (old.segment, old.score) == (new.segment, new.score)
            found.append(old if now else replace(old, segment=new.segment, score=new.score))
            continue
        likeness = {thing.track: _iou(thing, new) for thing in left.of(new) if thing.track not in tracks}
        best = max(likeness, key=lambda track: likeness[track], default=None)
        best = best if best is not None and likeness[best] >= SAME else None
        tracks |= {best} - {None}
        found.append(replace(new, track=best))
    return found


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
    shared = in_common(decided, new)
    if not shared:
        return False
    if shared >= SAME * (decided.area + new.area - shared):
        return True
    if decided.status == "rejected":  # what it came from, if it was larger than that when it went
        return decided.segment == new.segment and shared > INSIDE * new.area
    return shared > INSIDE * min(decided.area, new.area)


def _mask_of(thing: Object) -> tuple[object, ...]:
    return thing.origin, thing.crop.shape, thing.crop.tobytes()


def _iou(one: Object, other: Object) -> float:
    shared = in_common(one, other)
    return shared / max(1, one.area + other.area - shared)
