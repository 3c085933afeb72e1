"""How much the output-changing savings change: shares of masks that two runs of mini have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from benchmarks.measuring import Row
from benchmarks.networks import mini
from benchmarks.pictures import pictures
from napari_slip.filtering.overlaps import overlaps
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.segments import PackedMasks
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.measuring import Context
    from napari_slip.segments import Segments

IOU = 0.9
"""From which on a mask is the same."""


def measure(context: Context) -> list[Row]:
    """Compare the same grid in bfloat16 and with filters on small logits with the reference's own masks.

    The reference is the exact mode, which the row ``exact`` compares with segment-anything mask by mask.
    """
    count, per_side = (4, 12) if context.quick else (52, 16)
    shares = []
    for rgb in pictures(count, context.data):
        reference = propose(rgb, ProposalSettings(**{**grid_settings(per_side), "exact": True}))
        with mock.patch("napari_slip.segmentation.encoding.bfloat16_pays", return_value=True):
            ours = propose(rgb, ProposalSettings(**grid_settings(per_side)))
        shares.append(common(reference, ours))
    return share_rows(
        "same grid, bfloat16", shares, (0.97, 0.96), f"{count} images, {per_side} x {per_side} points"
    )


def grid_settings(per_side: int) -> dict[str, object]:
    """Return settings for the full grid with mini's floors."""
    return {**mini().proposals.to_dict(), "prompts": "grid", "points_per_side": per_side}


def propose(rgb: NDArray[np.uint8], settings: ProposalSettings) -> Segments:
    """Segment a plane with mini as one tile."""
    segmenter = SamSegmenter(mini())
    plane = segmenter.encode(rgb, Progress())
    plane = type(plane)(plane.rgb, plane.tiles[-1:], plane.exact)
    return segmenter.propose(plane, settings, Progress())


def common(reference: Segments, ours: Segments) -> tuple[int, int, int, int]:
    """Return how many of the reference's masks ours has, of how many, and the other way round."""
    n = len(reference)
    both = PackedMasks(
        np.concatenate([reference.masks.boxes, ours.masks.boxes]),
        np.concatenate([reference.masks.bits, ours.masks.bits]),
        np.concatenate([reference.masks.starts, ours.masks.starts[1:] + reference.masks.starts[-1]]),
    )
    pairs = overlaps(both)
    across = (pairs.iou >= IOU) & ((pairs.inner < n) != (pairs.outer < n))
    found = np.zeros(len(both), bool)
    found[pairs.inner[across]] = found[pairs.outer[across]] = True
    return int(found[:n].sum()), n, int(found[n:].sum()), len(ours)


def share_rows(
    name: str, shares: list[tuple[int, int, int, int]], bars: tuple[float, float], note: str
) -> list[Row]:
    """Make two rows of counts: over all images together, with a bootstrapped 90 % interval over images."""
    counts = np.array(shares, float)
    rng = np.random.default_rng(0)
    rows = []
    for label, hit, bar in (("of the reference's", 0, bars[0]), ("of ours", 2, bars[1])):
        draws = [counts[rng.integers(0, len(counts), len(counts))] for _ in range(500)]
        spread = np.quantile([d[:, hit].sum() / max(d[:, hit + 1].sum(), 1) for d in draws], (0.05, 0.95))
        value = counts[:, hit].sum() / max(counts[:, hit + 1].sum(), 1)
        said = f"{label} {int(counts[:, hit + 1].sum())} masks at IoU >= {IOU}; {note}"
        rows.append(Row(name, float(value), bar, ">=", (float(spread[0]), float(spread[1])), said))
    return rows
