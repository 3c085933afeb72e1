"""Segments x classes -> Match: crops, prompts and templates, similarity, calibration."""

from __future__ import annotations

from napari_slip.matching.crops import Cropper
from napari_slip.matching.embed import embed_segments
from napari_slip.matching.match import Match, match_segments

__all__ = ["Cropper", "Match", "embed_segments", "match_segments"]
