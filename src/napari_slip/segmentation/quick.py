"""SAM's filters on the small logits instead of the plane's pixels.

Output-changing: the stability score and the box of a mask come out a little different from what they are at
full size, so a mask near a threshold may pass or fail where it would not otherwise. Only the masks that are
kept are ever drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_slip.segmentation.candidates import Candidate, Judge, boxes_of
from napari_slip.segmentation.resampling import Part

if TYPE_CHECKING:
    from torch import Tensor


class QuickJudge(Judge):
    """Puts masks of one tile through SAM's filters, on the logits."""

    def __call__(
        self, logits: Tensor, iou: Tensor, corners: Tensor | None = None, rank: Tensor | None = None
    ) -> list[Candidate]:
        """Judge masks by their stability.

        Parameters
        ----------
        logits : (M, L, L) Tensor
            Of M masks.
        iou : (M,) Tensor
            Predicted, all of them promising.
        corners : (M, 2) int Tensor, optional
            XY of the logits' corners among those of the tile, where they are windows of it.
        rank : (M,) Tensor, optional
            Which of two masks of one object is the better; the predicted IoU if not given.

        Returns
        -------
        list of Candidate
            Those that pass and are not empty.
        """
        if corners is None:
            corners = torch.zeros(len(logits), 2, dtype=torch.long, device=logits.device)
            logits = logits[:, : self.resampler.used[0], : self.resampler.used[1]]
        else:
            logits = self._without_padding(logits, corners)
        stability, extents = measure(logits, self.threshold, self.settings.stability_score_offset)
        passed = extents[:, 2] > 0
        if self.settings.stability_score_thresh > 0:
            passed &= stability >= self.settings.stability_score_thresh
        rank = iou if rank is None else rank * stability
        found = []
        for row, extent, corner, *scores in zip(
            passed.nonzero()[:, 0].tolist(),
            extents[passed].tolist(),
            corners[passed].tolist(),
            iou[passed].tolist(),
            stability[passed].tolist(),
            rank[passed].tolist(),
            strict=True,
        ):
            cut = self.resampler.cut(logits[row], extent, (corner[0], corner[1]))
            part = Part(cut.logits.clone(), cut.corner)  # the batch it lies in need not be kept
            found.append(Candidate(part, self.resampler, self.tile, self._box(extent, corner), *scores))
        return found

    def _without_padding(self, logits: Tensor, corners: Tensor) -> Tensor:
        height, width = self.resampler.used
        along = torch.arange(logits.shape[-1], device=logits.device)
        inside_x, inside_y = along + corners[:, :1] < width, along + corners[:, 1:] < height
        inside = inside_y[:, :, None] & inside_x[:, None, :]
        return logits.where(inside, logits.new_tensor(self.threshold - 100))

    def _box(self, extent: list[int], corner: list[int]) -> tuple[float, float, float, float]:
        """From logits of a window to pixels of the plane, far edges included."""
        x0, y0, x1, y1 = self.tile
        height, width = self.resampler.scale
        return (
            x0 + (extent[0] + corner[0]) * width,
            y0 + (extent[1] + corner[1]) * height,
            min(x0 + (extent[2] + corner[0]) * width, x1) - 1,
            min(y0 + (extent[3] + corner[1]) * height, y1) - 1,
        )


def measure(logits: Tensor, threshold: float, offset: float) -> tuple[Tensor, Tensor]:
    """Return the stability scores, (M,), and the boxes, (M, 4), of (M, h, w) logits."""
    union = (logits > threshold - offset).sum(dim=(1, 2))
    stability = (logits > threshold + offset).sum(dim=(1, 2)) / union.clamp(min=1)
    return stability, boxes_of(logits > threshold)
