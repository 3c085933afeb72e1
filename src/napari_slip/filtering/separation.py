"""Intersecting segments taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.segments import PackedMasks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_slip.segments import Segments


def separate(segments: Segments, selection: NDArray[np.bool_] | None = None) -> PackedMasks:
    """Take intersecting segments apart: a pixel belongs to the smallest segment that has it.

    The segments themselves keep their whole masks; this is what can be seen of each where all are drawn into
    one picture.

    Parameters
    ----------
    segments : Segments
        N segments.
    selection : (N,) bool array, optional
        Which of them are drawn; all if not given.

    Returns
    -------
    PackedMasks
        N masks of which no two share a pixel; what is hidden altogether, or not selected, is empty.
    """
    picture = segments.labels(selection)
    return PackedMasks.pack(
        (picture[segments.window(row)] == row + 1 for row in range(len(segments))),
        ((int(x), int(y)) for x, y in segments.boxes[:, :2]),
    )
