"""From a name or a folder to a model that compares pictures with texts."""

from __future__ import annotations

import importlib
import importlib.resources
from typing import TYPE_CHECKING

from napari_slip.errors import ModelError
from napari_slip.models.building import find_weights
from napari_slip.models.cards import read_json
from napari_slip.models.devices import resolve_device
from napari_slip.models.fetching import check, place_of
from napari_slip.models.registry import known_models

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from napari_slip.models.protocols import DualEncoder
    from napari_slip.progress import Progress

ENCODERS = {"clip": "clip", "siglip": "siglip", "distilbert": "multilingual", "napari-slip-dual": "dual"}
"""The module for each ``model_type`` of a config.json; it has a function ``load(folder, name, device)``."""


def load_clip(
    name_or_path: str | Path, *, device: str = "auto", progress: Progress | None = None
) -> DualEncoder:
    """Load a model that compares pictures with texts.

    Parameters
    ----------
    name_or_path : str or Path
        ``"mini"``, which is part of this package; another name of the registry, such as ``"clip_b32"``; a
        name on the Hugging Face hub, such as ``"openai/clip-vit-base-patch32"``; both are downloaded if they
        are not there yet; or a folder as transformers or ``napari-slip train`` writes it. A ``card.json``
        beside the weights is read too, see `napari_slip.models.cards.read_card`.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    progress : Progress, optional
        Hears of the download, and can stop it.

    Returns
    -------
    DualEncoder

    Raises
    ------
    InputError
        If this machine has no such device.
    ModelError
        If the model is unknown, missing, damaged or of another architecture.
    """
    target = resolve_device(device)
    name = str(name_or_path)
    if name == "mini":
        with importlib.resources.as_file(
            importlib.resources.files("napari_slip.models") / "mini" / "clip"
        ) as folder:
            return _load(folder, name, target)
    folder, entry = place_of("clip", name, progress)
    if not folder.is_dir():
        raise ModelError(
            f"There is no CLIP called {name!r} and no folder of that name: expected "
            f"{', '.join(known_models().of('clip'))}, a name on the hub such as "
            "openai/clip-vit-base-patch32, or a folder as transformers writes it."
        )
    encoder = _load(folder, name, target)
    if entry is not None:
        check(entry, encoder.card.hash)
    return encoder


def _load(folder: Path, name: str, device: torch.device) -> DualEncoder:
    kind = str(read_json(folder / "config.json").get("model_type", "unnamed"))
    if kind not in ENCODERS:
        raise ModelError(
            f"{name} is of another architecture ({kind}): expected a CLIP or a SigLIP, whose config.json "
            f'says "model_type": {" or ".join(ENCODERS)}.'
        )
    find_weights(folder)
    module = importlib.import_module(f"napari_slip.models.{ENCODERS[kind]}")
    encoder: DualEncoder = module.load(folder, name, device)
    return encoder
