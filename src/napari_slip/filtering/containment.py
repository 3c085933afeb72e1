"""Segments inside segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.filtering.overlaps import overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.segments import PackedMasks

INSIDE = 0.8
"""Share of its area with which a segment counts as inside another; the paper's figure (arXiv 2405.07284)."""

CROWD = 5
"""How many segments side by side inside another make it a crowd: a thing may have a few parts of its kind."""


def parents(masks: PackedMasks, background: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
    """Find the smallest segment that contains each segment.

    Contained is what lies by more than 80 % inside; the background contains everything and is nobody's
    parent.

    Parameters
    ----------
    masks : PackedMasks
        N masks.
    background : (N,) bool array, optional
        Which of them are background.

    Returns
    -------
    (N,) int array
        Row of the parent, -1 if there is none.
    """
    pairs = overlaps(masks)
    found = np.full(len(masks), -1, np.int32)
    inside = pairs.share > INSIDE
    if background is not None:
        inside &= ~background[pairs.outer]
    # the pairs run from the largest outer mask to the smallest, so the last one that is written stays
    found[pairs.inner[inside]] = pairs.outer[inside]
    return found


def containment(
    masks: PackedMasks, share: float = INSIDE, selection: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Drop what lies inside something larger, as the paper's annotation filter does (arXiv 2405.07284).

    Parameters
    ----------
    masks : PackedMasks
        N masks.
    share : float
        A segment is dropped when more than this share of its area lies inside one larger segment that is
        kept.
    selection : (N,) bool array, optional
        Which segments take part; all if not given.

    Returns
    -------
    (N,) bool array
        Those of the selection that are kept.
    """
    pairs = overlaps(masks)
    kept = np.ones(len(masks), bool) if selection is None else selection.copy()
    inside = pairs.share > share
    # from the largest outer mask down: when its turn comes, it is settled whether it is kept
    for inner, outer in zip(pairs.inner[inside].tolist(), pairs.outer[inside].tolist(), strict=True):
        if kept[outer]:
            kept[inner] = False
    return kept


def crowds(masks: PackedMasks, selection: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find segments that hold a crowd of others: `CROWD` or more that hold none themselves.

    Parameters
    ----------
    masks : PackedMasks
        N masks.
    selection : (N,) bool array
        Which segments take part.

    Returns
    -------
    (N,) bool array
        The crowds among the selection.
    """
    pairs = overlaps(masks)
    inside = (pairs.share > INSIDE) & selection[pairs.inner] & selection[pairs.outer]
    inner, outer = pairs.inner[inside], pairs.outer[inside]
    single = np.isin(inner, outer, invert=True)
    return np.bincount(outer[single], minlength=len(masks)) >= CROWD
