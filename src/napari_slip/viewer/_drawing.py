"""The picture of the segments that are shown, drawn anew only where the selection has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.segments import Segments


class Drawing:
    """Draws what `Segments.labels` draws; a slider that hides a few segments costs their pixels only."""

    def __init__(self) -> None:
        self._segments: Segments | None = None
        self._selection = np.zeros(0, bool)
        self._picture = np.zeros((0, 0), np.uint32)
        self.drawn = 0
        """How often anything had to be drawn."""

    def of(self, segments: Segments, selection: NDArray[np.bool_]) -> NDArray[np.uint32]:
        """Draw segments.

        Parameters
        ----------
        segments : Segments
            N segments of a plane (H, W).
        selection : (N,) bool array
            Which of them are drawn.

        Returns
        -------
        (H, W) uint32 array
            As `Segments.labels` returns it; it is written over at the next call.
        """
        if segments is not self._segments:
            self._segments, self._picture = segments, segments.labels(selection)
            self.drawn += 1
        elif (changed := np.flatnonzero(selection != self._selection)).size:
            self._draw(segments, selection, changed)
            self.drawn += 1
        self._selection = selection.copy()
        return self._picture

    def _draw(self, segments: Segments, selection: NDArray[np.bool_], changed: NDArray[np.intp]) -> None:
        """Draw the pixels of the changed segments anew, with all that lies on them."""
        stale = np.zeros(segments.shape, bool)
        for row in changed.tolist():
            window, mask = segments.window(row), segments.masks.crop(row)
            stale[window] |= mask
            self._picture[window][mask] = 0
        again = selection & _meeting(segments.boxes, changed)
        for row in segments.front_order[again[segments.front_order]].tolist():
            window = segments.window(row)
            self._picture[window][segments.masks.crop(row) & stale[window]] = row + 1


def _meeting(boxes: NDArray[np.int32], changed: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which boxes share a pixel with one of the changed ones, (N,) bool."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    apart = np.maximum(low, boxes[changed, :2]) >= np.minimum(high, boxes[changed, 2:])
    meeting: NDArray[np.bool_] = np.any(~np.any(apart, axis=2), axis=1)
    return meeting
