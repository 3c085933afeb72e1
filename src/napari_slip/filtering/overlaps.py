"""How much of each segment lies inside each larger one: measured once, asked for at every slider."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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
    order : (N,) int array
        Rows, the largest first.
    """

    inner: NDArray[np.intp]
    outer: NDArray[np.intp]
    share: NDArray[np.float64]
    order: NDArray[np.intp]


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
    inner, outer, share = [], [], []
    for rank, row in enumerate(order):
        # in this order whoever follows is smaller
        candidates = rank + 1 + np.flatnonzero(_boxes_meet(boxes[rank], boxes[rank + 1 :]))
        if not candidates.size:
            continue
        mask = masks.crop(row)
        for other in order[candidates]:
            shared = shared_pixels(mask, boxes[rank], masks.crop(other), masks.boxes[other])
            if shared:
                inner.append(other)
                outer.append(row)
                share.append(shared / area[other])
    return Overlaps(
        np.asarray(inner, np.intp), np.asarray(outer, np.intp), np.asarray(share, np.float64), order
    )


def _boxes_meet(box: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    low = np.maximum(others[:, :2], box[:2])
    meet: NDArray[np.bool_] = np.all(low < np.minimum(others[:, 2:], box[2:]), axis=1)
    return meet


def shared_pixels(
    mask: NDArray[np.bool_],
    box: NDArray[np.integer],
    other: NDArray[np.bool_],
    other_box: NDArray[np.integer],
) -> int:
    """Return how many pixels two masks, each given within its box (XYXY), have in common."""
    x0, y0 = max(box[0], other_box[0]), max(box[1], other_box[1])
    x1, y1 = min(box[2], other_box[2]), min(box[3], other_box[3])
    part = mask[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
    other_part = other[y0 - other_box[1] : y1 - other_box[1], x0 - other_box[0] : x1 - other_box[0]]
    return int(np.count_nonzero(part & other_part))
