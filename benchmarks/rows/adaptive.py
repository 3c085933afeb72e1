"""Fewer points than the grid: agreement with the grid's masks, and recall against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
from segment_anything.modeling import Sam

from benchmarks.measuring import Row
from benchmarks.networks import mini
from benchmarks.pictures import labelled
from benchmarks.rows.agreement import common, grid_settings
from napari_slip.evaluation.metrics import iou_of_masks
from napari_slip.models.sam import LoadedSam
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.segmentation.prompts import grid
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from benchmarks.measuring import Context
    from napari_slip.segmentation import Tile
    from napari_slip.segments import Segments

FOUND = 0.75
"""IoU from which on an object counts as found."""


def measure(context: Context) -> list[Row]:
    """Compare mini's grid with one shifted by a quarter of a cell, with adaptive points, and with centres."""
    count, per_side = (4, 12) if context.quick else (40, 16)
    exact = ProposalSettings(**{**grid_settings(per_side), "exact": True})
    auto = ProposalSettings(**{**grid_settings(per_side), "prompts": "auto"})
    plain = LoadedSam(_without_centres(), "mini", "", auto)
    shifts, adapted, recalls, asked, points = [], [], [], 0, 0
    for rgb, labels in labelled(count, context.data):
        reference, _ = _propose(mini(), rgb, exact)
        with mock.patch("napari_slip.segmentation.proposing.grid", _shifted):
            shifted, _ = _propose(mini(), rgb, exact)
        ours, n = _propose(plain, rgb, auto)
        centred, _ = _propose(mini(), rgb, auto, whole=False)
        shifts.append(common(reference, shifted))
        adapted.append(common(reference, ours))
        recalls.append([_found(labels, segments) for segments in (reference, ours, centred)])
        asked, points = asked + n, points + per_side**2
    note = f"{count} images, {per_side} x {per_side} points, {asked / points:.0%} of them asked"
    bar = _share(shifts)
    found = np.array(recalls, float).sum(axis=0)
    recall = found[:, 0] / found[:, 1]
    alone = f"of {int(found[0, 1])} objects at IoU {FOUND}; bar: the grid's"
    return [
        Row(
            "adaptive points, agreement",
            _share(adapted),
            bar,
            ">=",
            (bar, 1.0),
            note + "; bar: a shifted grid's",
        ),
        Row("adaptive points, recall", recall[1], recall[0], ">=", (recall[0], 1.0), alone),
        Row("centres, recall", recall[2], recall[0], ">=", (recall[0], 1.0), alone),
    ]


def _share(counts: list[tuple[int, int, int, int]]) -> float:
    summed = np.sum(counts, axis=0)
    return float(summed[0] / max(summed[1], 1))


def _without_centres() -> Sam:
    """Return mini without its head for centres, which then is asked on a grid as any other SAM."""
    network = mini().network
    return Sam(network.image_encoder, network.prompt_encoder, network.mask_decoder).eval()


def _shifted(tile: Tile, per_side: int) -> Tensor:
    x_cell, y_cell = (length / per_side for length in reversed(tile.input_size))
    points = grid(tile, per_side)
    return points + points.new_tensor([x_cell, y_cell]) / 4


def _propose(
    loaded: LoadedSam, rgb: NDArray[np.uint8], settings: ProposalSettings, *, whole: bool = True
) -> tuple[Segments, int]:
    """Segment a plane, as one tile unless not `whole`; returns also how many points were asked."""
    asked = 0
    segmenter = SamSegmenter(loaded)
    plane = segmenter.encode(rgb, Progress())
    if whole:
        plane = type(plane)(plane.rgb, plane.tiles[-1:], plane.exact)
    from napari_slip.segmentation.decoder import Decoder

    original = Decoder.__call__

    def counted(decoder: Decoder, points: Tensor) -> object:
        nonlocal asked
        asked += len(points)
        return original(decoder, points)

    with mock.patch.object(Decoder, "__call__", counted):
        return segmenter.propose(plane, settings, Progress()), asked


def _found(labels: NDArray[np.integer], segments: Segments) -> tuple[int, int]:
    iou = iou_of_masks(labels, segments.masks)
    return int((iou.max(axis=1, initial=0) >= FOUND).sum()), len(iou)
