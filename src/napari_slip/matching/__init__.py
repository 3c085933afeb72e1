"""Segments x classes -> Match: crops, prompts and templates, similarity, calibration."""

from __future__ import annotations

from napari_slip.matching.crops import Cropper
from napari_slip.matching.embed import embed_segments
from napari_slip.matching.match import Match, match_segments
from napari_slip.matching.teaching import Head, teach
from napari_slip.matching.texts import embed_classes, embed_texts

__all__ = [
    "Cropper",
    "Head",
    "Match",
    "embed_classes",
    "embed_segments",
    "embed_texts",
    "match_segments",
    "teach",
]
