"""What mini SAM is asked and what it should answer: objects, prompts and centre maps of one view."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST = 16
"""Objects of fewer model pixels are neither asked for nor expected."""

PROMPTS = 6
"""Prompts of each view."""

MOST = 4.0
"""How many times as often as a disc a thin object is asked for, at most."""

UNTOLD = -1
"""Label of pixels of which nothing is told, not even that they are no object."""


class Targets(NamedTuple):
    """What to ask about one view and what to expect."""

    heat: NDArray[np.float32]
    """(h, h) Gaussians at object centres, at stride 4; NaN where nothing is told."""
    size: NDArray[np.float32]
    """(h, h) log2 of object sizes near centres, NaN elsewhere."""
    objects: NDArray[np.int64]
    """(k,) label under each prompt, 0 for background."""
    points: NDArray[np.float32]
    """(k, 2) prompt points as (x, y)."""
    boxes: NDArray[np.float32]
    """(k, 4) XYXY boxes of the objects."""
    vectors: NDArray[np.float32]
    """(2, h, h) model pixels (x, y) to the centre of the object at each stride-4 cell, NaN on background."""


def interior_distance(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Distance of every object pixel from the edge of its own object or of the view, 0 on background.

    Parameters
    ----------
    labels : int array of shape (H, W)
        Touching objects have different labels.
    """
    inside = labels > 0
    inside[1:] &= labels[1:] == labels[:-1]
    inside[:, 1:] &= labels[:, 1:] == labels[:, :-1]
    out: NDArray[np.float32] = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1].astype(
        np.float32
    )
    return out


def _centre_maps(
    centres: NDArray[np.float64], sizes: NDArray[np.float64], cells: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw one Gaussian for each centre (in cells), the larger value winning, and the size map under them."""
    heat = np.zeros((cells, cells), np.float32)
    size = np.full((cells, cells), np.nan, np.float32)
    for (row, column), extent in zip(centres, sizes, strict=True):
        sigma = max(0.6, extent / 40)
        reach = int(3 * sigma + 1)
        i, j = min(max(round(row), 0), cells - 1), min(max(round(column), 0), cells - 1)
        rows, columns = (
            np.arange(max(i - reach, 0), min(i + reach + 1, cells)),
            np.arange(max(j - reach, 0), min(j + reach + 1, cells)),
        )
        spot = np.exp(-((rows[:, None] - i) ** 2 + (columns - j) ** 2) / (2 * sigma**2)).astype(np.float32)
        window = heat[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        closer = (spot > window) & (spot > 0.2)
        size[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][closer] = np.log2(extent)
        np.maximum(window, spot, out=window)
    return heat, size


def _vectors(
    labels: NDArray[np.int32], present: list[int], centres: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Vector (x, y) from the middle of each stride-4 cell to the centre (row, column) of its object."""
    table = np.full((int(labels.max()) + 1, 2), np.nan, np.float32)
    table[present] = centres[:, ::-1]
    middle = np.arange(labels.shape[0] // 4, dtype=np.float32) * 4 + 1.5
    vectors = table[labels[2::4, 2::4]].transpose(2, 0, 1)
    vectors[0] -= middle
    vectors[1] -= middle[:, None]
    return np.ascontiguousarray(vectors)


def _point_on(
    labels: NDArray[np.int32],
    box: tuple[slice, slice],
    label: int,
    distance: NDArray[np.float32],
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Draw a pixel (x, y) of an object: half of the time from its inner part, by `distance` at half size."""
    rows, columns = np.nonzero(labels[box] == label)
    rows, columns = rows + box[0].start, columns + box[1].start
    if rng.random() < 0.5:
        depth = distance[rows // 2, columns // 2]
        inner = depth >= 0.6 * depth.max()
        rows, columns = rows[inner], columns[inner]
    pick = rng.integers(len(rows))
    return int(columns[pick]), int(rows[pick])


def _difficulty(thickness: NDArray[np.floating], size: NDArray[np.floating]) -> NDArray[np.float64]:
    """How much thinner objects are than discs of their size, 1 to `MOST`: thin ones are learnt last.

    Thickness is the largest distance from the edge, size the square root of the area.
    """
    roundness = np.sqrt(np.pi) * thickness / size
    return np.asarray(np.clip(1 / np.maximum(roundness, 1 / MOST), 1, MOST), np.float64)


def targets_of(labels: NDArray[np.int32], rng: np.random.Generator, background: int = 1) -> Targets:
    """Choose prompts for a view and draw its centre maps.

    Parameters
    ----------
    labels : int32 array of shape (H, H)
        Consecutive labels from 1 are not required.
    rng : numpy.random.Generator
        Source of every choice.
    background : int
        How many of the prompts lie on background and not on objects; a view without the one asks for the
        other.

    Returns
    -------
    Targets
        Half of the points on objects lie in the inner part of the mask, the rest anywhere in it. Thin objects
        are asked for more often than round ones.
    """
    half = labels[::2, ::2]
    distance = interior_distance(half)
    boxes = ndimage.find_objects(labels)
    areas = np.bincount(labels.ravel(), minlength=len(boxes) + 1)
    present = [i + 1 for i, box in enumerate(boxes) if box is not None and areas[i + 1] >= SMALLEST]
    deepest = np.array(ndimage.maximum_position(distance, half, present), dtype=np.intp).reshape(-1, 2)
    peaks, sizes = deepest.astype(np.float64) * 2 + 0.5, np.sqrt(areas[present].astype(float))
    heat, size = _centre_maps((peaks - 1.5) / 4, sizes, len(labels) // 4)

    empty = np.flatnonzero(labels == 0)
    objects = PROMPTS - background
    if len(empty) < 0.02 * labels.size:
        objects, background = objects + background, 0
    if not present:
        objects, background = 0, objects + background
    chosen = np.zeros(objects + background, np.int64)
    if present:
        difficulty = _difficulty(2.0 * distance[tuple(deepest.T)], sizes)
        harder_first = np.asarray(present)[np.argsort(rng.exponential(size=len(present)) / difficulty)]
        chosen[:objects] = rng.permutation(np.resize(harder_first, objects))
    points = rng.random((len(chosen), 2)).astype(np.float32) * len(labels)
    extents = np.tile(np.array([0, 0, *labels.shape[::-1]], np.float32), (len(chosen), 1))
    for i, label in enumerate(chosen):
        if label:
            box = boxes[int(label) - 1]
            extents[i] = box[1].start, box[0].start, box[1].stop, box[0].stop
            points[i] = _point_on(labels, box, int(label), distance, rng)
        elif len(empty):
            row, column = divmod(int(rng.choice(empty)), labels.shape[1])
            points[i] = column, row
    return Targets(heat, size, chosen, points, extents, _vectors(labels, present, peaks))
