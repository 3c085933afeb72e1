"""What the filter settings show of the segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.filtering.containment import containment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.segments import Segments
    from napari_slip.settings import FilterSettings


def select(
    segments: Segments, filters: FilterSettings, score: NDArray[np.floating] | None = None
) -> NDArray[np.bool_]:
    """Choose the segments that a filter shows.

    Parameters
    ----------
    segments : Segments
        N segments.
    filters : FilterSettings
        Ranges, both ends included, and switches.
    score : (N,) array, optional
        Best calibrated score of each segment; without it the filter's range of scores is not asked.

    Returns
    -------
    (N,) bool array
    """
    chosen = np.ones(len(segments), bool)
    for name in ("predicted_iou", "stability_score", "area", "roundness", "mean_intensity"):
        low, high = getattr(filters, name)
        values = getattr(segments, name)
        chosen &= (values >= np.asarray(low, np.float32)) & (values <= np.asarray(high, np.float32))
    if score is not None:
        chosen &= (score >= filters.score[0]) & (score <= filters.score[1])
    if not filters.touching_edge:
        chosen &= ~segments.touching_edge
    if not filters.background:
        chosen &= ~segments.background
    if filters.containment is not None:
        chosen = containment(segments.masks, filters.containment, chosen)
    return chosen
