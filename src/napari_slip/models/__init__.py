"""A name or a path becomes a loaded network; another model is a line in the registry."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from napari_slip.models.protocols import Calibration, DualEncoder, EncoderCard
from napari_slip.models.registry import PRESETS, WEIGHTS, Preset, Weights
from napari_slip.models.words import known_words, unknown_words

if TYPE_CHECKING:
    from napari_slip.models.clip import HuggingFaceClip, load_clip
    from napari_slip.models.sam import load_sam

__all__ = [
    "PRESETS",
    "WEIGHTS",
    "Calibration",
    "DualEncoder",
    "EncoderCard",
    "HuggingFaceClip",
    "Preset",
    "Weights",
    "known_words",
    "load_clip",
    "load_sam",
    "unknown_words",
]

# These bring torch, which the names and cards above do not need.
_HEAVY = {"HuggingFaceClip": "clip", "load_clip": "clip", "load_sam": "sam"}


def __getattr__(name: str) -> Any:
    if name in _HEAVY:
        return getattr(importlib.import_module(f"napari_slip.models.{_HEAVY[name]}"), name)
    raise AttributeError(f"module 'napari_slip.models' has no attribute {name!r}")
