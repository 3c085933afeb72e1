"""Masks before they are segments, on their way through SAM's filters.

Output-preserving: scores and boxes are measured at the plane's own pixels, as segment-anything does, but only
where a mask has anything to say. See `quick` for the same on the small logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torchvision.ops import nms

from napari_slip.segmentation.resampling import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slip.segmentation.resampling import Resampler
    from napari_slip.segmentation.tiling import Box
    from napari_slip.settings import ProposalSettings


FAR_BELOW = 100.0
"""Below the threshold, in logits, where there is certainly no mask."""


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
    box: Box
    predicted_iou: float
    stability_score: float
    rank: float

    def draw(self, threshold: float) -> tuple[NDArray[np.bool_], tuple[int, int]]:
        """Return the mask, (h, w) bool, and the (x, y) of its corner on the plane."""
        bands, corners = [], []
        for values, corner in self.resampler.bands(self.part):
            bands.append((values > threshold).cpu().numpy())
            corners.append(corner)
        x, y = corners[0]
        mask = bands[0] if len(bands) == 1 else np.concatenate(bands)
        return mask, (self.tile[0] + x, self.tile[1] + y)


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
        """Judge masks of the whole tile, (M, L, L), by their stability, and return those that pass."""
        return [candidate for candidate in self.each(logits, iou) if candidate is not None]

    def each(
        self, logits: Tensor, iou: Tensor, corners: Tensor | None = None, rank: Tensor | None = None
    ) -> list[Candidate | None]:
        """Judge masks by their stability, one by one.

        Parameters
        ----------
        logits : (M, L, L) Tensor
            Of M masks.
        iou : (M,) Tensor
            Predicted, all of them promising.
        corners : (M, 2) int Tensor, optional
            XY of the logits' corners among those of the tile, where they are windows of it.
        rank : (M,) Tensor, optional
            Which of two masks of one object is the better, once multiplied by its stability; the predicted
            IoU alone if not given.

        Returns
        -------
        list of Candidate or None
            For each mask; None where it does not pass or is empty.
        """
        logits = self._without_padding(logits, corners)
        worth = self.worth_measuring(logits)
        where = [(0, 0)] * len(logits) if corners is None else [(x, y) for x, y in corners.tolist()]
        reach = boxes_of(logits, self.threshold - self.settings.stability_score_offset).tolist()
        found: list[Candidate | None] = [None] * len(logits)
        for row in worth.nonzero()[:, 0].tolist():
            part = self.resampler.cut(logits[row], reach[row], where[row])
            measured = self._measure(part)
            if measured is None:
                continue
            stability, box = measured
            score = float(iou[row])
            better = score if rank is None else float(rank[row]) * stability
            part = Part(part.logits.clone(), part.corner)  # the batch it lies in need not be kept
            found[row] = Candidate(part, self.resampler, self.tile, box, score, stability, better)
        return found

    def worth_measuring(self, logits: Tensor) -> Tensor:
        """Return which of (M, L, L) logits may pass, (M,) bool; for sure, all of them may."""
        return torch.ones(len(logits), dtype=torch.bool, device=logits.device)

    def _measure(self, part: Part) -> tuple[float, Box] | None:
        """Return the stability score and the box, far edges included, of a mask that passes."""
        offset = self.settings.stability_score_offset
        union = stable = 0
        boxes: list[Box] = []
        for values, (x, y) in self.resampler.bands(part):
            union += count_above(values, self.threshold - offset)
            stable += count_above(values, self.threshold + offset)
            x0, y0, x1, y1 = boxes_of(values[None], self.threshold)[0].tolist()
            if x1 > x0:
                boxes.append((x + x0, y + y0, x + x1 - 1, y + y1 - 1))
        stability = stable / union if union else 0.0
        if not boxes or 0 < self.settings.stability_score_thresh > stability:
            return None
        left, top, _, _ = map(min, zip(*boxes, strict=True))
        _, _, right, bottom = map(max, zip(*boxes, strict=True))
        x, y = self.tile[:2]
        return stability, (x + left, y + top, x + right, y + bottom)

    def _without_padding(self, logits: Tensor, corners: Tensor | None) -> Tensor:
        """Leave out, or blot out, the logits beyond the edges of the plane."""
        height, width = self.resampler.used
        if corners is None:
            return logits[:, :height, :width]
        along = torch.arange(logits.shape[-1], device=logits.device)
        inside_x, inside_y = along + corners[:, :1] < width, along + corners[:, 1:] < height
        inside = inside_y[:, :, None] & inside_x[:, None, :]
        return logits.where(inside, logits.new_tensor(self.threshold - FAR_BELOW))


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


def boxes_of(logits: Tensor, threshold: float) -> Tensor:
    """Return (N, 4) boxes, XYXY with the far edges excluded, of what is above a threshold in (N, H, W).

    Zeros where nothing is.
    """
    height, width = logits.shape[-2:]
    # the largest of a row is found sooner than whether any of a row is above
    rows, columns = (logits.amax(dim=2) > threshold).byte(), (logits.amax(dim=1) > threshold).byte()
    x0, y0 = columns.argmax(dim=1), rows.argmax(dim=1)
    x1, y1 = width - columns.flip(1).argmax(dim=1), height - rows.flip(1).argmax(dim=1)
    return torch.stack([x0, y0, x1, y1], dim=1) * rows.any(dim=1)[:, None]


def count_above(values: Tensor, threshold: float) -> int:
    """Return how many values are above a threshold."""
    above = values > threshold
    return int(np.count_nonzero(above.numpy())) if above.device.type == "cpu" else int(above.sum())
