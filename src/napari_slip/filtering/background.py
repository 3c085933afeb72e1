"""Which segments are no objects but what lies behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.segments import PackedMasks

MOST = 0.5
"""Share of the plane's border that a segment must cover to be the background."""


def background(masks: PackedMasks, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Recognise the background by what it is: a segment that covers most of the plane's border.

    The paper (arXiv 2405.07284) drops the largest segment instead, which is an object as often as not.

    Parameters
    ----------
    masks : PackedMasks
        N masks.
    shape : (H, W)
        Of the plane.

    Returns
    -------
    (N,) bool array
    """
    height, width = shape
    x0, y0, x1, y1 = masks.boxes.T.astype(np.int64)
    sides = (y0 <= 0, y1 >= height, x0 <= 0, x1 >= width)
    # the most that a box could cover; only the few boxes that could do it are looked into
    reach = (sides[0] * 1 + sides[1]) * (x1 - x0) + (sides[2] * 1 + sides[3]) * (y1 - y0)
    total = 2 * (height + width) - 4
    marks = np.zeros(len(masks), bool)
    for row in np.flatnonzero(reach > MOST * total).tolist():
        crop = masks.crop(row)
        frame = np.ones(
            crop.shape, bool
        )  # the part of the crop that does not lie on the plane's border is cut out
        inside = slice(int(sides[0][row]), crop.shape[0] - int(sides[1][row]))
        frame[inside, int(sides[2][row]) : crop.shape[1] - int(sides[3][row])] = False
        marks[row] = np.count_nonzero(crop & frame) > MOST * total
    return marks
