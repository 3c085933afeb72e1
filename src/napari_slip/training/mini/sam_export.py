"""Write and read the shipped weights of mini SAM."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_slip.atomic import replacing
from napari_slip.errors import InputError
from napari_slip.models.mini.sam import build_mini_sam
from napari_slip.training.mini.averaging import lead

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_slip.models.mini.sam import MiniSam


def export(model: MiniSam, config: Mapping[str, Any], path: Path) -> None:
    """Write weights in half precision, with the configuration in the file's metadata, atomically.

    Parameters
    ----------
    model : MiniSam
        The averaged weights.
    config : mapping
        What `build_mini_sam` needs to build it.
    path : path
        A ``.safetensors`` file; it appears whole or not at all.
    """
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    half = {k: v.to(torch.float16).contiguous() for k, v in state.items()}
    with replacing(path) as unfinished:
        save_file(half, unfinished, {"config": json.dumps(dict(config)), "format": "pt"})


def export_mean(model: MiniSam, config: Mapping[str, Any], start: Path, path: Path, share: float) -> None:
    """Write a mean of a model and the weights that its training went on from.

    Parameters
    ----------
    model : MiniSam
        Trained on from `start`.
    config : mapping
        What `build_mini_sam` needs to build it.
    start : path
        What `export` wrote, perhaps with fewer blocks.
    path : path
        A ``.safetensors`` file.
    share : float
        What the model counts for, 0..1; the weights before count for the rest.
    """
    mean = build_mini_sam(config)
    take_up(mean, start)
    lead(mean, model, share)
    export(mean, config, path)


def restore(path: Path) -> MiniSam:
    """Build the model that `export` wrote, in float32 and evaluation mode."""
    with safe_open(path, framework="pt") as file:
        model = build_mini_sam(json.loads(file.metadata()["config"]))
        state = {key: file.get_tensor(key).float() for key in file.keys()}
    model.load_state_dict(state)
    model.eval()
    return model


def take_up(model: MiniSam, path: Path) -> None:
    """Let a model go on from shipped weights, also where its encoder has more blocks than they have.

    Such blocks begin as the identity, so that the model does at first what the shipped one does.

    Parameters
    ----------
    model : MiniSam
        As `build_mini_sam` made it.
    path : path
        What `export` wrote.

    Raises
    ------
    InputError
        If the weights differ from the model in more than that.
    """
    ours, theirs = model.state_dict(), restore(path).state_dict()
    alike = all(key in ours and ours[key].shape == value.shape for key, value in theirs.items())
    more = [key for key in ours if key not in theirs]
    if not alike or any(not key.startswith("image_encoder.stages.") for key in more):
        raise InputError(
            f"{path} holds weights of another shape: expected those of a mini SAM as wide as this one, "
            "with as many blocks or fewer."
        )
    model.load_state_dict(theirs, strict=False)
