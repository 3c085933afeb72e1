"""What a click changes about a mask: as much as the model sees in it, and never less than its own place.

SAM's answer to many clicks can be worse than its answer to few. So an answer is taken over only around the
click, as FocalClick's progressive merge does (arXiv 2204.02574), and with each click in a smaller
neighbourhood, so that the last ones mend details. A click beside the outline first moves the whole outline
along the model's logits to where the click lies: that rights at once a mask that is a little too small or too
large all around. Later clicks push the outline to where they are, without the model, which has said what it
knows by then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slip.objects import Pointing
    from napari_slip.segmentation.protocols import EncodedPlane, Refined, Segmenter

    Click = tuple[float, float, int]

LEVELS = 4
"""Clicks that may move the whole outline; later ones push it out or in where they are."""

SPREAD = 0.3
"""How far along the outline such a push is felt, in square roots of the mask's area."""

WIDE, NARROWING = 3.0, 0.5
"""Reach of the first correcting click, in distances from it to the outline, and by how much it shrinks."""

BESIDE = 0.25
"""How far from the outline a click still moves all of it, in square roots of the mask's area."""


def one_more(
    segmenter: Segmenter,
    plane: EncodedPlane,
    before: NDArray[np.bool_] | None,
    pointing: Pointing,
    number: int,
) -> NDArray[np.bool_]:
    """Return a mask after the last of its clicks, or after its box if there are none.

    Parameters
    ----------
    segmenter : Segmenter
        Has encoded the plane.
    plane : EncodedPlane
        What is clicked at.
    before : (H, W) bool array, optional
        The mask that was clicked at; None or empty if there is none yet.
    pointing : Pointing
        All clicks so far, the new one last.
    number : int
        How many clicks have corrected the mask, this one included.
    """
    if not pointing.points:
        assert pointing.box is not None
        return segmenter.refine(plane, box=np.array(pointing.box)).mask
    points = np.array([(x, y) for x, y, _ in pointing.points])
    signs = np.array([sign for *_, sign in pointing.points])
    answer = segmenter.refine(plane, points=points, point_labels=signs)
    if before is None or not before.any():
        return answer.mask
    return correct(before, answer, pointing.points, number)


def again(
    segmenter: Segmenter, plane: EncodedPlane, start: NDArray[np.bool_] | None, pointing: Pointing
) -> NDArray[np.bool_]:
    """Return a mask after all clicks, one after the other: what a person sees who has moved one of them."""
    mask = start
    if pointing.box is not None:
        mask = one_more(segmenter, plane, None, replace(pointing, points=()), 0)
    began = mask is None or not mask.any()
    for n in range(1, len(pointing.points) + 1):
        mask = one_more(segmenter, plane, mask, replace(pointing, points=pointing.points[:n]), n - began)
    return np.zeros(plane.shape, bool) if mask is None else mask


def correct(
    before: NDArray[np.bool_], answer: Refined, clicks: Sequence[Click], number: int
) -> NDArray[np.bool_]:
    """Return a mask after one more click.

    Parameters
    ----------
    before : (H, W) bool array
        The mask that was clicked at, not empty.
    answer : Refined
        The model's, to all the clicks.
    clicks : sequence of (x, y, sign)
        In pixels of the plane, the new one last; the sign is 1 for "this" and 0 for "not this".
    number : int
        How many clicks have corrected this mask, this one included.

    Returns
    -------
    (H, W) bool array
        The click's place is inside or outside of it, as its sign says.
    """
    window = _window(before, answer.mask, clicks)
    rows, columns = window
    here = [(x - columns.start, y - rows.start, sign) for x, y, sign in clicks]
    logits = _part(answer, window)
    mask = before.copy()
    mask[window] = _corrected(before[window], answer.mask[window], logits, here, number)
    return mask


def _corrected(
    before: NDArray[np.bool_],
    answer: NDArray[np.bool_],
    logits: NDArray[np.float32] | None,
    clicks: Sequence[Click],
    number: int,
) -> NDArray[np.bool_]:
    x, y, adds = clicks[-1]
    at = int(y), int(x)
    # seen from the other side, taking away is adding; the plane's edge is no outline
    mine, other = (before, answer) if adds else (~before, ~answer)
    distance = ndimage.distance_transform_edt(~mine) if mine.any() else np.full(mine.shape, 4.0)
    far = float(distance[at])
    reach = max(1.0, WIDE - NARROWING * (number - 1))
    around = _disc(mine.shape, at, reach * far + 1)
    grown = mine | (_region(other & ~mine, at) & around) | _disc(mine.shape, at, max(far - 0.5, 0.5))
    moved = grown
    if number > LEVELS:
        moved = grown | _bulged(mine, at, far, float(np.sqrt(before.sum())))
    elif logits is not None and far <= max(2.0, BESIDE * np.sqrt(before.sum())):
        value = logits[at]
        along = (logits >= value) if adds else (logits <= value)
        moved = grown | (along & (ndimage.distance_transform_edt(~grown) <= 2 * far))
    for cx, cy, sign in clicks[:-1]:
        if sign != adds:  # what was said before still holds
            moved = moved & (~_disc(mine.shape, (int(cy), int(cx)), 1.5) | grown)
    grown = _region(moved, at) | grown
    return grown if adds else ~grown


def _bulged(mask: NDArray[np.bool_], at: tuple[int, int], far: float, size: float) -> NDArray[np.bool_]:
    """Push the outline out to a pixel that lies `far` from it, and its surroundings along, ever less."""
    outside = ndimage.distance_transform_edt(~mask) - 0.5
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    width = max(1.0, far, SPREAD * size)
    share = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * width**2))
    bulged: NDArray[np.bool_] = outside <= (far - 0.5) * share + 0.01
    return bulged


def _region(mask: NDArray[np.bool_], at: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the connected region of a mask that holds a pixel; nothing if the pixel is outside."""
    parts, _ = ndimage.label(mask)
    part: NDArray[np.bool_] = (parts == parts[at]) & mask
    return part if mask[at] else np.zeros_like(mask)


def _disc(shape: tuple[int, ...], at: tuple[int, int], radius: float) -> NDArray[np.bool_]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    inside: NDArray[np.bool_] = (y - at[0]) ** 2 + (x - at[1]) ** 2 <= radius**2
    return inside


def _window(
    before: NDArray[np.bool_], answer: NDArray[np.bool_], clicks: Sequence[Click]
) -> tuple[slice, slice]:
    """Return the part of the plane in which anything can change, so that large planes cost no more."""
    both = before | answer
    rows, columns = np.flatnonzero(both.any(axis=1)), np.flatnonzero(both.any(axis=0))
    ys = (
        [*rows[[0, -1]].tolist(), *(int(y) for _, y, _ in clicks)]
        if len(rows)
        else [int(y) for _, y, _ in clicks]
    )
    xs = (
        [*columns[[0, -1]].tolist(), *(int(x) for x, _, _ in clicks)]
        if len(columns)
        else [int(x) for x, _, _ in clicks]
    )
    room = 2 + max(max(ys) - min(ys), max(xs) - min(xs)) // 2
    height, width = before.shape
    return (
        slice(max(0, min(ys) - room), min(height, max(ys) + room + 1)),
        slice(max(0, min(xs) - room), min(width, max(xs) + room + 1)),
    )


def _part(answer: Refined, window: tuple[slice, slice]) -> NDArray[np.float32] | None:
    """Return the logits in a window; far below zero where the model has none."""
    if answer.logits is None:
        return None
    rows, columns = window
    x, y = answer.corner
    height, width = answer.logits.shape
    part = np.full((rows.stop - rows.start, columns.stop - columns.start), -30.0, np.float32)
    top, left = max(y, rows.start), max(x, columns.start)
    bottom, right = min(y + height, rows.stop), min(x + width, columns.stop)
    if top < bottom and left < right:
        part[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = (
            answer.logits[top - y : bottom - y, left - x : right - x]
        )
    return part
