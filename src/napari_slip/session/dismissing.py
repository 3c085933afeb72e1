"""What a person has taken away stays away: it is kept as rejected, where it would be predicted again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_slip.session.predicting import settles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_slip.objects import Object
    from napari_slip.session.history import Step


def dismiss(
    before: Mapping[int, Object], after: Mapping[int, Object], past: Sequence[Step]
) -> dict[int, Object]:
    """Return the objects after an edit; those that it took away and that came from segments are rejected.

    Parts that were merged go with the whole. What is covered by what stays, such as a part that is merged
    now, needs no rejection; and whoever takes away a rejected object wants no rejection any more.

    Parameters
    ----------
    before, after : mapping from id to Object
        Of all planes.
    past : sequence of Step
        What was done before the edit, the latest last.
    """
    gone: dict[int, Object] = {}
    for i, thing in before.items():
        if i in after or thing.status == "rejected":
            continue
        for one in (thing, *_merged(thing, past)):
            if one.segment is not None and one.id not in after and not _covered(one, after):
                gone[one.id] = replace(_largest(one, past), status="rejected", class_name=thing.class_name)
    return dict(sorted({**after, **gone}.items()))


def _covered(thing: Object, after: Mapping[int, Object]) -> bool:
    return any(
        _kind(other) == _kind(thing) and other.status in ("accepted", "corrected") and settles(other, thing)
        for other in after.values()
    )


def _merged(whole: Object, past: Sequence[Step]) -> Iterator[Object]:
    """Go through what has become part of an object, of its class."""
    for step in past:
        then = step.objects.get(whole.id, (None, None))[0]
        for part, left in step.objects.values() if then is not None else ():
            if part is not None and left is None and _kind(part) == _kind(then) and settles(whole, part):
                yield part


def _largest(thing: Object, past: Sequence[Step]) -> Object:
    """Return an object as it was when it was largest: a brush takes it away bit by bit."""
    known = (step.objects[thing.id][0] for step in past if thing.id in step.objects)
    same = (o for o in known if o is not None and o.segment == thing.segment)
    return replace(max((thing, *same), key=lambda o: o.area), track=thing.track)


def _kind(thing: Object | None) -> tuple[tuple[int, ...], str] | None:
    return None if thing is None else (thing.plane, thing.class_name)
