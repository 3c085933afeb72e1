"""Pressing Teach: a head for 10 classes from 20 examples of each, its check, and a stack scored again."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measuring import Row
from napari_slip.matching import teach

if TYPE_CHECKING:
    from benchmarks.measuring import Context

CLASSES, EXAMPLES, NOTHING = 10, 20, 200
PLANES, SEGMENTS = 50, 200


def measure(context: Context) -> list[Row]:
    """Learn and check a head on embeddings as they are kept, and score 50 planes of 200 segments with it."""
    return [_row(context, d, model) for d, model in ((128, "mini"), (512, "CLIP ViT-B/32"))]


def _row(context: Context, dimensions: int, model: str) -> Row:
    rng = np.random.default_rng(0)

    def unit(values: np.ndarray) -> np.ndarray:
        return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)

    centres = unit(rng.normal(size=(CLASSES, dimensions)))
    names: list[str | None] = [f"class {k}" for k in range(CLASSES) for _ in range(EXAMPLES)]
    looks = np.repeat(centres, EXAMPLES, axis=0) + rng.normal(size=(len(names), dimensions)) / dimensions**0.5
    looks = unit(np.vstack([looks, rng.normal(size=(NOTHING, dimensions))]))
    names += [None] * NOTHING
    texts = unit(centres + rng.normal(size=centres.shape) / dimensions**0.5)
    stack = unit(rng.normal(size=(PLANES, SEGMENTS, dimensions)))
    classes = [f"class {k}" for k in range(CLASSES)]

    def press() -> None:
        head = teach(looks, names, texts, classes, texts[:2], clip="sha256:any")
        for plane in stack:
            head.scores(plane)

    seconds = [context.seconds(press) for _ in range(context.repeats)]
    note = (
        f"{CLASSES} classes x {EXAMPLES} examples, {NOTHING} of background, {PLANES} planes x {SEGMENTS} "
        f"segments scored again; {dimensions} numbers for each, as of {model}; seconds"
    )
    spread = (min(seconds), max(seconds))
    return Row(f"press Teach, {model}", statistics.median(seconds), 5, "<=", spread, note)
