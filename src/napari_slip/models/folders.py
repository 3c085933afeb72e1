"""Where models lie on this machine, and what is remembered of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import platformdirs

from napari_slip.atomic import replacing

FOLDER_VARIABLE = "NAPARI_SLIP_MODELS"
"""Environment variable that names the folder of models."""

RECORDS = "fetched.json"
"""What was fetched, with the hashes that were seen at the first download."""


def models_folder() -> Path:
    """Return the folder where models are kept: ``$NAPARI_SLIP_MODELS``, or one in the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("napari-slip") / "models"


def recorded(kind: str, name: str) -> dict[str, Any]:
    """Return what is remembered of a model that was fetched: ``sha256`` and ``size`` of its weights."""
    found = _records().get(f"{kind}.{name}", {})
    return found if isinstance(found, dict) else {}


def record(kind: str, name: str, values: dict[str, Any] | None) -> None:
    """Remember something of a model, or forget it."""
    records = _records()
    records.pop(f"{kind}.{name}", None)
    if values is not None:
        records[f"{kind}.{name}"] = values
    with replacing(models_folder() / RECORDS) as unfinished:
        unfinished.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def _records() -> dict[str, Any]:
    try:
        found = json.loads((models_folder() / RECORDS).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # without it hashes are recorded anew
        return {}
    return found if isinstance(found, dict) else {}
