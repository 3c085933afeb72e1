"""Segments without a SAM: as many as are wanted, as large as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.draw import ellipse

from napari_slip.progress import Progress
from napari_slip.segmentation.description import describe
from napari_slip.segments import PackedMasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.segments import Segments


def many_masks(n: int, side: int, seed: int = 0) -> tuple[PackedMasks, NDArray[np.uint8]]:
    """Return `n` ellipses scattered over a plane, about as crowded whatever their number, and the plane."""
    rng = np.random.default_rng(seed)
    radius = 0.6 * side / n**0.5
    crops, corners = [], []
    for _ in range(n):
        a, b = rng.uniform(0.5, 1.0, 2) * radius
        crop = np.zeros((2 * int(a) + 3, 2 * int(b) + 3), bool)
        crop[ellipse(int(a) + 1, int(b) + 1, a, b, crop.shape)] = True
        crops.append(crop)
        corners.append((int(rng.uniform(0, side - crop.shape[1])), int(rng.uniform(0, side - crop.shape[0]))))
    return PackedMasks.pack(crops, corners), rng.integers(0, 255, (side, side, 3), dtype=np.uint8)


def many_segments(n: int, side: int, seed: int = 0) -> tuple[Segments, NDArray[np.uint8]]:
    """Return them as segments."""
    masks, rgb = many_masks(n, side, seed)
    scores = np.linspace(0.5, 1, n)
    return describe(masks, rgb, scores, scores, Progress()), rgb
