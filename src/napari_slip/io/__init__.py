"""Files: images in; labels, tables, overlays and provenance out."""

from __future__ import annotations

from napari_slip.io.coco import read_coco, write_coco
from napari_slip.io.exporting import KINDS, check_planes, export_session, import_session, write_as
from napari_slip.io.label_stacks import session_of
from napari_slip.io.labels import pixel_hash, write_label_planes, write_labels
from napari_slip.io.naming import picture_name, work_name
from napari_slip.io.ome_zarr import LabelsWriter, Scales, is_ome_zarr, read_ome_zarr
from napari_slip.io.overlay import draw_overlay
from napari_slip.io.provenance import (
    ImageRecord,
    ModelRecord,
    Provenance,
    RunSettings,
    as_json,
    current_versions,
    finite,
    read_provenance,
    write_provenance,
)
from napari_slip.io.reading import Picture, read_image
from napari_slip.io.results import RESULTS, claim, prepare_folder, write_results
from napari_slip.io.samples import SAMPLES, Sample, save_samples
from napari_slip.io.stacks import PICTURES, OpenStack, open_stack, peek_steps
from napari_slip.io.units import short_unit, step_sizes

__all__ = [
    "KINDS",
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
    "as_json",
    "check_planes",
    "claim",
    "current_versions",
    "draw_overlay",
    "export_session",
    "finite",
    "import_session",
    "is_ome_zarr",
    "open_stack",
    "peek_steps",
    "picture_name",
    "pixel_hash",
    "prepare_folder",
    "read_coco",
    "read_image",
    "read_ome_zarr",
    "read_provenance",
    "save_samples",
    "session_of",
    "short_unit",
    "step_sizes",
    "work_name",
    "write_as",
    "write_coco",
    "write_label_planes",
    "write_labels",
    "write_provenance",
    "write_results",
]
