"""Objects of another session, taken into this one: what a file holds joins what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.session.history import State

if TYPE_CHECKING:
    from napari_slip.objects import Object


def include(here: State, other: State, free: int) -> State:
    """Return a state with the objects and classes of another added to it.

    Ids stay where no object has had them yet, the others get new ones; tracks stay together. What is there
    already, the same mask of the same class on the same plane, is not added again.

    Parameters
    ----------
    here, other : State
        The one that is added to, and the one that is added.
    free : int
        First id that no object has had yet.
    """
    classes = here.classes
    for c in other.classes:
        classes = classes if c.name in classes else classes.add(c.name, c.phrases, c.colour)
    known: dict[tuple[object, ...], list[Object]] = {}
    for o in here.objects.values():
        known.setdefault(_place(o), []).append(o)
    new = [
        o
        for o in other.objects.values()
        if not any(np.array_equal(o.crop, k.crop) for k in known.get(_place(o), ()))
    ]
    after = max([free, *(o.id + 1 for o in new)])
    ids: dict[int, int] = {}
    for o in new:
        ids[o.id] = o.id if o.id >= free else after
        after = max(after, ids[o.id] + 1)
    tracks: dict[int, int] = {}
    for o in new:  # a track is numbered as one of its objects
        if o.track is not None:
            tracks.setdefault(o.track, ids.get(o.track, ids[o.id]))
    added = {
        ids[o.id]: replace(o, id=ids[o.id], track=None if o.track is None else tracks[o.track]) for o in new
    }
    return State(classes, dict(sorted({**here.objects, **added}.items())))


def _place(o: Object) -> tuple[object, ...]:
    return o.plane, o.class_name, o.origin, o.crop.shape
