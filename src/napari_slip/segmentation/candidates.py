"""Masks before they are segments, on their way through SAM's filters.

Output-preserving: scores and boxes are measured at the plane's own pixels, as segment-anything does, but only
where a mask has anything to say. See `quick` for the same on the small logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torchvision.ops import nms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slip.segmentation.resampling import Part, Resampler
    from napari_slip.segmentation.tiling import Box
    from napari_slip.settings import ProposalSettings


@dataclass(frozen=True)
class Candidate:
    """One mask of one tile, not yet drawn.

    Parameters
    ----------
    part : Part
        Its logits, where there is anything above the threshold.
    resampler : Resampler
        Of its tile.
    tile : (x0, y0, x1, y1)
        The tile's part of the plane.
    box : (x0, y0, x1, y1)
        In pixels of the plane, the far edges included, as segment-anything's boxes are.
    predicted_iou, stability_score : float
        SAM's own two quality scores.
    rank : float
        Which of two masks of one object is the better.
    """

    part: Part
    resampler: Resampler
    tile: Box
    box: tuple[float, float, float, float]
    predicted_iou: float
    stability_score: float
    rank: float

    def draw(self, threshold: float) -> tuple[NDArray[np.bool_], tuple[int, int]]:
        """Return the mask, (h, w) bool, and the (x, y) of its corner on the plane."""
        values, (x, y) = self.resampler.resample(self.part)
        return (values > threshold).cpu().numpy(), (self.tile[0] + x, self.tile[1] + y)


@dataclass(frozen=True)
class Judge:
    """Puts masks of one tile through SAM's filters.

    Parameters
    ----------
    settings : ProposalSettings
        The filters' thresholds.
    threshold : float
        Logit above which a pixel belongs to a mask.
    resampler : Resampler
        Of the tile.
    tile : (x0, y0, x1, y1)
        The tile's part of the plane.
    """

    settings: ProposalSettings
    threshold: float
    resampler: Resampler
    tile: Box

    def promising(self, iou: Tensor) -> Tensor:
        """Return which predicted IoUs are worth making a mask for; of the same shape, bool."""
        floor = self.settings.pred_iou_thresh
        return iou > floor if floor > 0 else torch.ones_like(iou, dtype=torch.bool)

    def __call__(self, logits: Tensor, iou: Tensor) -> list[Candidate]:
        """Judge masks by their stability.

        Parameters
        ----------
        logits : (M, L, L) Tensor
            Of M masks.
        iou : (M,) Tensor
            Predicted, all of them promising.

        Returns
        -------
        list of Candidate
            Those that pass and are not empty.
        """
        offset, found = self.settings.stability_score_offset, []
        height, width = self.resampler.used
        logits = logits[:, :height, :width]
        reach = boxes_of(logits > self.threshold - offset).tolist()
        for one, score, extent in zip(logits, iou.tolist(), reach, strict=True):
            part = self.resampler.cut(one, extent)
            values, (x, y) = self.resampler.resample(part)
            union = int((values > self.threshold - offset).sum())
            stability = int((values > self.threshold + offset).sum()) / union if union else 0.0
            if not self.stable(stability):
                continue
            x0, y0, x1, y1 = boxes_of((values > self.threshold)[None])[0].tolist()
            if x1 > x0:
                x, y = x + self.tile[0], y + self.tile[1]
                box = (x + x0, y + y0, x + x1 - 1, y + y1 - 1)
                part = type(part)(part.logits.clone(), part.corner)  # the batch it lies in need not be kept
                found.append(Candidate(part, self.resampler, self.tile, box, score, stability, score))
        return found

    def stable(self, score: float) -> bool:
        """Whether a stability score passes."""
        return self.settings.stability_score_thresh <= 0 or score >= self.settings.stability_score_thresh


def suppress(candidates: Sequence[Candidate], threshold: float) -> list[Candidate]:
    """Drop the worse of two masks whose boxes overlap by more than `threshold`, as segment-anything does."""
    if not candidates:
        return []
    kept = nms(
        torch.tensor([c.box for c in candidates], dtype=torch.float32),
        torch.tensor([c.rank for c in candidates], dtype=torch.float32),
        threshold,
    )
    return [candidates[i] for i in kept.tolist()]


def boxes_of(masks: Tensor) -> Tensor:
    """Return (N, 4) boxes, XYXY with the far edges excluded, of (N, H, W) masks; zeros for empty ones."""
    height, width = masks.shape[-2:]
    rows, columns = masks.any(dim=2).byte(), masks.any(dim=1).byte()
    x0, y0 = columns.argmax(dim=1), rows.argmax(dim=1)
    x1, y1 = width - columns.flip(1).argmax(dim=1), height - rows.flip(1).argmax(dim=1)
    return torch.stack([x0, y0, x1, y1], dim=1) * rows.any(dim=1)[:, None]
