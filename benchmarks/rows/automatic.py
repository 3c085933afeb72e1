"""All segments of an image with ViT-B, against segment-anything's automatic generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from segment_anything import SamAutomaticMaskGenerator

from benchmarks.measuring import Ratio, Row
from benchmarks.networks import photograph, sam_vit_b
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from benchmarks.measuring import Context

POINTS = 32
"""Points along each side of the grid, segment-anything's own number."""

SAMPLE = 8
"""Points along each side where it must be quick: enough that what is done once for an image weighs little."""


def measure(context: Context) -> list[Row]:
    """Segment with the same floors and the same grid."""
    ratio = compare(context, exact=False)
    note = f"automatic generator / ours, ViT-B, {POINTS} x {POINTS} points" + _how(context)
    return [Row.of("all segments, ViT-B", ratio, ">=", 6, note)]


def compare(context: Context, *, exact: bool) -> Ratio:
    """Time both; where it must be quick, both encoders once, and some of the points, reckoned up to all."""
    loaded, settings = sam_vit_b()
    settings = ProposalSettings(**{**settings.to_dict(), "exact": exact})
    segmenter, rgb = SamSegmenter(loaded), photograph()
    if not context.quick:
        return context.ratio(
            lambda: _generator(settings, POINTS).generate(rgb),
            lambda: segmenter.propose(segmenter.encode(rgb, Progress()), settings, Progress()),
        )
    generator = _generator(settings, SAMPLE)
    settings = ProposalSettings(**{**settings.to_dict(), "points_per_side": SAMPLE})
    plane = segmenter.encode(rgb, Progress())
    encoders = context.ratio(
        lambda: generator.predictor.set_image(rgb), lambda: segmenter.encode(rgb, Progress()), 1
    )

    class Encoded:  # the generator's predictor with an image that is encoded already
        def __getattr__(self, name: str) -> object:
            return (lambda *_: None) if name in ("set_image", "reset_image") else getattr(predictor, name)

    predictor = generator.predictor
    with torch.inference_mode():
        predictor.set_image(rgb)
    generator.predictor = Encoded()
    points = context.ratio(
        lambda: generator.generate(rgb), lambda: segmenter.propose(plane, settings, Progress()), 1
    )
    many = (POINTS / SAMPLE) ** 2
    return Ratio([encoders.upper[0] + many * points.upper[0]], [encoders.lower[0] + many * points.lower[0]])


def _generator(settings: ProposalSettings, per_side: int) -> SamAutomaticMaskGenerator:
    loaded, _ = sam_vit_b()
    return SamAutomaticMaskGenerator(
        loaded.network,
        points_per_side=per_side,
        pred_iou_thresh=settings.pred_iou_thresh,
        stability_score_thresh=settings.stability_score_thresh,
        box_nms_thresh=settings.box_nms_thresh,
    )


def _how(context: Context) -> str:
    return f" ({SAMPLE**2} of them, reckoned up)" if context.quick else ""
