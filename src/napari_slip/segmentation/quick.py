"""Unstable masks are recognised by their small logits.

Output-changing in principle: the stability score of the small logits is not quite that of the plane's pixels.
Only what is far below the floor is dropped by it, and of small masks nothing, so that hardly a mask is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.segmentation.candidates import Judge

if TYPE_CHECKING:
    from torch import Tensor

MARGIN = 0.1
"""Below the floor of the stability score from which on a mask is given up."""

LARGE = 400
"""Logits of a mask from which on their stability tells that of the pixels."""


class QuickJudge(Judge):
    """Puts masks of one tile through SAM's filters, and looks closely only at those that may pass."""

    def worth_measuring(self, logits: Tensor) -> Tensor:
        """Return which of (M, L, L) logits may pass; (M,) bool."""
        stability, union = stability_of(logits, self.threshold, self.settings.stability_score_offset)
        likely: Tensor = (stability >= self.settings.stability_score_thresh - MARGIN) | (union < LARGE)
        return likely


def stability_of(logits: Tensor, threshold: float, offset: float) -> tuple[Tensor, Tensor]:
    """Return the stability scores of (M, h, w) logits, and the areas that they are shares of; both (M,)."""
    union = (logits > threshold - offset).sum(dim=(1, 2))
    return (logits > threshold + offset).sum(dim=(1, 2)) / union.clamp(min=1), union
