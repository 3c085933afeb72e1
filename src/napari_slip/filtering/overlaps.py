"""How much of each segment lies inside each larger one: measured once, asked for at every slider."""

from __future__ import annotations

import weakref
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.segments import shared_pixels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_slip.segments import PackedMasks


@dataclass(frozen=True)
class Overlaps:
    """All pairs of masks that share a pixel.

    Parameters
    ----------
    inner, outer : (P,) int arrays
        Rows of the smaller and the larger mask of a pair; of two equal ones the later row counts as the
        smaller, as in `Segments.front_order`. Sorted by `outer`, the largest first.
    share : (P,) float array
        Share of the smaller one's area that lies inside the larger one, 0..1.
    iou : (P,) float array
        Intersection over union of the two.
    order : (N,) int array
        Rows, the largest first.
    """

    inner: NDArray[np.intp]
    outer: NDArray[np.intp]
    share: NDArray[np.float64]
    iou: NDArray[np.float64]
    order: NDArray[np.intp]

    def without_rivals(
        self, rows: Iterable[int], rivals: NDArray[np.bool_], limit: float = np.inf
    ) -> list[int]:
        """Go through rows and keep each that is no rival of one that is kept already.

        Parameters
        ----------
        rows : iterable of int
            The better first.
        rivals : (P,) bool array
            Which pairs of masks exclude each other.
        limit : float
            How many are kept at most.

        Returns
        -------
        list of int
            The kept rows, in their order.
        """
        rivals_of: defaultdict[int, list[int]] = defaultdict(list)
        for a, b in zip(self.inner[rivals].tolist(), self.outer[rivals].tolist(), strict=True):
            rivals_of[a].append(b)
            rivals_of[b].append(a)
        kept: dict[int, None] = {}
        for row in rows:
            if len(kept) >= limit:
                break
            if not any(other in kept for other in rivals_of[row]):
                kept[row] = None
        return list(kept)


_known: dict[int, Overlaps] = {}


def overlaps(masks: PackedMasks) -> Overlaps:
    """Return the pairs of masks that share a pixel; the same masks are measured only once."""
    key = id(masks)
    if key not in _known:
        _known[key] = _measure(masks)
        weakref.finalize(masks, _known.pop, key, None)
    return _known[key]


def areas(masks: PackedMasks) -> NDArray[np.int64]:
    """Return the (N,) areas of masks in pixels."""
    bounds = zip(masks.starts[:-1].tolist(), masks.starts[1:].tolist(), strict=True)
    return np.array([np.bitwise_count(masks.bits[a:b]).sum() for a, b in bounds], np.int64)


def _measure(masks: PackedMasks) -> Overlaps:
    area = areas(masks)
    order = np.argsort(-area, kind="stable")
    boxes = masks.boxes.astype(np.int64)[order]
    corners = list(map(tuple, masks.boxes[:, :2].tolist()))
    inner, outer, share, iou = [], [], [], []
    for rank, row in enumerate(order):
        # in this order whoever follows is smaller
        candidates = rank + 1 + np.flatnonzero(_boxes_meet(boxes[rank], boxes[rank + 1 :]))
        if not candidates.size:
            continue
        mask = masks.crop(row)
        for other in order[candidates]:
            shared = shared_pixels(mask, corners[row], masks.crop(other), corners[other])
            if shared:
                inner.append(other)
                outer.append(row)
                share.append(shared / area[other])
                iou.append(shared / (area[row] + area[other] - shared))
    return Overlaps(
        inner=np.asarray(inner, np.intp),
        outer=np.asarray(outer, np.intp),
        share=np.asarray(share, np.float64),
        iou=np.asarray(iou, np.float64),
        order=order,
    )


def _boxes_meet(box: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    low = np.maximum(others[:, :2], box[:2])
    meet: NDArray[np.bool_] = np.all(low < np.minimum(others[:, 2:], box[2:]), axis=1)
    return meet
