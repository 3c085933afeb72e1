"""What a brush did to a picture of labels, taken over into whole masks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.objects import Object, draw_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray


def absorb_painting(
    objects: Mapping[int, Object],
    drawn: NDArray[np.uint32],
    painted: NDArray[np.uint32],
    class_name: str,
    plane: tuple[int, ...],
    tracks: Mapping[int, str],
    free: int,
) -> dict[int, Object]:
    """Return the objects after a person has painted over their picture.

    A painted pixel belongs to the label it was painted with and to nothing else; an erased pixel to nothing.
    What was hidden behind other objects, and not touched, stays.

    Parameters
    ----------
    objects : mapping from label to Object
        Of one plane.
    drawn, painted : (H, W) uint32 array
        The picture before and after.
    class_name : str
        Class of objects painted with a new label.
    plane : tuple of int
        Their plane.
    tracks : mapping from label to class name
        Tracks of other planes: what is painted with one of them goes on with it.
    free : int
        First id that such an object may have; others have their label as id.

    Returns
    -------
    dict
        From label to Object.
    """
    touched = drawn != painted
    after = dict(objects)
    new = [int(i) for i in np.unique(painted[touched]) if i]
    for thing in objects.values():
        if thing.status == "rejected" and thing.label not in new:
            continue
        lost = touched[thing.window] & thing.crop & (painted[thing.window] != thing.label)
        if thing.label not in new and not lost.any():
            continue
        mask = (thing.mask(drawn.shape) & ~touched) | (touched & (painted == thing.label))
        if mask.any():
            after[thing.label] = replace(thing.with_mask(mask), status="corrected", score=None)
        else:
            del after[thing.label]
    for label in new:
        if label not in objects:
            track = label if label in tracks else None
            blank = Object(
                label if track is None else free,
                tracks.get(label, class_name),
                "corrected",
                np.zeros((0, 0), bool),
                (0, 0),
                plane,
                track=track,
            )
            after[label] = blank.with_mask(painted == label)
            free = max(free, blank.id + 1)
    return _show(after, painted)


def drawn_by_label(objects: Iterable[Object]) -> dict[int, Object]:
    """Return the objects of a plane by their labels; of one label it is the one that is drawn."""
    return {thing.label: thing for thing in sorted(objects, key=lambda thing: thing.status != "rejected")}


def own_labels(picture: NDArray[np.uint32], taken: set[int], free: int) -> NDArray[np.uint32]:
    """Give what was painted with an id that is taken, but not drawn here, another: neither is lost."""
    free = max(free, int(picture.max(initial=0)) + 1)
    for label in sorted(taken & {int(i) for i in np.unique(picture)}):
        picture = np.where(picture == label, np.uint32(free), picture)
        free += 1
    return picture


def _show(objects: dict[int, Object], painted: NDArray[np.uint32]) -> dict[int, Object]:
    """Give up hidden parts that would come to the front because painting changed which object is smaller."""
    while True:
        shown = draw_objects(objects.values(), painted.shape)
        wrong = shown != painted
        if not wrong.any():
            return objects
        for i in np.unique(shown[wrong]):
            thing = objects[int(i)]
            mask = thing.mask(painted.shape) & ~(wrong & (shown == i))
            if mask.any():
                objects[thing.label] = thing.with_mask(mask)
            else:
                del objects[thing.label]
