"""Segmentation without any learning, to stand beside the model's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label
from skimage.segmentation import watershed

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST = 16
"""Pixels below which a found nucleus is taken for noise."""


def otsu_watershed(image: NDArray[np.number]) -> NDArray[np.int32]:
    """Segment nuclei as one does without a model: Otsu's threshold, then a watershed.

    The watershed runs on the distance to the edge, from its peaks.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array
        Nuclei are taken to be the minority, bright or dark.

    Returns
    -------
    (H, W) int array
        Labels.
    """
    grey = image[..., :3].mean(axis=-1) if image.ndim == 3 else image
    smooth = gaussian(grey.astype(np.float32), 1, preserve_range=True)
    if np.ptp(smooth) == 0:
        return np.zeros(grey.shape, np.int32)
    foreground = smooth > threshold_otsu(smooth)
    if foreground.mean() > 0.5:
        foreground = ~foreground
    foreground = ndimage.binary_fill_holes(foreground)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(foreground), 1)
    peaks = peak_local_max(distance, min_distance=5, labels=label(foreground), exclude_border=False)
    markers = np.zeros(grey.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, markers, mask=foreground)
    sizes = np.bincount(labels.ravel())
    labels[sizes[labels] < SMALLEST] = 0
    return np.asarray(labels, np.int32)
