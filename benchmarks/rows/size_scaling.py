"""How the cost grows with the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.draw import disk

from benchmarks.networks import mini
from benchmarks.rows.segments_scaling import exponent_row
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.measuring import Context, Row

SIDES = (512, 1024, 2048, 4096, 8192)


def measure(context: Context) -> list[Row]:
    """Segment planes of discs with mini; fit an exponent to the number of pixels."""
    segmenter, times, found = SamSegmenter(mini()), {}, {}
    for side in SIDES[1:4] if context.quick else SIDES:
        rgb = discs(side)

        def work(rgb: NDArray[np.uint8] = rgb, side: int = side) -> None:
            plane = segmenter.encode(rgb, Progress())
            found[side] = len(segmenter.propose(plane, mini().proposals, Progress()))

        times[side * side] = min(context.seconds(work) for _ in range(2 if side < 4000 else 1))
    segments = ", ".join(f"{side}: {count}" for side, count in found.items())
    return [exponent_row("cost against image size", times, f"mini; side: segments = {segments}")]


def discs(side: int) -> NDArray[np.uint8]:
    """Return a plane with a bright disc on each 100 x 100 pixels."""
    rng = np.random.default_rng(0)
    grey = rng.normal(40, 6, (side, side)).astype(np.float32)
    for y in range(50, side, 100):
        for x in range(50, side, 100):
            grey[disk((y + rng.integers(-8, 9), x + rng.integers(-8, 9)), 24, shape=grey.shape)] += 120
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)
