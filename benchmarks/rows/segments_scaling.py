"""How the cost grows with the number of segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measuring import Row
from benchmarks.scenes import many_masks
from napari_slip.filtering import select
from napari_slip.matching import Cropper
from napari_slip.progress import Progress
from napari_slip.segmentation.description import describe
from napari_slip.settings import CropSettings, FilterSettings

if TYPE_CHECKING:
    from benchmarks.measuring import Context

COUNTS = (100, 200, 500, 1000, 2000)


def measure(context: Context) -> list[Row]:
    """Describe, select, draw and crop 100 to 2,000 segments of one plane; fit an exponent."""
    times = {}
    for n in COUNTS:
        runs = []
        for seed in range(context.repeats):
            masks, rgb = many_masks(n, 1024, seed)
            scores = np.linspace(0.5, 1, n)

            def work(masks=masks, rgb=rgb, scores=scores) -> None:
                segments = describe(masks, rgb, scores, scores, Progress())
                select(segments, FilterSettings.paper())
                segments.labels()
                Cropper(rgb, CropSettings(views=("black",)), size=224, mean=(0.5, 0.5, 0.5)).cut(masks)

            runs.append(context.seconds(work))
        times[n] = min(runs)
    return [exponent_row("cost against segments", times, "describe, select, draw and crop, 1024 x 1024")]


def exponent_row(name: str, times: dict[int, float], note: str) -> Row:
    """Fit seconds = c * n ** exponent."""
    logs = np.log([list(times), list(times.values())])
    exponent = float(np.polyfit(*logs, 1)[0])
    steps = np.diff(logs[1]) / np.diff(logs[0])
    details = {str(n): seconds for n, seconds in times.items()}
    return Row(name, exponent, 1.1, "<=", (float(steps.min()), float(steps.max())), note, details)
