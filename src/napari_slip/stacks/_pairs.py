"""How alike two masks are in place and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.segments import shared_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

REACH = 1.5
"""Diameters that a thing may move from one plane to the next beside what is expected of it."""

NEAR = 0.5
"""Likeness of two masks of one size whose centres fall together but which share no pixel."""


LEFT = 0.3
"""Likeness of a mask that lies all within a much larger one."""


@dataclass(frozen=True, eq=False)
class Mask:
    """One mask, movable.

    Parameters
    ----------
    crop : (h, w) bool array
        Inside its box.
    corner : (x, y) float array
        Of the box, in pixels.
    area : int
        In pixels.
    centre : (x, y) float array
        Of mass, in pixels.
    """

    crop: NDArray[np.bool_]
    corner: NDArray[np.float64]
    area: int
    centre: NDArray[np.float64]

    @classmethod
    def of(cls, crop: NDArray[np.bool_], origin: tuple[int, int]) -> Mask:
        """Measure a mask."""
        rows, columns = np.nonzero(crop)
        corner = np.asarray(origin, float)
        middle = np.array([columns.mean(), rows.mean()]) if rows.size else np.zeros(2)
        return cls(crop, corner, int(rows.size), corner + middle)

    @property
    def diameter(self) -> float:
        """Of a disc of the same area, in pixels."""
        return float(2 * np.sqrt(max(self.area, 1) / np.pi))

    def moved(self, by: NDArray[np.float64]) -> Mask:
        """Return the mask shifted by (x, y) pixels."""
        return Mask(self.crop, self.corner + by, self.area, self.centre + by)


def in_reach(ones: Sequence[Mask], others: Sequence[Mask]) -> NDArray[np.bool_]:
    """Return which pairs are not too far apart to be looked at closely, (n, m)."""
    one, other = _Measures.of(ones), _Measures.of(others)
    apart = np.abs(one.centres[:, None] - other.centres).max(axis=2)
    sides = np.maximum(one.boxes.max(axis=1)[:, None], other.boxes.max(axis=1))
    return np.asarray(apart <= 2 * (one.diameters[:, None] + other.diameters) + sides)


def alike_at_all(ones: Sequence[Mask], others: Sequence[Mask]) -> NDArray[np.bool_]:
    """Return which pairs may have a `likeness` above zero, (n, m): few of all, but all that have one."""
    one, other = _Measures.of(ones), _Measures.of(others)
    between = np.linalg.norm(one.centres[:, None] - other.centres, axis=2)
    reach = REACH * (one.diameters[:, None] + other.diameters) / 2
    # corners are rounded to whole pixels before masks are compared: a pixel more is enough
    before = one.corners[:, None] - (other.corners + other.boxes)
    behind = other.corners - (one.corners + one.boxes)[:, None]
    return np.asarray((between <= reach + 1) | (np.maximum(before, behind) <= 1).all(axis=2))


@dataclass(frozen=True, eq=False)
class _Measures:
    """Of many masks: centres, corners and sizes of their boxes (x, y), and diameters."""

    centres: NDArray[np.float64]
    corners: NDArray[np.float64]
    boxes: NDArray[np.float64]
    diameters: NDArray[np.float64]

    @classmethod
    def of(cls, masks: Sequence[Mask]) -> _Measures:
        return cls(
            np.array([mask.centre for mask in masks]),
            np.array([mask.corner for mask in masks]),
            np.array([mask.crop.shape[::-1] for mask in masks], float),
            np.array([mask.diameter for mask in masks]),
        )


def shared(one: Mask, other: Mask) -> int:
    """Return how many pixels two masks share, the corners rounded to whole pixels."""
    dx, dy = (round(float(step)) for step in other.corner - one.corner)
    return shared_pixels(one.crop, (0, 0), other.crop, (dx, dy))


def likeness(expected: Mask, seen: Mask) -> float:
    """Return how well a mask is where, and as large as, it is expected, 0..1.

    The IoU where the two overlap; of things that moved on by more than their size, what their distance says;
    of what is left of a thing that something covers, how much of it lies where the thing should be.
    """
    both = shared(expected, seen)
    iou = both / (expected.area + seen.area - both) if both else 0.0
    distance = float(np.linalg.norm(expected.centre - seen.centre))
    reach = REACH * (expected.diameter + seen.diameter) / 2
    sizes = min(expected.area, seen.area) / max(expected.area, seen.area, 1)
    near = NEAR * max(0.0, 1 - distance / reach) * sizes**0.5
    return float(max(iou, near, LEFT * both / max(seen.area, 1)))
