"""Masks of one class that contain each other: only one of them is meant."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from napari_slip.filtering.containment import INSIDE
from napari_slip.filtering.overlaps import overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_slip.segments import PackedMasks


def without_nesting(masks: PackedMasks, rows: Iterable[int], limit: float) -> list[int]:
    """Go through rows and keep each that neither contains nor lies inside one that is kept already.

    Inside is what lies by more than 80 % of the smaller mask in the larger (arXiv 2405.07284).

    Parameters
    ----------
    masks : PackedMasks
        Of all segments.
    rows : iterable of int
        The better first.
    limit : float
        How many are kept at most.

    Returns
    -------
    list of int
        The kept rows, in their order.
    """
    pairs = overlaps(masks)  # measured once for these masks, whatever is matched
    nested: defaultdict[int, list[int]] = defaultdict(list)
    inside = pairs.share > INSIDE
    for a, b in zip(pairs.inner[inside].tolist(), pairs.outer[inside].tolist(), strict=True):
        nested[a].append(b)
        nested[b].append(a)
    kept: dict[int, None] = {}
    for row in rows:
        if len(kept) >= limit:
            break
        if not any(other in kept for other in nested[row]):
            kept[row] = None
    return list(kept)
