"""The segments that mini SAM makes of a picture, and what each of them truly shows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

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


class MiniSam:
    """The shipped mini SAM, loaded when it is first asked, in the process that asks it."""

    @cached_property
    def _segmenter(self) -> SamSegmenter:
        from napari_slip.models.sam import load_sam
        from napari_slip.segmentation import SamSegmenter

        return SamSegmenter(load_sam("mini", device="cpu"))

    def __call__(self, image: NDArray[np.uint8]) -> PackedMasks:
        """Find every segment of an (H, W, 3) picture."""
        segmenter = self._segmenter
        plane = segmenter.encode(image, Progress())
        return segmenter.propose(plane, segmenter.proposals, Progress()).masks


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
    for row, (x0, y0, x1, y1) in enumerate(masks.boxes.tolist()):
        crop = masks.crop(row)
        covered = np.bincount(labels[y0:y1, x0:x1][crop], minlength=len(sizes))
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
