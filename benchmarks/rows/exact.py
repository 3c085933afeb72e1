"""Exact mode: the reference's own masks, sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segment_anything import SamAutomaticMaskGenerator
from skimage import data

from benchmarks.measuring import Row
from benchmarks.networks import mini
from benchmarks.rows.automatic import compare
from napari_slip.images import to_rgb
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    import numpy as np

    from benchmarks.measuring import Context


def measure(context: Context) -> list[Row]:
    """Compare the masks of the trained mini one by one, and the times of ViT-B."""
    worst, disagreeing, count = 1.0, 0, 0
    per_side = 6 if context.quick else 16
    for name in ("coins",) if context.quick else ("coins", "immunohistochemistry", "coffee"):
        ious, extra = _same_masks(to_rgb(getattr(data, name)()), per_side)
        worst, count = min([worst, *ious]), count + len(ious)
        disagreeing += extra + sum(iou < 1 for iou in ious)
    ratio = compare(context, exact=True)
    return [
        Row(
            "exact mode, worst IoU",
            worst,
            0.999,
            ">=",
            (worst, 1.0),
            f"of {count} masks of mini; {disagreeing} differ in any pixel or are on one side alone",
            {"masks": count, "differing": disagreeing},
        ),
        Row.of("exact mode, speed", ratio, ">=", 3.5, "automatic generator / ours, ViT-B"),
    ]


def _same_masks(rgb: np.ndarray, per_side: int) -> tuple[list[float], int]:
    """Return the IoU of each of the reference's masks with ours, and how many masks one side has more."""
    floors = {"pred_iou_thresh": 0.5, "stability_score_thresh": 0.5, "points_per_side": per_side}
    expected = SamAutomaticMaskGenerator(mini().network, **floors).generate(rgb)
    settings = ProposalSettings(exact=True, min_area=0, **floors)
    segmenter = SamSegmenter(mini())
    # one tile, as the reference has
    plane = segmenter.encode(rgb, Progress())
    plane = type(plane)(plane.rgb, plane.tiles[-1:], plane.exact)
    segments = segmenter.propose(plane, settings, Progress())
    masks = [segments.mask(label) for label in range(1, len(segments) + 1)]
    ious = []
    for record in expected:
        theirs = record["segmentation"]
        ious.append(max(((m & theirs).sum() / (m | theirs).sum() for m in masks), default=0.0))
    return ious, abs(len(masks) - len(expected))
