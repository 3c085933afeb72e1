"""One click in the middle of an object, and how good the mask is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_slip.evaluation.bbbc038 import validation_images
from napari_slip.evaluation.report import Row, mean
from napari_slip.evaluation.scenes import validation_scenes
from napari_slip.images import to_rgb
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.pipeline import Slip

CLICKS = 4
"""Objects that are clicked at most in each picture, drawn at random."""

SMALLEST = 12
"""Pixels below which what is seen of an object is too little to be clicked at."""


def click_rows(
    slip: Slip,
    data: Path | None,
    progress: Progress | None = None,
    *,
    scenes: int = 60,
    limit: int | None = None,
) -> list[Row]:
    """Measure the mean IoU of masks from one click at the innermost point of an object.

    Parameters
    ----------
    slip : Slip
        What is measured.
    data : Path, optional
        Folder that holds ``bbbc038`` and ``emoji``; without it only drawn scenes are clicked at.
    progress : Progress, optional
        Hears ``("clicks", i, n)``, and can stop the work.
    scenes : int
        How many drawn scenes.
    limit : int, optional
        How many images of BBBC038; all if not given.

    Returns
    -------
    list of Row
    """
    progress = progress or Progress()
    nuclei = validation_images(data, limit) if data else []
    objects = [(scene.image, scene.labels) for scene in validation_scenes(data, scenes)]
    total, rows = len(nuclei) + len(objects), []
    for name, pictures, bar in (("BBBC038", nuclei, 0.80), ("object scenes", objects, 0.85)):
        found: list[float] = []
        for i, (image, labels) in enumerate(pictures):
            progress("clicks", i + (len(nuclei) if pictures is objects else 0), total)
            found += clicked(slip, image, labels, np.random.default_rng(i), progress)
        rows.append(mean(f"one click, {name}: IoU", found, bar))
    progress("clicks", total, total)
    return rows


def clicked(
    slip: Slip,
    image: NDArray[np.uint8],
    labels: NDArray[np.integer],
    rng: np.random.Generator,
    progress: Progress,
) -> list[float]:
    """Click at some objects of a picture and return the IoU of each mask with its object."""
    ids = clickable(labels, rng)
    if not len(ids):
        return []
    plane = slip.encode(to_rgb(image), progress=progress)
    found = []
    for i in ids:
        truth = labels == i
        _, x, y = innermost(truth)
        mask = slip.refine(plane, points=np.array([(x, y)])).mask
        found.append(float((mask & truth).sum() / (mask | truth).sum()))
    return found


def clickable(labels: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.integer]:
    """Draw the labels of up to `CLICKS` objects that are large enough to be clicked at."""
    ids, sizes = np.unique(labels[labels > 0], return_counts=True)
    return np.asarray(rng.permutation(ids[sizes >= SMALLEST])[:CLICKS])


def innermost(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return how far inside the innermost pixel of a mask is, from its edge and the plane's, and where it is.

    Returns
    -------
    (depth, x, y)
        The place is the middle of the pixel, half a pixel from its corner, as the dock tells its clicks.
    """
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), mask.shape)
    return float(depth[y, x]), float(x) + 0.5, float(y) + 0.5
