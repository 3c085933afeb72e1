"""How far places lie from outlines: what tells a likely mask from an unlikely one without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how far each pixel lies inside of an outline, in pixels; negative outside.

    The outline runs between pixels, so that those beside it are half a pixel away; the plane's edge is none.
    """
    if mask.all() or not mask.any():
        return np.full(mask.shape, float(max(mask.shape)) if mask.any() else -float(max(mask.shape)))
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    distance: NDArray[np.float64] = np.where(mask, inside - 0.5, 0.5 - outside)
    return distance


def region_at(mask: NDArray[np.bool_], at: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the connected region of a mask that holds a pixel (row, column); nothing if it is outside."""
    if not mask[at]:
        return np.zeros_like(mask)
    parts, _ = ndimage.label(mask)
    region: NDArray[np.bool_] = parts == parts[at]
    return region


def centredness(mask: NDArray[np.bool_], at: tuple[int, int]) -> float:
    """Return how near a pixel (row, column) is to the middle of a mask: 1 in its thickest part, 0 outside."""
    if not mask[at]:
        return 0.0
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return float(depth[at] / depth.max())
