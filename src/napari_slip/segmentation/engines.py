"""From a name or a path to an engine that finds segments; another engine is one module and one line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from napari_slip.errors import ModelError
from napari_slip.models.cards import read_json
from napari_slip.models.devices import resolve_device
from napari_slip.models.fetching import check, place_of
from napari_slip.models.folders import own_path
from napari_slip.models.sam import load_sam
from napari_slip.segmentation.adopted import PREFIX, LabelsSegmenter
from napari_slip.segmentation.segmenter import SamSegmenter

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slip.progress import Progress
    from napari_slip.segmentation.protocols import Segmenter

ENGINES = {"sam2": "sam2", "sam2_video": "sam2", "sam3": "sam3", "sam3_video": "sam3"}
"""The module for each ``model_type`` of a config.json; it has a function ``load(folder, name, device)``."""

PLAIN = "sam"
"""The ``model_type`` whose weights fit into segment-anything's own network."""


def load_segmenter(
    name_or_path: str | Path, *, device: str = "auto", progress: Progress | None = None
) -> Segmenter:
    """Load what finds segments.

    Parameters
    ----------
    name_or_path : str or Path
        A name of the registry, such as ``"mini"``, ``"vit_b"`` or ``"sam2_tiny"``; the path of a checkpoint
        of segment-anything or MobileSAM; a name on the hub, or a folder as transformers writes it, of SAM,
        SAM 2 or SAM 3; or ``"labels:PATH"``, a picture of labels that are taken as they are.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    progress : Progress, optional
        Hears of the download, and can stop it.

    Returns
    -------
    Segmenter

    Raises
    ------
    InputError
        If this machine has no such device, or the labels cannot be read.
    ModelError
        If the model is unknown, missing, damaged or of another architecture.
    """
    name = str(name_or_path)
    if name.startswith(PREFIX):
        return LabelsSegmenter.read(own_path(name.removeprefix(PREFIX)))
    target = resolve_device(device)
    place, entry = (None, None) if name == "mini" else place_of("sam", name, progress)
    if place is None or not (place / "config.json").is_file():
        return SamSegmenter(load_sam(name, device=device, progress=progress))
    kind = str(read_json(place / "config.json").get("model_type", "unnamed"))
    if kind == PLAIN:
        return SamSegmenter(load_sam(name, device=device, progress=progress))
    if kind not in ENGINES:
        raise ModelError(
            f"{name} is of another architecture ({kind}): expected a SAM, whose config.json says "
            f'"model_type": {PLAIN} or {" or ".join(ENGINES)}.'
        )
    module = importlib.import_module(f"napari_slip.segmentation.{ENGINES[kind]}")
    segmenter: Segmenter = module.load(place, name, target)
    if entry is not None:
        check(entry, segmenter.hash)
    return segmenter
