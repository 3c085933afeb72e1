"""What can be said of masks without a model: size, shape, brightness, who lies in whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import perimeter_crofton

from napari_slip.filtering import background, parents
from napari_slip.images import WHITE, brightness_of
from napari_slip.segments import Segments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.progress import Progress
    from napari_slip.segments import PackedMasks

FINE_ENOUGH = 128
"""Pixels along a mask's longer side that tell its roundness; of larger masks not every pixel is looked at."""


def describe(
    masks: PackedMasks,
    rgb: NDArray[np.uint8],
    predicted_iou: NDArray[np.floating],
    stability_score: NDArray[np.floating],
    progress: Progress,
) -> Segments:
    """Measure masks and make them segments.

    Parameters
    ----------
    masks : PackedMasks
        N masks, none of them empty.
    rgb : (H, W, 3) uint8 array
        The plane that they lie on.
    predicted_iou, stability_score : (N,) array
        SAM's own two quality scores.
    progress : Progress
        Asked now and then whether to stop.

    Returns
    -------
    Segments
        Without embeddings.
    """
    shape = (rgb.shape[0], rgb.shape[1])
    brightness = brightness_of(rgb)
    area, roundness, intensity = np.zeros(len(masks), np.int64), np.zeros(len(masks)), np.zeros(len(masks))
    for row in range(len(masks)):
        progress.check()
        crop = masks.crop(row)
        x0, y0, x1, y1 = masks.boxes[row]
        area[row] = np.count_nonzero(crop)
        roundness[row] = measure_roundness(crop)
        under = np.sum(brightness[y0:y1, x0:x1], where=crop, dtype=np.int64)
        intensity[row] = under / (WHITE * max(area[row], 1))
    behind = background(masks, shape)
    return Segments(
        shape=shape,
        masks=masks,
        predicted_iou=np.clip(predicted_iou, 0, 1).astype(np.float32),  # SAM's head can go a little over 1
        stability_score=np.asarray(stability_score, np.float32),
        mean_intensity=intensity.astype(np.float32),
        area=area,
        roundness=roundness.astype(np.float32),
        parent=parents(masks, behind),
        background=behind,
    )


def measure_roundness(mask: NDArray[np.bool_]) -> float:
    """Return 4 pi area / perimeter squared, at most 1, which is a disc; the perimeter is Crofton's."""
    step = -(-max(mask.shape) // FINE_ENOUGH)
    seen = np.pad(mask[::step, ::step], 1)
    length = perimeter_crofton(seen, directions=4)
    return min(1.0, 4 * np.pi * np.count_nonzero(seen) / length**2) if length > 0 else 0.0
