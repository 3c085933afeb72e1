"""A real photograph that no training has seen: the Greek coins of scikit-image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.data import coins
from skimage.filters import sobel
from skimage.measure import label
from skimage.morphology import disk
from skimage.segmentation import watershed

from napari_slip.evaluation.metrics import iou_of_labels
from napari_slip.evaluation.report import Row
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.pipeline import Slip

PROMPT = "coin"
SELECT = "above:0.5"


def reference() -> NDArray[np.int32]:
    """Outline the 24 coins of ``skimage.data.coins()``.

    scikit-image ships no truth with them. Its tutorial "Comparing edge-based and region-based segmentation"
    shows how they are found: a watershed on the edges' strength from markers that are surely dark (below 30)
    and surely coin (above 150). With holes filled and spikes of 3 pixels shaved off, the outlines lie on the
    coins' rims.

    Returns
    -------
    (303, 384) int array
        Labels 1..24.
    """
    image = coins()
    markers = np.zeros(image.shape, np.int32)
    markers[image < 30] = 1
    markers[image > 150] = 2
    found = ndimage.binary_fill_holes(watershed(sobel(image), markers) == 2)
    return np.asarray(label(ndimage.binary_opening(found, disk(3))), np.int32)


def coin_rows(slip: Slip, progress: Progress | None = None) -> list[Row]:
    """Count the coins that the prompt "coin" finds at an IoU of 0.7, and what it accepts besides."""
    progress = progress or Progress()
    truth = reference()
    segments = slip.segment(coins(), progress=progress)
    found = slip.match(segments, [PROMPT]).labels(SELECT)
    iou = iou_of_labels(truth, found)
    right = int((iou >= 0.7).any(axis=1).sum())
    false = int((~(iou >= 0.7).any(axis=0)).sum())
    n = int(truth.max())
    return [
        Row(name=f"coins of {n} found at IoU 0.7", value=right, n=n, bar=20),
        Row(name="coins: false ones", value=false, n=iou.shape[1], bar=3, better="lower"),
    ]
