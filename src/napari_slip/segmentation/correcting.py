"""What a click changes about a mask: its own place always, and around it as much as it tells.

People click in the middle of what they mean: in the middle of an object, and in the middle of what is wrong
about a mask. So a click says how far the true outline lies behind it: about as far as the present one lies
before it. That is what a click is taken for. SAM is asked again for the first few, and its answer is taken if
the click lies in the middle of what it changes; otherwise, and for all later clicks, the outline itself is
moved past the click, its neighbourhood along with it (kriging of its distance, with earlier clicks as places
where it is known), so that a click never changes what lies far from it and never takes back an earlier one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.segmentation.outlines import centredness, region_at, signed_distance
from napari_slip.segments import mask_extent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slip.objects import Pointing
    from napari_slip.segmentation.protocols import EncodedPlane, Refined, Segmenter

    Click = tuple[float, float, int]

ASKED = 4
"""Corrections for which SAM is asked again; by then it has said what it knows."""

TRUST = 0.5
"""Predicted IoU from which an answer is taken rather than the outline moved, all else being equal."""

FELT = 0.3
"""How far a moved outline takes its neighbourhood along, in square roots of the mask's area."""

LEAST, MOST = 1.2, 2.0
"""The same, in distances from the click to the outline: a click near the outline is about little."""

PIXEL = 0.6
"""The same, in pixels: no less than this."""

SURE = 0.05
"""Variance of what is known at earlier clicks, in parts of what a move changes."""


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
    box = None if pointing.box is None else np.array(pointing.box)
    if not pointing.points:
        return segmenter.refine(plane, box=box).mask
    begun = before is not None and before.any()
    answer = None
    if not begun or number <= ASKED:
        points = np.array([(x, y) for x, y, _ in pointing.points])
        signs = np.array([sign for *_, sign in pointing.points])
        answer = segmenter.refine(plane, points=points, point_labels=signs, box=box)
    if before is not None and begun:
        return correct(before, answer, pointing.points)
    assert answer is not None
    x, y, sign = pointing.points[-1]
    mask = region_at(answer.mask, (int(y), int(x)))
    return mask if sign and mask.any() else answer.mask


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


def correct(before: NDArray[np.bool_], answer: Refined | None, clicks: Sequence[Click]) -> NDArray[np.bool_]:
    """Return a mask after one more click.

    Parameters
    ----------
    before : (H, W) bool array
        The mask that was clicked at, not empty.
    answer : Refined, optional
        The model's, to all the clicks, if it was asked.
    clicks : sequence of (x, y, sign)
        In pixels of the plane, the new one last; the sign is 1 for "this" and 0 for "not this".

    Returns
    -------
    (H, W) bool array
        Each click's place is inside or outside of it, as its sign says.
    """
    window = _window(before if answer is None else before | answer.mask, clicks)
    rows, columns = window
    here = [(int(y) - rows.start, int(x) - columns.start, bool(sign)) for x, y, sign in clicks]
    old = before[window]
    new = moved(old, here)
    if answer is not None:
        told = answer.mask[window]
        told = region_at(told, here[0][:2]) if here[0][2] else told
        if all(told[y, x] == sign for y, x, sign in here) and (
            _likely(told, old, here, answer.predicted_iou) > _likely(new, old, here, TRUST)
        ):
            new = told
    mask = before.copy()
    mask[window] = new
    return mask


def moved(mask: NDArray[np.bool_], clicks: Sequence[tuple[int, int, bool]]) -> NDArray[np.bool_]:
    """Move the outline of a mask past the last click, as far as it lies before it.

    Parameters
    ----------
    mask : (h, w) bool array
        Not empty.
    clicks : sequence of (row, column, whether it belongs to the object)
        Where the earlier ones lie the outline stays.
    """
    y, x, adds = clicks[-1]
    inside = signed_distance(mask)
    far = abs(float(inside[y, x])) if mask[y, x] != adds else 0.0
    felt = max(PIXEL, float(np.clip(FELT * np.sqrt(mask.sum()), LEAST * far, MOST * far)))
    reach = int(np.ceil(4 * felt))
    top, left = max(0, y - reach), max(0, x - reach)
    part = np.s_[top : y + reach + 1, left : x + reach + 1]
    near = {(row, column) for row, column, _ in clicks if max(abs(row - y), abs(column - x)) <= reach}
    pins = np.array([(y, x), *sorted(near - {(y, x)})], float)
    wanted = np.zeros(len(pins))
    wanted[0] = 2 * far if adds else -2 * far
    weights = np.linalg.solve(_near(pins, pins, felt) + SURE * np.eye(len(pins)), wanted)
    places = np.argwhere(np.ones_like(mask[part])) + np.array([top, left], float)
    change = (_near(places, pins, felt) @ weights).reshape(inside[part].shape)
    new = mask.copy()
    new[part] = inside[part] + change > 0
    for row, column, sign in clicks:
        new[row, column] = sign
    return new


def _near(places: NDArray[np.float64], pins: NDArray[np.float64], felt: float) -> NDArray[np.float64]:
    squares = ((places[:, None] - pins[None]) ** 2).sum(axis=-1)
    near: NDArray[np.float64] = np.exp(squares / (-2 * felt**2))
    return near


def _likely(
    new: NDArray[np.bool_], old: NDArray[np.bool_], clicks: Sequence[tuple[int, int, bool]], quality: float
) -> float:
    """Return how likely it is that a person with a mask in mind clicks so, times how good it is, 0..1."""
    (first_y, first_x, began), (y, x, _) = clicks[0], clicks[-1]
    begun = centredness(new, (first_y, first_x)) if began else 1.0
    return quality * begun * centredness(new != old, (y, x))


def _window(mask: NDArray[np.bool_], clicks: Sequence[Click]) -> tuple[slice, slice]:
    """Return the part of the plane in which anything can change, so that large planes cost no more."""
    x0, y0, x1, y1 = mask_extent(mask)
    xs = [x0, x1 - 1, *(int(x) for x, _, _ in clicks)]
    ys = [y0, y1 - 1, *(int(y) for _, y, _ in clicks)]
    room = 12 + max(max(xs) - min(xs), max(ys) - min(ys)) // 2
    height, width = mask.shape
    return (
        slice(max(0, min(ys) - room), min(height, max(ys) + room + 1)),
        slice(max(0, min(xs) - room), min(width, max(xs) + room + 1)),
    )
