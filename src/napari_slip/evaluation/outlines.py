"""True outlines among SAM's segments, so that it is CLIP that is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.segments import PackedMasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


def in_front(outlines: Sequence[NDArray[np.bool_]], masks: PackedMasks) -> PackedMasks:
    """Put (H, W) outlines before the masks of a plane."""
    crops = [*outlines, *(masks.crop(row) for row in range(len(masks)))]
    corners = [*((0, 0) for _ in outlines), *((int(x), int(y)) for x, y in masks.boxes[:, :2])]
    return PackedMasks.pack(crops, corners)
