"""The trained mini as it is used, against the automatic generator's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segment_anything import SamAutomaticMaskGenerator
from skimage.data import coins

from benchmarks.measuring import Row
from benchmarks.networks import mini
from napari_slip.images import to_rgb
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter

if TYPE_CHECKING:
    from benchmarks.measuring import Context


def measure(context: Context) -> list[Row]:
    """Segment the coins at predicted centres, and with a grid of 32 x 32 points (8 x 8 if quick)."""
    loaded, rgb = mini(), to_rgb(coins())
    per_side = 8 if context.quick else 32
    settings = loaded.proposals
    generator = SamAutomaticMaskGenerator(
        loaded.network,
        points_per_side=per_side,
        pred_iou_thresh=settings.pred_iou_thresh,
        stability_score_thresh=settings.stability_score_thresh,
    )
    segmenter = SamSegmenter(loaded)
    ratio = context.ratio(
        lambda: generator.generate(rgb),
        lambda: segmenter.propose(segmenter.encode(rgb, Progress()), settings, Progress()),
        1 if context.quick else None,
    )
    note = f"automatic generator, {per_side} x {per_side} points / ours at centres, mini, coins"
    return [Row.of("all segments, mini", ratio, ">=", 10, note)]
