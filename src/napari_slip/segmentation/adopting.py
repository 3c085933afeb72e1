"""Segments that another program has made, or a person by hand: labels in place of SAM's proposals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError
from napari_slip.objects import read_objects
from napari_slip.segmentation.description import describe
from napari_slip.segments import PackedMasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.progress import Progress
    from napari_slip.segments import Segments


def adopt_labels(labels: NDArray[Any], rgb: NDArray[np.uint8], progress: Progress) -> Segments:
    """Make a segment of each label, in the order of the labels.

    Parameters
    ----------
    labels : (H, W) array of whole numbers
        0 and less is the background.
    rgb : (H, W, 3) uint8 array
        The plane that they lie on.
    progress : Progress
        Asked now and then whether to stop.

    Returns
    -------
    Segments
        Without embeddings; SAM's two quality scores are 1, because nobody has doubted the labels.

    Raises
    ------
    InputError
        If there is no label, or the shapes differ.
    """
    if labels.shape != rgb.shape[:2]:
        raise InputError(f"The labels are {labels.shape}, but the plane is {rgb.shape[:2]}: choose others.")
    if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == bool):
        raise InputError(f"The labels are {labels.dtype} values: whole numbers are expected.")
    things = read_objects(labels, "")
    if not things:
        raise InputError("The labels are empty on this plane: go to another plane, or choose other labels.")
    sure = np.ones(len(things), np.float32)
    masks = PackedMasks.pack([o.crop for o in things], [o.origin for o in things])
    return describe(masks, rgb, sure, sure, progress)
