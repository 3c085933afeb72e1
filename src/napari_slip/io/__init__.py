"""Files: images in; labels, tables, overlays and provenance out."""

from __future__ import annotations

from napari_slip.io.labels import pixel_hash, write_labels
from napari_slip.io.ome_zarr import LabelsWriter, Scales, is_ome_zarr, read_ome_zarr
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
from napari_slip.io.stacks import PICTURES, OpenStack, open_stack, peek_steps

__all__ = [
    "PICTURES",
    "RESULTS",
    "SAMPLES",
    "ImageRecord",
    "LabelsWriter",
    "ModelRecord",
    "OpenStack",
    "Picture",
    "Provenance",
    "RunSettings",
    "Sample",
    "Scales",
    "claim",
    "current_versions",
    "draw_overlay",
    "file_hash",
    "is_ome_zarr",
    "open_stack",
    "peek_steps",
    "pixel_hash",
    "prepare_folder",
    "read_image",
    "read_ome_zarr",
    "read_provenance",
    "save_samples",
    "write_labels",
    "write_provenance",
    "write_results",
]
