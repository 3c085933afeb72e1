"""Files: images in; labels, tables, overlays and provenance out."""

from __future__ import annotations

from napari_slip.io.labels import pixel_hash, write_labels
from napari_slip.io.overlay import draw_overlay
from napari_slip.io.provenance import (
    ImageRecord,
    ModelRecord,
    Provenance,
    RunSettings,
    current_versions,
    read_provenance,
    write_provenance,
)
from napari_slip.io.reading import Picture, file_hash, read_image
from napari_slip.io.results import RESULTS, claim, prepare_folder, write_results
from napari_slip.io.samples import SAMPLES, Sample, save_samples

__all__ = [
    "RESULTS",
    "SAMPLES",
    "ImageRecord",
    "ModelRecord",
    "Picture",
    "Provenance",
    "RunSettings",
    "Sample",
    "claim",
    "current_versions",
    "draw_overlay",
    "file_hash",
    "pixel_hash",
    "prepare_folder",
    "read_image",
    "read_provenance",
    "save_samples",
    "write_labels",
    "write_provenance",
    "write_results",
]
