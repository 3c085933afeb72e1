"""From a plane to segments: everything about SAM, automatic and prompted by clicks, boxes and masks."""

from __future__ import annotations

from napari_slip.segmentation.adopted import LabelsSegmenter
from napari_slip.segmentation.engines import load_segmenter
from napari_slip.segmentation.protocols import EncodedPlane, Refined, Segmenter, Tile
from napari_slip.segmentation.segmenter import SamSegmenter

__all__ = [
    "EncodedPlane",
    "LabelsSegmenter",
    "Refined",
    "SamSegmenter",
    "Segmenter",
    "Tile",
    "load_segmenter",
]
