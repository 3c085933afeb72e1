"""The segments that mini SAM makes of a picture, and what each of them truly shows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.evaluation.metrics import pixels_of_masks
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_slip.segmentation import SamSegmenter
    from napari_slip.segments import PackedMasks

OBJECT = 0.5
"""IoU with an object from which on a segment shows it."""

GROUND = 0.1
"""Share of a segment that lies on objects, below which it shows the ground."""

PART = 0.35
"""IoU with an object below which a segment that lies inside of it shows a part: more is neither."""

INSIDE, MOST = 0.85, 0.6
"""Share of a part that lies in its object, and of an object that lies in the segment of a group."""


def mini_segments(image: NDArray[np.uint8]) -> PackedMasks:
    """Find every segment of an (H, W, 3) picture with the shipped mini SAM."""
    segmenter = _mini()
    plane = segmenter.encode(image, Progress())
    return segmenter.propose(plane, segmenter.proposals, Progress()).masks


@cache
def _mini() -> SamSegmenter:
    """Load mini SAM when a process first asks it."""
    from napari_slip.models.sam import load_sam
    from napari_slip.segmentation import SamSegmenter

    return SamSegmenter(load_sam("mini", device="cpu"))


def told(masks: PackedMasks, labels: NDArray[np.integer]) -> Iterator[tuple[int, int | str]]:
    """Say what segments show, as far as it is clear.

    Parameters
    ----------
    masks : PackedMasks
        Of the segments.
    labels : (H, W) int array
        The objects.

    Yields
    ------
    row : int
        Of the segment.
    shown : int or str
        The object's label, or ``"part"``, ``"group"`` or ``"ground"``.
    """
    sizes = np.bincount(labels.ravel())
    for row, covered in enumerate(pixels_of_masks(labels, masks).T):
        area, covered[0] = covered.sum(), 0
        iou = covered / np.maximum(sizes + area - covered, 1)
        best, on_objects = int(iou.argmax()), covered.sum() / area
        if iou[best] >= OBJECT:
            yield row, best
        elif on_objects < GROUND:
            yield row, "ground"
        elif iou[best] < PART and covered[best] > INSIDE * area:
            yield row, "part"
        elif on_objects > MOST and np.count_nonzero(covered[1:] > MOST * sizes[1:]) > 1:
            yield row, "group"
