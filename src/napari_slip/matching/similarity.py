"""Cosines, and the score that means the same for every prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.models.protocols import Calibration

SURE = 0.85
"""IoU that SAM expects of a mask from which on the mask takes nothing from its score."""

STEEPNESS = 5
"""Power of what is missing to that: at 0.74 it takes half of the score, at 0.64 three quarters."""


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale (..., D) vectors to unit length; a vector of zeros stays one."""
    vectors = np.asarray(vectors, np.float32)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(length, np.finfo(np.float32).tiny)
    return scaled


def cosine(segments: NDArray[np.float32], texts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosines of (N, D) segments with (T, D) texts, all of unit length, as (N, T)."""
    return np.asarray(segments @ texts.T, np.float32).clip(-1, 1)


def calibrated(
    looked_for: NDArray[np.float32],
    rivals: NDArray[np.float32],
    calibration: Calibration,
    same: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Turn cosines into scores within 0..1: ``sigmoid(a * (cosine - best rival) + b)``.

    A softmax over the segments would answer confidently also for what is not there; here each segment decides
    between the prompt and whatever else it might be.

    Parameters
    ----------
    looked_for : (N, P) array
        Cosines with the prompts.
    rivals : (N, R) array
        Cosines with the negatives and the null prompts; without any (R = 0), 0 is the rival.
    calibration : Calibration
        `a` and `b`.
    same : (P, R) bool array, optional
        Where a rival is the prompt itself, which then does not compete.

    Returns
    -------
    (N, P) float32 array
    """
    best = np.zeros(looked_for.shape, np.float32)
    for column in range(looked_for.shape[1]):
        competing = rivals if same is None else rivals[:, ~same[column]]
        if competing.shape[1]:
            best[:, column] = competing.max(axis=1)
    margin = looked_for.astype(np.float64) - best
    return np.asarray(expit(calibration.a * margin + calibration.b), np.float32)


def certainty(predicted_iou: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return what masks leave of their scores, 0..1, by the (N,) IoU that SAM expects of each.

    A text says nothing of a mask that holds one nucleus and half of the next; SAM does. Of mini's masks of
    nuclei (113 training images) 97 % are right from 0.85 on, 60 % between 0.75 and 0.8, 14 % below 0.7.
    """
    return np.asarray(np.minimum(predicted_iou / SURE, 1).clip(0) ** STEEPNESS, np.float32)
