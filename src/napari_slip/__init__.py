"""Type what you look for, and the matching object lights up: SAM's segments scored by CLIP, in napari."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_slip.errors import Cancelled, InputError, ModelError, SlipError
    from napari_slip.loading import load
    from napari_slip.matching import Match
    from napari_slip.pipeline import Slip
    from napari_slip.progress import Progress
    from napari_slip.segments import Segments
    from napari_slip.settings import Contrast, CropSettings, FilterSettings, MatchSettings, ProposalSettings

__version__ = "0.1.0"

_HOMES = {
    "Cancelled": "errors",
    "Contrast": "settings",
    "CropSettings": "settings",
    "FilterSettings": "settings",
    "InputError": "errors",
    "Match": "matching",
    "MatchSettings": "settings",
    "ModelError": "errors",
    "Progress": "progress",
    "ProposalSettings": "settings",
    "Segments": "segments",
    "Slip": "pipeline",
    "SlipError": "errors",
    "load": "loading",
}

__all__ = [
    "Cancelled",
    "Contrast",
    "CropSettings",
    "FilterSettings",
    "InputError",
    "Match",
    "MatchSettings",
    "ModelError",
    "Progress",
    "ProposalSettings",
    "Segments",
    "Slip",
    "SlipError",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:  # the heavy modules are imported when they are first asked for
    if name in _HOMES:
        return getattr(importlib.import_module(f"napari_slip.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'napari_slip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
