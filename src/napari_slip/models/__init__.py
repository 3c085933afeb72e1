"""A name or a path becomes a loaded network; another model is a line in the registry."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from napari_slip.models.protocols import Calibration, DualEncoder, EncoderCard
from napari_slip.models.registry import Entry, Preset, Registry, known_models
from napari_slip.models.words import known_words, unknown_words

if TYPE_CHECKING:
    from napari_slip.models.clip import HuggingFaceClip
    from napari_slip.models.encoders import load_clip
    from napari_slip.models.sam import load_sam

__all__ = [
    "Calibration",
    "DualEncoder",
    "EncoderCard",
    "Entry",
    "HuggingFaceClip",
    "Preset",
    "Registry",
    "known_models",
    "known_words",
    "load_clip",
    "load_sam",
    "unknown_words",
]

# These bring torch, which the names and cards above do not need.
_HEAVY = {"HuggingFaceClip": "clip", "load_clip": "encoders", "load_sam": "sam"}


def __getattr__(name: str) -> Any:
    if name in _HEAVY:
        return getattr(importlib.import_module(f"napari_slip.models.{_HEAVY[name]}"), name)
    raise AttributeError(f"module 'napari_slip.models' has no attribute {name!r}")
