"""What is counted: overlaps of instances, precision, ranks, and how sure a share is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest, rankdata

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_slip.segments import PackedMasks


def iou_of_labels(truth: NDArray[np.integer], found: NDArray[np.integer]) -> NDArray[np.float64]:
    """Compare every object of one label map with every object of another.

    Parameters
    ----------
    truth, found : (H, W) integer arrays
        0 is background; the ids need not be consecutive.

    Returns
    -------
    (T, F) array
        Intersection over union, in the order of the ids.
    """
    true_ids, t = np.unique(truth, return_inverse=True)
    found_ids, f = np.unique(found, return_inverse=True)
    pairs = np.bincount(t.ravel() * len(found_ids) + f.ravel(), minlength=len(true_ids) * len(found_ids))
    table = pairs.reshape(len(true_ids), len(found_ids))
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    iou: NDArray[np.float64] = table / np.maximum(union, 1)
    objects: NDArray[np.float64] = iou[true_ids != 0][:, found_ids != 0]
    return objects


def iou_of_masks(truth: NDArray[np.integer], masks: PackedMasks) -> NDArray[np.float64]:
    """Compare every object of a label map with every whole mask, which may overlap.

    Parameters
    ----------
    truth : (H, W) integer array
        0 is background; ids 1..T.
    masks : PackedMasks
        F masks of the same plane.

    Returns
    -------
    (T, F) array
        Intersection over union; row k is object k + 1.
    """
    shared = pixels_of_masks(truth, masks)
    union = np.bincount(truth.ravel())[1:, None] + shared.sum(axis=0) - shared[1:]
    iou: NDArray[np.float64] = shared[1:] / np.maximum(union, 1)
    return iou


def pixels_of_masks(truth: NDArray[np.integer], masks: PackedMasks) -> NDArray[np.int64]:
    """Count the pixels that every mask shares with every object of a label map, and with its background.

    Parameters
    ----------
    truth : (H, W) integer array
        0 is background; ids 1..T.
    masks : PackedMasks
        F masks of the same plane.

    Returns
    -------
    (T + 1, F) int array
        Row k is label k.
    """
    n = int(truth.max(initial=0))
    shared = np.zeros((n + 1, len(masks)), np.int64)
    for row, (x0, y0, x1, y1) in enumerate(masks.boxes.tolist()):
        shared[:, row] = np.bincount(truth[y0:y1, x0:x1][masks.crop(row)], minlength=n + 1)
    return shared


def average_precision(iou: NDArray[np.floating], threshold: float = 0.5) -> float:
    """Return TP / (TP + FP + FN) at an IoU threshold, as the Data Science Bowl of 2018 did.

    Parameters
    ----------
    iou : (T, F) array
        Of true with found objects, each set disjoint: above 0.5 no object can then have two partners.
    threshold : float
        From 0.5; a pair counts above it.

    Returns
    -------
    float
        1 where there is nothing and nothing was found.
    """
    hits = int((iou > threshold).sum())
    total = sum(iou.shape) - hits
    return hits / total if total else 1.0


def auroc(present: ArrayLike, absent: ArrayLike) -> float:
    """Return the chance that a present one scores higher than an absent one, ties counting half.

    Parameters
    ----------
    present, absent : sequences of float
        Scores; nan is returned if either is empty.
    """
    p, a = np.asarray(present, float), np.asarray(absent, float)
    if not p.size or not a.size:
        return float("nan")
    ranks = rankdata(np.concatenate([p, a]))
    return float((ranks[: p.size].sum() - p.size * (p.size + 1) / 2) / (p.size * a.size))


def wilson(right: int, asked: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share; (0, 1) if nothing was asked."""
    if not asked:
        return 0.0, 1.0
    interval = binomtest(right, asked).proportion_ci(0.95, "wilson")
    return float(interval.low), float(interval.high)
