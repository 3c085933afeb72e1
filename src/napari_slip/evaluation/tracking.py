"""How well identities are kept over the planes of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def idf1(planes: Iterable[tuple[NDArray[Any], NDArray[Any]]], iou: float = 0.5) -> float:
    """Return the identity F1 of tracks (Ristani et al. 2016, arXiv 1609.01775), 0..1.

    Each true identity is paired with at most one found identity over all planes, so that the planes on which
    both are the same thing are as many as possible; a change of identity costs all planes after it.

    Parameters
    ----------
    planes : iterable of (truth, found)
        Label pictures of each plane, (H, W) integer each.
    iou : float
        From which two masks are the same thing on a plane.
    """
    together: dict[tuple[int, int], int] = {}
    true_masks = found_masks = 0
    for truth, found in planes:
        truths, true_areas = np.unique(truth[truth > 0], return_counts=True)
        ids, found_areas = np.unique(found[found > 0], return_counts=True)
        true_masks, found_masks = true_masks + len(truths), found_masks + len(ids)
        areas = dict(zip(truths.tolist(), true_areas.tolist(), strict=True))
        others = dict(zip(ids.tolist(), found_areas.tolist(), strict=True))
        both = (truth > 0) & (found > 0)
        pairs, counts = np.unique(
            np.stack([truth[both], found[both]]).astype(np.int64), axis=1, return_counts=True
        )
        for (one, other), shared in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            if shared / (areas[one] + others[other] - shared) >= iou:
                together[one, other] = together.get((one, other), 0) + 1
    if not true_masks and not found_masks:
        return 1.0
    rows = {number: i for i, number in enumerate(sorted({one for one, _ in together}))}
    columns = {number: i for i, number in enumerate(sorted({other for _, other in together}))}
    planes_of = np.zeros((len(rows), len(columns)))
    for (one, other), n in together.items():
        planes_of[rows[one], columns[other]] = n
    right = float(planes_of[linear_sum_assignment(planes_of, maximize=True)].sum())
    return 2 * right / (true_masks + found_masks)
