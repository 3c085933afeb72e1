"""Each segment is looked at once: views -> CLIP -> one unit vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.matching.crops import Cropper
from napari_slip.matching.similarity import unit
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.models.protocols import DualEncoder
    from napari_slip.segments import Segments
    from napari_slip.settings import CropSettings

BATCH = 32
"""Segments per step: large enough for the arithmetic, small enough for the memory and for being stopped."""


def embed_segments(
    segments: Segments,
    rgb: NDArray[np.uint8],
    encoder: DualEncoder,
    crops: CropSettings,
    progress: Progress | None = None,
) -> Segments:
    """Show each segment to CLIP and keep what it sees.

    Parameters
    ----------
    segments : Segments
        N segments of the plane.
    rgb : (H, W, 3) uint8 array
        The plane.
    encoder : DualEncoder
        CLIP.
    crops : CropSettings
        The views, whose embeddings are averaged.
    progress : Progress, optional
        Hears ``("crops", i, N)``, and can stop the work.

    Returns
    -------
    Segments
        With `embedding`, (N, D) float32 rows of unit length; D is 0 if there is no segment. Their `origin`
        tells which CLIP has seen which crops.

    Raises
    ------
    Cancelled
        If `progress` was cancelled.
    """
    progress = progress or Progress()
    cropper = Cropper(rgb, crops, size=encoder.card.image_size, mean=encoder.card.mean)
    n, embeddings = len(segments), []
    progress("crops", 0, n)
    for start in range(0, n, BATCH):
        rows = range(start, min(start + BATCH, n))
        pictures = cropper.cut(segments.masks, rows)
        seen = encoder.encode_images(pictures.reshape(-1, *pictures.shape[2:]), progress)
        embeddings.append(unit(seen.reshape(len(rows), len(crops.views), -1).mean(axis=1)))
        progress("crops", rows.stop, n)
    return segments.replace(
        embedding=np.concatenate(embeddings) if embeddings else np.zeros((0, 0), np.float32),
        origin=segments.origin | {"clip": encoder.card.hash, "crops": repr(crops)},
    )
