"""From a name or a path to a SAM, recognised by the shapes of its weights."""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from segment_anything import sam_model_registry

from napari_slip.errors import ModelError
from napari_slip.hashing import file_hash
from napari_slip.models.building import find_weights
from napari_slip.models.devices import resolve_device
from napari_slip.models.fetching import check, place_of
from napari_slip.models.layouts import as_segment_anything
from napari_slip.models.registry import known_models
from napari_slip.models.weights import read_state
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from pathlib import Path

    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_slip.progress import Progress

ARCHITECTURES = {(768, 12): "vit_b", (1024, 24): "vit_l", (1280, 32): "vit_h"}
"""Width and number of blocks of the image encoder, and the architecture of segment-anything that has them."""

MOBILE = "vit_t"
"""MobileSAM's, whose image encoder is a TinyViT."""

MINI = ProposalSettings(pred_iou_thresh=0.5, stability_score_thresh=0.25)
"""What suits mini: masks at centres are few, and those of small objects change much with the cutoff."""

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class LoadedSam:
    """A SAM that is ready to run.

    Parameters
    ----------
    network : Sam
        In evaluation mode, on its device.
    name : str
        As it was asked for.
    hash : str
        ``sha256:...`` of its file.
    proposals : ProposalSettings
        The proposal settings that suit it.
    """

    network: Sam
    name: str
    hash: str
    proposals: ProposalSettings


def load_sam(
    name_or_path: str | Path, *, device: str = "auto", progress: Progress | None = None
) -> LoadedSam:
    """Load a SAM.

    Parameters
    ----------
    name_or_path : str or Path
        ``"mini"``, which is part of this package; a name of the registry such as ``"vit_b"`` or
        ``"mobile_sam"``, which is downloaded if it is not there yet; or the path of a checkpoint of one of
        these architectures (.pth, .pt or .safetensors), or of a folder of transformers' `SamModel`.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    progress : Progress, optional
        Hears of the download, and can stop it.

    Returns
    -------
    LoadedSam

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
        return _load_mini(target)
    place, entry = place_of("sam", name, progress)
    if not place.exists():
        raise ModelError(
            f"There is no SAM called {name!r} and no file of that name: expected "
            f"{', '.join(known_models().of('sam'))}, or the path of a checkpoint."
        )
    path = find_weights(place) if (place / "config.json").is_file() else place
    network = _build(read_state(path), path).to(target)
    seen = file_hash(path)
    if entry is not None:
        check(entry, seen)
    return LoadedSam(network, name, seen, ProposalSettings())


def _build(state: dict[str, Tensor], path: Path) -> Sam:
    """Build the network that the shapes of `state` ask for, without first filling it with random numbers."""
    state = as_segment_anything(state)
    architecture = _architecture(state, path)
    with torch.device("meta"):
        network = sam_model_registry["vit_b" if architecture == MOBILE else architecture]()
    if architecture == MOBILE:  # all but the image encoder is as in the others
        from napari_slip.models import tinyvit

        network.image_encoder, state = tinyvit.TinyVitEncoder(), tinyvit.renamed(state)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise ModelError(
            f"{path} is no complete SAM ({problem[:160]}): expected a checkpoint as segment-anything "
            "publishes them."
        ) from error
    # the only numbers of a Sam that are not in its checkpoint
    network.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(-1, 1, 1), persistent=False)
    network.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(-1, 1, 1), persistent=False)
    return network.float().requires_grad_(False).eval()


def _architecture(state: dict[str, Tensor], path: Path) -> str:
    if "image_encoder.patch_embed.seq.0.c.weight" in state:
        return MOBILE
    patches = state.get("image_encoder.patch_embed.proj.weight")
    blocks = {key.split(".")[2] for key in state if key.startswith("image_encoder.blocks.")}
    shape = (patches.shape[0] if patches is not None else 0, len(blocks))
    if shape not in ARCHITECTURES:
        found = (
            f"an image encoder of width {shape[0]} with {shape[1]} blocks" if shape[0] else "no image encoder"
        )
        raise ModelError(
            f"{path} is of another architecture ({found}): expected a checkpoint of segment-anything's "
            "vit_b, vit_l or vit_h, or of MobileSAM."
        )
    return ARCHITECTURES[shape]


def _load_mini(device: torch.device) -> LoadedSam:
    from napari_slip.models.mini.sam import build_mini_sam

    with importlib.resources.as_file(importlib.resources.files("napari_slip.models") / "mini") as folder:
        path = folder / "sam.safetensors"
        state = {
            name: values.float() for name, values in read_state(path).items()
        }  # shipped in half precision
        with safe_open(path, framework="pt") as file:
            network = build_mini_sam(json.loads(file.metadata()["config"]))
        network.load_state_dict(state)
        return LoadedSam(network.to(device).requires_grad_(False).eval(), "mini", file_hash(path), MINI)
