"""Masks as a segmenter makes them: nearly right, frayed, cut, leaking, or on several objects at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]


def imperfect(rng: np.random.Generator, mask: Mask) -> Mask:
    """Spoil a mask a little, so that it still shows the same thing; half of the time not at all.

    Parameters
    ----------
    rng
        Source of all variation.
    mask
        (h, w) bool, with a border of a few empty pixels where it may grow.

    Returns
    -------
    ndarray, (h, w) bool
        Never empty.
    """
    kind = rng.random()
    size = float(np.sqrt(mask.sum()))
    result = mask
    if kind < 0.12:
        result = _grown(mask, max(1.0, size * rng.uniform(0.01, 0.06)))
    elif kind < 0.24:
        result = ~_grown(~mask, max(1.0, size * rng.uniform(0.01, 0.06)))
    elif kind < 0.34:  # as coarse as a decoder's logits
        sigma = max(0.7, size * rng.uniform(0.02, 0.07))
        result = ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=2.5) > rng.uniform(
            0.35, 0.65
        )
    elif kind < 0.42:
        result = cut(rng, mask, rng.uniform(0.75, 0.93))
    elif kind < 0.48:
        result = _leaking(rng, mask)
    elif kind < 0.52:
        result = ndimage.binary_fill_holes(mask)
    return result if result.sum() >= max(6, 0.3 * mask.sum()) else mask


def cut(rng: np.random.Generator, mask: Mask, kept: float) -> Mask:
    """Keep a share of a mask on one side of a straight line."""
    y, x = np.nonzero(mask)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    inside = along <= np.quantile(along, kept)
    result = np.zeros_like(mask)
    result[y[inside], x[inside]] = True
    return result


def patch(rng: np.random.Generator, free: Mask, side: float) -> Mask | None:
    """Draw a round or ragged spot of about `side` pixels where `free` is true; None without room."""
    y, x = np.nonzero(free)
    if len(y) < 16:
        return None
    k = int(rng.integers(len(y)))
    rows, columns = np.arange(free.shape[0])[:, None] - y[k], np.arange(free.shape[1])[None] - x[k]
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(1, 2.5)
    u = rows * np.cos(angle) + columns * np.sin(angle)
    v = columns * np.cos(angle) - rows * np.sin(angle)
    field = (u * ratio) ** 2 + v**2
    if rng.random() < 0.5:
        coarse = rng.uniform(0.3, 2.0, (9, 9))
        field = (
            field
            * ndimage.zoom(coarse, (free.shape[0] / 9, free.shape[1] / 9), order=1)[
                : free.shape[0], : free.shape[1]
            ]
        )
    spot = (field < (side / 2) ** 2) & free
    return spot if spot.sum() >= 16 else None


def _grown(mask: Mask, radius: float) -> Mask:
    return np.asarray(ndimage.distance_transform_edt(~mask) <= radius)


def _leaking(rng: np.random.Generator, mask: Mask) -> Mask:
    """Add a blot that begins at the edge."""
    edge = mask & ~ndimage.binary_erosion(mask)
    y, x = np.nonzero(edge)
    k = int(rng.integers(len(y)))
    radius = np.sqrt(mask.sum()) * rng.uniform(0.1, 0.28)
    rows, columns = np.arange(mask.shape[0])[:, None], np.arange(mask.shape[1])[None]
    return np.asarray(mask | ((rows - y[k]) ** 2 + (columns - x[k]) ** 2 < radius**2))
