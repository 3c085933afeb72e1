"""What a person does to whole objects: each function says what would become of them, a session does it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slip.objects import Object, Pointing

SMOOTH = 2.0
"""Pixels by which an outline is evened out."""


@dataclass(frozen=True, eq=False)
class Edit:
    """What would become of objects.

    Parameters
    ----------
    changed : tuple of Object
        In place of those with their ids; id 0 stands for a new object.
    removed : tuple of int
        Ids of those that go.
    """

    changed: tuple[Object, ...] = ()
    removed: tuple[int, ...] = ()


def reshape(thing: Object, mask: NDArray[np.bool_], pointing: Pointing | None = None) -> Edit:
    """Give an object another mask on the plane, (H, W) bool; an empty one takes the object away."""
    if not mask.any():
        return Edit(removed=(thing.id,) if thing.id else ())
    return Edit((_corrected(replace(thing.with_mask(mask), pointing=pointing)),))


def merge(things: Sequence[Object], shape: tuple[int, int]) -> Edit:
    """Make one object of several, which keeps the id and the class of the largest.

    Raises
    ------
    InputError
        If there are fewer than two, or they lie on several planes.
    """
    if len(things) < 2:
        raise InputError("One object alone cannot be merged: select two or more.")
    if len({thing.plane for thing in things}) > 1:
        raise InputError("The selected objects lie on several planes: merge those of one plane.")
    largest = max(things, key=lambda thing: thing.area)
    whole = np.zeros(shape, bool)
    for thing in things:
        whole[thing.window] |= thing.crop
    rest = tuple(thing.id for thing in things if thing is not largest)
    return Edit((_corrected(replace(largest.with_mask(whole), pointing=None)),), rest)


def split(thing: Object, seeds: Sequence[tuple[float, float]], shape: tuple[int, int]) -> Edit:
    """Part an object at its waist, so that each seed gets a piece; the largest piece keeps the id.

    Parameters
    ----------
    thing : Object
        What is split.
    seeds : sequence of (x, y)
        One click in each piece, in pixels of the plane.
    shape : (H, W)
        Of the plane.

    Raises
    ------
    InputError
        If fewer than two different pixels of the object were clicked on.
    """
    mask = thing.mask(shape)
    markers = np.zeros(shape, np.int32)
    for x, y in seeds:
        at = int(np.clip(y, 0, shape[0] - 1)), int(np.clip(x, 0, shape[1] - 1))
        if mask[at] and not markers[at]:
            markers[at] = markers.max() + 1
    if markers.max() < 2:
        raise InputError("A split needs a click in each part: click on two places or more of the object.")
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    parts = watershed(-depth, markers, mask=mask)
    if (mask & (parts == 0)).any():  # islands without a click go with the nearest piece
        nearest = ndimage.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
        parts = np.where(mask, parts[tuple(nearest)], 0)
    pieces = [parts == i for i in range(1, int(markers.max()) + 1)]
    pieces.sort(key=lambda piece: -int(piece.sum()))
    first, *others = (_corrected(replace(thing.with_mask(piece), pointing=None)) for piece in pieces)
    return Edit((first, *(replace(other, id=0, segment=None, track=None) for other in others)))


def fill_holes(things: Sequence[Object]) -> Edit:
    """Fill what objects enclose."""
    filled = ((thing, ndimage.binary_fill_holes(thing.crop)) for thing in things)
    return Edit(
        tuple(_corrected(replace(thing, crop=crop)) for thing, crop in filled if (crop != thing.crop).any())
    )


def smooth(things: Sequence[Object], shape: tuple[int, int], radius: float = SMOOTH) -> Edit:
    """Even out outlines; details smaller than `radius` pixels go, and an object never goes whole."""
    changed = []
    for thing in things:
        rows, columns = thing.window
        room = int(np.ceil(4 * radius))
        top, left = max(0, rows.start - room), max(0, columns.start - room)
        window = np.s_[top : min(shape[0], rows.stop + room), left : min(shape[1], columns.stop + room)]
        before = thing.mask(shape)[window]
        # the plane's edge is no outline: what leaves the picture goes on beyond it
        after = ndimage.gaussian_filter(before.astype(np.float32), radius, mode="nearest") > 0.5
        if after.any() and (after != before).any():
            mask = np.zeros(shape, bool)
            mask[window] = after
            changed.append(_corrected(thing.with_mask(mask)))
    return Edit(tuple(changed))


def _corrected(thing: Object) -> Object:
    """Mark as edited by hand; the score was another mask's."""
    return replace(thing, status="corrected", score=None)
