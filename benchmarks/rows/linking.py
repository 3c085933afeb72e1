"""How well objects keep their identity over the planes of a stack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from benchmarks.measuring import Row
from napari_slip.evaluation.tracking import idf1
from napari_slip.objects import Object, draw_objects
from napari_slip.settings import LinkSettings
from napari_slip.stacks import Linker
from napari_slip.synthesis import SERIES, draw_series

if TYPE_CHECKING:
    from benchmarks.measuring import Context
    from napari_slip.synthesis import Series

MISSING = 0.02
"""Share of the things that a segmenter overlooks on a plane."""


def measure(context: Context) -> list[Row]:
    """Link what a segmenter might make of drifting, dividing, crossing discs and of sections of balls."""
    seeds = range(2 if context.quick else 10)
    rows = []
    for kind in SERIES:
        scores = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            series = draw_series(kind, 40, things=6, rng=rng)
            scores.append(_linked(series, divides=kind != "sections", rng=rng))
        note = f"40 planes, {len(seeds)} series; outlines a pixel off, {MISSING:.0%} of the things missing"
        spread = (min(scores), max(scores))
        rows.append(Row(f"identities: {kind}", float(np.mean(scores)), 0.95, ">=", spread, note))
    return rows


def _linked(series: Series, *, divides: bool, rng: np.random.Generator) -> float:
    """Return the IDF1 of linked masks."""
    linker, planes = Linker(LinkSettings(divides=divides)), []
    for t, truth in enumerate(series.truth):
        things, looks = [], []
        for number in np.unique(truth)[1:]:
            mask = truth == number
            if np.count_nonzero(mask) < 12 or rng.random() < MISSING:
                continue
            colour = np.append(series.pictures[t][mask].mean(axis=0) / 255 + rng.normal(0, 0.05, 3), 1.0)
            looks.append(colour / np.linalg.norm(colour))
            off = (mask, ndimage.binary_dilation(mask), ndimage.binary_erosion(mask))[rng.integers(3)]
            blank = Object(len(things) + 1, "cell", "predicted", np.zeros((0, 0), bool), (0, 0), (t,))
            things.append(blank.with_mask(off if np.count_nonzero(off) >= 8 else mask))
        numbers = linker.add(t, things, np.asarray(looks, np.float32))
        linked = [replace(thing, track=number) for thing, number in zip(things, numbers, strict=True)]
        planes.append((truth, draw_objects(linked, truth.shape)))
    return idf1(planes)
