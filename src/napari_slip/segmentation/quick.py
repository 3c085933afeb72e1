"""Unstable masks are recognised by their small logits.

Output-changing in principle: the stability score of the small logits is not quite that of the plane's pixels.
Only what is far below the floor is dropped by it, and of small masks nothing, so that hardly a mask is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.segmentation.candidates import Judge
from napari_slip.segmentation.resampling import Resampler

if TYPE_CHECKING:
    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_slip.segmentation.protocols import Tile
    from napari_slip.settings import ProposalSettings

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


def judge_of(network: Sam, tile: Tile, settings: ProposalSettings) -> Judge:
    """Return the judge of one tile's masks: a quick one unless the settings ask for exactness."""
    logits, side = network.prompt_encoder.mask_input_size[0], network.image_encoder.img_size
    kind = Judge if settings.exact else QuickJudge
    return kind(settings, network.mask_threshold, Resampler.of(tile, logits, side), tile.box)


def stability_of(logits: Tensor, threshold: float, offset: float) -> tuple[Tensor, Tensor]:
    """Return the stability scores of (M, h, w) logits, and the areas that they are shares of; both (M,)."""
    union = (logits > threshold - offset).sum(dim=(1, 2))
    return (logits > threshold + offset).sum(dim=(1, 2)) / union.clamp(min=1), union
