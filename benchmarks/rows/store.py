"""An image seen before, against segmenting it again."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measuring import Ratio, Row
from benchmarks.networks import photograph, sam_vit_b
from benchmarks.scenes import many_segments
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.store import DiskStore

if TYPE_CHECKING:
    from benchmarks.measuring import Context

ORIGIN = {"sam": "vit_b"}


def measure(context: Context) -> list[Row]:
    """Load 500 segments with embeddings; of segmenting, count only the image encoder if quick."""
    loaded, settings = sam_vit_b()
    segmenter, rgb = SamSegmenter(loaded), photograph()
    segments, _ = many_segments(500, 1024)
    segments = segments.replace(embedding=np.ones((500, 512), np.float32), origin=ORIGIN)

    def segment() -> None:
        plane = segmenter.encode(rgb, Progress())
        if not context.quick:
            segmenter.propose(plane, settings, Progress())

    with tempfile.TemporaryDirectory() as folder:
        DiskStore(folder).save(rgb, segments)
        again = [context.seconds(segment) for _ in range(1 if context.quick else context.repeats)]
        load = [context.seconds(lambda: DiskStore(folder).load(rgb, ORIGIN)) for _ in range(5)]
    note = "load / " + ("encode alone" if context.quick else "segment") + ", ViT-B, 1024 x 1024, 500 segments"
    ratio = Ratio(load[: len(again)], again)
    return [Row.of("image seen before", ratio, "<=", 0.05, note)]
