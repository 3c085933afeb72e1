"""A new text on a processed image, against the one pass of the text encoder that it needs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measuring import Row
from benchmarks.networks import clip_vit_b
from benchmarks.scenes import many_segments
from napari_slip.matching import match_segments
from napari_slip.settings import FilterSettings, MatchSettings

if TYPE_CHECKING:
    from benchmarks.measuring import Context


def measure(context: Context) -> list[Row]:
    """Match texts that were never asked before; the negatives have been."""
    clip = clip_vit_b()
    segments, _ = many_segments(200, 1024)
    vectors = np.random.default_rng(0).normal(size=(200, 512)).astype(np.float32)
    segments = segments.replace(embedding=vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    names = (f"object {i:04d}" for i in itertools.count())
    templates = clip.card.templates

    def ours() -> None:
        match = match_segments(
            segments,
            [next(names)],
            clip,
            negatives=("background", "dirt"),
            settings=MatchSettings(),
            filters=FilterSettings(),
        )
        match.labels()

    def text_pass() -> None:
        name = next(names)
        clip.encode_texts([template.format(name) for template in templates])

    ours()
    ratio = context.ratio(ours, text_pass, max(9, context.repeats))
    note = "match 200 segments with a new text / encode its templates, CLIP ViT-B/32"
    return [Row.of("new prompt", ratio, "<=", 1.3, note)]
