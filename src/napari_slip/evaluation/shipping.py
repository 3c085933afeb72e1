"""What a model weighs, and how long one waits for it."""

from __future__ import annotations

import importlib.resources
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.evaluation.report import Row
from napari_slip.evaluation.scenes import validation_scenes
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from napari_slip.pipeline import Slip

WORDS = ("red circle", "cell nucleus", "old wooden ladder", "striped fish", "cup of coffee")
"""Prompts that no earlier measurement has asked for, sentence by sentence."""


def size_row() -> Row:
    """Return the size of what the package ships of mini: weights, tokenizer, cards."""
    with importlib.resources.as_file(importlib.resources.files("napari_slip.models") / "mini") as folder:
        files = [
            path for path in Path(folder).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
        ]
        size = sum(path.stat().st_size for path in files) / 1e6
    return Row(name="mini: shipped size", value=size, n=len(files), unit="MB", bar=30, better="lower")


def time_rows(slip: Slip, progress: Progress | None = None, n: int = 5) -> list[Row]:
    """Measure the median time from a new 512 x 512 picture to its first match, and that of a further text.

    Parameters
    ----------
    slip : Slip
        With its models loaded and without a store; it looks at one picture before the clock starts.
    progress : Progress, optional
        Can stop the work.
    n : int
        How many pictures.

    Returns
    -------
    list of Row
    """
    progress = progress or Progress()
    first, further = [], []
    for i, scene in enumerate(validation_scenes(None, n + 1)):
        start = time.perf_counter()
        segments = slip.segment(scene.image, progress=progress)
        slip.match(segments, [f"picture number {i}"]).labels()
        middle = time.perf_counter()
        slip.match(segments, [f"{WORDS[i % len(WORDS)]} number {i}"]).labels()
        if i:  # the first time, memory is still being laid out
            first.append(middle - start)
            further.append(time.perf_counter() - middle)
    return [
        Row(
            name="time for a new 512 x 512 image, segmented and matched",
            value=float(np.median(first)),
            n=n,
            unit="s",
            bar=1.5,
            better="lower",
        ),
        Row(
            name="time for a new text",
            value=float(np.median(further)) * 1e3,
            n=n,
            unit="ms",
            bar=30,
            better="lower",
        ),
    ]
